"""Plays a conversation with an agent, as an orchestrator would: every state goes through its bytes and back."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from overture.agents import kinds, reading
from overture.agents.kinds import State
from overture.domain.agent import AgentSpec, FlowSpec, Json
from overture.domain.channel import Channel
from overture.domain.turn import Decision, Finish, Heard, Line, Observation, Scene

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
AGENTS = Path(__file__).parents[2] / "agents"


def scene(
    variables: dict[str, Json] | None = None,
    *,
    channel: Channel = Channel.SMS,
    history: Sequence[Line] = (),
) -> Scene:
    """A turn's scene at noon."""
    return Scene(now=NOON, channel=channel, variables=variables or {}, history=tuple(history))


def flow(text: str) -> FlowSpec:
    """A flow from the YAML of its fields without kind and name."""
    spec = reading.read_spec(f"kind: flow\nname: Test\n{text}")
    assert isinstance(spec, FlowSpec)
    return spec


class Play:
    """One conversation with an agent."""

    def __init__(
        self, spec: AgentSpec, variables: dict[str, Json] | None = None, channel: Channel = Channel.SMS
    ) -> None:
        self.spec = spec
        self.scene = scene(variables, channel=channel)
        self.state: State = kinds.begin(spec)

    def sees(self, observation: Observation) -> Decision:
        """The decision that follows an observation."""
        self.state, decision = kinds.step(self.spec, self.state, observation, self.scene)
        assert kinds.decode(self.spec, kinds.encode(self.state)) == self.state
        return decision

    def finishes(self, observation: Observation) -> Finish:
        """The turn's result where no model is needed."""
        decision = self.sees(observation)
        assert isinstance(decision, Finish)
        return decision

    def hears(self, *texts: str) -> Finish:
        """The result of a turn in which the contact wrote these texts."""
        return self.finishes(Heard(texts=texts))

    @property
    def slots(self) -> dict[str, Json]:
        """What was collected so far."""
        return kinds.slots(self.state)
