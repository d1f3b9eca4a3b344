"""A reply that finds WhatsApp's window closed uses the agent's fallback template, or waits for the contact."""

import json
from typing import Any

import msgspec
import pytest

from overture.domain.agent import FlowSpec, PromptSpec, TemplateUse, Variable
from overture.domain.delivery import DeliveryStatus
from overture.domain.message import Template
from overture.domain.template import Approval, Category
from overture.domain.template import Template as Known
from overture.store import templates, turns
from tests.scripted_twilio import Refuse
from tests.world import ACCOUNT, BOOKER, WHATSAPP, WORKSPACE, ScriptedModel, World, a_world

FALLBACK = TemplateUse(content_sid="HX" + "3" * 32, variables={"1": "{name|there}", "2": "{day}"})
WITH_FALLBACK = msgspec.structs.replace(BOOKER, fallback_template=FALLBACK, variables={"name": Variable()})
ASKED = "Monday it is. At what time?"


async def hears(world: World, text: str) -> None:
    await world.hears(text, channel=WHATSAPP)


async def closes(world: World) -> None:
    await world.change("UPDATE thread SET last_inbound_at = NULL")


async def an_answered_opening(world: World, **changes: Any) -> str:
    """A conversation whose contact has answered the opening, before the agent's turn."""
    await world.is_heard_before(WHATSAPP)
    an_id = await world.starts(channel=WHATSAPP, **changes)
    await world.sends()
    world.clock.passes(seconds=30)
    await hears(world, "Monday")
    return an_id


async def knows(world: World, **changes: Any) -> None:
    """What the provider is now heard to say of the fallback template."""
    given: dict[str, Any] = {"content_sid": FALLBACK.content_sid, "account_sid": ACCOUNT, "name": "again"}
    given |= {"language": "en", "approval": Approval.APPROVED, "category": Category.UTILITY}
    text = [{"type": "twilio/text", "text": "Hi {{1}}, about {{2}}: write to go on."}]
    known = msgspec.convert({**given, "contents": text, **changes}, Known)
    await world.store.write(lambda tx: templates.save(tx, WORKSPACE, [known], world.clock.now()))


async def waits(world: World) -> list[dict[str, Any]]:
    return [json.loads(data) for data, _ in await world.events("reply.waits_for_contact")]


async def last_post(world: World) -> tuple[str | None, Any]:
    post = world.twilio.posts[-1]
    return post.get("ContentSid"), json.loads(post["ContentVariables"]) if "ContentVariables" in post else None


@pytest.mark.parametrize("moment", ["commit", "claim", "answer", "callback"])
async def test_a_reply_gives_way_to_the_agents_fallback_template(world: World, moment: str) -> None:
    await world.saves(WITH_FALLBACK)
    an_id = await an_answered_opening(world, variables={"name": "Ada"})
    await knows(world)
    if moment == "commit":
        await closes(world)
    await world.takes_turns()
    if moment == "claim":
        await closes(world)
    if moment == "answer":
        world.twilio.script.append(Refuse(status=400, code=63016))
    world.clock.passes(seconds=5)
    await world.sends()
    if moment == "callback":
        await world.is_told(world.twilio.taken[-1], "undelivered", code=63016)
    await world.sends()
    assert await last_post(world) == (FALLBACK.content_sid, {"1": "Ada", "2": "Monday"})
    line = (await world.lines(an_id))[-1]
    rendered = "Hi Ada, about Monday: write to go on."
    sent = Template(content_sid=FALLBACK.content_sid, variables={"1": "Ada", "2": "Monday"}, instead_of=ASKED)
    assert line.body == msgspec.structs.replace(sent, rendered=rendered)
    assert await waits(world) == []
    await hears(world, "go on")
    await world.takes_turns()
    assert (await world.texts(an_id))[-3:] == [rendered, "> go on", ASKED]
    await hears(world, "ten")
    await world.takes_turns()
    assert (await world.texts(an_id))[-1] == "See you on Monday at ten."


@pytest.mark.parametrize("moment", ["commit", "claim", "answer", "callback"])
async def test_without_a_template_a_reply_waits_for_the_contact_and_says_so(world: World, moment: str) -> None:
    an_id = await an_answered_opening(world)
    if moment == "commit":
        await closes(world)
    await world.takes_turns()
    if moment == "claim":
        await closes(world)
    if moment == "answer":
        world.twilio.script.append(Refuse(status=400, code=63016))
    world.clock.passes(seconds=5)
    await world.sends()
    if moment == "callback":
        await world.is_told(world.twilio.taken[-1], "failed", code=63016)
    line = (await world.lines(an_id))[-1]
    assert (line.text, line.status, line.reason) == (ASKED, DeliveryStatus.FAILED, "window_closed")
    assert await waits(world) == [{"reason": "window_closed", "message_ids": [line.id], "seqs": [line.seq]}]
    assert await world.value("SELECT count(*) FROM outbox") == 0
    conversation = await world.conversation(an_id)
    assert (conversation.mode.value, conversation.turn_due_at) == ("bot", None)
    world.clock.passes(hours=1)
    await hears(world, "ten o'clock?")  # no answer to a question that nobody has read
    await world.takes_turns()
    await world.sends()
    assert world.twilio.said[-1] == ASKED
    await hears(world, "ten")
    await world.takes_turns()
    await world.sends()
    assert world.twilio.said[-1] == "See you on Monday at ten."


async def test_what_waits_is_kept_in_the_journal_as_no_answer(world: World) -> None:
    an_id = await an_answered_opening(world)
    await closes(world)
    await world.takes_turns()
    [turn] = await world.store.read(lambda tx: turns.list_of_conversation(tx, WORKSPACE, an_id))
    assert turn.outcome == "waits"
    assert [json.loads(data)["reason"] for data, _ in await world.events("message.refused")] == ["window_closed"]


@pytest.mark.parametrize(
    "changes",
    [
        {"approval": "rejected"},
        {"approval": "paused"},
        {"category": "MARKETING"},
        {"contents": [{"type": "twilio/text", "text": "{{1}} {{2}} {{3}}"}]},
        {"contents": [{"type": "twilio/list-picker", "text": "{{1}} {{2}}"}]},
    ],
)
async def test_a_fallback_that_whatsapp_would_not_take_is_not_sent(world: World, changes: dict[str, Any]) -> None:
    await world.saves(WITH_FALLBACK)
    an_id = await an_answered_opening(world)
    await knows(world, **changes)
    await closes(world)
    await world.takes_turns()
    await world.sends()
    assert len(world.twilio.posts) == 1
    assert len(await waits(world)) == 1
    assert (await world.lines(an_id))[-1].reason == "window_closed"


async def test_a_fallback_with_an_empty_place_is_not_sent(world: World) -> None:
    use = TemplateUse(content_sid=FALLBACK.content_sid, variables={"1": "{name}"})
    await world.saves(msgspec.structs.replace(WITH_FALLBACK, fallback_template=use))
    await an_answered_opening(world)
    await closes(world)
    await world.takes_turns()
    assert len(await waits(world)) == 1


async def test_an_opening_template_is_no_answer(world: World) -> None:
    await world.saves(msgspec.structs.replace(BOOKER, opening_template=FALLBACK))
    await an_answered_opening(world)
    await closes(world)
    await world.takes_turns()
    await world.sends()
    assert len(world.twilio.posts) == 1
    assert len(await waits(world)) == 1


async def test_a_fallback_that_was_refused_while_it_waited_does_not_leave(world: World) -> None:
    await world.saves(WITH_FALLBACK)
    an_id = await an_answered_opening(world)
    await closes(world)
    await world.takes_turns()
    world.clock.passes(minutes=1)
    await knows(world, approval="paused")
    await world.sends()
    line = (await world.lines(an_id))[-1]
    assert (line.status, line.reason) == (DeliveryStatus.FAILED, "template_not_approved")
    assert [one["reason"] for one in await waits(world)] == ["template_not_approved"]
    assert len(world.twilio.posts) == 1


async def test_what_was_known_before_the_message_keeps_no_template_back(world: World) -> None:
    await world.saves(WITH_FALLBACK)
    await world.is_heard_before(WHATSAPP)
    await knows(world, approval="paused")
    world.clock.passes(hours=7)  # too old to refuse anything by
    template = TemplateUse(content_sid=FALLBACK.content_sid, variables={"1": "Ada", "2": "x"})
    await closes(world)
    await world.starts(channel=WHATSAPP, text=None, template=template)
    await world.sends()
    assert world.twilio.posts[-1]["ContentSid"] == FALLBACK.content_sid


async def test_a_contact_who_writes_while_the_reply_is_queued_gets_the_text_itself(world: World) -> None:
    await world.saves(WITH_FALLBACK)
    await an_answered_opening(world)
    await world.takes_turns()
    await closes(world)
    await hears(world, "Are you there?")
    await world.sends()
    assert world.twilio.said[-1] == ASKED


async def test_a_model_is_told_what_the_contact_has_not_read(database_url: str) -> None:
    model = ScriptedModel("Is ten fine?", "Once more: is ten fine?", "Good.")
    async with a_world(database_url, model=model) as world:
        await world.saves(PromptSpec(name="P", instructions="Book."))
        an_id = await an_answered_opening(world)
        await closes(world)
        await world.takes_turns()
        await hears(world, "Anybody?")
        await world.takes_turns()
        told = model.asked[1]
        assert "did not reach them" in told.instructions
        assert "ten" not in told.instructions  # our words are no instructions
        assert [line.text for line in told.lines] == ["Hello Ada", "Monday", "Is ten fine?", "Anybody?"]
        await hears(world, "Yes")
        await world.takes_turns()
        assert "did not reach them" not in model.asked[2].instructions
        assert [line.text for line in model.asked[2].lines][-3:] == [
            "Monday\nAnybody?",  # what was never read is not shown as if it had been
            "Once more: is ten fine?",
            "Yes",
        ]
        assert (await world.texts(an_id))[-1] == "Good."


async def test_a_phrase_that_is_heard_everywhere_goes_before_what_was_not_read(world: World) -> None:
    phrases = [{"phrases": ["human"], "hand_over": "Wants a person."}]
    await world.saves(msgspec.convert({**msgspec.to_builtins(BOOKER), "globals": phrases}, type(BOOKER)))
    an_id = await an_answered_opening(world)
    await closes(world)
    await world.takes_turns()
    await hears(world, "a human please")
    await world.takes_turns()
    assert (await world.conversation(an_id)).mode.value == "human"


KEPT: dict[str, Any] = {"text": "Your car is ready.\nCome by.", "template": TemplateUse(content_sid="HX" + "4" * 32)}


async def test_a_flow_knows_the_text_that_gave_way_to_the_template(world: World) -> None:
    nodes = {
        "start": {"say": "Hello", "ask": {"slot": "ready"}, "goto": "said"},
        "said": {"say": "{initial_message}", "end": "completed"},
    }
    spec = {"kind": "flow", "name": "K", "variables": {"initial_message": {}}, "nodes": nodes}
    await world.saves(msgspec.convert(spec, FlowSpec))
    an_id = await world.starts(channel=WHATSAPP, **KEPT)
    await world.sends()
    await hears(world, "yes?")
    await world.takes_turns()
    assert (await world.texts(an_id))[-1] == "Your car is ready. Come by."


async def test_a_model_knows_the_text_that_gave_way_to_the_template(database_url: str) -> None:
    model = ScriptedModel("Your car is ready.", "Bye.")
    async with a_world(database_url, model=model) as world:
        await world.saves(PromptSpec(name="P", instructions="Help."))
        await world.starts(channel=WHATSAPP, **KEPT)
        await hears(world, "yes?")
        await world.takes_turns()
        assert "opened the conversation. What was meant" in model.asked[0].instructions
        assert "Your car is ready. Come by." in model.asked[0].instructions
        await world.starts(channel=WHATSAPP, text="A text alone")  # the window is open: it is a line like any other
        await hears(world, "well?")
        await world.takes_turns()
        assert "What was meant" not in model.asked[1].instructions
