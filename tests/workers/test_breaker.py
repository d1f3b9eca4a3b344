"""A provider that does not answer: what is tried, what waits, how it comes back, and that no queue is burnt."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from overture.actions.claim_deliveries import LEASE
from overture.actions.trip_breaker import half_open
from overture.adapters.twilio import client
from overture.domain import breaker
from overture.domain.breaker import OPENS_AT, PROBE_EVERY, UNPROVEN
from overture.store import accounts
from overture.store.accounts import BreakerState
from overture.workers import outbox
from overture.workers.outbox import OutboxRoad
from tests.scripted_twilio import Hold, Refuse, Step, Then
from tests.world import ACCOUNT, BOB, World, a_world

pytestmark = pytest.mark.promise("P9")


async def queue(world: World, count: int, *, first: int = 0) -> None:
    """Start so many conversations, with a contact each."""
    await world.starts_all(*(world.asks(to_number=f"+1555{n:07}", digest=str(n)) for n in range(first, first + count)))


async def state(world: World) -> BreakerState:
    found = await world.store.read(accounts.list_all)
    return found[0].breaker if found else BreakerState.CLOSED


async def half_opens(world: World) -> None:
    assert await world.store.write(lambda tx: half_open(tx, ACCOUNT, world.clock.now()))


@pytest.mark.parametrize("silence", [Then.FAIL, Then.RESET, Then.TAKE_AND_RESET])
async def test_silence_opens_it_and_the_rest_of_the_queue_waits(world: World, silence: Then) -> None:
    await queue(world, 60)
    world.twilio.script += [silence] * 60
    await world.sends(3)
    assert await state(world) is BreakerState.OPEN
    assert OPENS_AT <= len(world.twilio.posts) <= UNPROVEN
    assert await world.value("SELECT count(*) FROM outbox WHERE state = 'queued'") == 60 - len(world.twilio.posts)
    assert set(await world.column("SELECT shut_because FROM sender")) == {"breaker"}
    assert len(await world.events("provider.unreachable")) == 1


@pytest.mark.parametrize(
    "answer", [Then.TAKE, Refuse(status=400, code=21211), Refuse(status=429)], ids=["201", "400", "429"]
)
async def test_whoever_answers_now_and_then_is_there(world: World, answer: Step) -> None:
    for n in range(0, 20, 5):
        await queue(world, 4, first=n)
        world.twilio.script += [Then.RESET] * 4
        await world.sends()
        await queue(world, 1, first=n + 4)
        world.twilio.script.append(answer)
        await world.sends()
    assert await state(world) is BreakerState.CLOSED


async def test_a_provider_that_cannot_be_reached_makes_nothing_uncertain(world: World) -> None:
    await queue(world, 60)
    known = world.client._accounts
    world.client._accounts = {ACCOUNT: type(known[ACCOUNT])(sid=ACCOUNT, auth_token="t", base_url="http://127.0.0.1:1")}
    await world.sends(3)
    assert await state(world) is BreakerState.OPEN
    assert await world.value("SELECT count(*) FROM outbox WHERE state = 'queued'") == 60
    assert set(await world.column("SELECT waits_because FROM outbox WHERE attempt > 0")) == {"twilio_unreachable"}


async def test_one_probe_at_a_time_leaves_and_an_answer_lets_all_leave(world: World) -> None:
    await queue(world, 30)
    world.twilio.script += [Then.FAIL] * UNPROVEN
    await world.sends()
    posted = len(world.twilio.posts)
    world.twilio.script.clear()
    await world.sends(2)
    assert len(world.twilio.posts) == posted  # open: nothing leaves
    await half_opens(world)
    world.twilio.script.append(Then.FAIL)
    await world.sends(3)
    assert len(world.twilio.posts) == posted + 1  # the probe failed: open again
    assert await state(world) is BreakerState.OPEN
    world.clock.at += PROBE_EVERY
    await half_opens(world)
    held = Hold()
    world.twilio.script.append(held)
    await world.out.look()
    await asyncio.wait_for(held.landed.wait(), 10)
    await world.out.look()
    assert len(world.twilio.posts) == posted + 2  # no second one beside a probe
    held.released.set()
    await world.out.drain()
    assert await state(world) is BreakerState.CLOSED
    assert set(await world.column("SELECT shut_because FROM sender")) == {None}
    await world.sends()
    assert await world.value("SELECT count(*) FROM outbox WHERE state = 'queued'") == 0
    assert len(await world.events("provider.reachable")) == 1


async def test_a_definite_refusal_of_a_probe_closes_it_too(world: World) -> None:
    await queue(world, UNPROVEN + 2)
    world.twilio.script += [Then.FAIL] * UNPROVEN
    await world.sends()
    await half_opens(world)
    world.twilio.script.append(Refuse(status=400, code=21211))
    await world.sends()
    assert await state(world) is BreakerState.CLOSED


async def test_a_probe_whose_worker_died_is_followed_by_another_half_a_minute_later(world: World) -> None:
    await queue(world, UNPROVEN + 3)
    world.twilio.script += [Then.FAIL] * UNPROVEN
    await world.sends()
    await half_opens(world)
    world.twilio.script.append(Hold())
    await world.out.look()
    await world.out.drain(0)  # let go of, as a process that ends
    world.out = world.new_outbox()
    posted = len(world.twilio.posts)
    await world.sends()
    assert len(world.twilio.posts) == posted
    world.clock.at += PROBE_EVERY
    await world.sends()
    assert await state(world) is BreakerState.CLOSED


async def test_a_message_that_expired_is_no_probe(world: World) -> None:
    await queue(world, UNPROVEN + 1)
    world.twilio.script += [Then.FAIL] * UNPROVEN
    await world.sends()
    world.clock.at += timedelta(hours=5)
    await half_opens(world)
    await queue(world, 1, first=100)
    posted = len(world.twilio.posts)
    await world.sends()
    assert len(world.twilio.posts) == posted + 1
    assert await state(world) is BreakerState.CLOSED


@pytest.mark.promise("P15")
async def test_a_probe_that_cannot_be_read_is_put_off_and_another_one_goes(world: World) -> None:
    await queue(world, UNPROVEN + 3)
    world.twilio.script += [Then.FAIL] * UNPROVEN
    await world.sends()
    await world.change(
        "UPDATE message SET body = 'not JSON' WHERE id = (SELECT min(message_id) FROM outbox WHERE state = 'queued')"
    )
    await half_opens(world)
    posted = len(world.twilio.posts)
    await world.sends(2)
    assert len(world.twilio.posts) > posted
    assert await state(world) is BreakerState.CLOSED
    assert await world.column("SELECT stumbles FROM outbox WHERE stumbles > 0") == [1]


async def test_two_workers_make_one_probe(postgresql_url: str) -> None:
    async with a_world(postgresql_url) as one, a_world(postgresql_url, furnish=False) as two:
        two.client._accounts = one.client._accounts
        await queue(one, 40)
        one.twilio.script += [Then.FAIL] * UNPROVEN
        await one.sends()
        await half_opens(one)
        posted = len(one.twilio.posts)
        held = Hold()
        one.twilio.script += [held, held]
        await asyncio.gather(one.out.look(), two.out.look())
        await asyncio.wait_for(held.landed.wait(), 10)
        assert len(one.twilio.posts) == posted + 1
        held.released.set()
        await asyncio.gather(one.out.drain(), two.out.drain())
        assert await state(one) is BreakerState.CLOSED


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_burn_no_queue(world: World, status: int) -> None:
    await queue(world, 500)
    world.twilio.script += [Refuse(status=status, code=20003)] * 500
    await world.sends(5)
    assert len(world.twilio.posts) <= UNPROVEN
    assert await world.value("SELECT count(*) FROM outbox WHERE state = 'queued'") == 500
    assert await state(world) is BreakerState.CLOSED
    because = await world.column("SELECT waits_because FROM outbox WHERE attempt > 0")
    assert set(because) == {"twilio_20003"}
    world.twilio.script.clear()
    await world.timers.look()
    world.clock.passes(minutes=11)
    await world.timers.look()
    await world.sends()
    assert len(world.twilio.taken) >= 1


def test_a_dead_provider_is_known_within_ten_seconds_of_the_first_send() -> None:
    assert client._TIMEOUT.total is not None
    assert client._TIMEOUT.total + 1 <= 10
    assert UNPROVEN >= OPENS_AT


# a worker that was held up


class HeldUp:
    """A clock that jumps ahead once it was asked so often, as it does for a process that was stopped meanwhile."""

    def __init__(self, *, after: int, seconds: float) -> None:
        self.asked = 0
        self._after = after
        self._seconds = seconds

    def __call__(self) -> float:
        """The seconds it shows."""
        self.asked += 1
        return self._seconds if self.asked > self._after else 0.0


def out_road(world: World, elapsed: Callable[[], float]) -> OutboxRoad:
    fresh = world.new_outbox()
    return OutboxRoad(
        store=world.store,
        provider=world.client,
        ids=world.ids,
        claims=fresh._claims,
        outcomes=fresh._outcomes,
        elapsed=elapsed,
    )


@pytest.mark.promise("P2")
async def test_a_worker_that_was_stopped_between_claim_and_post_hands_nothing_over(world: World) -> None:
    await world.starts()
    await world.starts(to_number=BOB)
    road = out_road(world, HeldUp(after=1, seconds=60))
    await road.look()
    await road.drain()
    assert world.twilio.posts == []
    rows = await world.rows("SELECT state, waits_because FROM outbox")
    assert [tuple(row) for row in rows] == [("queued", "worker_held_up")] * 2  # it was certainly not posted
    assert await state(world) is BreakerState.CLOSED
    world.clock.passes(seconds=5)
    await world.sends()
    assert len(world.twilio.taken) == 2


def test_a_claim_may_be_as_old_as_leaves_time_for_a_request() -> None:
    assert client._TIMEOUT.total is not None
    assert outbox.OLDEST_CLAIM_SECONDS + client._TIMEOUT.total < LEASE.total_seconds()
    assert outbox.elapsed() <= outbox.elapsed()
    assert breaker.most_in_flight(breaker.Health(proven=True), outbox.IN_FLIGHT) == outbox.IN_FLIGHT
