"""Polling: the provider's list is the way in, every three seconds, for senders that no webhook reaches."""

import json
import math
from datetime import timedelta

import pytest

from overture.domain import sweep
from overture.domain.agent import EndReason
from overture.domain.conversation import Mode
from overture.store.engine import stored
from tests.log_search import SEARCH
from tests.scripted_twilio import Refuse
from tests.workers.sweeping import a_road, is_started, listens, looks_again, lost, polls, shut
from tests.world import BOB, NOON, SMS, WHATSAPP, World

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


async def heard(world: World) -> list[str]:
    """What contacts wrote, in the order in which it was heard, whatever conversation it is in."""
    bodies = await world.column("SELECT body FROM message WHERE direction = 'in' ORDER BY id")
    return [json.loads(body)["text"] for body in bodies]


async def test_a_contact_is_heard_and_answered_within_three_seconds_without_any_webhook(world: World) -> None:
    await polls(world)
    an_id = await world.starts()
    road = await is_started(world)
    await world.sends()
    world.clock.passes(seconds=2)
    lost(world, "Monday")
    await looks_again(world, road, seconds=1)
    await world.sends()
    assert await world.texts(an_id) == ["Hello Ada", "> Monday", "Monday it is. At what time?"]
    assert world.twilio.said == ["Hello Ada", "Monday", "Monday it is. At what time?"]
    assert await world.column("SELECT webhook_seen_at FROM sender") == [None, None]


@pytest.mark.parametrize("channel", [SMS, WHATSAPP])
async def test_a_queue_opens_after_the_first_poll_and_a_stop_that_it_finds_wins(world: World, channel: object) -> None:
    await world.hears("hello", channel=channel)  # type: ignore[arg-type]
    an_id = await world.starts(channel=channel)
    await polls(world)
    await world.change("UPDATE sender SET webhook_seen_at = NULL")
    lost(world, "STOP", channel=channel)
    road = a_road(world)
    await road.look()
    await world.sends()
    assert world.twilio.posts == []
    await world.handles()
    await road.look()
    await world.sends()
    assert [post["Body"] for post in world.twilio.posts if post["Body"] == "Hello Ada"] == []
    assert (await world.conversation(an_id)).end_reason is EndReason.OPT_OUT
    assert await shut(world) == []


async def test_a_stop_that_is_polled_takes_back_what_waits(world: World) -> None:
    await polls(world)
    an_id = await world.starts()
    road = await is_started(world)
    lost(world, "STOP")
    await looks_again(world, road)
    assert world.twilio.posts == []
    assert (await world.conversation(an_id)).end_reason is EndReason.OPT_OUT


async def test_statuses_come_by_the_same_reading_and_only_move_forward(world: World) -> None:
    await polls(world)
    an_id = await world.starts()
    road = await is_started(world)
    await world.sends()
    for status in ("sent", "delivered", "sent"):
        world.twilio.taken[0]["status"] = status
        await looks_again(world, road)
    assert (await world.lines(an_id))[0].status == "delivered"


async def test_each_poll_is_one_small_request_of_an_account_however_many_senders_it_has(world: World) -> None:
    await polls(world)
    for n in range(150):  # what went on in the last quarter of an hour
        lost(world, f"word {n}", by=f"+1555{n:07}", at=15 * MINUTE - n * 6 * SECOND)
    road = await is_started(world)
    before = world.twilio.listings
    for n in range(20):
        lost(world, f"new {n}", by=BOB)
        await looks_again(world, road)
    assert world.twilio.listings - before == 20
    assert await world.value("SELECT count(*) FROM inbox") == 170
    for _ in range(3):
        await road.look()  # nothing is due between two polls
    assert world.twilio.listings - before == 20


@pytest.mark.parametrize("burst", [25, 26, 60, 120])
async def test_a_poll_takes_requests_in_proportion_to_what_is_new(sqlite_world: World, burst: int) -> None:
    world = sqlite_world
    await polls(world)
    for n in range(60):
        lost(world, f"old {n}", by=BOB, at=HOUR + n * SECOND)
    world.twilio.taken.reverse()
    road = await is_started(world)
    lost(world, "the last before", by=BOB)
    await looks_again(world, road)
    world.clock.passes(minutes=3)
    before = world.twilio.listings
    for n in range(burst):
        lost(world, f"new {n}", by=f"+1555{n:07}")
    await looks_again(world, road)
    # down to the minute before the last that is known, and the 25 older ones that end a walk
    assert world.twilio.listings - before == math.ceil((burst + 1 + 25) / sweep.POLL_PAGE)
    assert await world.value("SELECT count(*) FROM inbox WHERE unique_key <> ''") == 60 + 1 + burst


async def test_every_five_minutes_a_poll_reads_the_whole_overlap(world: World) -> None:
    await polls(world)
    an_id = await world.starts()
    lost(world, "other", by=BOB)
    road = await is_started(world)
    lost(world, "shown late by the list", at=10 * MINUTE)
    world.twilio.taken.insert(0, world.twilio.taken.pop())
    await looks_again(world, road)
    assert "> shown late by the list" not in await world.texts(an_id)
    await looks_again(world, road, seconds=297)
    assert "> shown late by the list" in await world.texts(an_id)


async def test_what_is_young_is_left_to_the_webhook_of_a_sender_that_has_one(world: World) -> None:
    await listens(world)
    await polls(world, SMS)
    road = await is_started(world)
    lost(world, "by SMS", at=SECOND)
    lost(world, "by WhatsApp", channel=WHATSAPP, at=SECOND)
    await looks_again(world, road)
    assert await world.value("SELECT count(*) FROM inbox") == 1
    for _ in range(20):
        lost(world, "more", by=BOB)
        await looks_again(world, road)
    assert await world.value("SELECT count(*) FROM inbox WHERE ordering_key LIKE '%whatsapp%'") == 1


async def test_a_webhook_of_a_polled_sender_is_taken_as_well_and_counts_once(world: World) -> None:
    await polls(world)
    an_id = await world.starts()
    road = await is_started(world)
    same = lost(world, "Monday")
    await world.keeps(world.written("Monday", sid=same))
    await looks_again(world, road)
    assert [text for text in await world.texts(an_id) if text.startswith(">")] == ["> Monday"]


async def test_a_list_that_fails_is_tried_again_after_half_a_minute_and_nothing_is_lost(world: World) -> None:
    await polls(world)
    an_id = await world.starts()
    road = await is_started(world)
    lost(world, "Monday")
    world.twilio.lists.append(Refuse(status=500))
    await looks_again(world, road)
    before = world.twilio.listings
    await looks_again(world, road, seconds=29)
    assert world.twilio.listings == before
    await looks_again(world, road, seconds=1)
    assert "> Monday" in await world.texts(an_id)
    await looks_again(world, road)
    assert world.twilio.listings == before + 2


@pytest.mark.parametrize("off", [-HOUR, HOUR], ids=["behind", "ahead"])
async def test_a_clock_that_jumps_does_not_hold_up_the_way_in(world: World, off: timedelta) -> None:
    await polls(world)
    await world.starts()
    road = await is_started(world)
    world.clock.at += off
    for n in range(3):
        lost(world, f"word {n}")
        await looks_again(world, road)
    assert await heard(world) == [f"word {n}" for n in range(3)]
    listings = world.twilio.listings
    await road.look()
    assert world.twilio.listings == listings


@pytest.mark.parametrize("off", [-HOUR, HOUR], ids=["behind", "ahead"])
async def test_a_provider_whose_clock_is_off_is_heard_all_the_same(world: World, off: timedelta) -> None:
    await polls(world)
    await world.starts()
    road = await is_started(world)
    for n in range(5):
        lost(world, f"word {n}", at=world.clock.now() + off)
        await looks_again(world, road)
    assert await heard(world) == [f"word {n}" for n in range(5)]


async def test_a_sender_that_is_removed_while_it_talks_is_no_longer_polled(world: World) -> None:
    await polls(world)
    an_id = await world.starts()
    road = await is_started(world)
    await world.change("UPDATE sender SET removed_at = $1", stored(NOON))
    lost(world, "Monday")
    before = world.twilio.listings
    await looks_again(world, road)
    assert (world.twilio.listings, (await world.conversation(an_id)).mode) == (before, Mode.BOT)
    assert "> Monday" not in await world.texts(an_id)


async def test_a_poll_that_finds_nothing_is_not_logged(world: World) -> None:
    await polls(world)
    road = await is_started(world)
    lines = SEARCH.lines
    await looks_again(world, road)
    assert (world.twilio.listings, SEARCH.lines) == (2, lines)


@pytest.mark.parametrize(
    ("polled", "requests"),
    [(False, 24 * 60 // 5), (True, 24 * 60 * 60 // 3)],
    ids=["webhook", "poll"],
)
def test_a_quiet_day_costs_a_known_number_of_requests(polled: bool, requests: int) -> None:
    """As docs/operations.md says: 288 a day, or 28,800."""
    need = sweep.Need(listens=True, swept_at=NOON, must_be_after=None, polls=polled)
    due = sweep.due_at(need, NOON, NOON)
    assert due is not None
    every = max(due - NOON, sweep.POLL if polled else sweep.EVERY)
    assert timedelta(days=1) / every == requests
    quiet = sweep.stretch(need, NOON, NOON, NOON + every)
    assert quiet.page_size == (sweep.POLL_PAGE if polled else sweep.RECENT_PAGE)


def test_no_sweep_takes_more_requests_than_a_million_messages_need() -> None:
    assert sweep.MOST_PAGES * sweep.LONG_PAGE == 1_000_000
    after_a_day = sweep.stretch(
        sweep.Need(listens=True, swept_at=NOON - 24 * HOUR, must_be_after=NOON), NOON - 24 * HOUR, None, NOON
    )
    assert after_a_day.page_size == sweep.LONG_PAGE
