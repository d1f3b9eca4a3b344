"""The stage: one contact, one agent, two workers that think and two that send, on a real database.

Every method does one thing that can happen, lets the processes come to rest at their gates, and has the judge look.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from overture.actions.claim_deliveries import Claims, claim_deliveries
from overture.actions.end_conversation import end_conversation
from overture.actions.hand_back import hand_back
from overture.actions.record_outcome import Outcome, record_outcomes
from overture.actions.settle_delivery import Finding, settle_deliveries
from overture.actions.take_over import take_over
from overture.actions.write_message import Message, write_message
from overture.domain.agent import EndReason, HandOverRules, OnUncertain, Otherwise, PromptSpec
from overture.domain.conversation import Mode
from overture.domain.ports import Outgoing, RawEvent
from overture.domain.reply_time import QuietTimes
from overture.domain.tool import HttpTool, Parameter
from overture.store.batch import Batch
from overture.store.conversations import Conversation
from overture.store.engine import Writing
from overture.store.signals import Signals
from overture.store.statement import Command
from overture.workers.outbox import OutboxRoad
from overture.workers.sweeps import SettleRoad, TimerRoad
from overture.workers.turns import TurnRoad
from tests.property.machine.clockwork import Busy, TurnedLoop
from tests.property.machine.elsewhere import ElsewhereStore
from tests.property.machine.judge import Judge
from tests.property.machine.peers import Books, ScriptedModel, ScriptedProvider, ScriptedTool
from tests.property.machine.process import Face, Process, register
from tests.scripted_twilio import ScriptedTwilio
from tests.timed_store import TimedStore
from tests.world import ACCOUNT, AGENT, SMS, TABLES, WORKSPACE, StillClock, World, add_sender, open_store
from tests.world import ScriptedModel as NoModel

INACTIVITY: Final = timedelta(hours=1)
ACK: Final = timedelta(minutes=15)
HAND_BACK: Final = timedelta(minutes=30)
_STRIDE_SECONDS: Final = 5.0  # time passes so much at a time, so that who lives renews what it holds
_MOST_ROUNDS: Final = 40
_EMPTY: Final = [Command(f"DELETE FROM {table}") for table in (*TABLES, "agent", "agent_version")]
THINKERS: Final = ("w1", "w2")
SENDERS: Final = ("s1", "s2")


def spec_of(*, on_uncertain: OnUncertain, otherwise: Otherwise) -> PromptSpec:
    """The agent."""
    line = {"line": Parameter(required=True), "conversation": Parameter(bound="{conversation_id}")}
    booking = {"line": "{line}", "conversation": "{conversation}"}
    return PromptSpec(
        name="Booker",
        instructions="Book.",
        greeting="Hi!",
        end_reasons=["done"],
        fallback="A colleague will write.",
        inactivity_seconds=int(INACTIVITY.total_seconds()),
        max_turns=1000,
        on_uncertain=on_uncertain,
        hand_over=HandOverRules(
            ack_within_seconds=int(ACK.total_seconds()),
            otherwise=otherwise,
            hand_back_after_seconds=int(HAND_BACK.total_seconds()),
        ),
        tools=[
            HttpTool(name="book", method="POST", url="https://book.example/", parameters=line, body=booking),
            HttpTool(name="look", url="https://book.example/", parameters=line, query={"line": "{line}"}),
        ],
    )


class Stage:
    """Everything that a history may touch; opened once, emptied for each."""

    def __init__(self, url: str) -> None:
        self.clock: Final = StillClock()
        self.loop: Final = TurnedLoop(self.clock)
        register(self.loop)
        self.busy: Final = Busy()
        opened = open_store(url, self.clock)
        self.store: Final = TimedStore(
            opened if url.startswith("sqlite:") else ElsewhereStore(opened),  # which has threads of its own
            self.clock,
        )
        self.books: Final = Books(self.store)
        self.judge: Final = Judge(self.store, self.books)
        self.processes: Final[dict[str, Process]] = {}
        self.quiet = QuietTimes(every=0)
        self._numbers = 0
        self._webhooks: Final[list[RawEvent]] = []
        self._reached: Final[set[str]] = set()
        self.run(self._open())

    def run(self, doing: Awaitable[Any]) -> Any:
        """Do something on the stage's loop."""
        return self.loop.run_until_complete(doing)

    async def _open(self) -> None:
        await self.store.open()
        twilio = ScriptedTwilio(self.clock, ACCOUNT)
        self.world = World(self.store, self.clock, twilio, NoModel())
        self.signals = Signals()
        self.timers = TimerRoad(store=self.store, ids=self.world.ids)
        findings: Batch[Finding, str] = Batch(self.store, settle_deliveries, self.world.ids)
        self.settling = SettleRoad(
            store=self.store, provider=ScriptedProvider(self.books), ids=self.world.ids, findings=findings
        )
        await add_sender(self.world, SMS, inbound_agent_id=AGENT)

    def close(self) -> None:
        """Let go of the database."""

        async def close() -> None:
            await self.world.client.aclose()
            await self.store.close()

        self.run(close())
        self.loop.close()

    @property
    def reached(self) -> set[str]:
        """The labels that processes came by, in all histories."""
        return self._reached.union(*(process.reached for process in self.processes.values()))

    # a history

    async def begins(self, *, quiet: float, on_uncertain: OnUncertain, otherwise: Otherwise) -> None:
        """An empty database, an agent, four processes, and a conversation that was opened."""

        async def empty(tx: Writing) -> None:
            for command in _EMPTY:
                await tx.run(command)

        await self.store.write(empty)
        self.clock.passes(hours=1)
        self.books.forget()
        self._webhooks.clear()
        self.quiet = QuietTimes(every=quiet)
        await self.world.saves(spec_of(on_uncertain=on_uncertain, otherwise=otherwise))
        for name in (*THINKERS, *SENDERS):
            self._start(name)
        await self.judge.begins()
        await self.opens()

    async def ends(self) -> None:
        """Nothing of this history goes on."""
        for process in self.processes.values():
            await process.dies()
            self._reached.update(process.reached)
        self.processes.clear()

    async def rests(self) -> None:
        """Every fault over, every worker new: all that waits is done; then the judge sees whether it was done well."""
        for faults in (self.books.send_faults, self.books.tool_faults, self.books.model_faults):
            faults.clear()
        for name in list(self.processes):
            await self.dies(name)
        for _ in range(_MOST_ROUNDS):
            for name in self.processes:
                await self.runs(name)
            if self.judge.is_at_rest():
                break
            await self.passes(31)
            await self.settles()
        self.judge.rests()

    def _start(self, name: str) -> None:
        process = Process(name, busy=self.busy, told=self.judge.hears)
        ids = self.world.ids
        if name in THINKERS:
            road = TurnRoad(
                store=Face(self.store, process),
                model=ScriptedModel(self.books, process),
                ids=ids,
                signals=self.signals,
                tools=ScriptedTool(self.books, process),
            )
            process.look = road.look
        else:
            claims: Batch[Claims, list[Outgoing]] = Batch(Face(self.store, process, "claims"), claim_deliveries, ids)
            outcomes: Batch[Outcome, bool] = Batch(Face(self.store, process, "outcomes"), record_outcomes, ids)
            out = OutboxRoad(
                store=Face(self.store, process),
                provider=ScriptedProvider(self.books, process),
                ids=ids,
                claims=claims,
                outcomes=outcomes,
                elapsed=self.loop.time,
            )
            process.look = out.look
        self.processes[name] = process

    # workers

    async def runs(self, name: str, until: str | None = None) -> None:
        """A worker goes on, up to a label."""
        await self.processes[name].runs(until)
        await self.judge.looks(f"{name} ran until {until or 'its end'}")

    async def freezes(self, name: str) -> None:
        """The system stops a worker."""
        self.processes[name].frozen = True

    async def thaws(self, name: str, until: str | None = None) -> None:
        """A worker that was stopped goes on, none the wiser."""
        await self.processes[name].thaws(until)
        await self.judge.looks(f"{name} woke up")

    async def dies(self, name: str) -> None:
        """A worker is killed where it stands, and another started in its place."""
        process = self.processes[name]
        await process.dies()
        self._reached.update(process.reached)
        self.judge.buries(process)
        self._start(name)
        await self.judge.looks(f"{name} died")

    async def passes(self, seconds: float) -> None:
        """Time passes, in strides; whoever waits for it goes on."""
        left = seconds
        while left > 0:
            self.clock.passes(seconds=min(left, _STRIDE_SECONDS))
            left -= _STRIDE_SECONDS
            await self.busy.settles()
            await self.judge.looks(f"{seconds} seconds passed")

    async def jumps(self, length: timedelta) -> None:
        """A long time passes in which nothing was let run."""
        self.clock.at += length
        await self.busy.settles()
        await self.judge.looks(f"{length} passed")

    async def settles(self) -> None:
        """What became of uncertain messages is looked for."""
        await self.settling.look()
        await self.settling.drain()
        await self.judge.looks("the provider's list was read")

    async def fires(self) -> None:
        """Timers that are due fire."""
        await self.timers.look()
        await self.judge.looks("timers fired", may_speak=True)

    # people

    async def opens(self) -> None:
        """A caller opens a conversation, which ends the one that the agent had."""
        self._numbers += 1
        await self.world.answers(text=f"Hello {self._numbers}", digest=str(self._numbers))
        await self.judge.looks("a caller opened a conversation", may_speak=True)

    async def writes(self, *kinds: str) -> None:
        """The contact writes lines, all at once."""
        events = []
        for kind in kinds:
            self._numbers += 1
            events.append(self.world.written(f"{kind} {self._numbers}"))
        await self._arrive(events, f"the contact wrote {', '.join(kinds)}")

    async def says(self, word: str) -> None:
        """The contact writes a word that changes consent."""
        await self._arrive([self.world.written(word)], f"the contact wrote {word}", may_speak=True)

    async def repeats(self, which: int) -> None:
        """The provider delivers a webhook again."""
        await self._arrive([self._webhooks[which % len(self._webhooks)]], "a webhook came again")

    @property
    def has_heard(self) -> bool:
        """Whether a webhook came that could come again."""
        return bool(self._webhooks)

    async def _arrive(self, events: Sequence[RawEvent], what: str, *, may_speak: bool = False) -> None:
        await self.world.keeps(*events)
        self._webhooks.extend(event for event in events if event not in self._webhooks)
        self.judge.acknowledges(events)
        inbox = self.world.new_inbox(self.quiet)
        while await inbox.look() == 0:
            pass
        await self.judge.looks(what, may_speak=may_speak)

    async def live(self) -> Conversation | None:
        """The conversation that has not ended."""
        return next(iter(await self.world.live()), None)

    async def takes_over(self) -> None:
        """A person takes the conversation."""
        await self._by_hand(take_over, "a person took over", by="bea")

    async def hands_back(self) -> None:
        """Its agent has it again."""
        await self._by_hand(hand_back, "a person handed back", may_speak=True, by="bea")

    async def cancels(self) -> None:
        """A caller ends the conversation."""
        await self._by_hand(end_conversation, "a caller ended it", reason=EndReason.CANCELLED)

    async def answers(self) -> None:
        """A person answers in the conversation that people have."""
        live = await self.live()
        if live is None or live.mode is Mode.BOT:
            return
        self._numbers += 1
        asked = Message(
            workspace_id=WORKSPACE,
            conversation_id=live.id,
            by="bea",
            digest=str(self._numbers),
            text=f"Bea here {self._numbers}",
        )
        await self.store.write(lambda tx: write_message(tx, asked, self.clock.now(), self.world.ids))
        await self.judge.looks("a person wrote")

    async def _by_hand(
        self, action: Callable[..., Awaitable[Any]], what: str, *, may_speak: bool = False, **given: Any
    ) -> None:
        live = await self.live()
        if live is None:
            return
        key = {"workspace_id": WORKSPACE, "conversation_id": live.id}
        await self.store.write(lambda tx: action(tx, **key, **given, now=self.clock.now(), ids=self.world.ids))
        await self.judge.looks(what, may_speak=may_speak)
