"""The kinds of agent behind one face: nobody outside asks which kind an agent is."""

from collections.abc import Mapping
from typing import TypeAlias, assert_never

import msgspec

from overture.agents.kinds import asking, flow, prompt, waiting
from overture.agents.kinds.flow import FlowState
from overture.agents.kinds.prompt import PromptState
from overture.domain.agent import AgentSpec, FlowSpec, Json, PromptSpec
from overture.domain.turn import Decision, Observation, Scene

State: TypeAlias = FlowState | PromptState


def begin(spec: AgentSpec) -> State:
    """The state of a conversation in which nothing was observed yet; `Began` is the first observation."""
    match spec:
        case FlowSpec():
            return flow.begin(spec)
        case PromptSpec():
            return prompt.begin(spec)
        case _ as never:
            assert_never(never)


def step(spec: AgentSpec, state: State, observation: Observation, scene: Scene) -> tuple[State, Decision]:
    """The next state and decision for one observation: pure, the same inputs give the same outputs.

    After an `End` every further step gives an empty, ended Finish. After a `HandOver` the agent may go on when the
    conversation is given back. Raises ValueError where the state belongs to the other kind of agent.
    """
    match spec, state:
        case FlowSpec(), FlowState():
            return flow.step(spec, state, observation, scene)
        case PromptSpec(), PromptState():
            return prompt.step(spec, state, observation, scene)
        case _:
            raise ValueError(f"a {type(state).__name__} is no state of a {type(spec).__name__}")


def greeting(spec: AgentSpec, variables: Mapping[str, Json]) -> str | None:
    """The agent's own opening, rendered; None where the model composes it or the contact is to begin."""
    match spec:
        case FlowSpec():
            return flow.greeting(spec, variables)
        case PromptSpec():
            return prompt.greeting(spec, variables)
        case _ as never:
            assert_never(never)


def greeting_options(spec: AgentSpec, variables: Mapping[str, Json]) -> tuple[str, ...]:
    """The choices that the agent's own opening offers."""
    match spec:
        case FlowSpec():
            return flow.greeting_options(spec, variables)
        case PromptSpec():
            return ()
        case _ as never:
            assert_never(never)


def needs_model_to_open(spec: AgentSpec) -> bool:
    """Whether an opening without a text is a turn of the model (`Began(opening=None)` gives NeedModel)."""
    match spec:
        case FlowSpec():
            return False
        case PromptSpec():
            return prompt.composes_opening(spec)
        case _ as never:
            assert_never(never)


def awaits_silence(spec: AgentSpec) -> bool:
    """Whether an agent takes a turn right after an opening that was composed without one, to set its own clock."""
    return isinstance(spec, FlowSpec) and waiting.awaits_silence(spec)


def needs_more_than_model(spec: AgentSpec) -> bool:
    """Whether its turns may call tools or look things up: a turn that is run again is then told what was done."""
    match spec:
        case FlowSpec(tools=tools, nodes=nodes):
            return bool(tools) or any(map(asking.asks, nodes.values()))
        case PromptSpec(tools=tools, knowledge=knowledge):
            return bool(tools or knowledge)
        case _ as never:
            assert_never(never)


def bases(spec: AgentSpec) -> tuple[str, ...]:
    """The knowledge bases that it looks things up in."""
    match spec:
        case FlowSpec(nodes=nodes):
            return tuple(dict.fromkeys(name for node in nodes.values() if node.search for name in node.search.bases))
        case PromptSpec(knowledge=knowledge):
            return tuple(dict.fromkeys(knowledge))
        case _ as never:
            assert_never(never)


def models(spec: AgentSpec) -> tuple[str | None, ...]:
    """The model endpoints that it asks, each once; None is the default one."""
    match spec:
        case FlowSpec(nodes=nodes):
            return tuple(dict.fromkeys(node.prompt.model for node in nodes.values() if node.prompt))
        case PromptSpec(model=model):
            return (model,)
        case _ as never:
            assert_never(never)


def slots(state: State) -> dict[str, Json]:
    """What was collected so far, by name."""
    match state:
        case FlowState(slots=collected):
            return dict(collected)
        case PromptState(slots=saved):
            return dict(saved)
        case _ as never:
            assert_never(never)


def place(state: State) -> str:
    """Where the agent stands: a node's name, or `greeting_state` and `main_state` for a prompt agent."""
    match state:
        case FlowState(node=node):
            return node
        case PromptState(place=name):
            return name
        case _ as never:
            assert_never(never)


def encode(state: State) -> bytes:
    """A state as JSON, as it is kept between two turns."""
    return msgspec.json.encode(state)


def decode(spec: AgentSpec, data: bytes) -> State:
    """The state that `encode` wrote. Raises msgspec.ValidationError where it belongs to another kind of agent."""
    match spec:
        case FlowSpec():
            return msgspec.json.decode(data, type=FlowState)
        case PromptSpec():
            return msgspec.json.decode(data, type=PromptState)
        case _ as never:
            assert_never(never)
