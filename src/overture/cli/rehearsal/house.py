"""The house of a rehearsal: the roads over a store of its own, and time that passes when nothing is left to do.

Time stands still while there is work, and then leaps to whatever is due next: a rehearsal of three days takes no longer
than its commits.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from overture.actions.claim_deliveries import Claims, claim_deliveries
from overture.actions.keep_webhook import keep_webhooks
from overture.actions.record_outcome import Outcome, record_outcomes
from overture.actions.settle_delivery import Finding, settle_deliveries
from overture.adapters.twilio.webhooks import TwilioWebhooks
from overture.cli.rehearsal.stand_ins import ACCOUNT, Phone, SeededIds, SetClock
from overture.cli.rehearsal.stores import DoomedStore, WatchedStore
from overture.cli.rehearsal.transcript import Transcript
from overture.domain.listening import Listening
from overture.domain.model_use import Prices
from overture.domain.ports import ModelClient, Outgoing, RawEvent, ToolCaller
from overture.store import claims, conversations, inbox, pools, timers, turns, unsettled
from overture.store.batch import Batch
from overture.store.conversations import Conversation
from overture.store.engine import Reading, Store
from overture.store.signals import Signals
from overture.store.sqlite import SqliteStore
from overture.turns.run_turn import NO_PRICES
from overture.workers.inbox import InboxRoad
from overture.workers.outbox import OutboxRoad
from overture.workers.sweeps import SettleRoad, TimerRoad
from overture.workers.turns import TurnRoad

T = TypeVar("T")

WORKSPACE: Final = "rehearsal"
_MOST_ROUNDS: Final = 100  # at one instant; a message with its answer takes three
_MOST_LEAPS: Final = 1000  # of one wait; a resting conversation needs a few
_TURN_SECONDS: Final = 60.0
_MEMORY: Final = Path("/dev", "shm")  # nothing of a rehearsal is to outlive it: no disk need be waited for


class RunawayError(Exception):
    """The conversation does not come to rest."""


class House:
    """Everything that carries the conversations of one rehearsal. `tell` hears of what happens behind the scenes."""

    def __init__(
        self,
        store: WatchedStore,
        clock: SetClock,
        *,
        phone: Phone,
        models: ModelClient,
        tools: ToolCaller,
        tell: Callable[[str], None],
        prices: Prices,
    ) -> None:
        self.store: Final = store
        self.clock: Final = clock
        self.phone: Final = phone
        self.ids: Final = SeededIds()
        self._models: Final = models
        self._prices: Final = prices
        self._tools: Final = tools
        self._tell: Final = tell
        self._signals: Final = Signals()
        self._inbox: Final = InboxRoad(
            store=store,
            parser=TwilioWebhooks(accounts={ACCOUNT: []}, public_base_urls=[], secret=b"rehearsal"),
            ids=self.ids,
            listening=Listening(),
            signals=self._signals,
        )
        self._doomed: DoomedStore | None = None
        self._turns = self._new_turns(store)
        self._out = self._new_outbox()
        findings: Batch[Finding, str] = Batch(store, settle_deliveries, self.ids)
        self._settle: Final = SettleRoad(store=store, provider=phone, ids=self.ids, findings=findings)
        self._timers: Final = TimerRoad(store=store, ids=self.ids)

    # what happens

    async def keeps(self, events: Sequence[RawEvent]) -> None:
        """Webhooks arrive."""
        await self.store.write(lambda tx: keep_webhooks(tx, events, self.clock.now(), self.ids))

    def dies_before_its_commit(self) -> None:
        """The worker that runs the next turn dies when it is about to commit it."""
        self._doomed = DoomedStore(self.store)
        self._turns = self._new_turns(self._doomed)

    @property
    def is_doomed(self) -> bool:
        """Whether a death that was ordered is still to come."""
        return self._doomed is not None or self.phone.dies_after_next

    # how time passes

    async def until(self, is_so: Callable[[], Awaitable[bool]], longest: timedelta) -> bool:
        """Let time pass until something is so, at most so long; whether it came to be so."""
        end = self.clock.at + longest
        for _ in range(_MOST_LEAPS):
            await self._work()
            if await is_so():
                return True
            due = await self._find_next_due()
            if due is None or due > end:
                self.clock.at = end
                await self._work()
                return await is_so()
            self.clock.at = due
        raise RunawayError(f"There was still something to do after {_MOST_LEAPS} leaps in time.")

    async def passes(self, length: timedelta) -> None:
        """Let so much time pass."""

        async def never() -> bool:
            return False

        await self.until(never, length)

    async def rests(self) -> None:
        """Work until nothing is due now, nor an answer for which the quiet time alone is awaited."""
        await self._work()

    async def _work(self) -> None:
        for _ in range(_MOST_ROUNDS):
            before = self.store.changes
            told, self.phone.told[:] = list(self.phone.told), []
            if told:
                await self.keeps(told)
            while await self._inbox.look() == 0:
                pass
            await self._pass_quiet_time()
            await self._turns.look()
            await self._turns.drain(_TURN_SECONDS)
            self._bury()
            await self._out.look()
            dies = self.phone.dies_after_next
            await self._out.drain()
            if dies and not self.phone.dies_after_next:
                self._out = self._new_outbox()
            await self._settle.look()
            await self._settle.drain()
            await self._timers.look()
            if self.store.changes == before and not self.phone.told:
                return
        raise RunawayError(f"The conversation did not come to rest within {_MOST_ROUNDS} rounds.")

    async def _pass_quiet_time(self) -> None:
        """A turn waits for the end of a burst in real time, unless that is over when it begins."""
        for live in await self.list_conversations():
            found = await self.conversation(live)
            if found.reply_due_at is not None and found.reply_due_at > self.clock.at:
                self.clock.at = found.reply_due_at

    def _bury(self) -> None:
        if self._doomed is not None and self._doomed.is_dead:
            self._tell("the worker dies before its commit; another one takes over when the claim has run out")
            self._doomed = None
            self._turns = self._new_turns(self.store)

    async def _find_next_due(self) -> datetime | None:
        now = self.clock.at

        async def find(tx: Reading) -> list[datetime | None]:
            return [
                await turns.find_next_due(tx, now),
                await claims.find_next_due(tx, now),
                await pools.find_next_room(tx, now, now),
                await unsettled.find_next_due(tx, now),
                await inbox.find_next_due(tx, now),
                await timers.find_next_due(tx, now),
            ]

        return min((at for at in await self.store.read(find) if at is not None and at > now), default=None)

    # what is on disk

    async def list_conversations(self) -> list[str]:
        """The ids of all conversations, newest first."""
        page = await self.store.read(
            lambda tx: conversations.list_page(tx, WORKSPACE, agent_id=None, before=None, limit=200)
        )
        return [one.id for one in page]

    async def conversation(self, an_id: str) -> Conversation:
        """One conversation."""
        found = await self.store.read(lambda tx: conversations.find(tx, WORKSPACE, an_id))
        assert found is not None
        return found

    def _new_turns(self, store: Store) -> TurnRoad:
        return TurnRoad(
            store=store,
            model=self._models,
            ids=self.ids,
            signals=self._signals,
            tools=self._tools,
            prices=self._prices,
        )

    def _new_outbox(self) -> OutboxRoad:
        asked: Batch[Claims, list[Outgoing]] = Batch(self.store, claim_deliveries, self.ids)
        outcomes: Batch[Outcome, bool] = Batch(self.store, record_outcomes, self.ids)
        return OutboxRoad(
            store=self.store,
            provider=self.phone,
            ids=self.ids,
            claims=asked,
            outcomes=outcomes,
            elapsed=lambda: 0.0,
            rest=_no_rest,
        )


async def _no_rest(seconds: float) -> None:
    """The pace of a sender is kept in the instants that are written down, and waited for by nobody."""


@asynccontextmanager
async def open_house(
    now: datetime,
    *,
    models: ModelClient,
    tools: ToolCaller,
    transcript: Transcript,
    prices: Prices = NO_PRICES,
) -> AsyncIterator[House]:
    """A house over a new database, which is gone at the end."""
    clock = transcript.clock = SetClock(now)
    phone = Phone(clock, transcript.note, transcript.arrived)
    with tempfile.TemporaryDirectory(
        prefix="overture-test-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None
    ) as at:
        store = WatchedStore(SqliteStore(Path(at) / "rehearsal.db", clock))
        await store.open()
        try:
            yield House(store, clock, phone=phone, models=models, tools=tools, tell=transcript.note, prices=prices)
        finally:
            await store.close()
