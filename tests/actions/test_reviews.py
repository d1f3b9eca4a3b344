"""A message that nothing could settle waits for a person, who sends it once more or gives it up."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from overture.actions.drop_message import drop_message
from overture.actions.in_review import Decided
from overture.actions.resend_message import resend_message
from overture.domain.delivery import DeliveryState, DeliveryStatus
from overture.domain.errors import Conflict, NotAllowed, Problem, Unknown
from overture.domain.message import Template
from overture.store.engine import instant
from tests.people import ends
from tests.scripted_twilio import Refuse, Then
from tests.world import ADA, BOB, WHATSAPP, WORKSPACE, World

QUEUED = Decided(changed=True, state=DeliveryState.QUEUED)
DROPPED = Decided(changed=True, state=DeliveryState.FAILED)


async def in_review(world: World, bad: Then = Then.RESET, **asked: Any) -> tuple[str, str]:
    """The conversation and the message of an opening whose fate nothing could tell before it expired."""
    world.twilio.script.append(bad)
    conversation = await world.starts(**asked)
    await world.sends()
    world.clock.passes(hours=4)
    for _ in range(3):
        world.clock.passes(seconds=31)
        await world.settles()
    assert await world.column("SELECT state FROM outbox WHERE conversation_id = $1", conversation) == ["needs_review"]
    return conversation, await world.value("SELECT id FROM message WHERE conversation_id = $1", conversation)


async def resend(world: World, message_id: str, *, workspace: str = WORKSPACE, valid: int | None = None) -> Decided:
    return await world.store.write(
        lambda tx: resend_message(
            tx,
            workspace_id=workspace,
            message_id=message_id,
            valid_seconds=valid,
            by="kid",
            now=world.clock.now(),
            ids=world.ids,
        )
    )


async def drop(world: World, message_id: str, *, workspace: str = WORKSPACE, note: str | None = None) -> Decided:
    return await world.store.write(
        lambda tx: drop_message(
            tx,
            workspace_id=workspace,
            message_id=message_id,
            note=note,
            by="kid",
            now=world.clock.now(),
            ids=world.ids,
        )
    )


async def refused(work: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        await work
    return caught.value


async def test_a_message_in_review_is_sent_once_more_when_a_person_says_so(world: World) -> None:
    conversation, message_id = await in_review(world)
    assert await resend(world, message_id) == QUEUED
    await world.sends()
    assert world.twilio.said == ["Hello Ada"]
    [line] = await world.lines(conversation)
    assert (line.status, line.reason) == (DeliveryStatus.QUEUED, None)
    assert line.possible_duplicate  # the first try may have gone out all the same
    assert await world.column("SELECT state FROM outbox") == []
    event, about = (await world.events("message.queued"))[-1]
    assert about == conversation
    assert json.loads(event) == {"message_id": message_id, "possible_duplicate": True, "by": "kid"}


@pytest.mark.parametrize(("valid", "lives"), [(None, timedelta(hours=4)), (600, timedelta(seconds=600))])
async def test_it_lives_anew_from_then_on(world: World, valid: int | None, lives: timedelta) -> None:
    conversation, message_id = await in_review(world)
    await resend(world, message_id, valid=valid)
    expires_at = world.clock.now() + lives
    assert instant(await world.value("SELECT expires_at FROM outbox")) == expires_at
    assert (await world.lines(conversation))[0].expires_at == expires_at
    world.clock.at = expires_at
    await world.sends()
    assert (await world.lines(conversation))[0].reason == "expired"


@pytest.mark.promise("P2")
async def test_asked_twice_it_is_sent_once(world: World) -> None:
    _, message_id = await in_review(world)
    answers = await asyncio.gather(resend(world, message_id), resend(world, message_id), resend(world, message_id))
    assert sorted(answer.changed for answer in answers) == [False, False, True]
    await world.sends(3)
    assert world.twilio.said == ["Hello Ada"]
    assert len(await world.events("message.queued")) == 1
    late = await refused(resend(world, message_id))
    assert (type(late), late.code) == (Conflict, "delivery_settled")
    await world.sends()
    assert len(world.twilio.taken) == 1


async def test_where_it_ends_unknown_again_a_person_decides_again(world: World) -> None:
    """Whoever said once that it may be sent twice has not said so of a third time."""
    _, message_id = await in_review(world)
    world.twilio.script.append(Then.RESET)
    await resend(world, message_id)
    await world.sends()
    for _ in range(6):
        world.clock.passes(seconds=31)
        await world.settles()
        await world.sends()
    assert await world.column("SELECT state FROM outbox") == ["needs_review"]
    assert len(world.twilio.posts) == 2
    assert await resend(world, message_id) == QUEUED


async def test_a_dropped_message_failed_and_says_that_a_person_dropped_it(world: World) -> None:
    conversation, message_id = await in_review(world)
    assert await drop(world, message_id, note="Told her by phone.") == DROPPED
    assert await drop(world, message_id) == Decided(changed=False, state=DeliveryState.FAILED)
    assert await world.column("SELECT state FROM outbox") == []
    [line] = await world.lines(conversation)
    assert (line.status, line.reason) == (DeliveryStatus.FAILED, "dropped_by_operator")
    [(event, about)] = await world.events("message.failed")
    assert about == conversation
    assert json.loads(event) == {
        "message_id": message_id,
        "reason": "dropped_by_operator",
        "description": "A person dropped the message in review; it is not sent again.",
        "note": "Told her by phone.",
        "by": "kid",
    }
    world.clock.passes(hours=1)
    await world.sends()
    await world.settles()
    assert len(world.twilio.posts) == 1
    again = await refused(resend(world, message_id))
    assert (again.code, "dropped" in again.description) == ("delivery_settled", True)


async def test_what_the_provider_reports_of_a_dropped_message_counts(world: World) -> None:
    """A person gave it up; it had arrived all the same."""
    conversation, message_id = await in_review(world, Then.RESET)
    await drop(world, message_id)
    await world.is_told(world.twilio.take(world.twilio.posts[0]), "delivered")
    [line] = await world.lines(conversation)
    assert line.status is DeliveryStatus.DELIVERED


@pytest.mark.promise("P7")
@pytest.mark.parametrize("decide", [None, resend, drop])
async def test_the_next_message_waits_for_neither(world: World, decide: Any) -> None:
    _, message_id = await in_review(world)
    if decide is not None:
        await decide(world, message_id)
    await world.starts(text="The next one", idempotency_key="next")
    await world.sends(3)
    assert world.twilio.said[-1] == "The next one"
    assert await world.column("SELECT state FROM outbox") == (["needs_review"] if decide is None else [])


async def test_an_ended_conversations_message_is_not_sent_any_more(world: World) -> None:
    conversation, message_id = await in_review(world)
    await ends(world, conversation)
    moved = await refused(resend(world, message_id))
    assert (type(moved), moved.code, moved.field) == (NotAllowed, "conversation_moved_on", "message_id")
    assert "ended or was taken over" in moved.description
    assert moved.hint
    assert await world.column("SELECT state FROM outbox") == ["needs_review"]
    assert await drop(world, message_id) == DROPPED


@pytest.mark.promise("P22")
async def test_who_opted_out_is_not_written_to_again(world: World) -> None:
    _, message_id = await in_review(world)
    await world.hears("STOP")
    told = await refused(resend(world, message_id))
    assert isinstance(told, NotAllowed)
    assert told.code in {"recipient_opted_out", "conversation_moved_on"}
    await world.sends()
    assert len(world.twilio.posts) == 1


@pytest.mark.promise("P22")
async def test_an_opt_out_between_the_decision_and_the_claim_wins(world: World) -> None:
    _, message_id = await in_review(world)
    await resend(world, message_id)
    await world.hears("STOP")
    await world.sends()
    assert len(world.twilio.posts) == 1
    assert await world.value("SELECT reason FROM message WHERE id = $1", message_id) == "recipient_opted_out"


async def test_a_text_outside_the_window_is_not_sent_and_a_template_is(world: World) -> None:
    await world.is_heard_before(WHATSAPP)
    world.clock.passes(hours=20)
    _, text = await in_review(world, channel=WHATSAPP)
    closed = await refused(resend(world, text))
    assert (closed.code, "template" in (closed.hint or "")) == ("window_closed", True)
    body = Template(content_sid="HX" + "0" * 32)
    _, template = await in_review(world, channel=WHATSAPP, to_number=BOB, text=None, template=body)
    assert await resend(world, template) == QUEUED


async def test_a_removed_senders_message_is_not_sent(world: World) -> None:
    _, message_id = await in_review(world)
    await world.change("UPDATE sender SET removed_at = 1")
    assert (await refused(resend(world, message_id))).code == "sender_removed"


async def test_only_what_is_in_review_is_decided_over(world: World) -> None:
    await world.starts()
    message_id = await world.value("SELECT id FROM message")
    for decide in (resend, drop):
        told = await refused(decide(world, message_id))
        assert (type(told), told.code) == (Conflict, "delivery_not_in_review")
        assert "it is queued" in told.description
    world.twilio.script.append(Then.RESET)
    await world.sends()
    for decide in (resend, drop):
        told = await refused(decide(world, message_id))
        assert "it is uncertain" in told.description
        assert "comes into review by itself" in (told.hint or "")
    assert await world.column("SELECT state FROM outbox") == ["uncertain"]


@pytest.mark.parametrize("status", ["delivered", "failed"])
async def test_what_has_come_to_its_end_is_told(world: World, status: str) -> None:
    await world.starts()
    await world.sends()
    await world.is_told(world.twilio.taken[0], status, code=None if status == "delivered" else 30005)
    told = await refused(resend(world, await world.value("SELECT id FROM message")))
    assert (type(told), told.code) == (Conflict, "delivery_settled")
    assert f"it is {status}." in told.description
    assert ("unknown or no longer in use" in told.description) == (status == "failed")


async def test_a_refused_opening_is_told_with_its_reason(world: World) -> None:
    world.twilio.script.append(Refuse(status=400, code=21211))
    await world.starts()
    await world.sends()
    told = await refused(drop(world, await world.value("SELECT id FROM message")))
    assert told.description == "The message is not in review: it is failed. The recipient's number is not valid."


@pytest.mark.parametrize("an_id", ["", "x", "0" * 36, "01a20461-c96f-704b-8004-34926322f248", "é" * 40, "\x1f"])
async def test_an_unknown_message_is_refused(world: World, an_id: str) -> None:
    for decide in (resend, drop):
        told = await refused(decide(world, an_id))
        assert (type(told), told.code) == (Unknown, "delivery_unknown")


@pytest.mark.promise("P28")
async def test_another_workspace_has_no_say(world: World) -> None:
    _, message_id = await in_review(world)
    for decide in (resend, drop):
        assert isinstance(await refused(decide(world, message_id, workspace="another")), Unknown)
    assert await world.column("SELECT state FROM outbox") == ["needs_review"]


async def test_a_deleted_conversation_is_not_there(world: World) -> None:
    conversation, message_id = await in_review(world)
    await world.change("UPDATE conversation SET deleted_at = 1 WHERE id = $1", conversation)
    for decide in (resend, drop):
        assert isinstance(await refused(decide(world, message_id)), Unknown)


@pytest.mark.promise("P15")
async def test_a_message_that_nobody_can_read_is_dropped_not_sent(world: World) -> None:
    _, message_id = await in_review(world)
    await world.change('UPDATE message SET body = \'{"type": "of tomorrow"}\' WHERE id = $1', message_id)
    assert (await refused(resend(world, message_id))).code == "message_unreadable"
    assert await drop(world, message_id) == DROPPED


async def test_a_callback_that_comes_while_a_person_thinks_settles_it(world: World) -> None:
    _, message_id = await in_review(world)
    await world.is_told(world.twilio.take(world.twilio.posts[0]), "sent")
    told = await refused(resend(world, message_id))
    assert told.code == "delivery_settled"
    assert "it is sent" in told.description
    assert [post["To"] for post in world.twilio.posts] == [ADA]


@pytest.mark.promise("P15")
async def test_a_message_that_could_not_even_be_claimed_says_so_and_goes_once_it_can(world: World) -> None:
    conversation = await world.starts()
    body = await world.value("SELECT body FROM message")
    await world.change('UPDATE message SET body = \'{"type": "of tomorrow"}\'')
    for _ in range(8):
        world.clock.passes(minutes=3)
        await world.sends(3)
    [(message_id, state)] = await world.rows("SELECT message_id, state FROM outbox")
    assert state == "needs_review"
    assert await world.column("SELECT reason FROM message") == ["cannot_be_claimed"]
    await world.change("UPDATE message SET body = $1", body)
    assert await resend(world, message_id) == QUEUED
    await world.sends()
    assert world.twilio.said == ["Hello Ada"]
    assert not (await world.lines(conversation))[0].possible_duplicate  # it had never left


async def test_whatever_is_told_of_a_message_that_did_not_go_has_a_sentence(world: World) -> None:
    """Refused by us, refused by the provider, failed later with a code and without one, left to a person, dropped."""
    await in_review(world)
    _, dropped = await in_review(world, text="Another")
    await drop(world, dropped)
    world.twilio.script.append(Refuse(status=400, code=21211))
    await world.starts(text="Refused")
    await world.sends()
    for code in (30005, None):
        await world.starts(text=f"Failed later {code}")
        await world.sends()
        await world.is_told(world.twilio.taken[-1], "failed", code=code)
    await world.starts(text="Stopped")
    await world.hears("STOP")
    told = [
        json.loads(data)
        for kind in ("message.refused", "message.failed", "message.needs_review")
        for data, _ in await world.events(kind)
    ]
    assert len(told) == 7
    assert [one for one in told if not str(one.get("description", "")).endswith(".")] == []
    assert [one for one in told if "message_id" not in one] == []
