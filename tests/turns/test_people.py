"""Turns and people: what an agent does with what was said while a person had its conversation."""

from typing import Any

import msgspec
import pytest

from overture.actions.hand_back import HandedBack
from overture.actions.hand_over import HandOver, hand_over
from overture.actions.write_message import Message, write_message
from overture.domain.agent import HandOverRules, Node, OnUncertain, Otherwise, PromptSpec
from overture.domain.conversation import Mode
from tests.people import gives_back, takes
from tests.scripted_twilio import Then
from tests.world import BOOKER, WORKSPACE, ScriptedModel, World

HELPER = PromptSpec(name="Helper", instructions="Help.", greeting="Hi there!", purpose="Answers for the salon.")


async def writes(world: World, an_id: str, text: str) -> None:
    asked = Message(workspace_id=WORKSPACE, conversation_id=an_id, by="Bo", digest=text, text=text)
    await world.store.write(lambda tx: write_message(tx, asked, world.clock.now(), world.ids))


async def test_while_a_person_has_it_nothing_is_due(world: World) -> None:
    an_id = await world.starts()
    await takes(world, an_id)
    await world.hears("Monday")
    await world.takes_turns()
    await world.sends(3)
    assert world.twilio.said == []
    assert await world.value("SELECT waits_since IS NOT NULL FROM conversation")
    await writes(world, an_id, "Monday is fine.")
    assert not await world.value("SELECT waits_since IS NOT NULL FROM conversation")


async def test_what_nobody_answered_is_answered_at_once_after_a_hand_back(world: World) -> None:
    an_id = await world.starts()
    await world.sends()
    await takes(world, an_id)
    await world.hears("Monday")
    world.clock.passes(seconds=60)
    assert await gives_back(world, an_id) == HandedBack(changed=True, answers=True)
    await world.takes_turns()
    await world.sends()
    assert world.twilio.said == ["Hello Ada", "Monday it is. At what time?"]


async def test_what_a_person_answered_is_not_answered_again(world: World) -> None:
    an_id = await world.starts()
    await world.sends()
    await takes(world, an_id)
    await world.hears("What does it cost?")
    await writes(world, an_id, "Forty.")
    assert await gives_back(world, an_id) == HandedBack(changed=True, answers=False)
    await world.takes_turns()
    await world.sends(2)
    assert world.twilio.said == ["Hello Ada", "Forty."]
    await world.hears("Monday")  # the agent stands where it stood
    await world.takes_turns()
    await world.sends()
    assert world.twilio.said[-1] == "Monday it is. At what time?"


async def test_what_the_agent_had_said_and_was_taken_back_is_said_after_a_hand_back_and_once(world: World) -> None:
    an_id = await world.starts()
    await world.sends()
    await world.hears("Monday")
    await world.takes_turns()
    for _ in range(3):  # however often a person only looks
        await takes(world, an_id)
        await world.sends()
        assert world.twilio.said == ["Hello Ada"]
        assert (await gives_back(world, an_id)).answers
    await world.takes_turns()
    await world.sends(5)
    assert world.twilio.said == ["Hello Ada", "Monday it is. At what time?"]
    await world.hears("At ten")
    await world.takes_turns()
    await world.sends()
    assert world.twilio.said[-1] == "See you on Monday at At ten."


async def test_what_an_agent_said_before_it_let_go_leaves_although_it_is_handed_back_first(world: World) -> None:
    nodes = {"start": Node(say="Hi.", goto="out"), "out": Node(say="A moment.", hand_over="asked")}
    await world.saves(msgspec.structs.replace(BOOKER, nodes=nodes))
    an_id = await world.starts(text=None)
    await world.hears("Hello?")
    await world.takes_turns()
    assert (await world.conversation(an_id)).mode is Mode.HUMAN
    await gives_back(world, an_id)
    await world.sends(4)
    assert world.twilio.said == [text for text in await world.texts(an_id) if not text.startswith("> ")]
    assert world.twilio.said


async def test_what_was_taken_back_while_its_fate_was_unknown_is_not_sent_again_when_the_agent_lets_go(
    world: World,
) -> None:
    nodes = {"start": Node(say="A moment.", hand_over="asked")}
    await world.saves(msgspec.structs.replace(BOOKER, nodes=nodes, on_uncertain=OnUncertain.RESEND))
    an_id = await world.starts()
    world.twilio.script.append(Then.RESET)
    await world.sends()
    await takes(world, an_id)
    await world.hears("Is anybody there?")
    assert (await gives_back(world, an_id)).answers
    await world.takes_turns()
    assert (await world.conversation(an_id)).mode is Mode.HUMAN
    for _ in range(8):
        world.clock.passes(seconds=31)
        await world.settles()
        await world.sends()
    assert world.twilio.said == []


async def test_a_model_is_told_which_lines_were_a_colleagues(world: World) -> None:
    model = ScriptedModel("Noted.", "As Bo said.")
    world.turns = type(world.turns)(store=world.store, model=model, ids=world.ids, signals=world.signals)
    await world.saves(HELPER, "helper")
    an_id = await world.starts(agent_id="helper", text=None)
    await world.hears("Is it far?")
    await world.takes_turns()
    await takes(world, an_id)
    await writes(world, an_id, "Ten minutes on foot. I keep a seat for you.")
    await gives_back(world, an_id)
    await world.hears("And by bus?")
    await world.takes_turns()
    before, after = (request.instructions for request in model.asked)
    assert "colleague of yours" not in before
    assert "colleague of yours" in after
    assert "I keep a seat for you." in after
    assert (await world.conversation(an_id)).mode is Mode.BOT
    assert msgspec.json.encode(model.asked[1].lines).count(b"I keep a seat") == 1


ASKS = msgspec.structs.replace(BOOKER, nodes={"start": Node(say="A moment.", hand_over="Wants a person.")})


async def is_handed_over(world: World, **rules: Any) -> str:
    """A conversation whose agent lets go of it at the contact's first word."""
    await world.saves(msgspec.structs.replace(ASKS, hand_over=HandOverRules(ack_within_seconds=60, **rules)))
    an_id = await world.starts()
    await world.sends()
    await world.hears("Hello?")
    await world.takes_turns()
    await world.sends()
    assert (await world.conversation(an_id)).mode is Mode.HUMAN
    return an_id


async def time_passes(world: World, seconds: float) -> None:
    world.clock.passes(seconds=seconds)
    await world.timers.look()
    await world.takes_turns()
    await world.sends(2)


async def test_a_hand_over_that_nobody_acknowledges_is_told_of_once_more_and_no_more(world: World) -> None:
    an_id = await is_handed_over(world)
    await time_passes(world, 59)
    assert await world.events("conversation.unattended") == []
    for _ in range(3):
        await time_passes(world, 61)
    [(data, where)] = await world.events("conversation.unattended")
    assert (where, "Wants a person." in data) == (an_id, True)
    assert (await world.conversation(an_id)).mode is Mode.HUMAN


@pytest.mark.parametrize(
    ("rules", "mode", "said"),
    [
        ({"otherwise": Otherwise.RESUME}, Mode.BOT, []),
        ({"otherwise": Otherwise.RESUME, "message": "We are back."}, Mode.BOT, ["We are back."]),
        ({"otherwise": Otherwise.MESSAGE, "message": "Nobody is here."}, Mode.HUMAN, ["Nobody is here."]),
        ({"otherwise": Otherwise.END, "message": "Please call."}, Mode.ENDED, ["Please call."]),
        ({"otherwise": Otherwise.END}, Mode.ENDED, []),
    ],
)
async def test_when_nobody_comes_what_the_agent_says_happens_once(
    world: World, rules: dict[str, Any], mode: Mode, said: list[str]
) -> None:
    an_id = await is_handed_over(world, **rules)
    before = len(world.twilio.said)
    await time_passes(world, 61)
    assert (await world.conversation(an_id)).mode is Mode.HUMAN
    for _ in range(3):
        await time_passes(world, 61)
    assert (await world.conversation(an_id)).mode is mode
    assert world.twilio.said[before:] == said


async def test_what_the_contact_wrote_while_nobody_came_is_answered_when_the_agent_goes_on(world: World) -> None:
    spec = msgspec.structs.replace(BOOKER, hand_over=HandOverRules(otherwise=Otherwise.RESUME, message="Sorry!"))
    await world.saves(spec)
    an_id = await world.starts()
    await world.sends()
    over = HandOver(workspace_id=WORKSPACE, conversation_id=an_id, reason="asked", note="")
    await world.store.write(lambda tx: hand_over(tx, [over], world.clock.now(), world.ids))
    await world.hears("Monday")
    for _ in range(2):
        await time_passes(world, 901)
    await world.sends(2)
    assert world.twilio.said == ["Hello Ada", "Sorry!", "Monday it is. At what time?"]


async def test_who_comes_in_time_is_not_overtaken_by_a_timer(world: World) -> None:
    an_id = await is_handed_over(world, otherwise=Otherwise.END)
    await time_passes(world, 61)
    await takes(world, an_id)
    await time_passes(world, 600)
    assert (await world.conversation(an_id)).mode is Mode.HUMAN
    assert len(await world.events("conversation.unattended")) == 1


async def test_what_a_person_leaves_alone_goes_back_after_the_time_that_is_set(world: World) -> None:
    await world.saves(msgspec.structs.replace(BOOKER, hand_over=HandOverRules(hand_back_after_seconds=600)))
    an_id = await world.starts()
    await takes(world, an_id)
    await time_passes(world, 500)
    await writes(world, an_id, "Bo here.")
    await time_passes(world, 500)
    assert (await world.conversation(an_id)).mode is Mode.HUMAN
    await time_passes(world, 101)
    assert (await world.conversation(an_id)).mode is Mode.BOT
