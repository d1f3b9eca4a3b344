"""Pace: what leaves a sender in a second, over all processes; who goes first; and that nobody waits for another."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest

from overture.actions.adopt_settings import SenderSetting, adopt_settings
from overture.actions.claim_deliveries import Claims, claim_delivery
from overture.actions.save_pool import remove_pool, save_own_pace, save_pool
from overture.actions.start_conversation import dry_run
from overture.domain.channel import Channel
from overture.domain.errors import Limited
from overture.domain.pace import HORIZON, PoolKind
from overture.domain.ports import Outgoing
from overture.domain.sending import OPENING_LIFE
from overture.store import queues, senders
from overture.store.engine import instant, stored
from overture.workers.outbox import OutboxRoad
from overture.workers.queues import QueueRoad
from tests.scripted_twilio import Refuse
from tests.world import ACCOUNT, OURS, SMS, WORKSPACE, World, a_world, add_sender

SECOND = timedelta(seconds=1)


async def sender_id(world: World, address: str = OURS, channel: Channel = SMS) -> str:
    found: str = await world.value("SELECT id FROM sender WHERE channel = $1 AND address = $2", channel.value, address)
    return found


async def has_pace(world: World, per_second: float | None, address: str = OURS) -> str:
    """A sender has a pace of its own; its id."""
    an_id = await sender_id(world, address)
    await world.store.write(lambda tx: save_own_pace(tx, WORKSPACE, an_id, SMS, address, per_second))
    return an_id


async def share_pace(world: World, per_second: float, *sender_ids: str, name: str = "spring") -> None:
    """Senders are in a pool."""
    await world.store.write(
        lambda tx: save_pool(
            tx,
            WORKSPACE,
            name=name,
            kind=PoolKind.CAMPAIGN,
            per_second=per_second,
            sender_ids=sender_ids,
            now=world.clock.now(),
            ids=world.ids,
        )
    )


async def queue(world: World, count: int, *, first: int = 0, address: str = OURS, text: str = "Hello") -> None:
    """So many openings wait."""
    people = range(first, first + count)
    await world.starts_all(
        *(world.asks(to_number=f"+1555{n:07}", digest=f"{address} {n}", from_number=address, text=text) for n in people)
    )


async def replies_wait(world: World, count: int, *, address: str = OURS) -> None:
    """So many of what a sender has in the queue are replies."""
    await world.change(
        """
        UPDATE outbox SET priority = 0 WHERE message_id IN (
            SELECT message_id FROM outbox WHERE sender_id = $1 AND state = 'queued' ORDER BY message_id DESC LIMIT $2
        )
        """,
        await sender_id(world, address),
        count,
    )


async def claim(world: World, limit: int = 150) -> list[Outgoing]:
    """What one worker claims now; nothing is sent."""
    claimed: list[Outgoing] = await world.out._claims.submit(Claims(limit=limit))
    return claimed


async def claim_for(worlds: Sequence[World], seconds: float, *, step: float = 0.05) -> list[datetime]:
    """The instants of what workers claim, in turn, while time passes."""
    clock = worlds[0].clock
    for n in range(round(seconds / step)):
        await claim(worlds[n % len(worlds)])
        clock.passes(seconds=step)
    return await instants(worlds[0])


async def instants(world: World) -> list[datetime]:
    return [instant(at) for at in await world.column("SELECT started_at FROM attempt ORDER BY started_at")]


def most_in_a_second(at: Sequence[datetime]) -> int:
    return max(sum(begin <= one < begin + SECOND for one in at) for begin in at)


async def test_without_a_pace_all_leaves_at_once(world: World) -> None:
    await queue(world, 20)
    assert {outgoing.leaves_at for outgoing in await claim(world)} == {None}
    assert set(await instants(world)) == {world.clock.now()}
    assert await world.value("SELECT count(*) FROM pool") == 0


@pytest.mark.promise("P10")
async def test_each_message_has_its_instant_and_waits_for_it(world: World) -> None:
    await has_pace(world, 10)
    await queue(world, 10)
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(round(seconds, 3))

    road = OutboxRoad(
        store=world.store,
        provider=world.client,
        ids=world.ids,
        claims=world.out._claims,
        outcomes=world.out._outcomes,
        rest=rest,
    )
    wait = await road.look()
    await road.drain()
    assert sorted(rests) == [0.1, 0.2, 0.3]  # the first leaves at once
    assert [at - world.clock.now() for at in await instants(world)] == [timedelta(seconds=n / 10) for n in range(4)]
    assert len(world.twilio.taken) == 4
    assert wait == pytest.approx(0.2)  # until the next may be claimed, a little ahead
    assert await road.look() == pytest.approx(0.2)  # and none is claimed before
    assert len(world.twilio.posts) == 4


@pytest.mark.promise("P10")
async def test_four_workers_together_keep_the_pace(database_url: str) -> None:
    async with a_world(database_url) as first:
        workers = [first]
        others = [] if database_url.startswith("sqlite:") else [a_world(database_url, furnish=False) for _ in range(3)]
        workers += [await other.__aenter__() for other in others]
        try:
            for worker in workers:
                vars(worker.store)["_clock"] = first.clock
            await has_pace(first, 20)
            await queue(first, 150)
            at = await claim_for(workers, 5)
        finally:
            for other in others:
                await other.__aexit__(None, None, None)
    assert most_in_a_second(at) <= 20 + 1
    assert len(at) == pytest.approx(20 * (5 + HORIZON.total_seconds()), abs=3)


@pytest.mark.promise("P10")
async def test_an_sms_counts_its_segments(world: World) -> None:
    await has_pace(world, 10)
    await queue(world, 30, text="x" * 300)
    at = await claim_for([world], 2)
    gaps = {later - earlier for earlier, later in pairwise(at)}
    assert gaps == {timedelta(seconds=0.2)}


@pytest.mark.promise("P10")
async def test_the_slowest_of_several_pools_sets_the_pace_and_the_others_lose_nothing(world: World) -> None:
    addresses = [f"+155512300{n}" for n in range(20, 30)]
    ids = [await add_sender(world, SMS, address) for address in addresses]
    for n, address in enumerate(addresses):
        await has_pace(world, 5, address)
        await queue(world, 12, first=100 * n, address=address)
    await share_pace(world, 20, *ids)
    at = await claim_for([world], 4)
    assert most_in_a_second(at) <= 20 + 1
    assert len(at) == pytest.approx(20 * (4 + HORIZON.total_seconds()), rel=0.03)
    sent = Counter(await world.column("SELECT o.sender_id FROM attempt a JOIN outbox o ON o.message_id = a.message_id"))
    assert set(sent) == set(ids)
    assert max(sent.values()) - min(sent.values()) <= 2  # each has its turn


async def test_replies_go_first_and_openings_do_not_starve(world: World) -> None:
    await has_pace(world, 1)
    await queue(world, 40)
    await replies_wait(world, 30)
    kinds = []
    for _ in range(20):
        await claim(world)
        world.clock.passes(seconds=1)
    kinds = await world.column("SELECT priority FROM attempt ORDER BY started_at")
    assert len(kinds) == 20
    assert kinds[:4] == [0, 0, 0, 0]
    assert kinds.count(1) == 4
    assert all(1 in kinds[n : n + 5] for n in range(len(kinds) - 5))


@pytest.mark.promise("P8")
async def test_a_long_queue_does_not_keep_a_neighbour_waiting(world: World) -> None:
    """Neither its messages nor the claims that they are left to by."""
    await add_sender(world, SMS, "+15551230099")
    await has_pace(world, 1)
    await queue(world, 200)
    await claim(world)
    await queue(world, 3, first=500, address="+15551230099")
    claimed = await claim(world)
    assert len(claimed) == 3
    assert {outgoing.leaves_at for outgoing in claimed} == {None}
    assert await claim(world) == []


@pytest.mark.promise("P8")
async def test_a_backlog_makes_no_worker_look_again_before_there_is_room(world: World) -> None:
    await has_pace(world, 0.5)
    await queue(world, 50)
    await claim(world)
    looked = [await world.out.look() for _ in range(3)]
    assert looked == [pytest.approx(2 - 0.2, abs=0.001)] * 3
    assert await world.value("SELECT count(*) FROM attempt") == 1


async def test_what_was_put_back_waits_its_time_and_keeps_the_pace(world: World) -> None:
    await has_pace(world, 1)
    await queue(world, 2)
    world.twilio.script.append(Refuse(status=429))
    await world.sends()
    world.clock.passes(seconds=1)
    await world.sends()
    world.clock.passes(seconds=1)
    await world.sends()
    assert len(world.twilio.taken) == 2
    at = await instants(world)
    assert [later - earlier for earlier, later in pairwise(at)] == [SECOND, SECOND]


async def test_a_message_that_may_not_leave_spends_no_pace(world: World) -> None:
    await has_pace(world, 1)
    await queue(world, 2)
    await world.change(
        "UPDATE contact SET opted_out_at = $1 WHERE address = $2", stored(world.clock.now()), "+15550000000"
    )
    await claim(world)
    await claim(world)
    assert await instants(world) == [world.clock.now()]


async def test_a_message_claimed_by_itself_keeps_the_pace_too(world: World) -> None:
    await has_pace(world, 1)
    await queue(world, 2)
    keys = [(row[0], row[1]) for row in await world.rows("SELECT message_id, shard FROM outbox ORDER BY message_id")]
    one, other = [
        await world.store.write(partial(claim_delivery, key=key, now=world.clock.now(), ids=world.ids)) for key in keys
    ]
    assert (len(one), len(other)) == (1, 0)


async def test_a_clock_that_was_set_back_holds_nobody_up(world: World) -> None:
    await has_pace(world, 1)
    await queue(world, 3)
    await claim(world)
    world.clock.passes(hours=-3)
    await world.change("UPDATE outbox SET due_at = $1", stored(world.clock.now()))
    await claim(world)
    world.clock.passes(seconds=2)
    await claim(world)
    assert await world.value("SELECT count(*) FROM attempt") == 2


async def test_a_pace_that_is_taken_away_holds_no_more(world: World) -> None:
    an_id = await has_pace(world, 0.01)
    await share_pace(world, 0.01, an_id)
    await queue(world, 20)
    assert len(await claim(world)) == 1
    await world.store.write(lambda tx: remove_pool(tx, WORKSPACE, "spring"))
    assert await claim(world) == []
    await has_pace(world, None)
    assert len(await claim(world)) == 19
    assert await world.value("SELECT count(*) FROM queue") == 0


async def told(world: World) -> queues.SenderQueue:
    """What is told of the queue at the first sender."""
    found = await world.store.read(lambda tx: queues.list_all(tx, WORKSPACE, world.clock.now()))
    [one] = [one for one in found if one.sender_id == await sender_id(world)]
    return one


async def waits(world: World) -> float:
    """How many seconds an opening would wait that is accepted now."""
    return max((tail.at - world.clock.now()).total_seconds() for tail in (await told(world)).tails)


async def test_each_opening_that_is_accepted_lengthens_the_queue(world: World) -> None:
    an_id = await has_pace(world, 2)
    await share_pace(world, 1, an_id)
    await queue(world, 5, text="x" * 300)  # together
    for n in range(5, 8):
        await queue(world, 1, first=n)
    assert await waits(world) == 5 * 2 + 3
    world.clock.passes(seconds=4)
    assert await waits(world) == 9


@pytest.mark.parametrize("together", [True, False])
async def test_what_could_not_leave_in_time_is_refused_at_the_call(world: World, together: bool) -> None:
    await has_pace(world, 0.001)
    life = int(OPENING_LIFE.total_seconds())
    asked = [world.asks(to_number=f"+1555{n:07}", digest=str(n)) for n in range(20)]
    if together:
        answers = await world.starts_all(*asked)
    else:
        answers = [(await world.starts_all(one))[0] for one in asked]
    refused = [answer for answer in answers if isinstance(answer, Limited)]
    assert len(answers) - len(refused) == -(-life // 1000)
    assert answers[-1] in refused
    assert refused[0].code == "queue_full"
    assert refused[0].retry_after_seconds == 15_000 - life + 1
    assert "15000 s long at its pace of 0.001 a second" in refused[0].description
    assert OURS in refused[0].description
    assert await world.value("SELECT count(*) FROM conversation") == len(answers) - len(refused)
    world.clock.passes(seconds=refused[0].retry_after_seconds)
    assert not isinstance((await world.starts_all(asked[-1]))[0], Limited)


async def test_a_dry_run_tells_of_a_full_queue(world: World) -> None:
    await has_pace(world, 0.001)
    await queue(world, 15)
    verdict = await world.store.read(lambda tx: dry_run(tx, world.asks(), world.clock.now()))
    assert isinstance(verdict, Limited)
    assert verdict.code == "queue_full"


async def test_the_estimate_is_set_right_by_what_is_there(world: World) -> None:
    await has_pace(world, 10)
    await queue(world, 60, text="x" * 300)
    road = QueueRoad(store=world.store)
    await road.look()
    assert await waits(world) == 12
    await world.change("DELETE FROM outbox WHERE message_id IN (SELECT message_id FROM outbox LIMIT 30)")
    await road.look()
    assert await waits(world) == 6
    await world.change("UPDATE outbox SET due_at = due_at + 3600000000")  # not due: nobody waits behind it
    await road.look()
    assert await waits(world) == 0
    one = await told(world)
    assert (one.openings, one.later) == (0, 30)


async def test_a_queue_that_does_not_move_does_not_get_shorter(world: World) -> None:
    an_id = await has_pace(world, 1)
    await queue(world, 50)
    await world.change("UPDATE sender SET stopped_at = 1, stopped_because = 'no money' WHERE id = $1", an_id)
    world.clock.passes(seconds=40)
    await QueueRoad(store=world.store).look()
    assert await waits(world) == 50
    assert (await told(world)).stopped_because == "no money"


async def test_what_is_told_of_a_queue(world: World) -> None:
    await has_pace(world, 0.01)
    await queue(world, 100)
    await world.change("UPDATE outbox SET expires_at = $1", stored(world.clock.now() + timedelta(seconds=1000)))
    await replies_wait(world, 4)
    one = await told(world)
    assert (one.replies, one.openings, one.later, one.oldest_due_at) == (4, 96, 0, world.clock.now())
    assert one.expiring == 90
    found = await world.store.read(lambda tx: queues.list_all(tx, WORKSPACE, world.clock.now()))
    [other] = [queue for queue in found if not queue.tails]
    assert (other.replies, other.openings, other.expiring, other.oldest_due_at) == (0, 0, 0, None)


async def test_the_settings_set_a_pace_and_take_it_away(world: World) -> None:
    for pace in (2.5, 3, None):
        setting = SenderSetting(account_sid=ACCOUNT, channel=SMS, address=OURS, pace_per_second=pace)
        asked = partial(adopt_settings, workspace_id=WORKSPACE, wanted=[setting], now=world.clock.now(), ids=world.ids)
        await world.store.write(asked)
        found = await world.store.read(lambda tx: senders.list_active(tx, WORKSPACE))
        assert [one.pace_per_second for one in found if one.channel is SMS] == [pace]


async def test_without_a_pace_nothing_is_counted(world: World) -> None:
    await queue(world, 5)
    await QueueRoad(store=world.store).look()
    assert await world.value("SELECT count(*) FROM queue") == 0
    assert (await told(world)).openings == 5


async def test_a_stop_waits_for_what_was_planned(world: World) -> None:
    await has_pace(world, 20)
    await queue(world, 20)
    await world.out.look()
    await world.out.drain(5)
    assert len(world.twilio.taken) == await world.value("SELECT count(*) FROM attempt WHERE state = 'accepted'") > 5
    assert await world.value("SELECT count(*) FROM outbox WHERE state <> 'queued'") == 0
