"""The breaker of a provider account: what opens it, what lets a probe through, and whom it leaves shut."""

from datetime import timedelta

import pytest

from overture.actions.trip_breaker import close_breaker, half_open, trip_breaker
from overture.store import accounts
from overture.store.accounts import BreakerState, ShutBecause
from tests.world import ACCOUNT, SMS, World, add_sender

pytestmark = pytest.mark.promise("P9")


async def trips(world: World) -> bool:
    return await world.store.write(lambda tx: trip_breaker(tx, ACCOUNT, world.clock.now(), world.ids))


async def half_opens(world: World) -> bool:
    return await world.store.write(lambda tx: half_open(tx, ACCOUNT, world.clock.now()))


async def closes(world: World) -> bool:
    return await world.store.write(lambda tx: close_breaker(tx, ACCOUNT, world.clock.now(), world.ids))


async def breaker(world: World) -> BreakerState:
    [account] = await world.store.read(accounts.list_all)
    return account.breaker


async def shut(world: World) -> list[str | None]:
    return await world.column("SELECT shut_because FROM sender ORDER BY channel, address")


async def test_it_opens_half_opens_and_closes_and_each_end_is_told_once(world: World) -> None:
    assert await trips(world)
    assert not await trips(world)
    assert await shut(world) == ["breaker", "breaker"]
    assert await half_opens(world)
    assert await half_opens(world)
    assert await shut(world) == ["breaker", "breaker"]
    assert await closes(world)
    assert not await closes(world)
    assert await shut(world) == [None, None]
    assert len(await world.events("provider.unreachable")) == 1
    assert len(await world.events("provider.reachable")) == 1


async def test_a_probe_that_fails_opens_it_again_and_tells_nobody(world: World) -> None:
    await trips(world)
    await half_opens(world)
    assert await trips(world)
    assert await breaker(world) is BreakerState.OPEN
    assert len(await world.events("provider.unreachable")) == 1


async def test_an_answer_that_comes_late_closes_nothing_that_is_open(world: World) -> None:
    await trips(world)
    assert not await closes(world)
    assert await breaker(world) is BreakerState.OPEN


async def test_one_that_is_closed_is_not_half_opened(world: World) -> None:
    assert not await half_opens(world)
    await trips(world)
    await half_opens(world)
    await closes(world)
    assert not await half_opens(world)
    assert await breaker(world) is BreakerState.CLOSED


async def test_who_was_shut_for_another_reason_stays_shut(world: World) -> None:
    third = await add_sender(world, SMS, "+15557770000")
    await world.store.write(lambda tx: accounts.shut(tx, ACCOUNT, ShutBecause.RESTORE, world.clock.now()))
    await world.change("UPDATE sender SET shut_at = NULL, shut_because = NULL WHERE id = $1", third)
    await trips(world)
    assert sorted(map(str, await shut(world))) == ["breaker", "restore", "restore"]
    await half_opens(world)
    await closes(world)
    assert sorted(map(str, await shut(world))) == ["None", "restore", "restore"]


async def test_a_process_that_started_meanwhile_and_swept_leaves_its_senders_to_the_probe(world: World) -> None:
    await trips(world)
    await world.store.write(lambda tx: accounts.shut_all(tx, ShutBecause.START, world.clock.now()))
    await half_opens(world)
    assert await shut(world) == ["breaker", "breaker"]
    await closes(world)
    assert await shut(world) == [None, None]


async def test_the_first_probe_is_due_at_once(world: World) -> None:
    await trips(world)
    world.clock.at += timedelta(minutes=7)
    await half_opens(world)
    [account] = await world.store.read(accounts.list_all)
    assert (account.probe_at, account.breaker) == (world.clock.now(), BreakerState.HALF_OPEN)
