"""The turn road: claim conversations that wait for their agent, and run one turn of each."""

import asyncio
from collections.abc import Sequence
from typing import Final

from overture import log
from overture.actions import claim_turns, commit_turn, put_off_turn
from overture.actions.claim_turns import TurnClaim
from overture.domain import retry
from overture.domain.channel import Channel
from overture.domain.errors import Unavailable
from overture.domain.model_use import Prices
from overture.domain.ports import Ids, ModelClient, ToolCaller
from overture.store import turns
from overture.store.batch import Batch
from overture.store.engine import Store
from overture.store.signals import Signals
from overture.turns.meaning import Meaning
from overture.turns.run_turn import NO_PRICES, NO_TOOLS, Commits, run_turn
from overture.workers import metrics, singly
from overture.workers.typing import Typing

_GIVE_BACK_SECONDS: Final = 2.0
AT_ONCE: Final = 100  # turns mostly wait (for quiet, for a model); each holds some tens of kilobytes

_log: Final = log.get(__name__)


class TurnRoad:
    """Runs turns, at most `AT_ONCE` together and one of each conversation."""

    def __init__(
        self,
        *,
        store: Store,
        model: ModelClient,
        ids: Ids,
        signals: Signals,
        typing: Typing | None = None,
        tools: ToolCaller = NO_TOOLS,
        meaning: Meaning | None = None,
        prices: Prices = NO_PRICES,
    ) -> None:
        self._prices: Final = prices
        self._typing: Final = typing
        self._tools: Final = tools
        self._meaning: Final = meaning
        self._store: Final = store
        self._model: Final = model
        self._ids: Final = ids
        self._signals: Final = signals
        self._commits: Final[Commits] = Batch(store, commit_turn.commit_turns, ids)
        self._running: Final[set[asyncio.Task[None]]] = set()

    async def look(self) -> float | None:
        """Claim as much as there is room for; the seconds until more may be due."""
        room = AT_ONCE - len(self._running)
        if room == 0:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            return 0
        try:
            claims = await self._store.write(lambda tx: claim_turns.claim_turns(tx, room, self._store.now()))
        except Unavailable:
            raise
        except Exception:
            _log.exception("turns_stumble")
            await self._claim_singly(room)
            return 0
        self._begin(claims)
        if len(claims) == room:
            return 0
        now = self._store.now()
        due = await self._store.read(lambda tx: turns.find_next_due(tx, now))
        return None if due is None else (due - now).total_seconds()

    async def drain(self, seconds: float) -> None:
        """Let running turns come to their end; what is not done in time is claimed anew elsewhere or later."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=seconds)
        for task in self._running:
            task.cancel()
        if self._typing is not None:
            await self._typing.settle()
        if self._running:  # each gives its claim back, where the database lets it; else the claim runs out
            await asyncio.wait(set(self._running), timeout=_GIVE_BACK_SECONDS)
        await self._commits.settle()

    def _begin(self, claims: Sequence[TurnClaim]) -> None:
        for claim in claims:
            if self._typing is not None:
                self._typing.show(claim)
            task = asyncio.get_running_loop().create_task(self._run(claim))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _claim_singly(self, room: int) -> None:
        """After claims that failed, make each alone; one that fails alone is put off, so that it harms no other."""

        async def claim(key: tuple[str, str]) -> None:
            self._begin(await self._store.write(lambda tx: claim_turns.claim_turn(tx, key, self._store.now())))

        async def put_off(key: tuple[str, str], told: str) -> None:
            if await self._store.write(
                lambda tx: put_off_turn.put_off_turn(tx, key, told, self._store.now(), self._ids)
            ):
                _tell_of_pause(key[1])

        keys = await self._store.read(lambda tx: turns.list_due(tx, self._store.now(), room))
        await singly.one_by_one("turns", keys, do=claim, put_off=put_off)

    async def _run(self, claim: TurnClaim) -> None:
        conversation = claim.conversation
        try:
            outcome = await run_turn(
                claim,
                store=self._store,
                model=self._model,
                ids=self._ids,
                signals=self._signals,
                tools=self._tools,
                commits=self._commits,
                meaning=self._meaning,
                prices=self._prices,
            )
        except asyncio.CancelledError:
            await self._release(claim)  # the house closes: another process, or the next start, goes on at once
            raise
        except Unavailable as away:
            _log.warning("turn_waits", conversation_id=conversation.id, code=away.code)
            return
        except Exception as wrong:
            _log.exception("turn_stumbles", conversation_id=conversation.id, tries=conversation.tries)
            await self._step_over(claim, wrong)
            return
        match outcome:
            case commit_turn.Committed(messages=count, mode=mode):
                _log.info("turn_committed", conversation_id=conversation.id, messages=count, mode=mode.value)
            case commit_turn.Lost(why=why):
                _log.info("turn_lost", conversation_id=conversation.id, why=why)
            case commit_turn.Newer():
                raise RuntimeError("a turn ended with newer lines unanswered")
        self._signals.wake("turns")
        self._signals.wake(f"reply:{conversation.id}" if conversation.channel is Channel.API else "outbox")

    async def _step_over(self, claim: TurnClaim, wrong: Exception) -> None:
        """A turn that broke is run again, and after too often left to a person: not even the fallback could be said."""
        if claim.conversation.tries < retry.POISON_TRIES:
            await self._release(claim)
            return
        told = singly.told(wrong)
        try:
            parked = await self._store.write(
                lambda tx: put_off_turn.park_turn(tx, claim.conversation, told, self._store.now(), self._ids)
            )
        except Unavailable:
            return  # the claim runs out by itself, and the turn is run once more
        if parked:
            _tell_of_pause(claim.conversation.id)

    async def _release(self, claim: TurnClaim) -> None:
        due_at = self._store.now() + retry.delay(claim.conversation.tries)
        try:
            await self._store.write(lambda tx: turns.release(tx, claim.conversation, due_at))
        except Unavailable:
            return  # the claim runs out by itself


def _tell_of_pause(conversation_id: str) -> None:
    metrics.parked("turns").inc()
    _log.error("conversation_paused", conversation_id=conversation_id, why="Its turn failed again and again.")
