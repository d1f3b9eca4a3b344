"""What one step of a flow costs, by what it does; the agent is pure, so nothing else is there to be measured."""

import time
from datetime import UTC, datetime
from typing import Final

from benchmarks.footprint import Footprint
from overture.agents import kinds
from overture.domain.agent import Ask, Branch, FlowSpec, GlobalPhrase, Node
from overture.domain.channel import Channel
from overture.domain.turn import Began, Finish, Heard, Observation, Scene

MOST_MICROSECONDS: Final = 200
STEPS: Final = 2_000
ROUNDS: Final = 5
_DAYS: Final = 365
_SCENE: Final = Scene(
    now=datetime(2026, 1, 5, 9, tzinfo=UTC), channel=Channel.SMS, variables={"name": "Ada", "visits": 3}
)
_PHRASES: Final = [GlobalPhrase(phrases=["opening hours", "when are you open"], say="We open at nine.")]
_ASKS: Final = {
    "text": (Ask(slot="it"), "next to the station, please"),
    "yes or no": (Ask(slot="it", type="yes_no"), "yes, that would be fine"),
    "choice": (
        Ask(slot="it", type="choice", choices={"cut": ["a haircut"], "color": ["colour"], "shave": ["a shave"]}),
        "I would like a haircut",
    ),
    "number": (Ask(slot="it", type="number", min=1, max=20, whole=True), "there are four of us"),
    "date": (Ask(slot="it", type="date", max_days=_DAYS), "next Tuesday"),
    "time": (Ask(slot="it", type="time"), "half past nine in the morning"),
    "date and time": (Ask(slot="it", type="datetime", max_days=_DAYS), "tomorrow at 10:30"),
    "phone": (Ask(slot="it", type="phone", country="1"), "my number is 415 555 2671"),
    "e-mail": (Ask(slot="it", type="email"), "write to ada@example.com"),
    "pattern": (Ask(slot="it", type="pattern", pattern="[A-Z]{2}[0-9]{4}"), "AB1234"),
    "what is not understood": (Ask(slot="it", type="number"), "well, that depends on the weather"),
    "a phrase listened for everywhere": (Ask(slot="it", type="date"), "when are you open?"),
}


def steps(*, count: int = STEPS, rounds: int = ROUNDS) -> list[Footprint]:
    """Microseconds of a step, in the best of so many rounds: whatever is more is a neighbour's."""
    opening, branches = _branching()
    found = [_measured("says and asks", opening, [Began()], count, rounds)]
    found.append(_measured("ten branches", branches, [Began(), Heard(texts=("the tenth",))], count, rounds))
    for name, (ask, text) in _ASKS.items():
        spec = FlowSpec(
            name="Asker",
            globals=_PHRASES,
            nodes={
                "start": Node(say="Hello {system.contact_number}.", ask=ask, goto="done"),
                "done": Node(say="Noted: {it}.", end="completed"),
            },
        )
        found.append(_measured(name, spec, [Began(), Heard(texts=(text,))], count, rounds))
    return found


def _branching() -> tuple[FlowSpec, FlowSpec]:
    says = FlowSpec(
        name="Sayer", nodes={"start": Node(say="Hello, it is the salon. Which day suits you?", ask=Ask(slot="day"))}
    )
    ways = [Branch(when=f"it == {n}", goto="done") for n in range(9)]
    branches = FlowSpec(
        name="Chooser",
        nodes={
            "start": Node(say="Which?", ask=Ask(slot="it"), then=[*ways, Branch(goto="done")]),
            "done": Node(say="Noted: {it}.", end="completed"),
        },
    )
    return says, branches


def _measured(name: str, spec: FlowSpec, seen: list[Observation], count: int, rounds: int) -> Footprint:
    """The last observation's step, from the state that those before it left, encoded and decoded as a turn does."""
    state = kinds.begin(spec)
    for one in seen[:-1]:
        state, _ = kinds.step(spec, state, one, _SCENE)
    kept, last, best = kinds.encode(state), seen[-1], float("inf")
    _, decision = kinds.step(spec, state, last, _SCENE)
    if not isinstance(decision, Finish) or not decision.replies:
        raise RuntimeError(f"the step of {name} says nothing")
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(count):
            after, _ = kinds.step(spec, kinds.decode(spec, kept), last, _SCENE)
            kinds.encode(after)
        best = min(best, (time.process_time() - began) / count)
    return Footprint(name=f"a step of a flow: {name}", value=best * 1e6, limit=MOST_MICROSECONDS, unit="µs")
