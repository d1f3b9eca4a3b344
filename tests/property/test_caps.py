"""Caps hold, whoever accepts at the same time, and whatever is given back in between (P24)."""

import asyncio
import json
import random
from collections import Counter
from datetime import timedelta
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from overture.actions.openings import Answer, Started
from overture.actions.start_conversation import start_conversations
from overture.domain import caps
from overture.domain.caps import Line, Tally, Told, Wanted
from overture.domain.errors import Limited
from overture.domain.rules import Cap, Measure, Per, Rules, Scope
from overture.domain.sending import Start
from overture.store.batch import Batch
from tests.property.racing import all_at_once, processes
from tests.scripted_twilio import Refuse
from tests.takings import taken
from tests.world import NOON, SMS, World, add_sender

WORKERS: Final = 8
ROOM: Final = 11
CALLS: Final = 5  # of each worker: nearly four times the room there is


def calls(world: World, worker: int, count: int = CALLS) -> list[Start]:
    return [world.asks(to_number=f"+1555{worker:03}{n:04}", text=f"{worker} {n}") for n in range(count)]


async def accepted(worlds: list[World], dice: random.Random, first: int = 0) -> list[Answer]:
    """What every process answers to its calls, all of them at once and in batches of its own."""
    batches = [Batch[Start, Answer](world.store, start_conversations, world.ids) for world in worlds]
    answers: list[Answer] = []

    async def one(batch: Batch[Start, Answer], start: Start) -> None:
        answers.append(await batch.submit(start))

    asked = [
        (batch, start)
        for n, (world, batch) in enumerate(zip(worlds, batches, strict=True))
        for start in calls(world, first + n)
    ]
    dice.shuffle(asked)
    await all_at_once(dice, *((lambda b=batch, s=start: one(b, s)) for batch, start in asked))
    return answers


async def in_flight_or_taken(world: World) -> int:
    return int(await world.value("SELECT count(*) FROM outbox")) + len(world.twilio.taken)


@pytest.mark.promise("P24")
@pytest.mark.parametrize("seed", range(2))
async def test_eight_workers_never_go_over_a_cap_and_fill_it(database_url: str, seed: int) -> None:
    dice = random.Random(seed)
    given_caps = [
        Cap(at_most=ROOM, within_seconds=86_400),
        Cap(at_most=ROOM, within_seconds=3600, count=Measure.RECIPIENTS),
        Cap(at_most=1, within_seconds=3600, per=Per.CONTACT),
    ]
    async with processes(database_url, WORKERS) as worlds:
        first = worlds[0]
        await first.rules(Rules(caps=given_caps))
        answers = await accepted(worlds, dice)
        started = [answer for answer in answers if isinstance(answer, Started)]
        assert len(started) == ROOM
        assert all(isinstance(answer, Started | Limited) for answer in answers)
        assert await in_flight_or_taken(first) == ROOM
        first.twilio.script.extend(Refuse(status=400, code=21211) for _ in range(4))
        await asyncio.gather(*(world.sends() for world in worlds))
        assert await in_flight_or_taken(first) == ROOM - 4
        again = await accepted(worlds, dice, first=100)
        assert sum(isinstance(answer, Started) for answer in again) == 4
        await asyncio.gather(*(world.sends(2) for world in worlds))
        assert len(first.twilio.taken) == ROOM
        assert await taken(first, "messages 86400") == ROOM


@pytest.mark.promise("P24")
@pytest.mark.parametrize("seed", range(2))
async def test_a_contacts_own_cap_holds_whoever_writes_to_it_first(database_url: str, seed: int) -> None:
    """Each worker has a sender of its own, so that nothing but the cap keeps them apart."""
    dice = random.Random(seed)
    async with processes(database_url, WORKERS) as worlds:
        first = worlds[0]
        ours = [f"+1555010700{n}" for n in range(WORKERS)]
        for number in ours:
            await add_sender(first, SMS, number)
        await first.rules(Rules(caps=[Cap(at_most=3, within_seconds=86_400, per=Per.CONTACT)]))
        people = [f"+1555010800{n}" for n in range(CALLS)]
        batches = [Batch[Start, Answer](world.store, start_conversations, world.ids) for world in worlds]
        asked = [
            (batch, world.asks(to_number=person, from_number=number))
            for batch, world, number in zip(batches, worlds, ours, strict=True)
            for person in people
        ]
        dice.shuffle(asked)
        answers: list[Answer] = []

        async def one(batch: Batch[Start, Answer], start: Start) -> None:
            answers.append(await batch.submit(start))

        await all_at_once(dice, *((lambda b=batch, s=start: one(b, s)) for batch, start in asked))
        assert all(isinstance(answer, Started | Limited) for answer in answers)
        kept = await first.rows(
            "SELECT k.address, k.counted, count(*) FROM outbox o JOIN thread t ON t.id = o.thread_id "
            "JOIN contact k ON k.id = t.contact_id GROUP BY k.address, k.counted ORDER BY k.address"
        )
        assert [(address, in_row(counted), sent) for address, counted, sent in kept] == [(one, 3, 3) for one in people]


def in_row(counted: str) -> int:
    return sum(amount for buckets in json.loads(counted).values() for _, amount in buckets)


CAPS: Final = st.builds(
    Cap,
    at_most=st.integers(0, 6),
    within_seconds=st.sampled_from([60, 90, 3600, 86_400]),
    count=st.sampled_from([Measure.MESSAGES, Measure.SEGMENTS, Measure.MONEY, Measure.RECIPIENTS]),
)
STEPS: Final = st.lists(
    st.tuples(st.integers(-120, 40_000), st.integers(1, 3), st.sampled_from("abc"), st.booleans()), max_size=30
)


@settings(max_examples=300, deadline=None)
@given(cap=CAPS, steps=STEPS)
@example(  # a clock that steps back brings somebody back into the window while it is full
    cap=Cap(at_most=1, within_seconds=60, count=Measure.RECIPIENTS),
    steps=[(0, 1, "a", False), (120, 1, "b", False), (-1, 1, "a", False)],
)
@pytest.mark.promise("P24")
def test_a_history_of_openings_and_give_backs_is_counted_as_a_plain_list_would(
    cap: Cap, steps: list[tuple[int, int, str, bool]]
) -> None:
    """The plain list knows every opening with its second: none is let through that it has no room for."""
    line = Line(name="", scope=Scope.WORKSPACE, owner="", cap=cap)
    now = NOON
    buckets: dict[int, int] = {}
    last: dict[str, int] = {}
    known: list[tuple[int, int, str]] = []
    for passes, segments, contact, fails in steps:
        now += timedelta(seconds=passes)
        at = int(now.timestamp())
        wanted = Wanted(segments=segments, cost_micros=segments * 5)
        tally = Tally(cap, buckets, Told(), last, now)
        within = [one for one in known if one[0] > at - cap.within_seconds]
        refused = caps.refuse(line, tally, wanted, contact)
        exactly = _sum(cap, within) if cap.count is not Measure.RECIPIENTS else len({one[2] for one in within})
        assert tally.used >= exactly
        if refused is not None:
            assert tally.used + (segments * 5 if cap.count is Measure.MONEY else segments) > cap.at_most
            assert 1 <= refused.retry_after_seconds <= 2 * cap.within_seconds + 120 + 120 * len(steps)
            continue
        tally.add(wanted, contact)
        if fails and cap.count is not Measure.RECIPIENTS:
            tally.change(caps.bucket(cap, now), -caps.amount(cap, wanted))
        else:
            known.append((at, segments, contact))
            last[contact] = max(last.get(contact, 0), caps.bucket(cap, now))
            within.append(known[-1])
        after = len({one[2] for one in within}) if cap.count is Measure.RECIPIENTS else _sum(cap, within)
        assert after <= tally.used <= cap.at_most
        buckets = dict(Counter(last.values())) if cap.count is Measure.RECIPIENTS else tally.buckets


def _sum(cap: Cap, known: list[tuple[int, int, str]]) -> int:
    match cap.count:
        case Measure.SEGMENTS:
            return sum(one[1] for one in known)
        case Measure.MONEY:
            return sum(one[1] * 5 for one in known)
        case _:
            return len(known)
