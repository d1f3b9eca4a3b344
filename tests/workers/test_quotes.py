"""A reply that quotes: a model is told what the contact replies to, a flow and a keyword get what was written alone."""

from typing import Any

import pytest

from overture.domain.agent import PromptSpec
from overture.domain.conversation import Mode
from overture.domain.message import Template, Text, with_quote
from tests.world import WHATSAPP, ScriptedModel, World, a_world


async def test_a_model_is_told_what_the_contact_replies_to(database_url: str) -> None:
    model = ScriptedModel("Good.", "Fine.")
    async with a_world(database_url, model=model) as world:
        await world.saves(PromptSpec(name="Helper", instructions="Help."))
        await world.is_heard_before(WHATSAPP)
        an_id = await world.starts(channel=WHATSAPP, text="Does Monday\nsuit you?")
        await world.sends()
        [sent] = world.twilio.taken
        await world.hears("Yes", channel=WHATSAPP, OriginalRepliedMessageSid=sent["sid"])
        await world.takes_turns()
        assert model.asked[0].lines[-1].text == "[replying to: Does Monday suit you?] Yes"
        assert (await world.texts(an_id))[1] == "> Yes"  # people and programs read what was written
        await world.hears("And Tuesday?", channel=WHATSAPP)
        await world.takes_turns()
        assert [line.text for line in model.asked[1].lines][-3:-1] == [
            "[replying to: Does Monday suit you?] Yes",
            "Good.",
        ]


async def test_an_answer_to_a_flow_and_a_keyword_are_what_was_written_alone(world: World) -> None:
    await world.is_heard_before(WHATSAPP)
    an_id = await world.starts(channel=WHATSAPP)
    await world.sends()
    quoting: dict[str, Any] = {"channel": WHATSAPP, "OriginalRepliedMessageSid": world.twilio.taken[0]["sid"]}
    await world.hears("Monday", **quoting)
    await world.takes_turns()
    assert (await world.texts(an_id))[-1] == "Monday it is. At what time?"
    await world.hears("STOP", **quoting)
    assert (await world.conversation(an_id)).mode is Mode.ENDED


@pytest.mark.parametrize("sid", ["SM" + "9" * 32, "MM" + "0" * 32])
async def test_a_quote_of_what_is_not_ours_changes_nothing(world: World, sid: str) -> None:
    await world.is_heard_before(WHATSAPP)
    an_id = await world.starts(channel=WHATSAPP)
    await world.hears("Monday", channel=WHATSAPP, OriginalRepliedMessageSid=sid)
    [line] = [one for one in await world.lines(an_id) if one.text == "Monday"]
    assert line.body == Text(text="Monday")


async def test_another_workspaces_message_is_not_quoted(world: World) -> None:
    await world.is_heard_before(WHATSAPP)
    an_id = await world.starts(channel=WHATSAPP)
    await world.sends()
    await world.change("UPDATE attempt SET workspace_id = 'another'")
    await world.hears("Yes", channel=WHATSAPP, OriginalRepliedMessageSid=world.twilio.taken[0]["sid"])
    assert (await world.lines(an_id))[-1].body == Text(text="Yes")


def test_a_long_quote_is_shortened_and_templates_are_told_by_their_text() -> None:
    assert with_quote(Text(text="Yes", replying_to="word " * 1000)) == f"[replying to: {('word ' * 40)}] Yes"
    assert with_quote(Template(content_sid="HX1", variables={}, rendered="Hi")) == "Hi"
