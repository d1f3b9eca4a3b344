"""Reading an account's list: pages that fail, change, lead nowhere, are dated absurdly, or are very many."""

import asyncio
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from overture.domain.agent import EndReason
from overture.store.engine import stored
from tests.scripted_twilio import Refuse
from tests.workers.sweeping import a_road, is_started, listens, lost, shut, sid
from tests.world import ACCOUNT, BOB, NOON, World, a_world

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.mark.parametrize("script", [[Refuse(status=500)], [None, Refuse(status=503)], [Refuse(status=401, code=20003)]])
async def test_a_list_that_fails_moves_no_mark_and_is_tried_again(world: World, script: list[Refuse | None]) -> None:
    an_id = await world.starts()
    await listens(world)
    for n in range(150):  # two pages
        lost(world, f"word {n}", at=timedelta(minutes=30))
    await world.change("INSERT INTO provider_account (workspace_id, sid, created_at, swept_to) "
                       "VALUES ('default', $1, 0, $2)", ACCOUNT, stored(NOON - 40 * MINUTE))  # fmt: skip
    world.twilio.lists.extend(script)
    road = a_road(world)
    await road.look()
    assert await world.rows("SELECT swept_at, swept_to FROM provider_account") == [(None, stored(NOON - 40 * MINUTE))]
    before = world.twilio.listings
    world.clock.passes(seconds=29)
    await road.look()
    assert world.twilio.listings == before
    world.clock.passes(seconds=1)
    await road.look()
    await world.handles()
    assert (await world.texts(an_id))[1:] == [f"> word {n}" for n in range(150)]
    assert await world.value("SELECT swept_to FROM provider_account") == stored(NOON - timedelta(minutes=30))


async def test_pages_that_change_while_they_are_read_lose_and_repeat_nothing(world: World) -> None:
    await listens(world)
    for n in range(1200):  # three pages
        lost(world, f"word {n}", at=timedelta(hours=3) - n * timedelta(seconds=1))
    for n in range(5):
        world.twilio.arriving.append({"To": BOB, "From": "+15559990000", "Body": f"another system's {n}"})
    await a_road(world).look()
    assert await world.column("SELECT unique_key FROM inbox ORDER BY id") == [sid(n) for n in range(1200)]


async def test_every_five_minutes_what_is_young_is_left_to_its_webhook(world: World) -> None:
    an_id = await world.starts()
    await listens(world)
    road = await is_started(world)
    world.clock.passes(minutes=4, seconds=59)
    lost(world, "older", at=2 * MINUTE)
    lost(world, "young", at=timedelta(seconds=20))
    await road.look()
    assert world.twilio.listings == 1
    world.clock.passes(seconds=1)
    await road.look()
    await world.handles()
    assert (await world.texts(an_id))[1:] == ["> older"]
    world.clock.passes(minutes=5)
    await road.look()
    await world.handles()
    assert (await world.texts(an_id))[1:] == ["> older", "> young"]


async def test_a_mark_is_the_providers_time_and_each_sweep_reads_some_of_the_last_again(world: World) -> None:
    an_id = await world.starts()
    await listens(world)
    lost(world, "one", at=20 * MINUTE)
    road = await is_started(world)
    assert await world.value("SELECT swept_to FROM provider_account") == stored(NOON - 20 * MINUTE)
    lost(world, "shown late by the list", at=30 * MINUTE)
    world.clock.passes(minutes=5)
    await road.look()
    await world.handles()
    assert (await world.texts(an_id))[1:] == ["> one", "> shown late by the list"]


@pytest.mark.parametrize("off", [-HOUR, HOUR], ids=["behind", "ahead"])
async def test_a_provider_whose_clock_is_an_hour_off_loses_nothing(world: World, off: timedelta) -> None:
    an_id = await world.starts()
    await listens(world)
    for n in range(3):
        lost(world, f"word {n}", at=NOON + off - (3 - n) * MINUTE)
    road = await is_started(world)
    for n in range(3, 6):
        world.clock.passes(minutes=5)
        lost(world, f"word {n}", at=world.clock.now() + off - 2 * MINUTE)
        await road.look()
        await world.handles()
    world.clock.passes(minutes=66)  # ahead: as young until then as one that was just written
    await road.look()
    await world.handles()
    assert (await world.texts(an_id))[1:] == [f"> word {n}" for n in range(6)]
    assert all(line.created_at <= world.clock.now() for line in await world.lines(an_id))


@pytest.mark.parametrize(
    "date",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
        datetime(2099, 1, 1, tzinfo=UTC),
    ],
    ids=str,
)
async def test_an_absurd_date_neither_ends_a_walk_nor_sets_a_mark(world: World, date: datetime) -> None:
    an_id = await world.starts()
    await listens(world)
    lost(world, "one", at=5 * MINUTE)
    lost(world, "absurd", by=BOB, at=date)
    lost(world, "two", at=3 * MINUTE)
    await is_started(world)
    assert (await world.texts(an_id))[1:] == ["> one", "> two"]
    assert await world.value("SELECT swept_to FROM provider_account") == stored(NOON - 3 * MINUTE)
    assert await world.value("SELECT count(*) FROM inbox") == 3


async def test_an_old_list_is_not_read_to_its_end(world: World) -> None:
    await listens(world)
    for n in range(3000):
        lost(world, f"word {n}", by=BOB, at=timedelta(days=30) - n * timedelta(minutes=10))
    await is_started(world)
    assert world.twilio.listings == 1


@pytest.mark.promise("P17")
async def test_memory_stays_bounded_however_long_the_list(sqlite_world: World) -> None:
    world = sqlite_world
    await listens(world)
    for n in range(6000):
        lost(world, "x" * 1000, by=f"+1555{n:07}", at=timedelta(hours=23) - n * timedelta(seconds=1))
    road = a_road(world)
    tracemalloc.start()
    try:
        await road.look()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert await world.value("SELECT count(*) FROM inbox") == 6000
    # the scripted provider makes its pages of six million characters in the same process
    assert peak < 24 * 1024 * 1024


async def test_a_process_that_is_about_to_stop_reads_no_further_page(world: World) -> None:
    await listens(world)
    for n in range(1200):
        lost(world, f"word {n}", at=3 * HOUR)
    await a_road(world, is_stopping=lambda: True).look()
    assert world.twilio.listings == 1
    assert await world.value("SELECT count(*) FROM provider_account WHERE swept_at IS NOT NULL") == 0


@pytest.mark.promise("P5")
async def test_two_processes_that_sweep_at_once_keep_each_message_once(postgresql_url: str) -> None:
    async with a_world(postgresql_url) as one, a_world(postgresql_url, furnish=False) as two:
        await listens(one)
        an_id = await one.starts()
        for n in range(300):
            for world in (one, two):
                lost(world, f"word {n}", at=timedelta(hours=2) - n * timedelta(seconds=1))
        await asyncio.gather(a_road(one).look(), a_road(two).look())
        await one.handles()
        assert (await one.texts(an_id))[1:] == [f"> word {n}" for n in range(300)]


@pytest.mark.promise("P4")
async def test_half_a_character_in_one_text_makes_nobody_wait(world: World) -> None:
    an_id = await world.starts()
    await listens(world)
    lost(world, "Monday \ud83d")
    lost(world, "Hi", by=BOB)
    await is_started(world)
    assert await world.texts(an_id) == ["Hello Ada", "> Monday ?"]
    assert await shut(world) == []


@pytest.mark.promise("P16")
@pytest.mark.promise("P22")
async def test_a_stop_does_not_wait_for_a_walk_that_breaks_off_while_messages_leave(world: World) -> None:
    an_id = await world.starts(to_number=BOB)
    await listens(world)
    lost(world, "word")
    road = await is_started(world)
    world.clock.passes(minutes=6)
    for n in range(100):
        lost(world, f"word {n}", at=timedelta(minutes=4))
    lost(world, "Hi", by=BOB, at=timedelta(minutes=2))
    world.twilio.lists.extend([None, Refuse(status=500)] * 10)
    await road.look()
    await world.hears("STOP", by=BOB)
    assert (await world.conversation(an_id)).end_reason is None  # what was written before it is handled before it
    for _ in range(2):
        world.clock.passes(seconds=30)
        await road.look()
        await world.handles()
    assert (await world.conversation(an_id)).end_reason is EndReason.OPT_OUT
