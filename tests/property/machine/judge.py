"""The judge: looks after everything that happens, remembers what must be remembered, and names what is broken."""

import inspect
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from overture.actions.claim_turns import LEASE, TurnClaim
from overture.actions.commit_turn import Committed
from overture.domain.ports import RawEvent
from overture.store.conversations import Conversation
from overture.store.engine import Store
from tests.property.machine import at_rest, between, picture, standing
from tests.property.machine.breach import BreachError, require
from tests.property.machine.peers import Books
from tests.property.machine.picture import Held, Picture
from tests.property.machine.process import Process

NUMBER: Final = re.compile(r" (\d+)$")


class Lease:
    """The last claim on a conversation that was given out."""

    def __init__(self, process: Process, fence: int, epoch: int, until: datetime) -> None:
        self.process: Final = process
        self.fence: Final = fence
        self.epoch: Final = epoch
        self.until = until
        self.is_over = False


class Judge:
    """`now` is the last picture; `story` says what has happened, for who reads of a breach."""

    def __init__(self, store: Store, books: Books) -> None:
        self._store: Final = store
        self._books: Final = books
        self.story: Final[list[str]] = []
        self.now = Picture()
        self._acknowledged: Final[set[str]] = set()
        self._leases: Final[dict[str, Lease]] = {}
        self._claims: Final[dict[tuple[str, str], Lease]] = {}
        self._leaving: Final[dict[str, tuple[int, frozenset[str]]]] = {}
        self._owed: Final[dict[str, tuple[str, int]]] = {}
        self._reviewed: Final[set[str]] = set()
        self._judged = 0
        self._breach: BreachError | None = None

    async def begins(self) -> None:
        """A new history."""
        for kept in (
            self.story,
            self._acknowledged,
            self._leases,
            self._claims,
            self._leaving,
            self._owed,
            self._reviewed,
        ):
            kept.clear()
        self._judged, self._breach = 0, None
        self.now = await picture.take(self._store)

    def acknowledges(self, events: Sequence[RawEvent]) -> None:
        """The provider was told that these are kept."""
        self._acknowledged.update(event.unique_key for event in events)

    def hears(self, process: Process, label: str, work: Any, result: Any) -> None:
        """A process wrote something: claims and commits are watched as they happen.

        A breach is kept for the next look: here it would only be one more failure for the worker to swallow.
        """
        try:
            self._watch(process, label, work, result)
        except BreachError as breach:
            self._breach = self._breach or breach

    def _watch(self, process: Process, label: str, work: Any, result: Any) -> None:
        if label == "claim":
            for claim in result:
                self._claimed(process, claim)
        elif label == "commit":
            given = inspect.getclosurevars(work).nonlocals
            drafts, outcomes = (given["asks"], result) if "asks" in given else ([given["draft"]], [result])
            for draft, outcome in zip(drafts, outcomes, strict=True):
                self._committed(process, draft.claim.conversation, outcome)
        elif label == "renew" and result:
            for lease in self._leases.values():
                if lease.process is process:
                    lease.until = self._store.now() + LEASE

    def _claimed(self, process: Process, claim: TurnClaim) -> None:
        held, now = claim.conversation, self._store.now()
        last = self._leases.get(held.id)
        if last is not None and last.epoch == held.epoch and not last.is_over:
            require(now >= last.until, "I4", f"{process.name} claimed what {last.process.name} held until {last.until}")
        lease = Lease(process, held.fence, held.epoch, now + LEASE)
        self._leases[held.id] = self._claims[process.name, held.id] = lease

    def _committed(self, process: Process, claimed: Conversation, outcome: object) -> None:
        if not isinstance(outcome, Committed):
            return
        lease = self._claims[process.name, claimed.id]
        newest, before = self._leases[claimed.id], self.now.conversations[claimed.id]
        require(
            newest is lease and lease.fence == claimed.fence,
            "I4",
            f"{lease.process.name} committed by fence {lease.fence}, though {newest.process.name} has {newest.fence}",
        )
        require(before.mode != "ended", "I11", f"{lease.process.name} committed a turn of what had ended")
        require(before.mode == "bot", "I5", f"{lease.process.name} committed a turn of what is in mode {before.mode}")
        require(before.epoch == lease.epoch, "I5", f"{lease.process.name} committed in epoch {before.epoch}")
        lease.is_over = True

    def buries(self, process: Process) -> None:
        """A process is gone; its claims run out by themselves."""
        for key in [key for key in self._claims if key[0] == process.name]:
            del self._claims[key]

    async def looks(self, what: str, *, may_speak: bool = False) -> None:
        """Something happened: compare what is on disk with what was."""
        self.story.append(what)
        if self._breach is not None:
            raise self._breach
        before, self.now = self.now, await picture.take(self._store)
        now = self._store.now()
        self._reviewed.update(row.message_id for row in self.now.outbox if row.state == "needs_review")
        standing.check(self.now, self._books, self._reviewed)
        between.check(before, self.now, now_is=now, may_speak=may_speak)
        self._fall_silent(before)
        self._watch_sent()
        self._note_owed(before)

    def _fall_silent(self, before: Picture) -> None:
        """Somebody else than its agent made a conversation silent: what may still leave is what has left already."""
        for an_id, held in self.now.conversations.items():
            was = before.conversations.get(an_id)
            if was is None or held.epoch == was.epoch or held.turns > was.turns or held.mode == "bot":
                continue
            flying = {row.message_id for row in self.now.outbox if row.state == "sending"}
            agents = {line.id for line in self.now.lines_of(an_id) if line.author in ("agent", "caller")}
            sent = {one.message_id for one in self._books.took}
            require(len(flying & agents) <= 1, "I5", f"{len(flying & agents)} messages of one conversation are leaving")
            self._leaving[an_id] = (was.last_seq, frozenset(agents & (flying | sent)))
            left = [
                r for r in self.now.outbox if r.message_id in agents and r.state == "queued" and r.seq <= was.last_seq
            ]
            require(not left, "I5", f"message {left[0].seq if left else ''} of the agent still waits to be sent")

    def _watch_sent(self) -> None:
        lines = {line.id: line for line in self.now.lines}
        for one in self._books.took[self._judged :]:
            line = lines[one.message_id]
            up_to, may_leave = self._leaving.get(line.conversation_id, (0, frozenset()))
            if line.author in ("agent", "caller") and line.seq <= up_to:
                require(one.message_id in may_leave, "I5", f"{one.body!r} left after its conversation was taken away")
        self._judged = len(self._books.took)

    def _note_owed(self, before: Picture) -> None:
        """Which lines the agent owes an answer: those that came while it had the conversation, or was given back."""
        for an_id, held in self.now.conversations.items():
            if held.mode != "bot":
                continue
            was = before.conversations.get(an_id)
            given_back = was is not None and was.mode != "bot"
            after = _answered(self.now, held) if given_back else (0 if was is None else was.last_seq)
            for line in self.now.lines_of(an_id):
                number = NUMBER.search(line.text)
                if line.direction == "in" and line.seq > after and number is not None:
                    self._owed[number[1]] = (an_id, held.epoch)

    def is_at_rest(self) -> bool:
        """Whether nothing waits."""
        return at_rest.is_at_rest(self.now)

    def rests(self) -> None:
        """Everything had its time: what must be done by now is done."""
        at_rest.check(self.now, self._acknowledged, self._owed)


def _answered(now: Picture, held: Held) -> int:
    """The last line that people or turns saw to."""
    by_people = [line.seq for line in now.lines_of(held.id) if line.author == "operator" and line.reason != "cancelled"]
    return max([0, *by_people, *(turn.to_seq for turn in now.turns_of(held.id))])
