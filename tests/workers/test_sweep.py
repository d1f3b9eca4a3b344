"""The sweep: what webhooks lost is found in the provider's list, once and in order; what is not ours is let alone."""

import json
from datetime import timedelta
from typing import Any

import pytest

from overture.domain.agent import FlowSpec, PromptSpec
from overture.domain.conversation import Mode
from overture.domain.reply_time import QuietTimes
from overture.store.engine import stored
from tests.workers.sweeping import a_road, is_started, listens, lost
from tests.world import (
    ADA,
    BOB,
    BOOKER,
    NOON,
    OURS,
    SMS,
    WHATSAPP,
    ScriptedModel,
    World,
    a_world,
    add_sender,
)

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.mark.promise("P4")
async def test_a_message_whose_webhook_got_lost_is_found_once_and_answered(world: World) -> None:
    an_id = await world.starts()
    await listens(world)
    found = lost(world, "Monday")
    await is_started(world)
    assert await world.texts(an_id) == ["Hello Ada", "> Monday"]
    await world.takes_turns()
    assert (await world.texts(an_id))[-1] == "Monday it is. At what time?"
    [event] = [json.loads(row[0]) for row in await world.events("message.received")]
    assert (event["provider_sid"], event["recovered"]) == (found, True)
    await is_started(world)
    assert await world.keeps(world.written("Monday", sid=found)) == [False]
    await world.handles()
    assert len(await world.lines(an_id)) == 3


@pytest.mark.promise("P4")
async def test_a_day_of_silence_loses_nothing_and_keeps_the_order(sqlite_world: World) -> None:
    world = sqlite_world
    await listens(world)
    people = [f"+1555020{n:04}" for n in range(100)]
    ids = {who: await world.starts(to_number=who) for who in people}
    for n in range(3000):
        lost(world, f"word {n}", by=people[n % 100], at=timedelta(hours=11) - n * timedelta(seconds=10))
    await is_started(world)
    for who, an_id in ids.items():
        of_them = [f"> word {n}" for n in range(3000) if people[n % 100] == who]
        assert (await world.texts(an_id))[1:] == of_them
    assert await world.value("SELECT count(*) FROM inbox") == 3000


async def test_the_order_within_one_second_is_the_lists(world: World) -> None:
    an_id = await world.starts()
    await listens(world)
    words = [f"word {n}" for n in range(20)]
    for word in words:
        lost(world, word, at=MINUTE)
    await is_started(world)
    assert (await world.texts(an_id))[1:] == [f"> {word}" for word in words]


@pytest.mark.promise("P4")
async def test_what_a_contact_wrote_before_is_handled_before_a_webhook_that_comes_during_the_sweep(
    world: World,
) -> None:
    an_id = await world.starts()
    await listens(world)
    lost(world, "first", at=3 * MINUTE)
    await world.keeps(world.written("second"))
    road = a_road(world)
    in_road = road.after_first(world.inbox.look)
    assert await in_road() == pytest.approx(10)  # nothing is handled before the first sweep
    await road.look()
    while await in_road() == 0:
        pass
    assert (await world.texts(an_id))[1:] == ["> first", "> second"]


async def test_the_in_road_waits_ten_seconds_for_a_sweep_and_no_longer(world: World) -> None:
    await world.starts()
    road = a_road(world)
    in_road = road.after_first(world.inbox.look)
    await listens(world)
    await world.keeps(world.written("Monday"))
    assert await in_road() == pytest.approx(10)
    await road._shut()  # a sweep that has begun, and hangs
    world.clock.passes(seconds=9)
    assert await in_road() == pytest.approx(1)
    world.clock.passes(seconds=1)
    assert await in_road() == 0


@pytest.mark.parametrize("first", ["webhook", "sweep"])
@pytest.mark.promise("P5")
async def test_whichever_comes_second_is_a_duplicate(world: World, first: str) -> None:
    an_id = await world.starts()
    await listens(world)
    same = lost(world, "Monday")
    webhook = world.written("Monday", sid=same)
    if first == "webhook":
        await world.keeps(webhook)
        await world.handles()
        await is_started(world)
    else:
        await is_started(world)
        await world.keeps(webhook)
        await world.handles()
    assert (await world.texts(an_id))[1:] == ["> Monday"]


async def test_a_webhook_that_comes_before_its_record_was_handled_says_more_and_takes_its_place(world: World) -> None:
    an_id = await world.starts()
    await listens(world)
    same = lost(world, "")
    await a_road(world).look()
    fields = {"NumMedia": "1", "MediaUrl0": "https://api.twilio.com/m", "MediaContentType0": "image/jpeg"}
    assert await world.keeps(world.written("", sid=same, **fields)) == [False]
    await world.handles()
    assert (await world.texts(an_id))[1:] == ["> [image]"]


async def test_what_came_with_a_recovered_message_is_counted_in_words(world: World) -> None:
    an_id = await world.starts()
    await listens(world)
    lost(world, "look", num_media="2")
    await is_started(world)
    assert (await world.texts(an_id))[1:] == ["> [file] [file] look"]


@pytest.mark.promise("P4")
@pytest.mark.parametrize(
    "given",
    [
        {"to": "+15559990000"},  # another system's number
        {"to": OURS, "channel": WHATSAPP, "by": "+15551239999", "account_sid": "AC" + "9" * 32},
        {"by": OURS},  # from ourselves to ourselves
        {"sid": "CA" + "0" * 32},
        {"from": "messenger:1234"},
        {"from": "alphanumeric"},
        {"from": None},
        {"to": None, "from": None, "body": None},
        {"body": "x" * 5, "direction": "outbound-api", "from": OURS, "status": "delivered"},  # foreign outbound
    ],
    ids=str,
)
async def test_what_is_not_ours_to_answer_is_left_alone(world: World, given: dict[str, Any]) -> None:
    await listens(world)
    direct = {key: given[key] for key in given if key in ("from", "sid", "account_sid", "direction", "status")}
    lost(world, "hello", **{key: value for key, value in given.items() if key not in direct and value is not None})
    world.twilio.taken[-1] |= direct
    lost(world, "mine")
    before = await world.counts()
    await is_started(world)
    assert await world.value("SELECT count(*) FROM inbox") == 1
    assert (await world.counts())["conversation"] == before["conversation"]


async def test_a_sender_whose_webhook_never_reached_us_is_not_swept_for(world: World) -> None:
    await world.starts()
    lost(world, "Monday")
    before = await world.counts()
    road = await is_started(world)
    assert (world.twilio.listings, await world.counts()) == (1, before)  # the day before its activation, once
    world.clock.passes(hours=1)
    await road.look()
    assert world.twilio.listings == 1
    world.clock.at = NOON
    await world.hears("hello")
    assert await world.value("SELECT webhook_seen_at FROM sender WHERE channel = 'sms'") == stored(NOON)
    assert await world.value("SELECT webhook_seen_at FROM sender WHERE channel = 'whatsapp'") is None
    world.clock.passes(minutes=2)
    lost(world, "for WhatsApp", channel=WHATSAPP)
    await is_started(world)
    assert world.twilio.listings > 1
    assert await world.value("SELECT count(*) FROM inbox WHERE kind = 'recovered' AND ordering_key LIKE '%whats%'") == 0


async def test_a_sender_that_is_no_longer_used_is_not_swept_for(world: World) -> None:
    await listens(world)
    await world.change("UPDATE sender SET removed_at = $1 WHERE channel = 'sms'", stored(NOON))
    lost(world, "hello")
    await is_started(world)
    assert await world.value("SELECT count(*) FROM inbox") == 0


@pytest.mark.promise("P4")
async def test_what_is_older_than_the_activation_only_tells_the_window_and_whether_it_may_be_written_to(
    world: World,
) -> None:
    await world.saves(BOOKER, "reception")
    await world.change("UPDATE sender SET inbound_agent_id = 'reception', webhook_seen_at = $1", stored(NOON))
    lost(world, "hello from before", channel=WHATSAPP, at=2 * HOUR)
    lost(world, "STOP", channel=WHATSAPP, by=BOB, at=HOUR)
    await is_started(world)
    assert await world.live() == []
    assert await world.value("SELECT max(last_inbound_at) FROM thread") == stored(NOON - HOUR)
    await world.starts(channel=WHATSAPP)  # the window is open
    refused: Any = await world.answers(channel=WHATSAPP, to_number=BOB)
    assert refused.code == "recipient_opted_out"
    await world.sends(2)
    assert [post["To"] for post in world.twilio.posts] == [f"whatsapp:{ADA}"]  # and no confirmation of an old STOP


@pytest.mark.parametrize(
    ("late", "mode", "answered"),
    [
        (timedelta(minutes=1), Mode.BOT, True),
        (timedelta(hours=11, minutes=59), Mode.BOT, True),
        (timedelta(hours=12, minutes=1), Mode.HUMAN, False),
        (timedelta(hours=23), Mode.HUMAN, False),
    ],
)
@pytest.mark.promise("P4")
async def test_what_is_too_late_to_be_answered_goes_to_people(
    world: World, late: timedelta, mode: Mode, answered: bool
) -> None:
    an_id = await world.starts()
    await listens(world)
    lost(world, "Monday", at=late)
    await is_started(world)
    await world.takes_turns()
    conversation = await world.conversation(an_id)
    assert (conversation.mode, len(await world.lines(an_id))) == (mode, 3 if answered else 2)
    told = [json.loads(row[0]) for row in await world.events("conversation.handed_over")]
    assert [event["reason"] for event in told] == ([] if answered else ["late_inbound"])
    if not answered:
        assert "hours after it was written" in str(conversation.mode_note)
        assert await world.value("SELECT count(*) FROM outbox WHERE state = 'queued'") == 0


async def test_what_is_too_late_on_no_conversation_opens_one_for_people(world: World) -> None:
    await world.saves(BOOKER, "reception")
    await listens(world)
    await world.change("UPDATE sender SET inbound_agent_id = 'reception'")
    lost(world, "are you open?", at=13 * HOUR)
    await is_started(world)
    await world.takes_turns()
    [conversation] = await world.live()
    assert conversation.mode is Mode.HUMAN
    assert await world.texts(conversation.id) == ["> are you open?"]


async def test_the_operator_says_how_late_is_too_late(world: World) -> None:
    world.inbox = world.new_inbox(QuietTimes(every=0, answer_late=HOUR))
    an_id = await world.starts()
    await listens(world)
    lost(world, "Monday", at=2 * HOUR)
    await is_started(world)
    assert (await world.conversation(an_id)).mode is Mode.HUMAN


async def test_a_prompt_agent_is_told_how_late_it_answers(database_url: str) -> None:
    model = ScriptedModel("Sorry for the delay.", "Tuesday then.")
    async with a_world(database_url, model=model) as world:
        await world.saves(PromptSpec(name="Helper", instructions="Help."))
        an_id = await world.starts()
        await listens(world)
        lost(world, "Monday?", at=3 * HOUR)
        await is_started(world)
        await world.takes_turns()
        assert (await world.texts(an_id))[-1] == "Sorry for the delay."
        assert "reaches you 3 hours late" in model.asked[0].instructions
        assert (await world.lines(an_id))[1].created_at == NOON - 3 * HOUR
        await world.hears("Tuesday?")
        await world.takes_turns()
        assert "late" not in model.asked[1].instructions.split("It is now")[0].split("Help.")[1]


@pytest.mark.promise("P22")
@pytest.mark.parametrize(
    ("words", "out"),
    [
        ([("STOP", "webhook", 10), ("START", "lost", 20)], True),  # START is the older one, and must not lift the STOP
        ([("START", "lost", 5), ("STOP", "lost", 10)], False),
        ([("STOP", "lost", 5), ("START", "lost", 10)], True),
    ],
)
async def test_consent_goes_by_when_it_was_given(world: World, words: list[tuple[str, str, int]], out: bool) -> None:
    await world.starts()
    await listens(world)
    now = world.clock.now()
    for word, way, ago in sorted(words, key=lambda one: -one[2]):
        if way == "lost":
            lost(world, word, at=ago * MINUTE)
    for word, way, ago in words:
        if way == "webhook":
            world.clock.at = now - ago * MINUTE
            await world.hears(word)
    world.clock.at = now
    await is_started(world)
    assert (await world.value("SELECT opted_out_at FROM contact") is not None) is out


async def test_an_older_message_does_not_close_a_window_nor_change_the_address_to_write_to(world: World) -> None:
    await world.starts()
    await listens(world)
    await world.hears("now")
    lost(world, "an hour ago", at=HOUR)
    await is_started(world)
    assert await world.value("SELECT last_inbound_at FROM thread") == stored(NOON)


async def test_our_own_statuses_are_refreshed(world: World) -> None:
    an_id = await world.starts()
    await world.sends()
    await listens(world)
    world.twilio.taken[0]["status"] = "delivered"
    await is_started(world)
    assert (await world.lines(an_id))[0].status == "delivered"


async def test_statuses_of_a_list_only_move_forward(world: World) -> None:
    an_id = await world.starts()
    await world.sends()
    await world.is_told(world.twilio.taken[0], "delivered")
    await listens(world)
    world.twilio.taken[0]["status"] = "sent"
    await is_started(world)
    assert (await world.lines(an_id))[0].status == "delivered"


async def test_a_message_to_no_sender_of_ours_is_left_to_a_person_with_an_alert(world: World) -> None:
    await world.hears("hello", to="+15559990000")
    assert await world.value("SELECT state FROM inbox") == "unrouted"
    [row] = await world.events("inbound.unrouted")
    assert json.loads(row[0])["provider_sid"]


async def test_one_of_our_own_senders_is_not_answered(world: World) -> None:
    """Two numbers of one house would talk to each other for ever."""
    await world.saves(FlowSpec(name="Reception", nodes=BOOKER.nodes), "reception")
    other = "+15557770000"
    await add_sender(world, SMS, other, inbound_agent_id="reception")
    await world.hears("hello", by=OURS, to=other)
    assert await world.live() == []
    assert await world.rows("SELECT state, outcome FROM inbox") == [("done", "from a sender of ours, not answered")]
