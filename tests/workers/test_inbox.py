"""The in road: webhooks are kept once, handled in order, and every one of them ends in something that can be seen."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from overture.domain import consent
from overture.domain.agent import EndReason, FlowSpec, GlobalPhrase
from overture.domain.conversation import Mode
from overture.domain.delivery import DeliveryStatus
from overture.domain.message import Text
from overture.domain.ports import RawEvent
from overture.domain.reply_time import QuietTimes
from overture.domain.sender import KeywordHandling
from overture.store.engine import stored
from tests.world import ACCOUNT, ADA, BOB, BOOKER, NOON, OURS, SMS, WHATSAPP, World, a_world, add_sender


async def outcomes(world: World) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in await world.rows("SELECT state, outcome FROM inbox ORDER BY id")]


@pytest.mark.promise("P5")
async def test_a_webhook_is_kept_once_however_often_it_comes(world: World) -> None:
    an_id = await world.starts()
    event, other = world.written("Monday"), world.written("Tuesday")
    assert await world.keeps(event, event, other) == [True, False, True]
    assert await world.keeps(other, event) == [False, False]
    await world.handles()
    assert await world.keeps(event, other) == [False, False]
    await world.handles()
    assert await world.texts(an_id) == ["Hello Ada", "> Monday", "> Tuesday"]
    assert await world.column("SELECT body FROM inbox") == [None, None]  # what is done keeps its key, not its words


@pytest.mark.parametrize(
    "event",
    [
        {"to": "+15559990000"},  # not ours
        {"channel": WHATSAPP, "to": "+15557770000"},  # ours, for another channel
    ],
)
async def test_a_message_to_no_sender_of_ours_is_kept_unrouted(world: World, event: dict[str, str]) -> None:
    await add_sender(world, SMS, "+15557770000")
    await world.hears("hello", **event)
    [(state, outcome)] = await outcomes(world)
    assert state == "unrouted"
    assert outcome
    assert await world.value("SELECT body FROM inbox") is not None


async def test_a_message_that_nobody_can_answer_is_kept_with_an_alert(world: World) -> None:
    await world.hears("hello")
    assert [state for state, _ in await outcomes(world)] == ["unrouted"]
    assert len(await world.events("inbound.unrouted")) == 1


async def test_a_message_reaches_the_live_conversation(world: World) -> None:
    an_id = await world.starts()
    await world.hears("Monday")
    conversation = await world.conversation(an_id)
    assert (conversation.in_seq, conversation.handled_seq, conversation.turn_due_at) == (2, 0, NOON)
    assert (await world.lines(an_id))[-1].status is DeliveryStatus.RECEIVED
    assert len(await world.events("message.received")) == 1


async def test_within_seven_days_the_same_agent_goes_on(world: World) -> None:
    first = await world.starts(variables={"name": "Ada"})
    await end_now(world, "inactivity_timeout")
    world.clock.passes(days=6, hours=23)
    await world.hears("are you still there?")
    [second] = await world.live()
    assert (second.previous_conversation_id, second.variables, second.agent_id) == (first, {"name": "Ada"}, "booker")
    world.clock.passes(minutes=1)
    await world.takes_turns()
    assert "> are you still there?" in await world.texts(second.id)


async def end_now(world: World, reason: str) -> None:
    await world.change(
        "UPDATE conversation SET mode = 'ended', end_reason = $1, ended_at = $2", reason, stored(world.clock.now())
    )


async def test_after_seven_days_the_senders_own_agent_answers(world: World) -> None:
    await world.saves(FlowSpec(name="Reception", nodes=BOOKER.nodes), "reception")
    await world.change("UPDATE sender SET inbound_agent_id = 'reception'")
    await world.starts()
    await end_now(world, "completed")
    world.clock.passes(days=7)
    await world.hears("hello")
    [conversation] = await world.live()
    assert (conversation.agent_id, conversation.previous_conversation_id) == ("reception", None)
    await world.takes_turns()
    await world.sends(2)  # the opening of a week ago is let go first
    assert world.twilio.said == ["hello it is. At what time?"]


async def test_thanks_after_a_completed_conversation_get_silence(world: World) -> None:
    an_id = await world.starts()
    await end_now(world, "completed")
    world.clock.passes(minutes=9)
    await world.hears("Thanks! 👍")
    assert await world.live() == []
    assert (await world.texts(an_id))[-1] == "> Thanks! 👍"
    assert [state for state, _ in await outcomes(world)] == ["done"]
    world.clock.passes(minutes=2)
    await world.hears("Thanks!")
    assert len(await world.live()) == 1


async def test_a_message_in_human_hands_wakes_no_agent(world: World) -> None:
    an_id = await world.starts()
    await world.change("UPDATE conversation SET mode = 'human', epoch = 1")
    await world.hears("hello?")
    await world.takes_turns()
    assert await world.texts(an_id) == ["Hello Ada", "> hello?"]
    assert (await world.conversation(an_id)).turn_due_at is None


@pytest.mark.promise("P22")
@pytest.mark.parametrize(
    ("channel", "word", "fields", "confirmed"),
    [
        (SMS, "STOP", {}, 0),
        (SMS, "stop.", {}, 0),
        (SMS, "please stop texting me", {}, 1),  # Twilio hears only keywords: nobody has answered
        (SMS, "Stop", {"OptOutType": "STOP"}, 0),
        (SMS, "Arrêt", {"OptOutType": "STOP"}, 0),
        (WHATSAPP, "STOP", {}, 1),
        (WHATSAPP, "unsubscribe", {}, 1),
        (WHATSAPP, "STOP", {"OptOutType": "STOP"}, 0),
    ],
)
async def test_a_stop_ends_everything_and_is_confirmed_once(
    world: World, channel: Any, word: str, fields: dict[str, str], confirmed: int
) -> None:
    await world.hears("hello", channel=channel)
    an_id = await world.starts(channel=channel)
    await world.sends()
    world.twilio.posts.clear()
    await world.hears(word, channel=channel, **fields)
    await world.hears(word, channel=channel, **fields)
    await world.hears("are you there?", channel=channel)
    await world.takes_turns()
    await world.sends(4)
    assert [post["Body"] for post in world.twilio.posts] == [consent.CONFIRMATION] * confirmed
    conversation = await world.conversation(an_id)
    assert (conversation.mode, conversation.end_reason) == (Mode.ENDED, EndReason.OPT_OUT)
    assert await world.column("SELECT change FROM consent") == ["opt_out"] * 2
    assert "> are you there?" in await world.texts(an_id)


@pytest.mark.parametrize("channel", [SMS, WHATSAPP])
async def test_a_start_lifts_an_opt_out_and_is_an_answer_otherwise(world: World, channel: Any) -> None:
    await world.hears("hello", channel=channel)
    an_id = await world.starts(channel=channel)
    await world.hears("START", channel=channel)
    assert (await world.conversation(an_id)).turn_due_at is not None
    await world.hears("STOP", channel=channel)
    refused: Any = await world.answers(channel=channel, text="New")
    assert refused.code == "recipient_opted_out"
    await world.hears("start", channel=channel)
    await world.starts(channel=channel, text="Welcome back")


async def test_a_stop_on_one_sender_counts_on_all_of_the_workspace(world: World) -> None:
    await add_sender(world, SMS, "+15557770000")
    one, other = await world.starts(), await world.starts(from_number="+15557770000")
    await world.hears("STOP")
    for an_id in (one, other):
        assert (await world.conversation(an_id)).end_reason is EndReason.OPT_OUT
    await world.sends()
    assert world.twilio.posts == []


async def test_help_on_sms_is_the_providers_and_takes_nothing_from_what_waits(world: World) -> None:
    an_id = await world.starts()
    await world.hears("Monday")
    await world.hears("HELP")
    await world.takes_turns()
    assert (await world.texts(an_id))[-1] == "Monday it is. At what time?"
    await world.hears("HELP")
    await world.takes_turns()
    assert (await world.texts(an_id))[-1] == "> HELP"


async def test_more_words_opt_out_on_whatsapp_where_the_operator_set_them(world: World) -> None:
    world.inbox = world.new_inbox(also_stop=("cancel",))
    await world.hears("hello", channel=WHATSAPP)
    an_id = await world.starts(channel=WHATSAPP)
    await world.hears("quit", channel=WHATSAPP)
    assert (await world.conversation(an_id)).mode is Mode.BOT
    await world.hears("Cancel", channel=WHATSAPP)
    assert (await world.conversation(an_id)).end_reason is EndReason.OPT_OUT
    await world.sends(3)
    assert world.twilio.said[-1] == consent.CONFIRMATION


async def test_advanced_opt_out_has_answered_what_is_found_in_the_list_without_its_word(world: World) -> None:
    await world.change("UPDATE sender SET keyword_handling = $1", KeywordHandling.ADVANCED.value)
    await world.hears("hello", channel=WHATSAPP)
    an_id = await world.starts(channel=WHATSAPP)
    await world.hears("STOP", channel=WHATSAPP)
    assert (await world.conversation(an_id)).end_reason is EndReason.OPT_OUT
    await world.sends(3)
    assert consent.CONFIRMATION not in world.twilio.said


async def test_an_account_whose_own_handling_is_off_gets_our_confirmation_on_sms(world: World) -> None:
    await world.change("UPDATE sender SET keyword_handling = $1", KeywordHandling.OURS.value)
    await world.starts()
    await world.sends()
    await world.hears("STOP")
    await world.sends(2)
    assert world.twilio.said == ["Hello Ada", consent.CONFIRMATION]


@pytest.mark.parametrize(
    ("text", "fields", "kept"),
    [
        ("x" * 10_000, {}, "x" * 10_000),
        ("👍🏽🎉", {}, "👍🏽🎉"),
        ("", {}, "[empty message]"),
        ("a\0b", {}, "ab"),
        ("'; DROP TABLE message; --", {}, "'; DROP TABLE message; --"),
        ("{name} {{system}}", {}, "{name} {{system}}"),
        ("\u202eright to left", {}, "\u202eright to left"),
        ("", {"NumMedia": "1", "MediaUrl0": "https://api.twilio.com/m", "MediaContentType0": "image/jpeg"}, "[image]"),
    ],
    ids=["long", "emoji", "empty", "nul", "sql", "placeholders", "bidi", "image"],
)
async def test_whatever_a_contact_writes_is_kept_and_answered(
    world: World, text: str, fields: dict[str, str], kept: str
) -> None:
    an_id = await world.starts()
    await world.hears(text, **fields)
    assert (await world.lines(an_id))[1].text == kept
    await world.takes_turns()
    assert len(await world.lines(an_id)) > 2


async def test_messages_of_one_contact_are_kept_in_order_of_arrival(world: World) -> None:
    an_id = await world.starts()
    other = await world.starts(to_number=BOB)
    words = [f"word {n}" for n in range(30)]
    await world.keeps(*(world.written(word, by=who) for word in words for who in (ADA, BOB)))
    await world.handles()
    assert (await world.texts(an_id))[1:] == [f"> {word}" for word in words]
    assert (await world.texts(other))[1:] == [f"> {word}" for word in words]


async def test_a_contact_who_writes_to_two_senders_at_once_is_one_contact(world: World) -> None:
    await world.saves(BOOKER, "reception")
    await world.change("UPDATE sender SET inbound_agent_id = 'reception'")
    await world.keeps(world.written("one"), world.written("two", channel=WHATSAPP), world.written("three"))
    await world.handles()
    assert await world.value("SELECT count(*) FROM contact") == 1
    assert len(await world.live()) == 2


def unreadable(n: int) -> RawEvent:
    form = {"MessageSid": f"SM{n:032x}", "AccountSid": ACCOUNT, "From": ADA, "To": OURS, "NumMedia": "many"}
    return RawEvent(
        kind="inbound",
        account_sid=ACCOUNT,
        unique_key=str(n),
        ordering_key=str(n),
        query="",
        body=urlencode(form).encode(),
    )


async def test_a_webhook_that_cannot_be_read_is_parked_at_once(world: World) -> None:
    an_id = await world.starts()
    await world.keeps(unreadable(1), world.written("Monday"))
    await world.handles()
    assert sorted(await outcomes(world))[1][0] == "parked"
    assert (await world.texts(an_id))[-1] == "> Monday"


@pytest.mark.promise("P15")
async def test_poison_is_parked_after_five_tries_with_its_traceback_while_neighbours_go_on(world: World) -> None:
    """An agent whose version is gone is a fault of ours that no message can help."""
    bad, good = await world.starts(), await world.starts(to_number=BOB, agent_id="booker")
    await poison(world, bad)
    await world.keeps(world.written("Monday"), *(world.written(f"word {n}", by=BOB) for n in range(3)))
    for _ in range(10):
        await walk_inbox(world)
        world.clock.passes(minutes=2)
    assert (await world.texts(good))[1:] == ["> word 0", "> word 1", "> word 2"]
    parked = [row for row in await world.rows("SELECT state, outcome, tries FROM inbox") if row[0] == "parked"]
    assert len(parked) == 1
    assert parked[0][2] == 4
    assert "Traceback" in parked[0][1] or "Error" in parked[0][1]


async def poison(world: World, conversation_id: str) -> None:
    """A conversation row that nobody can read."""
    await world.change("UPDATE conversation SET variables = 'not JSON' WHERE id = $1", conversation_id)


async def walk_inbox(world: World) -> None:
    for _ in range(20):
        if await world.inbox.look() != 0:
            return


async def test_a_reply_is_due_after_a_quiet_time_and_a_burst_is_not_put_off_for_ever(world: World) -> None:
    world.inbox = world.new_inbox(QuietTimes())
    an_id = await world.starts()
    due = []
    for n in range(6):
        await world.hears(f"and {n}")
        due.append((await world.conversation(an_id)).reply_due_at)
        world.clock.passes(seconds=5)
    seconds = [(at - NOON).total_seconds() for at in due if at is not None]
    assert seconds == [6, 11, 16, 21, 25, 25]


@pytest.mark.promise("P5")
async def test_two_processes_handle_one_inbox_and_every_message_once(postgresql_url: str) -> None:
    async with a_world(postgresql_url) as one, a_world(postgresql_url, furnish=False) as two:
        ids = [await one.starts(to_number=f"+1555020000{n}") for n in range(6)]
        words = [f"word {n}" for n in range(10)]
        await one.keeps(*(one.written(word, by=f"+1555020000{n}") for word in words for n in range(6)))
        await asyncio.gather(one.handles(), two.handles())
        await one.handles()
        for an_id in ids:
            assert (await one.texts(an_id))[1:] == [f"> {word}" for word in words]


async def test_phrases_of_a_flow_are_not_keywords_of_the_carrier(world: World) -> None:
    phrase = GlobalPhrase(phrases=["agent", "human"], hand_over="asked for a person")
    await world.saves(FlowSpec(name="A", nodes=BOOKER.nodes, globals=[phrase]))
    an_id = await world.starts()
    await world.hears("human please")
    await world.takes_turns()
    assert (await world.conversation(an_id)).mode is Mode.HUMAN


async def test_an_advertisement_and_a_payload_are_kept_with_the_message_and_told(world: World) -> None:
    await world.hears("hello", channel=WHATSAPP)
    an_id = await world.starts(channel=WHATSAPP)
    ad = {"ReferralHeadline": "Spring sale", "ReferralSourceUrl": "https://fb.me/x", "ReferralCtwaClid": "ARA"}
    await world.hears("Is it on?", channel=WHATSAPP, ListId="ask", **ad)
    body = (await world.lines(an_id))[-1].body
    assert isinstance(body, Text)
    assert body.text == "[from an ad: Spring sale, https://fb.me/x] Is it on?"
    assert (body.payload, body.referral and body.referral.click_id) == ("ask", "ARA")
    [[data, _], *_] = reversed(await world.events("message.received"))
    assert msgspec.json.decode(data)["referral"]["headline"] == "Spring sale"


async def test_a_reaction_begins_nothing_and_is_kept_with_what_it_is_about(world: World) -> None:
    an_id = await world.starts()
    await world.hears("Monday")
    await world.takes_turns()
    await world.hears("nine")
    await world.takes_turns()
    world.clock.passes(hours=1)
    await world.hears("👍", MessageType="reaction")
    assert (await world.texts(an_id))[-1] == "> [reaction] 👍"
    assert await world.live() == []
    await world.hears("👍", MessageType="reaction", by="+15550100009")
    assert await world.live() == []
    assert await world.events("inbound.unrouted") == []


async def test_a_reaction_to_an_open_question_that_it_does_not_answer_is_met_with_silence(world: World) -> None:
    an_id = await world.starts()
    await world.hears("👍", MessageType="reaction")
    await world.takes_turns()
    assert await world.texts(an_id) == ["Hello Ada", "> [reaction] 👍"]
    await world.hears("Monday")
    await world.takes_turns()
    assert (await world.texts(an_id))[-1] == "Monday it is. At what time?"
