"""Activation reads the past: the day before a sender is activated tells windows, consent and context, and no more."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from overture.actions import keep_past
from overture.actions.adopt_settings import SenderSetting, adopt_settings
from overture.domain.agent import PromptSpec
from overture.domain.sender import InboundWay, KeywordHandling
from overture.store import past
from overture.store.engine import stored
from tests.log_search import SEARCH
from tests.scripted_twilio import Refuse
from tests.workers.sweeping import a_road, is_started, looks_again, lost, said, shut
from tests.world import ACCOUNT, ADA, BOB, BOOKER, NOON, OURS, SMS, WHATSAPP, WORKSPACE, ScriptedModel, World, a_world

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


async def is_read(world: World) -> bool:
    """Whether the past of every sender is known."""
    return bool(await world.value("SELECT count(*) FROM sender WHERE past_read_at IS NULL") == 0)


async def adopts(world: World, *numbers: str, inbound: InboundWay = InboundWay.WEBHOOK) -> None:
    """The settings name these numbers, for SMS."""
    wanted = [
        SenderSetting(
            account_sid=ACCOUNT,
            channel=SMS,
            address=number,
            keyword_handling=KeywordHandling.TWILIO,
            inbound=inbound,
        )
        for number in numbers
    ]
    await world.store.write(lambda tx: adopt_settings(tx, WORKSPACE, wanted, world.clock.now(), world.ids))


async def test_an_opening_to_somebody_who_wrote_two_hours_ago_goes_as_free_text(world: World) -> None:
    lost(world, "are you there?", channel=WHATSAPP, at=2 * HOUR)
    lost(world, "a day and more ago", channel=WHATSAPP, by=BOB, at=25 * HOUR)
    world.twilio.taken.reverse()
    refused: Any = await world.answers(channel=WHATSAPP)
    assert refused.code == "window_closed"
    await is_started(world)
    await world.starts(channel=WHATSAPP)
    refused = await world.answers(channel=WHATSAPP, to_number=BOB)
    assert refused.code == "window_closed"
    await world.sends()
    assert [(post["To"], post["Body"]) for post in world.twilio.posts] == [(f"whatsapp:{ADA}", "Hello Ada")]
    assert await is_read(world)


async def test_nobody_from_before_is_answered_nor_counted_as_unrouted(world: World) -> None:
    await world.saves(BOOKER, "reception")
    await world.change("UPDATE sender SET inbound_agent_id = 'reception'")
    for n in range(30):
        lost(world, f"word {n}", by=f"+1555{n:07}", at=3 * HOUR - n * SECOND)
        lost(world, f"word {n}", by=f"+1555{n:07}", at=2 * HOUR - n * SECOND, channel=WHATSAPP)
    await is_started(world)
    await world.takes_turns()
    await world.sends()
    assert (await world.live(), world.twilio.posts) == ([], [])
    assert await world.column("SELECT DISTINCT state FROM inbox") == ["done"]
    assert await world.events("inbound.unrouted") == []
    assert await world.value("SELECT count(*) FROM message") == 0


async def test_what_is_younger_than_the_activation_is_left_to_the_webhook_that_is_not_set_yet(world: World) -> None:
    world.clock.passes(minutes=2)
    lost(world, "after the activation", at=MINUTE)
    lost(world, "before it", by=BOB, at=HOUR)
    await is_started(world)
    assert await world.value("SELECT count(*) FROM inbox") == 1
    assert await world.live() == []


async def test_a_polled_sender_answers_what_came_after_its_activation_and_nothing_before(world: World) -> None:
    await world.saves(BOOKER, "reception")
    await world.change("UPDATE sender SET inbound_agent_id = 'reception', inbound = 'poll'")
    lost(world, "before", at=MINUTE)
    road = a_road(world)
    await looks_again(world, road, seconds=1)
    lost(world, "after", by=BOB)
    await looks_again(world, road)
    [live] = await world.live()
    assert (await world.texts(live.id))[0] == "> after"


async def test_a_stop_of_the_day_before_is_obeyed_and_not_confirmed(world: World) -> None:
    await world.starts(channel=SMS, to_number=BOB)
    lost(world, "STOP", by=BOB, at=5 * HOUR)
    await is_started(world)
    await world.sends(2)
    assert world.twilio.posts == []
    refused: Any = await world.answers(to_number=BOB)
    assert refused.code == "recipient_opted_out"


async def test_whoever_goes_on_is_shown_the_last_lines_of_both_sides(database_url: str) -> None:
    model = ScriptedModel("Then Tuesday it is.", "Yes.")
    async with a_world(database_url, model=model) as world:
        await world.saves(PromptSpec(name="Helper", instructions="Help."))
        said(world, "Would Monday suit you?", at=3 * HOUR)
        lost(world, "Monday is bad, Tuesday?", at=2 * HOUR)
        said(world, "never arrived", at=2 * HOUR, status="failed")
        lost(world, "to somebody else", by=BOB, at=HOUR)
        said(world, "", at=HOUR, num_media="1")
        await is_started(world)
        await world.starts(text="Hello, it is the salon again.")
        await world.hears("So?")
        await world.takes_turns()
        assert [(line.role, line.text) for line in model.asked[0].lines] == [
            ("assistant", "Would Monday suit you?"),
            ("user", "Monday is bad, Tuesday?"),
            ("assistant", "[file]\nHello, it is the salon again."),
            ("user", "So?"),
        ]


async def test_of_a_pair_some_lines_are_kept_for_a_week_and_each_once(world: World) -> None:
    for n in range(120):
        lost(world, f"word {n}", at=3 * HOUR - n * SECOND)
    await is_started(world)
    await world.change("UPDATE sender SET past_read_at = NULL")  # as after a reading that broke off
    await is_started(world)
    assert await world.value("SELECT count(*) FROM past_line") == keep_past.LINES
    thread = await world.value("SELECT id FROM thread")
    kept = await world.store.read(lambda tx: past.list_of_thread(tx, thread, 3))
    assert [line.text for line in kept] == ["word 117", "word 118", "word 119"]
    await world.store.write(lambda tx: past.forget_before(tx, world.clock.now() - keep_past.KEPT))
    assert await world.value("SELECT count(*) FROM past_line") == keep_past.LINES
    world.clock.passes(days=7)
    await world.timers.look()
    assert await world.value("SELECT count(*) FROM past_line") == 0


async def test_a_sender_that_comes_back_is_not_read_again(world: World) -> None:
    await is_started(world)
    other = "+15551230009"
    await adopts(world, OURS)
    await adopts(world, OURS, other)
    road = a_road(world)
    await looks_again(world, road, seconds=40)
    listings = world.twilio.listings
    await adopts(world, OURS)
    await adopts(world, OURS, other)
    await looks_again(world, road, seconds=40)
    assert world.twilio.listings == listings
    assert await is_read(world)


async def test_how_a_sender_is_reached_goes_by_the_settings_of_the_last_start(world: World) -> None:
    await adopts(world, OURS, inbound=InboundWay.POLL)
    assert await world.value("SELECT inbound FROM sender WHERE channel = 'sms'") == "poll"
    await adopts(world, OURS)
    assert await world.value("SELECT inbound FROM sender WHERE channel = 'sms'") == "webhook"


async def test_a_sender_that_is_activated_while_the_server_runs_is_read_within_a_minute(world: World) -> None:
    road = await is_started(world)
    world.clock.passes(hours=1)
    other = "+15551230009"
    lost(world, "two hours ago", to=other, at=2 * HOUR)
    lost(world, "STOP", by=BOB, to=other, at=HOUR)
    await adopts(world, OURS, other)
    await world.starts(to_number=BOB, from_number=other)
    before = world.twilio.listings
    world.clock.passes(seconds=1)
    await road.look()
    await world.sends()
    assert await shut(world) == [("sms", "start")]  # the new one alone, until what was found is handled
    await world.handles()
    await road.look()
    await world.sends()
    assert (world.twilio.listings, world.twilio.posts, await shut(world)) == (before + 1, [], [])
    heard_at = await world.column("SELECT last_inbound_at FROM thread ORDER BY last_inbound_at")
    assert heard_at == [stored(NOON - HOUR), stored(NOON)]


@pytest.mark.parametrize("pages", [0, 1, 2])
async def test_an_activation_that_breaks_off_begins_again_and_repeats_nothing(sqlite_world: World, pages: int) -> None:
    world = sqlite_world
    for n in range(1200):  # three pages
        lost(world, f"word {n}", by=f"+1555{n:07}", at=5 * HOUR - n * SECOND)
    world.twilio.lists.extend([None] * pages + [Refuse(status=503)])
    road = a_road(world)
    await road.look()
    await world.sends()
    assert not await is_read(world)
    assert await shut(world) == [("sms", "start"), ("whatsapp", "start")]
    world.clock.passes(seconds=30)
    await road.look()
    assert await is_read(world)
    assert await world.value("SELECT count(*) FROM inbox") == 1200
    assert await world.value("SELECT count(*) FROM past_line") == 1200


async def test_pages_that_change_while_an_activation_reads_them_lose_nothing(sqlite_world: World) -> None:
    world = sqlite_world
    for n in range(1200):
        lost(world, f"word {n}", at=5 * HOUR - n * SECOND)
    for n in range(5):
        world.twilio.arriving.append({"To": BOB, "From": OURS, "Body": f"another system's {n}"})
    await a_road(world).look()
    assert await world.value("SELECT count(*) FROM inbox") == 1200


async def test_records_of_another_account_or_number_are_nobodys_past(world: World) -> None:
    lost(world, "elsewhere", to="+15559990000", at=HOUR)
    lost(world, "among ourselves", by=OURS, at=HOUR)
    said(world, "from elsewhere", at=HOUR)
    world.twilio.taken[-1]["from"] = "+15559990000"
    lost(world, "no address", at=HOUR)
    world.twilio.taken[-1]["from"] = None
    lost(world, "a\0b", at=HOUR)
    lost(world, "x" * 100_000, by=BOB, at=HOUR)
    await is_started(world)
    bodies = [json.loads(body)["text"] for body in await world.column("SELECT body FROM past_line ORDER BY contact")]
    assert bodies == ["ab", "x" * 1600]


@pytest.mark.parametrize("off", [-HOUR, HOUR], ids=["behind", "ahead"])
async def test_an_activation_under_a_clock_that_is_off_answers_nobody(world: World, off: timedelta) -> None:
    await world.saves(BOOKER, "reception")
    await world.change("UPDATE sender SET inbound_agent_id = 'reception'")
    for n in range(5):
        lost(world, f"word {n}", at=NOON + off - (10 - n) * MINUTE)
    await is_started(world)
    assert await world.live() == []
    assert await is_read(world)


async def test_a_long_activation_tells_how_far_it_is(sqlite_world: World) -> None:
    """How little memory it takes is measured of the same reading (test_sweep_lists)."""
    world = sqlite_world
    for n in range(5001):  # eleven pages
        lost(world, "hello", to="+15559990000", at=23 * HOUR - n * SECOND)
    await a_road(world).look()
    assert await is_read(world)
    assert '"pages": 10' in "".join(SEARCH.last)


async def test_two_processes_that_activate_at_once_keep_each_line_once(postgresql_url: str) -> None:
    async with a_world(postgresql_url) as one, a_world(postgresql_url, furnish=False) as two:
        for n in range(300):
            for world in (one, two):
                lost(world, f"word {n}", by=f"+1555{n:07}", at=timedelta(hours=2) - n * SECOND)
        await asyncio.gather(a_road(one).look(), a_road(two).look())
        assert await one.value("SELECT count(*) FROM past_line") == 300
        assert await one.value("SELECT count(*) FROM inbox") == 300
