"""Find passages that are near a question in meaning, as long as an endpoint makes vectors; never fail for want of it.

What compares many vectors does so in a thread, and signs that were read once are kept, up to a bound.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from overture import log
from overture.actions.look_up import Near
from overture.agents import nearness, ranking
from overture.domain.errors import Failure
from overture.domain.knowledge import MOST_PASSAGES, Base, Passage, space_of
from overture.domain.ports import Embeddings
from overture.domain.turn import NeedSearch
from overture.store import vectors
from overture.store.engine import Store

SECONDS: Final = 2.0  # for the endpoint, while a contact waits
LEFT_ALONE: Final = timedelta(seconds=30)  # after a failure: or each answer would be as late as the first
MOST_KEPT: Final = 50_000  # passages whose signs are kept: some fifteen megabytes
_SPAN: Final = MOST_PASSAGES + 1  # tells the passages of several bases apart

_Key = tuple[str, int, str | None]

_log: Final = log.get(__name__)


class Meaning:
    """Searches by meaning, with one endpoint."""

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings: Final = embeddings
        self._alone_until: datetime | None = None
        self._signs: Final[dict[_Key, dict[int, bytes]]] = {}

    async def find(self, need: NeedSearch, *, workspace_id: str, store: Store, bases: Sequence[Base]) -> Near:
        """What is nearest to a question; nothing, and why, where that cannot be told now."""
        if not bases or not ranking.stems_of(need.query, need.before):
            return Near()  # a greeting is near to everything and asks for nothing
        complete = [base for base in bases if base.embedded == base.passages]
        if not complete:
            return Near(note="By words alone: the passages have no vectors yet.")
        asked = await self._embed(need, store.now())
        if isinstance(asked, str):
            return Near(note=f"By words alone: {asked}")
        space = space_of(self._embeddings.model, len(asked) // 4)
        comparable = [base for base in complete if base.space == space]
        if not comparable:
            return Near(note="By words alone: the passages have vectors of another model.")
        return Near(passages=await self._nearest(asked, workspace_id, store, comparable, need.most))

    async def _embed(self, need: NeedSearch, now: datetime) -> bytes | str:
        """A question's vector, or why there is none."""
        if self._alone_until is not None and now < self._alone_until:
            return "the embedding endpoint failed a moment ago."
        text = f"{need.before}\n{need.query}".strip()[-ranking.LONGEST_QUERY :]
        try:
            async with asyncio.timeout(SECONDS):
                [numbers] = await self._embeddings.embed([text], timeout_seconds=SECONDS)
        except Failure as failure:
            code, why = failure.code, failure.description
        except TimeoutError:
            code, why = "embedding_timeout", "The embedding endpoint did not answer in time."
        else:
            self._alone_until = None
            packed = await asyncio.to_thread(nearness.pack, numbers)
            return "the question's vector has no direction." if packed is None else packed
        self._alone_until = now + LEFT_ALONE
        _log.warning("searched_by_words_alone", code=code, why=why)
        return why

    async def _nearest(
        self, asked: bytes, workspace_id: str, store: Store, bases: Sequence[Base], most: int
    ) -> list[tuple[Base, Passage]]:
        signs = [await self._signs_of(base, workspace_id, store) for base in bases]
        chosen = await asyncio.to_thread(_candidates, signs, asked)
        by_number: dict[int, tuple[Base, Passage]] = {}
        numbers: dict[int, bytes] = {}
        for at, base in enumerate(bases):
            wanted = [key % _SPAN for key in chosen if key // _SPAN == at]
            read = await store.read(
                lambda tx, base=base, wanted=wanted: vectors.list_numbers(tx, workspace_id, base, wanted)  # type: ignore[misc]
            )
            for passage, vector in read:
                by_number[at * _SPAN + passage.number] = base, passage
                numbers[at * _SPAN + passage.number] = vector
        nearest = await asyncio.to_thread(nearness.nearest, numbers, asked)
        return [by_number[number] for cosine, number in nearest[:most] if cosine > 0]

    async def _signs_of(self, base: Base, workspace_id: str, store: Store) -> dict[int, bytes]:
        key = (base.id, base.version, base.space)
        found = self._signs.pop(key, None)
        if found is None:
            found = await store.read(lambda tx: vectors.list_signs(tx, workspace_id, base))
        if len(found) == base.passages:  # else it was embedded anew meanwhile
            self._signs[key] = found
            while sum(map(len, self._signs.values())) > MOST_KEPT:
                self._signs.pop(next(iter(self._signs)))
        return found


def _candidates(signs: Sequence[dict[int, bytes]], asked: bytes) -> list[int]:
    together = {at * _SPAN + number: one for at, of_base in enumerate(signs) for number, one in of_base.items()}
    return nearness.candidates(together, asked)
