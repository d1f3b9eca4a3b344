"""What the provider took and then failed goes again where that can help, few times, and says why where it does not."""

import json
from typing import Any

import msgspec
import pytest

from overture.actions.record_outcome import Outcome, record_outcomes
from overture.domain.agent import EndReason, TemplateUse
from overture.domain.conversation import Mode
from overture.domain.delivery import DeliveryStatus
from overture.domain.message import Template, Text
from overture.domain.sending import Priority
from tests.scripted_twilio import Refuse, Then
from tests.workers.test_outbox import claim, state
from tests.world import BOOKER, WHATSAPP, World

UNKNOWN_REASON = 30008  # ten minutes, once
CONGESTED = 30017  # five minutes, three times
OFF = 30003  # two hours, once


async def a_failed_message(world: World, code: int = UNKNOWN_REASON, status: str = "undelivered") -> str:
    an_id = await world.starts()
    await world.sends()
    await world.is_told(world.twilio.taken[0], "sent", status, code=code)
    return an_id


async def line_of(world: World, conversation_id: str) -> tuple[Any, ...]:
    line = (await world.lines(conversation_id))[0]
    return line.status, line.error_code, line.reason


async def told(world: World, kind: str) -> list[dict[str, Any]]:
    return [json.loads(data) for data, _ in await world.events(kind)]


async def test_a_passing_failure_waits_and_goes_again(world: World) -> None:
    an_id = await a_failed_message(world)
    assert await state(world) == [("queued", 1, False)]
    assert await line_of(world, an_id) == (DeliveryStatus.QUEUED, UNKNOWN_REASON, "twilio_30008")
    assert await world.column("SELECT waits_because FROM outbox") == ["twilio_30008"]
    [queued] = [one for one in await told(world, "message.queued") if one.get("reason")]
    assert (queued["reason"], queued["attempt"], queued["error_code"]) == ("twilio_30008", 1, UNKNOWN_REASON)
    assert await told(world, "message.failed") == []
    world.clock.passes(minutes=9, seconds=59)
    await world.sends()
    assert len(world.twilio.posts) == 1  # not yet
    world.clock.passes(seconds=1)
    await world.sends()
    assert world.twilio.said == ["Hello Ada", "Hello Ada"]
    await world.is_told(world.twilio.taken[1], "sent", "delivered")
    [line] = await world.lines(an_id)
    assert (line.status, line.error_code, line.reason) == (DeliveryStatus.DELIVERED, None, None)
    assert (line.provider_sid, line.possible_duplicate) == (world.twilio.taken[1]["sid"], False)
    assert await state(world) == []


async def test_as_often_as_its_code_allows_and_no_more(world: World) -> None:
    an_id = await a_failed_message(world, CONGESTED, "failed")
    for n in (1, 2, 3):
        world.clock.passes(minutes=5)
        await world.sends()
        await world.is_told(world.twilio.taken[n], "failed", code=CONGESTED)
    assert await line_of(world, an_id) == (DeliveryStatus.FAILED, CONGESTED, "twilio_30017")
    assert await state(world) == []
    [failed] = await told(world, "message.failed")
    assert failed["not_again"] == "it was tried as often as can help"
    assert failed["attempt"] == 4
    world.clock.passes(minutes=30)
    await world.sends()
    assert len(world.twilio.posts) == 4


async def test_a_failure_that_is_told_twice_makes_one_new_attempt(world: World) -> None:
    await a_failed_message(world, status="undelivered")
    await world.is_told(world.twilio.taken[0], "failed", code=UNKNOWN_REASON)
    assert await state(world) == [("queued", 1, False)]
    world.clock.passes(minutes=10)
    await world.sends()
    await world.keeps(world.reported(world.twilio.taken[0], "canceled", code=UNKNOWN_REASON))
    await world.handles()
    assert await state(world) == []
    assert len(world.twilio.posts) == 2


async def test_a_failure_told_after_the_new_attempt_was_made_makes_no_third(world: World) -> None:
    an_id = await a_failed_message(world, status="undelivered")
    world.clock.passes(minutes=10)
    await world.sends()
    await world.is_told(world.twilio.taken[0], "failed", code=UNKNOWN_REASON)
    assert await state(world) == []
    assert (await world.lines(an_id))[0].status is DeliveryStatus.QUEUED  # the second attempt speaks for it
    assert len(world.twilio.posts) == 2


async def test_what_was_failed_and_arrived_after_all_is_not_sent_again(world: World) -> None:
    an_id = await a_failed_message(world)
    await world.is_told(world.twilio.taken[0], "delivered")
    assert await state(world) == []
    assert await line_of(world, an_id) == (DeliveryStatus.DELIVERED, None, None)
    world.clock.passes(minutes=11)
    await world.sends()
    assert len(world.twilio.posts) == 1


@pytest.mark.parametrize("code", [30005, 30007, 30036, 30999, None])
async def test_what_another_try_cannot_help_fails(world: World, code: int | None) -> None:
    an_id = await world.starts()
    await world.sends()
    await world.is_told(world.twilio.taken[0], "failed", code=code)
    assert await line_of(world, an_id) == (DeliveryStatus.FAILED, code, None if code is None else f"twilio_{code}")
    assert await state(world) == []
    [failed] = await told(world, "message.failed")
    assert failed["not_again"] == "another try would fail as well"


async def test_what_would_expire_before_its_next_try_fails(world: World) -> None:
    an_id = await world.starts()
    world.clock.passes(hours=2, seconds=1)
    await world.sends()
    await world.is_told(world.twilio.taken[0], "undelivered", code=OFF)
    assert await line_of(world, an_id) == (DeliveryStatus.UNDELIVERED, OFF, "twilio_30003")
    [failed] = await told(world, "message.failed")
    assert failed["not_again"] == "it would expire before the next try"


async def test_what_expires_while_it_waits_is_never_sent(world: World) -> None:
    an_id = await a_failed_message(world, OFF)
    world.clock.passes(hours=4)
    await world.sends()
    assert len(world.twilio.posts) == 1
    assert (await world.lines(an_id))[0].reason == "expired"


@pytest.mark.promise("P23")
async def test_what_a_takeover_or_an_end_has_overtaken_is_not_sent_again(world: World) -> None:
    an_id = await world.starts()
    await world.sends()
    await world.change("UPDATE conversation SET epoch = epoch + 1")
    await world.is_told(world.twilio.taken[0], "undelivered", code=UNKNOWN_REASON)
    assert await state(world) == []
    assert await line_of(world, an_id) == (DeliveryStatus.UNDELIVERED, UNKNOWN_REASON, "twilio_30008")
    [failed] = await told(world, "message.failed")
    assert failed["not_again"] == "its conversation has moved on"


@pytest.mark.promise("P22")
async def test_an_opt_out_takes_back_what_waits_to_go_again(world: World) -> None:
    an_id = await a_failed_message(world)
    await world.hears("STOP")
    world.clock.passes(minutes=11)
    await world.sends()
    assert len(world.twilio.posts) == 1
    assert (await world.lines(an_id))[0].reason == "recipient_opted_out"


async def test_what_was_taken_back_stays_so_whatever_is_told_of_it_later(world: World) -> None:
    an_id = await a_failed_message(world)
    await world.hears("STOP")
    await world.is_told(world.twilio.taken[0], "failed", code=UNKNOWN_REASON)
    assert await state(world) == []
    assert (await world.lines(an_id))[0].reason == "recipient_opted_out"


@pytest.mark.promise("P8")
async def test_what_waits_to_go_again_holds_nothing_back(world: World) -> None:
    await a_failed_message(world, OFF)
    await world.hears("Monday")
    await world.takes_turns()
    await world.sends()
    assert world.twilio.said == ["Hello Ada", "Monday it is. At what time?"]
    world.clock.passes(hours=2)
    await world.sends()
    assert world.twilio.said[2:] == ["Hello Ada"]


async def test_it_goes_again_as_it_went_before(world: World) -> None:
    await world.starts()
    await world.sends()
    await world.hears("Monday")
    await world.takes_turns()
    await world.sends()
    await world.is_told(world.twilio.taken[1], "undelivered", code=CONGESTED)
    [[priority, epoch, confirms]] = await world.rows("SELECT priority, epoch, confirms_opt_out FROM outbox")
    assert (Priority(priority), epoch, bool(confirms)) == (Priority.REPLY, 0, False)


async def test_a_code_of_the_sender_lets_it_rest(world: World) -> None:
    await a_failed_message(world, 30034, "failed")
    assert await world.column("SELECT channel FROM sender WHERE stopped_at IS NOT NULL") == ["sms"]
    [stopped] = await told(world, "sender.stopped")
    assert "10DLC" in stopped["hint"]


async def test_an_attempt_of_an_older_version_is_not_repeated(world: World) -> None:
    await world.starts()
    await world.sends()
    await world.change("UPDATE attempt SET epoch = NULL, priority = NULL, thread_id = NULL, confirms_opt_out = NULL")
    await world.is_told(world.twilio.taken[0], "undelivered", code=UNKNOWN_REASON)
    assert await state(world) == []


# WhatsApp's closed window


OPENING = TemplateUse(content_sid="HX" + "1" * 32, variables={"1": "Ada"})
CALLERS = Template(content_sid="HX" + "2" * 32)


async def an_open_window(world: World, *, template: bool = True) -> None:
    if template:
        await world.saves(msgspec.structs.replace(BOOKER, opening_template=OPENING))
    await world.is_heard_before(WHATSAPP)
    world.clock.passes(minutes=1)


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_text_that_met_a_closed_window_gives_way_to_the_agents_template(
    world: World, asynchronous: bool
) -> None:
    await an_open_window(world)
    if not asynchronous:
        world.twilio.script.append(Refuse(status=400, code=63016))
    an_id = await world.starts(channel=WHATSAPP)
    await world.sends()
    if asynchronous:
        await world.is_told(world.twilio.taken[0], "undelivered", code=63016)
    [line] = await world.lines(an_id)
    assert (line.status, line.reason) == (DeliveryStatus.QUEUED, "window_closed")
    assert line.body == Template(content_sid=OPENING.content_sid, variables={"1": "Ada"}, instead_of="Hello Ada")
    await world.sends()
    assert world.twilio.posts[1]["ContentSid"] == OPENING.content_sid
    assert "Body" not in world.twilio.posts[1]
    await world.is_told(world.twilio.taken[-1], "delivered")
    assert (await world.lines(an_id))[0].status is DeliveryStatus.DELIVERED


async def test_the_callers_own_template_comes_before_the_agents(world: World) -> None:
    await an_open_window(world)
    template = TemplateUse(content_sid=CALLERS.content_sid)
    an_id = await world.starts(channel=WHATSAPP, template=template)
    await world.sends()
    assert world.twilio.posts[0]["Body"] == "Hello Ada"  # the window is open by all we know
    await world.is_told(world.twilio.taken[0], "failed", code=63016)
    await world.sends()
    assert world.twilio.posts[1]["ContentSid"] == CALLERS.content_sid
    assert (await world.lines(an_id))[0].text == f"[template {CALLERS.content_sid}]"


async def test_it_chooses_once(world: World) -> None:
    await an_open_window(world)
    an_id = await world.starts(channel=WHATSAPP)
    await world.sends()
    await world.is_told(world.twilio.taken[0], "undelivered", code=63016)
    await world.sends()
    await world.is_told(world.twilio.taken[1], "undelivered", code=63016)
    assert await state(world) == []
    assert await line_of(world, an_id) == (DeliveryStatus.UNDELIVERED, 63016, "window_closed")
    assert len(world.twilio.posts) == 2


async def test_a_template_whose_failure_overtakes_its_answer_has_failed(world: World) -> None:
    await an_open_window(world)
    an_id = await world.starts(channel=WHATSAPP)
    await world.sends()
    await world.is_told(world.twilio.taken[0], "undelivered", code=63016)
    world.clock.passes(seconds=5)
    [claimed] = await claim(world)
    accepted = await world.client.send(claimed)
    await world.is_told(world.twilio.taken[1], "failed", code=63024)
    late = Outcome(message_id=claimed.message_id, attempt=2, result=accepted)
    await world.store.write(lambda tx: record_outcomes(tx, [late], world.clock.now(), world.ids))
    assert await line_of(world, an_id) == (DeliveryStatus.FAILED, 63024, "twilio_63024")
    assert await state(world) == []


async def test_two_texts_give_way_to_one_template(world: World) -> None:
    await an_open_window(world)
    an_id = await world.starts(channel=WHATSAPP, text="One. " * 400)
    await world.sends(2)
    for taken in world.twilio.taken[:2]:
        await world.is_told(taken, "undelivered", code=63016)
    await world.sends(2)
    assert [post.get("ContentSid") for post in world.twilio.posts] == [None, None, OPENING.content_sid]
    assert [line.reason for line in await world.lines(an_id)] == [None, "window_closed"]


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_without_a_template_it_fails_and_says_so(world: World, asynchronous: bool) -> None:
    await an_open_window(world, template=False)
    if not asynchronous:
        world.twilio.script.append(Refuse(status=400, code=63016))
    an_id = await world.starts(channel=WHATSAPP)
    await world.sends()
    if asynchronous:
        await world.is_told(world.twilio.taken[0], "failed", code=63016)
    assert await line_of(world, an_id) == (DeliveryStatus.FAILED, 63016, "window_closed")
    assert await state(world) == []
    [[data, conversation_id]] = await world.events("message.failed")
    assert (json.loads(data)["reason"], conversation_id) == ("window_closed", an_id)
    refused: Any = await world.answers(channel=WHATSAPP, text="And now?")
    assert refused.code == "window_closed"


async def test_where_the_contact_wrote_meanwhile_the_text_itself_goes(world: World) -> None:
    await an_open_window(world)
    an_id = await world.starts(channel=WHATSAPP)
    await world.sends()
    world.clock.passes(seconds=30)
    await world.is_heard_before(WHATSAPP)
    await world.is_told(world.twilio.taken[0], "undelivered", code=63016)
    assert (await world.lines(an_id))[0].body == Text(text="Hello Ada")
    await world.sends()
    assert [post.get("Body") for post in world.twilio.posts] == ["Hello Ada", "Hello Ada"]


async def test_a_window_that_closed_on_what_was_taken_over_stays_closed(world: World) -> None:
    await an_open_window(world)
    an_id = await world.starts(channel=WHATSAPP)
    await world.sends()
    await world.change("UPDATE conversation SET epoch = epoch + 1")
    await world.is_told(world.twilio.taken[0], "undelivered", code=63016)
    assert await line_of(world, an_id) == (DeliveryStatus.UNDELIVERED, 63016, "window_closed")
    assert await state(world) == []


# a late word about consent


@pytest.mark.promise("P22")
@pytest.mark.parametrize("opts_in_again", [True, False])
async def test_a_late_word_of_an_opt_out_counts_unless_it_was_lifted_since(world: World, opts_in_again: bool) -> None:
    await world.starts()
    await world.sends()
    world.clock.passes(seconds=30)
    if opts_in_again:
        await world.hears("STOP")
        world.clock.passes(seconds=30)
        await world.hears("START")
        assert await world.column("SELECT opted_out_at FROM contact") == [None]
    await world.is_told(world.twilio.taken[0], "failed", code=21610)
    opted_out = [at for at in await world.column("SELECT opted_out_at FROM contact") if at is not None]
    assert bool(opted_out) is not opts_in_again
    if not opts_in_again:
        assert (await world.live()) == []


async def test_an_opt_out_after_the_last_opt_in_counts(world: World) -> None:
    await world.starts()
    await world.hears("STOP")
    await world.hears("START")
    world.clock.passes(seconds=30)
    an_id = await world.starts(text="Hello again")
    await world.sends(2)
    await world.is_told(world.twilio.taken[-1], "failed", code=21610)
    conversation = await world.conversation(an_id)
    assert (conversation.mode, conversation.end_reason) == (Mode.ENDED, EndReason.OPT_OUT)


async def test_a_refusal_of_a_message_in_review_is_a_failure_like_any_other(world: World) -> None:
    """Nothing could settle it, and then the provider says that it failed for a while: it goes again."""
    await world.saves(msgspec.structs.replace(BOOKER, on_uncertain="hold"))
    world.twilio.script.append(Then.RESET)
    await world.starts()
    await world.sends()
    for _ in range(6):
        world.clock.passes(seconds=31)
        await world.settles()
    assert await state(world) == [("needs_review", 1, False)]
    await world.is_told(world.twilio.take(world.twilio.posts[0]), "failed", code=CONGESTED)
    assert await state(world) == [("queued", 1, False)]
    world.clock.passes(minutes=5)
    await world.sends()
    assert len(world.twilio.posts) == 2
