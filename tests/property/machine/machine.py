"""The machine: hypothesis draws a history step by step, and shortens one that breaks an invariant.

Rules that do one thing find what needs luck; rules that do what is known to hurt (a zombie, a line that comes late, a
sender that dies) find the rest. Each history draws what may happen in it at all: with everything on, every one would
end early in a STOP.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from overture.domain.agent import OnUncertain, Otherwise
from tests.property.machine.peers import MODEL_FAULTS, MOST_SILENCES, SEND_FAULTS, TOOL_FAULTS
from tests.property.machine.process import SENDER_LABELS, TURN_LABELS
from tests.property.machine.stage import SENDERS, THINKERS, Stage

Rule = TypeVar("Rule", bound=Callable[..., None])

MAY: Final = (
    "people",
    "stops",
    "anew",
    "ends",
    "deaths",
    "zombies",
    "sleepers",
    "late",
    "silences",
    "faults",
    "timers",
)
SILENCES: Final = ("takes_over", "cancels", "stop", "opens")

workers = st.sampled_from((*THINKERS, *SENDERS))
thinkers = st.sampled_from(THINKERS)
senders = st.sampled_from(SENDERS)
turn_labels = st.sampled_from(TURN_LABELS)
sender_labels = st.sampled_from(SENDER_LABELS)
plain = st.sampled_from(("tell", "book", "tell", "book", "look"))
moments = st.one_of(  # of a line that is answered: what is done beside the model has the most dangerous ones
    st.tuples(st.just("tell"), st.sampled_from(TURN_LABELS)),
    st.tuples(st.just("book"), st.sampled_from(("before intend", "after intend", "tool", "tooled", "before commit"))),
)
seconds = st.sampled_from((1, 7, 31, 65, 130))


def allowed(name: str) -> Callable[[Rule], Rule]:
    """A rule that only histories have that drew this."""

    def on(decorated: Rule) -> Rule:
        made: Rule = precondition(lambda machine: machine.drawn[name])(decorated)
        return made

    return on


class Machine(RuleBasedStateMachine):
    """One history on a stage. Make a class of its own for each stage: `machine_on(stage)`."""

    stage: Stage
    only: frozenset[str] | None = None  # what may happen in every history, where that is not drawn

    def __init__(self) -> None:
        super().__init__()
        self.drawn = dict.fromkeys(MAY, False)
        self.is_whole = True
        self.has_begun = False

    def do(self, *doing: Any) -> None:
        """Do things one after the other; a breach ends the history."""
        try:
            for one in doing:
                self.stage.run(one)
        except BaseException:
            self.is_whole = False
            raise
        finally:
            for one in doing:
                one.close()

    def teardown(self) -> None:
        """Let everything come to rest, if nothing is broken yet."""
        try:
            if self.is_whole and self.has_begun:
                self.do(self.stage.rests())
        finally:
            self.stage.run(self.stage.ends())

    @initialize(
        quiet=st.sampled_from((0, 6)),
        on_uncertain=st.sampled_from(OnUncertain),
        otherwise=st.sampled_from(Otherwise),
        may=st.sets(st.sampled_from(MAY)),
    )
    def begins(self, quiet: int, on_uncertain: OnUncertain, otherwise: Otherwise, may: set[str]) -> None:
        """A conversation is opened, in a world that was drawn."""
        allowed_here = may if self.only is None else self.only
        self.drawn = {name: name in allowed_here for name in MAY}
        self.do(self.stage.begins(quiet=quiet, on_uncertain=on_uncertain, otherwise=otherwise))
        self.has_begun = True

    # the contact

    @rule(kind=plain)
    def writes(self, kind: str) -> None:
        """The contact writes a line."""
        self.do(self.stage.writes(kind))

    @rule(kinds=st.lists(plain, min_size=2, max_size=3))
    def writes_much(self, kinds: list[str]) -> None:
        """The contact writes a burst."""
        self.do(self.stage.writes(*kinds))

    @allowed("ends")
    @rule(kind=st.sampled_from(("person", "bye")))
    def asks_for_an_end(self, kind: str) -> None:
        """The contact wants a person, or is done."""
        self.do(self.stage.writes(kind))

    @precondition(lambda machine: machine.stage.has_heard)
    @rule(which=st.integers(0, 50))
    def comes_again(self, which: int) -> None:
        """The provider repeats a webhook."""
        self.do(self.stage.repeats(which))

    @allowed("stops")
    @rule(word=st.sampled_from(("STOP", "START")))
    def changes_consent(self, word: str) -> None:
        """The contact wants no more, or wants more."""
        self.do(self.stage.says(word))

    # people and callers

    @allowed("people")
    @rule(what=st.sampled_from(("takes_over", "hands_back", "hands_back", "answers")))
    def a_person(self, what: str) -> None:
        """A person does something."""
        self.do(getattr(self.stage, what)())

    @allowed("anew")
    @rule(what=st.sampled_from(("opens", "cancels")))
    def a_caller(self, what: str) -> None:
        """A caller opens a conversation anew, or ends the one there is."""
        self.do(getattr(self.stage, what)())

    # workers

    @rule(worker=thinkers, until=st.none() | turn_labels)
    def thinks(self, worker: str, until: str | None) -> None:
        """A worker goes on with its turn, or takes one."""
        self.do(self.stage.runs(worker, until))

    @rule(worker=senders, until=st.none() | sender_labels)
    def sends(self, worker: str, until: str | None) -> None:
        """A worker goes on with what it sends, or claims more."""
        self.do(self.stage.runs(worker, until))

    @rule()
    def all_work(self) -> None:
        """Everybody goes on as far as they can."""
        self.do(*(self.stage.runs(worker) for worker in (*THINKERS, *SENDERS)))

    @allowed("deaths")
    @rule(worker=workers)
    def dies(self, worker: str) -> None:
        """A worker is killed."""
        self.do(self.stage.dies(worker))

    @allowed("deaths")
    @rule()
    def all_die(self) -> None:
        """The power fails."""
        self.do(*(self.stage.dies(worker) for worker in (*THINKERS, *SENDERS)))

    # what is known to hurt

    @allowed("zombies")
    @rule(first=thinkers, moment=moments, more=st.booleans(), other_until=st.sampled_from((None, "before commit")))
    def a_zombie_thinks(self, first: str, moment: tuple[str, str], more: bool, other_until: str | None) -> None:
        """A worker is held up until its claim has run out, another answers, and it wakes up."""
        other, (kind, at) = next(name for name in THINKERS if name != first), moment
        self.do(
            self.stage.writes(kind),
            self.stage.runs(first, at),
            self.stage.freezes(first),
            self.stage.passes(31),
            *([self.stage.writes("tell")] if more else []),
            self.stage.runs(other, other_until),
            self.stage.thaws(first),
            self.stage.runs(other),
        )

    @allowed("sleepers")
    @rule(first=senders, at=sender_labels, rounds=st.sampled_from((0, 1, 5, 6)))
    def a_zombie_sends(self, first: str, at: str, rounds: int) -> None:
        """A sender is held up, its claim runs out and is settled, others send, and it wakes up."""
        other = next(name for name in SENDERS if name != first)
        self._says_something()
        self.do(self.stage.runs(first, at), self.stage.freezes(first), self.stage.passes(7))
        for _ in range(rounds):
            self.do(self.stage.passes(31), self.stage.settles(), self.stage.runs(other))
        self.do(self.stage.thaws(first))

    @allowed("late")
    @rule(worker=thinkers, moment=moments, kinds=st.lists(plain, min_size=1, max_size=2))
    def a_line_comes_late(self, worker: str, moment: tuple[str, str], kinds: list[str]) -> None:
        """The contact writes while a turn is drafted, or in the moment of its commit."""
        kind, at = moment
        self.do(self.stage.writes(kind), self.stage.runs(worker, at), self.stage.writes(*kinds))
        self.do(self.stage.runs(worker))

    @allowed("late")
    @rule(worker=thinkers, kind=plain, times=st.integers(1, 4))
    def lines_keep_coming(self, worker: str, kind: str, times: int) -> None:
        """The contact writes again before each commit."""
        self.do(self.stage.writes(kind))
        for _ in range(times):
            self.do(self.stage.runs(worker, "before commit"), self.stage.writes("tell"))
        self.do(self.stage.runs(worker))

    @allowed("deaths")
    @rule(worker=thinkers, moment=moments, after=seconds)
    def a_thinker_dies(self, worker: str, moment: tuple[str, str], after: int) -> None:
        """A worker is killed in the midst of a turn, which another takes up."""
        kind, at = moment
        self.do(
            self.stage.writes(kind),
            self.stage.runs(worker, at),
            self.stage.dies(worker),
            self.stage.passes(after),
            self.stage.runs(worker),
        )

    @allowed("deaths")
    @rule(worker=senders, at=sender_labels, rounds=st.integers(1, 6))
    def a_sender_dies(self, worker: str, at: str, rounds: int) -> None:
        """A worker is killed in the midst of sending, and what became of its message is looked for."""
        self._says_something()
        self.do(self.stage.runs(worker, at), self.stage.dies(worker))
        for _ in range(rounds):
            self.do(self.stage.passes(31), self.stage.settles(), self.stage.runs(worker))

    @allowed("silences")
    @rule(worker=thinkers, moment=moments, how=st.sampled_from(SILENCES), back=st.booleans())
    def a_thinker_is_silenced(self, worker: str, moment: tuple[str, str], how: str, back: bool) -> None:
        """Somebody takes the conversation from a worker in the midst of its turn."""
        kind, at = moment
        self.do(self.stage.writes(kind), self.stage.runs(worker, at), self._silence(how))
        if back and how == "takes_over":
            self.do(self.stage.hands_back())
        self.do(self.stage.runs(worker), self.stage.runs(SENDERS[0]))

    @allowed("silences")
    @rule(worker=senders, at=sender_labels, how=st.sampled_from(SILENCES), lines=st.integers(1, 2))
    def a_sender_is_silenced(self, worker: str, at: str, how: str, lines: int) -> None:
        """Somebody takes the conversation while its messages are on their way."""
        for _ in range(lines):
            self._says_something()
        self.do(self.stage.runs(worker, at), self._silence(how))
        self.do(self.stage.runs(worker), self.stage.runs(worker), self.stage.runs(worker))

    def _silence(self, how: str) -> Any:
        return self.stage.says("STOP") if how == "stop" else getattr(self.stage, how)()

    # time and faults

    @rule(length=seconds)
    def time_passes(self, length: int) -> None:
        """Time passes."""
        self.do(self.stage.passes(length))

    @allowed("timers")
    @rule(minutes=st.sampled_from((15, 31, 61, 125)), before=st.sampled_from(("nothing", "work", "a line")))
    def a_long_time_passes(self, minutes: int, before: str) -> None:
        """So long that timers fire: while nothing happens, all is done, or a line waits for its answer."""
        if before == "work":
            self.all_work()
        elif before == "a line":
            self.do(self.stage.writes("tell"))
        self.do(self.stage.jumps(timedelta(minutes=minutes)), self.stage.fires())

    @allowed("people")
    @rule(worker=thinkers, comes=st.booleans(), minutes=st.sampled_from((16, 32, 125)))
    def a_person_is_asked_for(self, worker: str, comes: bool, minutes: int) -> None:
        """The agent hands over, somebody comes or nobody does, and time passes."""
        self.do(self.stage.writes("person"), self.stage.runs(worker), self.stage.passes(7))
        self.do(*([self.stage.takes_over()] if comes else []), self.stage.jumps(timedelta(minutes=minutes)))
        self.do(self.stage.fires())

    @rule()
    def the_list_is_read(self) -> None:
        """What became of uncertain messages is looked for."""
        self.do(self.stage.settles())

    @allowed("timers")
    @rule()
    def timers_fire(self) -> None:
        """Whatever is due."""
        self.do(self.stage.fires())

    @allowed("faults")
    @rule(worker=senders, fault=st.sampled_from(SEND_FAULTS))
    def the_provider_fails(self, worker: str, fault: str) -> None:
        """The next message meets a fault."""
        books = self.stage.books
        if fault != "429" and books.silences >= MOST_SILENCES:
            return
        books.silences += fault != "429"
        self._says_something()
        books.send_faults.append(fault)
        self.do(self.stage.runs(worker))

    @allowed("faults")
    @rule(worker=thinkers, fault=st.sampled_from(TOOL_FAULTS))
    def a_tool_fails(self, worker: str, fault: str) -> None:
        """The next call meets a fault."""
        self.do(self.stage.writes("book"))
        self.stage.books.tool_faults.append(fault)
        self.do(self.stage.runs(worker))

    @allowed("faults")
    @rule(worker=thinkers, fault=st.sampled_from(MODEL_FAULTS))
    def the_model_fails(self, worker: str, fault: str) -> None:
        """The next request meets a fault."""
        self.do(self.stage.writes("tell"))
        self.stage.books.model_faults.append(fault)
        self.do(self.stage.runs(worker))

    def _says_something(self) -> None:
        """Something of the agent waits to be sent."""
        self.do(self.stage.writes("tell"), self.stage.runs(THINKERS[0]), self.stage.passes(7))


def machine_on(stage: Stage, only: frozenset[str] | None = None) -> type[Machine]:
    """The machine over a stage that is open; `only` this may happen, where it is not to be drawn."""
    return type("MachineOnStage", (Machine,), {"stage": stage, "only": only})
