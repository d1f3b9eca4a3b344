"""Rows that nobody can read: each is set aside for a person, and everything around it goes on."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from overture.domain.agent import PromptSpec
from overture.domain.conversation import Mode
from overture.domain.errors import Transient
from overture.domain.turn import ModelRequest
from overture.workers.turns import TurnRoad
from tests.world import BOB, BOOKER, SMS, ScriptedModel, World, a_world

pytestmark = pytest.mark.promise("P15")


async def walk(look: Callable[[], Awaitable[float | None]], world: World, times: int) -> None:
    """Look so many times, and let what each look began come to its end."""
    for _ in range(times):
        await look()
        await world.turns.drain(5)
        await world.out.drain()


async def test_a_conversation_that_cannot_be_read_stops_no_other(world: World) -> None:
    bad, good = await world.starts(), await world.starts(to_number=BOB)
    await world.hears("Monday")
    await world.hears("Tuesday", by=BOB)
    await world.change("UPDATE conversation SET variables = 'not JSON' WHERE id = $1", bad)
    await walk(world.turns.look, world, 3)
    assert (await world.texts(good))[-1] == "Tuesday it is. At what time?"
    for _ in range(6):
        world.clock.passes(seconds=31)
        await walk(world.turns.look, world, 3)
    [row] = await world.rows("SELECT mode, mode_note, turn_due_at FROM conversation WHERE id = $1", bad)
    assert (row[0], row[2]) == (Mode.PAUSED, None)
    assert "Error" in row[1]
    assert [event[1] for event in await world.events("conversation.paused")] == [bad]


async def test_an_agent_that_cannot_be_read_stops_no_other(world: World) -> None:
    await world.saves(BOOKER, "broken")
    await world.starts(agent_id="broken")
    good = await world.starts(to_number=BOB)
    await world.hears("Monday")
    await world.hears("Tuesday", by=BOB)
    await world.change("UPDATE agent_version SET spec = '{\"kind\": \"of tomorrow\"}' WHERE agent_id = 'broken'")
    await walk(world.turns.look, world, 4)
    assert (await world.texts(good))[-1] == "Tuesday it is. At what time?"


async def test_a_message_that_cannot_be_read_stops_no_other(world: World) -> None:
    bad = await world.starts()
    world.clock.passes(seconds=1)
    await world.starts(to_number=BOB)
    await world.change('UPDATE message SET body = \'{"type": "of tomorrow"}\' WHERE conversation_id = $1', bad)
    await walk(world.out.look, world, 2)
    assert [taken["to"] for taken in world.twilio.taken] == [BOB]
    assert await world.column("SELECT state FROM outbox") == ["queued"]
    for _ in range(4):
        world.clock.passes(seconds=32)
        await walk(world.out.look, world, 1)
    assert [list(row) for row in await world.rows("SELECT state, stumbles FROM outbox")] == [["needs_review", 5]]
    assert "of tomorrow" in await world.value("SELECT stumbled_over FROM outbox")
    assert [event[1] for event in await world.events("message.needs_review")] == [bad]


async def test_a_model_that_breaks_is_given_up_after_three_tries(database_url: str) -> None:
    model = ScriptedModel(*(ZeroDivisionError("broke") for _ in range(3)))
    async with a_world(database_url, model=model) as world:
        spec = PromptSpec(name="P", instructions="Help.", greeting="Hi.")
        await world.saves(spec)
        an_id = await world.starts()
        await world.hears("hello?")
        for _ in range(4):
            await world.takes_turns()
            world.clock.passes(minutes=1)
        assert (await world.texts(an_id))[-1] == spec.fallback
        assert len(model.asked) == 3


@pytest.mark.promise("P16")
async def test_a_model_that_says_nothing_for_ever_is_waited_for_no_longer_than_the_turn_may_last(
    database_url: str,
) -> None:
    model = ScriptedModel()
    async with a_world(database_url, model=model) as world:

        async def hangs(_: ModelRequest) -> str:
            try:
                await asyncio.Event().wait()
            finally:
                world.clock.passes(seconds=2)
            return "never"

        async def takes_long(_: ModelRequest) -> str:
            world.clock.passes(seconds=29.4)
            raise Transient("slow", "Slow.")

        model.answers = [takes_long, hangs]
        spec = PromptSpec(name="P", instructions="Help.", greeting="Hi.")
        await world.saves(spec)
        an_id = await world.starts()
        await world.hears("hello?")
        await asyncio.wait_for(world.takes_turns(), 10)
        assert (await world.texts(an_id))[-1] == spec.fallback


async def test_a_turn_that_a_stop_interrupts_is_taken_up_again(database_url: str) -> None:
    began = asyncio.Event()

    async def hangs(_: ModelRequest) -> str:
        began.set()
        await asyncio.Event().wait()
        return "never"

    model = ScriptedModel(hangs, "Here I am.")
    async with a_world(database_url, model=model) as world:
        await world.saves(PromptSpec(name="P", instructions="Help.", greeting="Hi."))
        an_id = await world.starts()
        await world.hears("hello?")
        await world.turns.look()
        await began.wait()
        await asyncio.wait_for(world.turns.drain(0.05), 5)
        world.turns = TurnRoad(store=world.store, model=model, ids=world.ids, signals=world.signals)
        world.clock.passes(seconds=31)
        await world.takes_turns()
        assert (await world.texts(an_id))[-1] == "Here I am."


@pytest.mark.promise("P22")
async def test_a_stop_and_the_queue_race_on_two_processes_and_nothing_leaves_after_the_stop(
    postgresql_url: str,
) -> None:
    async with a_world(postgresql_url) as one, a_world(postgresql_url, furnish=False) as two:
        phones = [f"+155502000{n:02}" for n in range(12)]
        for phone in phones:
            await one.starts(to_number=phone, text="Part. " * 600)
        await one.keeps(*(one.written("STOP", by=phone, channel=SMS) for phone in phones))
        await asyncio.gather(one.sends(3), two.handles())
        await two.handles()
        posted = len(one.twilio.posts)
        assert await one.value("SELECT count(*) FROM contact WHERE opted_out_at IS NULL") == 0
        await one.sends(3)
        assert len(one.twilio.posts) == posted
        assert await one.value("SELECT count(*) FROM outbox") == 0


async def test_a_parked_webhook_is_told_of(world: World) -> None:
    await world.starts()
    await world.keeps(world.written("hello", NumMedia="many"))
    await world.handles()
    assert await world.column("SELECT state FROM inbox") == ["parked"]
    assert len(await world.events("inbound.parked")) == 1
