"""Follow-ups of prompt agents: a model asks to speak up later, and is asked for the words when their time has come."""

import json

import pytest

from overture.domain.agent import PromptSpec
from overture.domain.conversation import Mode
from overture.domain.tool import FollowUpTool
from overture.domain.turn import ModelAnswered, ModelRequest, ToolCall
from overture.store import follow_ups
from overture.store.follow_ups import Pending
from tests.turns.test_tools import Model
from tests.world import WORKSPACE, World

SPEC = PromptSpec(name="Helper", instructions="Help.", greeting="Hi there!", tools=[FollowUpTool()])


def asks(**given: object) -> ModelAnswered:
    return ModelAnswered(text="", calls=(ToolCall(id="1", name="follow_up", arguments=json.dumps(given)),))


async def a_talk(world: World, *answers: ModelAnswered | str) -> tuple[str, Model]:
    """A conversation in which the contact has written once, and was answered."""
    model = Model(*answers)
    world.turns = type(world.turns)(store=world.store, model=model, ids=world.ids, signals=world.signals)
    await world.saves(SPEC)
    an_id = await world.starts(text=None)
    await world.sends()
    await world.hears("Ask me again in two hours.")
    await passes(world)
    return an_id, model


async def passes(world: World, **length: float) -> None:
    world.clock.passes(**length)
    await world.timers.look()
    await world.takes_turns()
    await world.sends(2)


async def pending(world: World, an_id: str) -> Pending | None:
    return await world.store.read(lambda tx: follow_ups.find(tx, WORKSPACE, an_id))


async def test_a_model_speaks_up_when_it_said_it_would(world: World) -> None:
    an_id, model = await a_talk(world, asks(after="2h", about="the [[end]] of it"), "I will.", "Have you decided?")
    assert world.twilio.said == ["Hi there!", "I will."]
    assert await pending(world, an_id) is not None
    await passes(world, hours=2)
    assert world.twilio.said == ["Hi there!", "I will.", "Have you decided?"]
    last: ModelRequest = model.asked[-1]
    assert "about: the [ [end]] of it" in last.lines[-1].text
    assert "the [[end]]" not in last.instructions
    assert await pending(world, an_id) is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"after": "now", "about": "x"}, "names no time"),
        ({"after": "5s", "about": "x"}, "at least"),
        ({"after": "20d", "about": "x"}, "at most"),
        ({"about": "x"}, "Say when"),
        ({"after": 7, "about": ["x"]}, "Say when"),
        ({"after": "2h " * 100_00, "about": "x"}, "too long"),
    ],
)
async def test_a_wish_that_names_no_time_is_told_back(world: World, given: dict[str, object], told: str) -> None:
    an_id, model = await a_talk(world, asks(**given), "As you like.")
    assert told in model.told[0]["error"]
    assert await pending(world, an_id) is None


async def test_a_model_that_fails_then_says_nothing_and_lets_nobody_in(world: World) -> None:
    an_id, _ = await a_talk(world, asks(after="2h", about="x"), "I will.", "")
    await passes(world, hours=2)
    assert world.twilio.said == ["Hi there!", "I will."]
    assert (await world.conversation(an_id)).mode is Mode.BOT
    [(data, _)] = await world.events("follow_up.dropped")
    assert json.loads(data) == {"reason": "nothing_said"}


async def test_two_wishes_for_the_same_minute_are_each_heard(world: World) -> None:
    """The first one's timer still stands where the contact writes and the model asks for the same hour again."""
    wish = asks(after="tomorrow at 9:00", about="x")
    an_id, _ = await a_talk(world, wish, "I will.", wish, "Yes, tomorrow.", "Have you decided?")
    await passes(world, hours=1)
    await world.hears("Tomorrow morning, please.")
    await passes(world, minutes=1)
    kept = await pending(world, an_id)
    assert kept is not None
    world.clock.passes(seconds=(kept.asked.due_at - world.clock.now()).total_seconds())
    await passes(world, minutes=1)
    assert world.twilio.said == ["Hi there!", "I will.", "Yes, tomorrow.", "Have you decided?"]
    assert await pending(world, an_id) is None
