"""The embeddings' road: vectors of knowledge, a batch of one base at a time, made while nobody waits for them.

What is kept is kept by batches, so a start goes on where the last end was. The endpoint is asked now and then what it
makes: where that is another model's, or of another length, every base is embedded anew. But only once: where another
process takes a base of ours into its own space, its settings are the newer ones, and what is there is left to it.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from overture import log
from overture.agents import nearness
from overture.domain import retry
from overture.domain.errors import Failure, Permanent, Transient
from overture.domain.knowledge import space_of
from overture.domain.ports import Embeddings
from overture.store import vectors
from overture.store.engine import Store
from overture.store.vectors import Lacking, Taken, ToEmbed, Vector

ROAD: Final = "embeddings"
EVERY_SECONDS: Final = 60.0
BATCH: Final = 32
SECONDS: Final = 30.0  # for a batch: a small machine's own endpoint takes its time
LEASE: Final = timedelta(minutes=2)
ASKED_EVERY: Final = timedelta(hours=1)
_HINT: Final = "Give all processes the same OVERTURE_EMBEDDING_MODEL; until then this one searches by words."
_ASKS: Final = "What does the endpoint make?"

_log: Final = log.get(__name__)


class EmbeddingRoad:
    """Embeds what has no vectors in the endpoint's space."""

    def __init__(self, *, store: Store, embeddings: Embeddings) -> None:
        self._store: Final = store
        self._embeddings: Final = embeddings
        self._space: str | None = None
        self._asked_at: datetime | None = None
        self._failures = 0
        self._ours: set[str] | None = set()

    async def look(self) -> float | None:
        """Embed one batch; the seconds until more may be due."""
        if not await self._store.read(vectors.are_wanted):
            return EVERY_SECONDS
        space = await self._find_space()
        if space is None:
            return retry.delay(self._failures).total_seconds()
        now = self._store.now()
        ours = self._ours
        claimed = await self._store.write(lambda tx: vectors.claim(tx, space, now, now + LEASE, ours=ours))
        match claimed:
            case None:
                await self._know_ours(space)
                return EVERY_SECONDS
            case Taken():
                _log.warning(
                    "embedding_model_outdated", base=claimed.name, ours=space, theirs=claimed.space, hint=_HINT
                )
                self._ours = None
            case ToEmbed():
                if ours is not None:
                    ours.add(claimed.id)
                await self._embed(claimed, space)
        return 0

    async def _know_ours(self, space: str) -> None:
        if self._ours is not None:
            self._ours.update(await self._store.read(lambda tx: vectors.list_in_space(tx, space)))

    async def _find_space(self) -> str | None:
        now = self._store.now()
        if self._space is None or self._asked_at is None or now - self._asked_at > ASKED_EVERY:
            try:
                [numbers] = await self._embeddings.embed([_ASKS], timeout_seconds=SECONDS)
            except Failure as failure:
                self._failures += 1
                _log.warning("embeddings_wait", code=failure.code, why=failure.description)
                return None
            self._failures, self._asked_at = 0, now
            space = space_of(self._embeddings.model, len(numbers))
            if space != self._space:
                self._space, self._ours = space, set()
                await self._know_ours(space)
        return self._space

    async def _embed(self, claimed: ToEmbed, space: str) -> None:
        lacking = await self._store.read(lambda tx: vectors.list_lacking(tx, claimed, BATCH))
        try:
            made = await self._make(lacking, space)
        except Failure as failure:
            _log.warning("knowledge_not_embedded", base=claimed.name, code=failure.code, why=failure.description)
            until = self._store.now() + retry.delay(claimed.tries)
            await self._store.write(lambda tx: vectors.put_off(tx, claimed, until))
            return
        await self._store.write(lambda tx: vectors.keep(tx, claimed, space, made))
        _log.info("knowledge_embedded", base=claimed.name, version=claimed.version, passages=len(made))

    async def _make(self, lacking: Sequence[Lacking], space: str) -> list[Vector]:
        """Vectors of passages; of one that the endpoint refuses though it takes others, an empty one."""
        if not lacking:
            return []
        try:
            told = await self._embeddings.embed([_text(one) for one in lacking], timeout_seconds=SECONDS)
        except Permanent as refused:
            if len(lacking) > 1:
                return [vector for one in lacking for vector in await self._make([one], space)]
            _log.warning("passage_not_embedded", passage=lacking[0].passage.number, code=refused.code)
            return [Vector(entry=lacking[0].entry, signs=b"", numbers=b"")]
        if space_of(self._embeddings.model, len(told[0])) != space:
            self._asked_at = None
            raise Transient("embedding_changed", "The embedding endpoint makes other vectors than a moment ago.")
        return await asyncio.to_thread(_packed, lacking, told)


def _packed(lacking: Sequence[Lacking], told: Sequence[Sequence[float]]) -> list[Vector]:
    packed = [(one.entry, nearness.pack(numbers)) for one, numbers in zip(lacking, told, strict=True)]
    return [
        Vector(entry=entry, signs=nearness.signs_of(numbers) if numbers else b"", numbers=numbers or b"")
        for entry, numbers in packed
    ]


def _text(one: Lacking) -> str:
    return f"{one.passage.title}\n{one.passage.text}"
