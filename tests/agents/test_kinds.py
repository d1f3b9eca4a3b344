"""Both kinds of agent behind one face."""

import msgspec
import pytest

from overture.agents import kinds
from overture.domain.agent import AgentSpec, PromptSpec
from overture.domain.turn import Began, Heard, NeedModel
from tests.agents.playing import flow, scene

FLOW = flow("nodes: {start: {say: 'Name?', ask: {slot: name}, goto: done}, done: {say: 'Hi {name}', end: completed}}")
PROMPT = PromptSpec(name="P", instructions="Be kind.", greeting="Hello")


@pytest.mark.parametrize("spec", [FLOW, PROMPT])
def test_a_state_survives_its_bytes(spec: AgentSpec) -> None:
    state = kinds.begin(spec)
    for observation in (Began(), Heard(texts=("Ana",))):
        assert kinds.decode(spec, kinds.encode(state)) == state
        state, _ = kinds.step(spec, state, observation, scene())
    assert kinds.decode(spec, kinds.encode(state)) == state


def test_places_and_slots_are_told_for_both() -> None:
    state, _ = kinds.step(FLOW, kinds.begin(FLOW), Began(), scene())
    assert (kinds.place(state), kinds.slots(state)) == ("start", {})
    state, _ = kinds.step(FLOW, state, Heard(texts=("Ana",)), scene())
    assert (kinds.place(state), kinds.slots(state)) == ("done", {"name": "Ana"})
    prompt = kinds.begin(PROMPT)
    assert (kinds.place(prompt), kinds.slots(prompt)) == ("greeting_state", {})
    prompt, decision = kinds.step(PROMPT, prompt, Heard(texts=("hi",)), scene())
    assert kinds.place(prompt) == "main_state"
    assert isinstance(decision, NeedModel)


def test_a_state_of_the_other_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no state of"):
        kinds.step(FLOW, kinds.begin(PROMPT), Began(), scene())
    with pytest.raises(msgspec.ValidationError):
        kinds.decode(FLOW, kinds.encode(kinds.begin(PROMPT)))


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b'{"node": 1}'])
def test_damaged_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        kinds.decode(FLOW, data)


def test_what_slots_gives_is_a_copy() -> None:
    state, _ = kinds.step(FLOW, kinds.begin(FLOW), Began(), scene())
    kinds.slots(state)["x"] = 1
    assert kinds.slots(state) == {}
