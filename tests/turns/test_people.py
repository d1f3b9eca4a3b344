"""Turns and people: what an agent does with what was said while a person had its conversation."""

import msgspec

from overture.actions.hand_back import HandedBack, hand_back
from overture.actions.take_over import TakenOver, take_over
from overture.actions.write_message import Message, write_message
from overture.domain.agent import PromptSpec
from overture.domain.conversation import Mode
from tests.world import WORKSPACE, ScriptedModel, World

HELPER = PromptSpec(name="Helper", instructions="Help.", greeting="Hi there!", purpose="Answers for the salon.")


async def takes(world: World, an_id: str) -> TakenOver:
    return await world.store.write(
        lambda tx: take_over(
            tx, workspace_id=WORKSPACE, conversation_id=an_id, by="Bo", now=world.clock.now(), ids=world.ids
        )
    )


async def gives_back(world: World, an_id: str) -> HandedBack:
    return await world.store.write(
        lambda tx: hand_back(
            tx, workspace_id=WORKSPACE, conversation_id=an_id, by="Bo", now=world.clock.now(), ids=world.ids
        )
    )


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
