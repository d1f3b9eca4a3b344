"""The very row that failed is the one that is put off and parked, whichever of several workers finds it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from overture.domain import retry
from overture.domain.conversation import Mode
from tests.world import BOB, World, a_world

pytestmark = pytest.mark.promise("P15")

OTHERS = [f"+155502000{n:02}" for n in range(10)]


@pytest.fixture
async def two(postgresql_url: str) -> AsyncIterator[tuple[World, World]]:
    """Two processes on one PostgreSQL database."""
    async with a_world(postgresql_url) as one, a_world(postgresql_url, furnish=False) as other:
        other.client._accounts = one.client._accounts
        other.clock = one.clock
        yield one, other


async def look_all(*worlds: World) -> None:
    """Every road of every process looks at once, and what each look began comes to its end."""
    await asyncio.gather(*(road.look() for world in worlds for road in (world.inbox, world.turns, world.out)))
    await asyncio.gather(*(world.turns.drain(10) for world in worlds), *(world.out.drain() for world in worlds))


async def pass_until_parked(*worlds: World) -> None:
    for tries in range(retry.POISON_TRIES):
        await look_all(*worlds)
        for world in {id(world.clock): world for world in worlds}.values():
            world.clock.at += retry.poison_delay(tries)


async def test_two_workers_park_the_one_message_that_cannot_be_read(two: tuple[World, World]) -> None:
    one, other = two
    bad = await one.starts()
    for phone in OTHERS:
        await one.starts(to_number=phone)
    await one.change('UPDATE message SET body = \'{"type": "of tomorrow"}\' WHERE conversation_id = $1', bad)
    await look_all(one, other)
    assert sorted(post["To"] for post in one.twilio.posts) == OTHERS
    await pass_until_parked(one, other)
    assert [list(row) for row in await one.rows("SELECT state, stumbles FROM outbox")] == [["needs_review", 5]]
    assert [event[1] for event in await one.events("message.needs_review")] == [bad]


async def test_two_workers_pause_the_one_conversation_that_cannot_be_read(two: tuple[World, World]) -> None:
    one, other = two
    bad = await one.starts()
    ids = [await one.starts(to_number=phone) for phone in OTHERS]
    await one.sends()
    await one.hears("Monday")
    for phone in OTHERS:
        await one.hears("Tuesday", by=phone)
    await one.change("UPDATE conversation SET variables = 'not JSON' WHERE id = $1", bad)
    await look_all(one, other)
    for an_id in ids:
        assert (await one.texts(an_id))[-1] == "Tuesday it is. At what time?"
    await pass_until_parked(one, other)
    rows = await one.rows("SELECT id, mode FROM conversation WHERE mode <> 'bot'")
    assert [list(row) for row in rows] == [[bad, Mode.PAUSED.value]]
    assert [event[1] for event in await one.events("conversation.paused")] == [bad]


async def test_two_workers_park_the_one_webhook_that_breaks_what_handles_it(two: tuple[World, World]) -> None:
    one, other = two
    bad = await one.starts()
    await one.keeps(one.written("Monday"), *(one.written("hi", by=phone) for phone in OTHERS))
    await one.change("UPDATE conversation SET state = '{', place = NULL, expects = 'of tomorrow' WHERE id = $1", bad)
    await breaks_hearing(one, bad)
    await look_all(one, other)
    assert await one.value("SELECT count(*) FROM inbox WHERE state IN ('done', 'unrouted')") == len(OTHERS)
    await pass_until_parked(one, other)
    [row] = await one.rows("SELECT body, outcome, tries FROM inbox WHERE state = 'parked'")
    assert b"Monday" in bytes(row[0])
    assert "Error" in row[1]
    assert row[2] == retry.POISON_TRIES - 1
    assert len(await one.events("inbound.parked")) == 1


async def breaks_hearing(world: World, conversation_id: str) -> None:
    """Let whoever hears something in a conversation stumble: its count of lines leaves what a column can hold."""
    await world.change("UPDATE conversation SET last_seq = 2147483647 WHERE id = $1", conversation_id)


async def test_a_message_is_tried_again_and_goes_when_it_can_be_read(world: World) -> None:
    an_id = await world.starts()
    await world.starts(to_number=BOB)
    kept = await world.value("SELECT body FROM message WHERE conversation_id = $1", an_id)
    await world.change("UPDATE message SET body = 'not JSON' WHERE conversation_id = $1", an_id)
    await world.sends()
    await world.change("UPDATE message SET body = $2 WHERE conversation_id = $1", an_id, kept)
    await world.sends()
    assert [post["To"] for post in world.twilio.posts] == [BOB]  # not yet
    world.clock.at += retry.poison_delay(0)
    await world.sends()
    assert len(world.twilio.posts) == 2
    assert await world.value("SELECT count(*) FROM outbox") == 0


def test_work_is_parked_within_two_minutes() -> None:
    waits = [retry.poison_delay(tries).total_seconds() for tries in range(retry.POISON_TRIES - 1)]
    assert waits == sorted(waits)
    assert sum(waits) <= 120
