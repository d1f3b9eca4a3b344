"""A WhatsApp portfolio writes first to so many people a day and no more, over all senders and processes."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from overture.actions.openings import Started
from overture.actions.save_pool import remove_pool, save_pool
from overture.domain.agent import TemplateUse
from overture.domain.delivery import DeliveryStatus
from overture.domain.pace import PoolKind
from overture.store import pools, queues, recipients
from overture.store.engine import instant, stored
from overture.workers.queues import QueueRoad
from tests.property.racing import all_at_once, processes
from tests.scripted_twilio import Refuse
from tests.world import BOOKER, NOON, OURS, WHATSAPP, WORKSPACE, World, add_sender

USE = TemplateUse(content_sid="HX" + "4" * 32)
FREE_AT = NOON + timedelta(hours=25)
SECOND_SENDER = "+15551230088"
LONG = 48 * 3600


def person(n: int) -> str:
    return f"+1555{n:07}"


async def of_whatsapp(world: World) -> list[str]:
    return await world.column("SELECT id FROM sender WHERE channel = 'whatsapp' ORDER BY id")


async def limit(
    world: World, at_most: int | None, *sender_ids: str, pace: float | None = None, name: str = "ours"
) -> None:
    """The senders, all of WhatsApp unless told, are a portfolio with a limit."""
    members = list(sender_ids) or await of_whatsapp(world)
    await world.store.write(
        lambda tx: save_pool(
            tx,
            WORKSPACE,
            name=name,
            kind=PoolKind.WHATSAPP_PORTFOLIO,
            per_second=pace,
            recipients_a_day=at_most,
            sender_ids=members,
            now=world.clock.now(),
            ids=world.ids,
        )
    )


async def opens(world: World, *people: int, lasts: int = LONG, **changes: Any) -> list[str]:
    """Openings by template to these people wait; their conversations."""
    asked = [
        world.asks(
            channel=WHATSAPP,
            text=None,
            template=USE,
            to_number=person(n),
            life=timedelta(seconds=lasts),
            digest=f"{n} {world.clock.now()} {changes}",
            **changes,
        )
        for n in people
    ]
    answers = await world.starts_all(*asked)
    assert all(isinstance(answer, Started) for answer in answers), answers
    return [answer.conversation_id for answer in answers if isinstance(answer, Started)]


def reached(world: World) -> list[str]:
    return [post["To"].removeprefix("whatsapp:") for post in world.twilio.posts]


async def waits(world: World) -> list[tuple[datetime, str | None]]:
    rows = await world.rows("SELECT due_at, waits_because FROM outbox ORDER BY due_at, message_id")
    return [(instant(row[0]), row[1]) for row in rows]


async def used(world: World) -> dict[str, int]:
    """How many people count, by the hour they were last written to, of the only portfolio."""
    found = await world.store.read(lambda tx: recipients.list_portfolios(tx, WORKSPACE, world.clock.now()))
    [one] = found.values()
    return {datetime.fromtimestamp(hour, UTC).strftime("%H"): count for hour, count in one.hours.items()}


async def test_over_the_limit_an_opening_waits_and_leaves_when_a_day_is_over(world: World) -> None:
    await limit(world, 3)
    await opens(world, *range(5))
    await world.sends()
    assert len(reached(world)) == 3
    assert await waits(world) == [(FREE_AT, "portfolio_limit")] * 2
    world.clock.at = FREE_AT - timedelta(seconds=1)
    await world.sends()
    assert len(reached(world)) == 3
    world.clock.at = FREE_AT
    await world.sends()
    assert sorted(reached(world)) == [person(n) for n in range(5)]
    assert await used(world) == {"13": 2}
    assert await world.value("SELECT count(*) FROM recipient") == 2  # what counts no more is forgotten


async def test_places_come_free_hour_by_hour_and_never_early(world: World) -> None:
    await limit(world, 3)
    await opens(world, 0, 1)
    await world.sends()
    world.clock.passes(hours=1, minutes=59)  # 13:59: this one counts until 14:00 of the next day
    await opens(world, 2)
    await world.sends()
    world.clock.passes(minutes=1)
    await opens(world, 3, 4, 5, 6)
    await world.sends()
    later = FREE_AT + timedelta(hours=1)
    assert await waits(world) == [(at, "portfolio_limit") for at in (FREE_AT, FREE_AT, later, later)]
    world.clock.at = FREE_AT
    await world.sends()
    assert len(reached(world)) == 5


async def test_a_person_counts_once_whoever_of_the_portfolio_writes(world: World) -> None:
    await add_sender(world, WHATSAPP, SECOND_SENDER)
    await limit(world, 2)
    await opens(world, 0, 1)
    await world.sends()
    world.clock.passes(hours=20)
    await opens(world, 0, from_number=SECOND_SENDER)
    await world.sends()
    assert reached(world).count(person(0)) == 2
    assert await used(world) == {"12": 1, "08": 1}
    world.clock.at = FREE_AT
    await opens(world, 2, 3)
    await world.sends()  # whom we wrote to anew counts from then on
    assert person(0) in reached(world)
    assert len(set(reached(world))) == 3


async def test_two_senders_that_write_to_one_person_at_once_take_one_place(world: World) -> None:
    await add_sender(world, WHATSAPP, SECOND_SENDER)
    await limit(world, 1)
    await opens(world, 0)
    await opens(world, 0, from_number=SECOND_SENDER)
    await world.sends()
    assert reached(world) == [person(0)] * 2


async def test_what_answers_within_the_window_and_sms_count_nothing(world: World) -> None:
    sms = await world.value("SELECT id FROM sender WHERE channel = 'sms'")
    await limit(world, 1, *(await of_whatsapp(world)), sms)
    await world.is_heard_before(WHATSAPP, to=person(1))
    await world.change("DELETE FROM outbox")
    await opens(world, 0)
    await opens(world, 1)
    await world.starts(to_number=person(2))
    await world.sends()
    assert sorted(reached(world)) == [person(n) for n in range(3)]
    assert await world.value("SELECT count(*) FROM recipient") == 1


@pytest.mark.parametrize("lasts", [24 * 3600, 25 * 3600])
async def test_what_would_expire_first_fails_and_says_so(world: World, lasts: int) -> None:
    await limit(world, 1)
    await opens(world, 0)
    await world.sends()
    [lost] = await opens(world, 1, lasts=lasts)
    await world.sends()
    assert reached(world) == [person(0)]
    [line] = await world.lines(lost)
    assert (line.status, line.reason) == (DeliveryStatus.FAILED, "expires_at_portfolio_limit")
    assert await waits(world) == []


async def test_what_was_refused_gives_its_place_back(world: World) -> None:
    await limit(world, 1)
    await opens(world, 0)
    world.twilio.script.append(Refuse(status=400, code=21211))
    await world.sends()
    assert await used(world) == {}
    await opens(world, 1)
    await world.sends()
    assert reached(world)[-1] == person(1)


async def test_a_second_message_that_was_refused_leaves_the_first_one_counted(world: World) -> None:
    await add_sender(world, WHATSAPP, SECOND_SENDER)
    await limit(world, 1)
    await opens(world, 0)
    await world.sends()
    world.clock.passes(hours=2)
    await opens(world, 0, from_number=SECOND_SENDER)
    world.twilio.script.append(Refuse(status=400, code=21211))
    await world.sends()
    assert await used(world) == {"12": 1}


async def test_what_is_tried_again_keeps_its_place(world: World) -> None:
    await limit(world, 1)
    await opens(world, 0, 1)
    world.twilio.script.append(Refuse(status=429))
    await world.sends()
    assert len(reached(world)) == 1
    world.clock.passes(minutes=2)
    await world.sends()
    assert len(set(reached(world))) == 1
    assert await waits(world) == [(FREE_AT, "portfolio_limit")]


async def test_a_reply_that_gives_way_to_a_template_counts_too(world: World) -> None:
    await world.saves(msgspec.structs.replace(BOOKER, fallback_template=USE))
    await limit(world, 1)
    await world.is_heard_before(WHATSAPP, to=person(0))
    await world.change("DELETE FROM outbox")
    await world.starts(channel=WHATSAPP, to_number=person(0))
    await world.sends()
    await world.hears("Friday", channel=WHATSAPP, by=person(0))
    await world.takes_turns()
    assert await world.value("SELECT count(*) FROM outbox WHERE priority = 0") == 1
    await world.change("UPDATE thread SET last_inbound_at = $1", stored(NOON - timedelta(days=2)))
    await world.sends()
    assert await world.value("SELECT count(*) FROM recipient") == 1


async def test_a_reply_goes_past_an_opening_that_waits(world: World) -> None:
    await limit(world, 1)
    await opens(world, 0, 1)
    await world.sends()
    [left] = set(map(person, range(2))) - set(reached(world))
    await world.hears("Are you there?", channel=WHATSAPP, by=left)
    await world.takes_turns()
    await world.sends(2)
    assert left in reached(world)
    assert await waits(world) == [(FREE_AT, "portfolio_limit")]


async def test_what_waits_spends_no_pace(world: World) -> None:
    await limit(world, 1, pace=1)
    await opens(world, *range(20))
    await world.sends()
    world.clock.passes(seconds=1)
    await world.sends()
    assert len(reached(world)) == 1
    assert await world.value("SELECT tat FROM pool") == stored(NOON + timedelta(seconds=1))


async def test_a_portfolio_without_a_pace_holds_nothing_else_up(world: World) -> None:
    await limit(world, 100)
    await opens(world, *range(20))
    await QueueRoad(store=world.store).look()
    assert await world.value("SELECT count(*) FROM queue") == 0
    await world.sends()
    assert len(reached(world)) == 20
    assert await world.value("SELECT tat FROM pool") == 0
    found = await world.store.read(lambda tx: queues.list_all(tx, WORKSPACE, world.clock.now()))
    assert [one.tails for one in found] == [(), ()]


async def test_a_pace_of_its_own_holds_beside_a_portfolio_without_one(world: World) -> None:
    [sender] = await of_whatsapp(world)
    await limit(world, 100)
    await limit(world, None, sender, pace=1, name="slow")
    await opens(world, *range(5))
    await world.sends()
    assert len(reached(world)) == 1


async def test_without_a_limit_nothing_is_counted(world: World) -> None:
    await limit(world, None, pace=100)
    await opens(world, 0, 1)
    await world.sends()
    assert await world.value("SELECT count(*) FROM recipient") == 0


async def test_a_limit_that_is_taken_away_holds_nobody_and_forgets_whom_it_counted(world: World) -> None:
    await limit(world, 1)
    await opens(world, 0)
    await world.sends()
    await limit(world, None, pace=100)
    await opens(world, 1)
    await world.sends()
    assert await world.value("SELECT count(*) FROM recipient") == 0
    await limit(world, 1)
    await opens(world, 2)
    await world.sends()
    await world.store.write(lambda tx: remove_pool(tx, WORKSPACE, "ours"))
    assert await world.value("SELECT count(*) FROM recipient") == 0
    assert await world.store.read(lambda tx: pools.list_all(tx, WORKSPACE)) == []


async def test_a_limit_that_is_lowered_lets_nobody_through_before_enough_have_gone(world: World) -> None:
    await limit(world, 3)
    await opens(world, 0, 1)
    await world.sends()
    world.clock.passes(hours=1)
    await opens(world, 2)
    await world.sends()
    await limit(world, 1)
    await opens(world, 3)
    await world.sends()
    assert await waits(world) == [(FREE_AT + timedelta(hours=1), "portfolio_limit")]


@pytest.mark.parametrize("seed", range(2))
async def test_four_workers_that_race_never_go_over_the_limit_and_fill_it(database_url: str, seed: int) -> None:
    dice = random.Random(seed)
    async with processes(database_url, 4) as worlds:
        first = worlds[0]
        senders = [OURS, SECOND_SENDER]
        await add_sender(first, WHATSAPP, SECOND_SENDER)
        await limit(first, 7)
        for n in range(40):
            await opens(first, n % 20, from_number=senders[n // 20])
        first.twilio.script.extend(Refuse(status=400, code=21211) for _ in range(2))
        for _ in range(4):
            await all_at_once(dice, *(world.sends for world in worlds))
        taken = {message["to"] for message in first.twilio.taken}
        assert 5 <= len(taken) <= 7
        assert sum((await used(first)).values()) <= 7
        await opens(first, *range(100, 105))
        await asyncio.gather(*(world.sends() for world in worlds))
        assert len({message["to"] for message in first.twilio.taken}) == 7
