"""What is claimed ahead of its instant: between the plan and the request a contact, a person or the night may come."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from overture.actions.save_pool import save_own_pace
from overture.actions.take_over import take_over
from overture.domain.rules import QuietHours, Rules
from overture.workers.outbox import OutboxRoad
from tests.world import OURS, SMS, WORKSPACE, World

BERLIN = [f"+4930123450{n}" for n in range(4)]


async def has_pace(world: World, per_second: float) -> None:
    an_id = await world.value("SELECT id FROM sender WHERE channel = $1 AND address = $2", SMS.value, OURS)
    await world.store.write(lambda tx: save_own_pace(tx, WORKSPACE, an_id, SMS, OURS, per_second))


async def sends_while(world: World, happens: Callable[[], Awaitable[None]]) -> None:
    """What is due is claimed, and something happens while a worker waits for the instants."""
    happened = False

    async def rest(_: float) -> None:
        nonlocal happened
        if not happened:
            happened = True
            await happens()

    road = OutboxRoad(
        store=world.store,
        provider=world.client,
        ids=world.ids,
        claims=world.out._claims,
        outcomes=world.out._outcomes,
        rest=rest,
    )
    await road.look()
    await road.drain()
    assert happened


@pytest.mark.promise("P22")
async def test_what_was_planned_before_a_stop_does_not_leave_after_it(world: World) -> None:
    await has_pace(world, 10)
    _, second = [await world.starts(to_number=number) for number in BERLIN[:2]]
    await sends_while(world, lambda: world.hears("STOP", by=BERLIN[1]))
    assert [one["To"] for one in world.twilio.posts] == [BERLIN[0]]
    world.clock.passes(seconds=30)
    await world.sends(2)
    assert [one["To"] for one in world.twilio.posts] == [BERLIN[0]]
    assert (await world.lines(second))[0].reason == "recipient_opted_out"
    assert await world.value("SELECT count(*) FROM outbox") == 0


@pytest.mark.promise("P23")
async def test_what_was_planned_before_a_takeover_does_not_leave_after_it(world: World) -> None:
    await has_pace(world, 10)
    _, second = [await world.starts(to_number=number) for number in BERLIN[:2]]

    async def takes_over() -> None:
        await world.store.write(
            lambda tx: take_over(
                tx, workspace_id=WORKSPACE, conversation_id=second, by="Eve", now=world.clock.now(), ids=world.ids
            )
        )

    await sends_while(world, takes_over)
    world.clock.passes(seconds=30)
    await world.sends(2)
    assert [one["To"] for one in world.twilio.posts] == [BERLIN[0]]
    [line] = await world.lines(second)
    assert line.reason == "cancelled"


@pytest.mark.promise("P14")
async def test_nothing_is_planned_into_quiet_hours(world: World) -> None:
    await world.rules(Rules(quiet_hours=QuietHours(start="20:00", end="09:00")))
    await has_pace(world, 10)
    world.clock.at = datetime(2026, 3, 3, 18, 59, 59, 900_000, tzinfo=UTC)
    for number in BERLIN:
        await world.starts(to_number=number, life=timedelta(days=1))
    await world.out.look()
    await world.out.drain()
    began = await world.column("SELECT started_at FROM attempt")
    assert all(at < datetime(2026, 3, 3, 19, 0, tzinfo=UTC).timestamp() * 1_000_000 for at in began), began
