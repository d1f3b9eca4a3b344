"""Queues are shut at start and open with a sweep that is committed and handled: a STOP of the time between wins."""

import json
from datetime import timedelta

import pytest

from overture.actions import trip_breaker
from overture.domain import consent
from overture.domain.agent import EndReason
from overture.domain.channel import Channel
from overture.store import accounts
from overture.store.accounts import BreakerState, ShutBecause
from overture.store.engine import stored
from tests.scripted_twilio import Refuse
from tests.workers.sweeping import a_road, is_started, listens, lost, shut
from tests.world import ACCOUNT, NOON, SMS, WHATSAPP, World

START = [("sms", "start"), ("whatsapp", "start")]


async def breaker(world: World) -> str:
    return str(await world.value("SELECT breaker FROM provider_account"))


@pytest.mark.promise("P22")
@pytest.mark.parametrize(("channel", "confirmed"), [(SMS, []), (WHATSAPP, [consent.CONFIRMATION])])
async def test_a_stop_sent_while_we_were_down_wins_over_the_queue(
    world: World, channel: Channel, confirmed: list[str]
) -> None:
    await world.hears("hello", channel=channel)
    an_id = await world.starts(channel=channel)
    await listens(world)
    lost(world, "STOP", channel=channel)
    road = a_road(world)
    sends = road.once_shut(world.out.look)
    assert await sends() is None  # nothing is sent before everything was shut
    await road.look()
    await world.sends()
    assert world.twilio.posts == []  # the STOP is kept, but not yet handled: the queue stays shut
    await world.handles()
    await road.look()
    await world.sends(3)
    assert [post["Body"] for post in world.twilio.posts] == confirmed
    assert (await world.conversation(an_id)).end_reason is EndReason.OPT_OUT


@pytest.mark.promise("P22")
async def test_a_stop_that_was_kept_before_a_crash_and_not_handled_wins_too(world: World) -> None:
    """Its webhook was answered; and nobody was ever swept for."""
    an_id = await world.starts()
    await world.keeps(world.written("STOP"))
    world.clock.passes(seconds=1)
    road = a_road(world)
    await road.look()
    await world.sends()
    assert await shut(world) == START
    await world.handles()
    await road.look()
    await world.sends()
    assert (world.twilio.posts, await shut(world)) == ([], [])
    assert (await world.conversation(an_id)).end_reason is EndReason.OPT_OUT


@pytest.mark.promise("P14")
@pytest.mark.promise("P22")
async def test_a_sweep_by_a_clock_that_was_ahead_opens_nothing_once_it_is_right(world: World) -> None:
    await listens(world)
    world.clock.passes(hours=1)
    await is_started(world)
    world.clock.passes(minutes=-50)
    an_id = await world.starts()
    lost(world, "STOP")
    await is_started(world)
    await world.sends()
    assert (world.twilio.posts, await shut(world)) == ([], [])
    assert (await world.conversation(an_id)).end_reason is EndReason.OPT_OUT


@pytest.mark.promise("P14")
async def test_a_clock_that_steps_back_keeps_no_sweep_waiting(world: World) -> None:
    an_id = await world.starts()
    await listens(world)
    world.clock.passes(hours=1)
    road = await is_started(world)
    world.clock.passes(hours=-1)
    lost(world, "Monday", at=timedelta(minutes=2))
    await road.look()
    await world.handles()
    assert await world.texts(an_id) == ["Hello Ada", "> Monday"]
    assert await world.column("SELECT swept_at FROM provider_account") == [stored(world.clock.now())]


async def test_senders_with_nothing_to_sweep_for_are_opened_at_once(world: World) -> None:
    await world.starts()
    await a_road(world).look()
    await world.sends()
    assert (world.twilio.listings, len(world.twilio.posts), await shut(world)) == (1, 1, [])  # their activation
    await a_road(world).look()
    assert (world.twilio.listings, await shut(world)) == (1, [])


@pytest.mark.promise("P22")
async def test_while_the_list_cannot_be_read_nothing_leaves_and_after_a_minute_it_is_told(world: World) -> None:
    await world.starts()
    await listens(world)
    world.twilio.lists.extend([Refuse(status=500)] * 4)
    road = a_road(world)
    told = []
    for _ in range(4):
        await road.look()
        await world.sends()
        told.append(len(await world.events("sweep.failed")))
        world.clock.passes(seconds=30)
    assert (told, world.twilio.posts, await shut(world)) == ([0, 0, 1, 1], [], START)
    [row] = await world.events("sweep.failed")
    event = json.loads(row[0])
    assert (event["account_sid"], event["description"].startswith("Nothing is sent")) == (ACCOUNT, True)
    await road.look()
    await world.sends()
    assert (len(world.twilio.posts), await shut(world)) == (1, [])


async def test_a_message_that_fails_again_and_again_does_not_keep_everybody_waiting(world: World) -> None:
    await world.starts()
    await listens(world)
    lost(world, "poison")
    lost(world, "behind it")
    road = a_road(world)
    await road.look()
    await world.change(
        "UPDATE inbox SET tries = 1, due_at = $1 WHERE id = (SELECT min(id) FROM inbox)",
        stored(NOON + timedelta(minutes=5)),
    )
    await road.look()
    assert await shut(world) == []


async def test_another_process_that_starts_shuts_anew_and_only_its_own_sweep_opens(world: World) -> None:
    await listens(world)
    first = await is_started(world)
    assert await shut(world) == []
    world.clock.passes(minutes=1)
    second = a_road(world)
    world.twilio.lists.append(Refuse(status=500))
    await second.look()
    assert await shut(world) == START
    await first.look()  # whoever reads the list next
    await world.handles()
    await first.look()
    assert await shut(world) == []


@pytest.mark.promise("P9")
async def test_an_open_breaker_is_tried_every_half_minute_and_lets_single_messages_through_after_a_sweep(
    world: World,
) -> None:
    await world.starts()
    await listens(world)
    road = await is_started(world)
    world.clock.passes(minutes=1)
    lost(world, "STOP", at=timedelta(seconds=1))
    await world.store.write(lambda tx: trip_breaker.trip_breaker(tx, ACCOUNT, world.clock.now(), world.ids))
    world.twilio.lists.extend([Refuse(status=503)] * 2)
    listings = world.twilio.listings
    for _ in range(4):
        await road.look()
        await road.look()
        assert await breaker(world) == "open"
        if world.twilio.listings - listings == 3:
            break
        world.clock.passes(seconds=30)
    assert world.twilio.listings - listings == 3
    await world.sends()
    await world.handles()
    await road.look()
    assert (await breaker(world), await shut(world)) == ("half_open", [("sms", "breaker"), ("whatsapp", "breaker")])
    await world.sends()
    assert world.twilio.posts == []  # the STOP of meanwhile was obeyed before the first probe


async def test_an_open_breaker_of_an_account_that_nobody_is_swept_for_goes_by_its_list_too(world: World) -> None:
    road = await is_started(world)
    world.clock.passes(seconds=30)
    await world.store.write(lambda tx: trip_breaker.trip_breaker(tx, ACCOUNT, world.clock.now(), world.ids))
    world.twilio.lists.append(Refuse(status=503))
    await road.look()
    assert (await breaker(world), world.twilio.listings) == ("open", 2)
    world.clock.passes(seconds=30)
    await road.look()
    assert (await breaker(world), world.twilio.listings) == ("half_open", 3)
    assert await world.value("SELECT swept_to FROM provider_account") is None


async def test_a_start_while_the_breaker_is_half_open_goes_on_with_its_probes(world: World) -> None:
    await listens(world)
    await is_started(world)
    world.clock.passes(seconds=1)
    now = world.clock.now()
    await world.store.write(lambda tx: trip_breaker.trip_breaker(tx, ACCOUNT, now, world.ids))
    await world.store.write(lambda tx: accounts.set_breaker(tx, ACCOUNT, BreakerState.HALF_OPEN, now))
    world.clock.passes(seconds=1)
    await is_started(world)
    assert await shut(world) == [("sms", "breaker"), ("whatsapp", "breaker")]
    await world.store.write(lambda tx: trip_breaker.close_breaker(tx, ACCOUNT, now, world.ids))
    assert await shut(world) == []


@pytest.mark.promise("P20")
async def test_after_a_restore_a_sender_opens_when_nothing_of_it_is_uncertain(world: World) -> None:
    await world.starts()
    await listens(world)
    await world.change("UPDATE outbox SET state = 'uncertain'")
    await world.store.write(lambda tx: accounts.shut_all(tx, ShutBecause.RESTORE, world.clock.now()))
    road = await is_started(world)
    assert await shut(world) == [("sms", "restore")]
    await world.change("UPDATE outbox SET state = 'needs_review'")
    await road.look()
    assert await shut(world) == []


async def test_a_copy_of_the_database_sends_and_sweeps_nothing_until_it_is_adopted(world: World) -> None:
    await world.starts()
    await listens(world)
    await world.change(
        "INSERT INTO instance (id, callback_secret, created_at, shut_because) VALUES ('i', '00', 0, 'a copy')"
    )
    lost(world, "STOP")
    road = a_road(world)
    settles = road.unless_shut(world.settling.look)
    for _ in range(3):
        await road.look()
        await settles()
        await world.sends()
        world.clock.passes(minutes=5)
    assert (world.twilio.listings, world.twilio.posts, await shut(world)) == (0, [], START)
    await world.hears("hello?")  # a webhook is kept and handled all the same
    await world.change("UPDATE instance SET shut_because = NULL")
    await road.look()
    await world.handles()
    await road.look()
    assert (world.twilio.listings, await shut(world)) == (1, [])
