"""Order inside a conversation, and none between them, with eight workers that are killed again and again.

A killed worker stops wherever it is: between a claim and its request, between a request and its outcome. What it held
comes back by leases and by looking at the provider's list, and the history that the provider saw is checked at the
end: every message once, every conversation in its own order, every line of a contact answered in turn.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Sequence

import pytest

from overture.domain.agent import Ask, FlowSpec, Node
from overture.workers.sweeping import SweepRoad
from tests.property.racing import processes
from tests.reaching import Reached
from tests.scripted_twilio import Then
from tests.sizes import size
from tests.workers.sweeping import a_road
from tests.world import SMS, World

CONVERSATIONS = size(small=10, full=100)
LINES = size(small=5, full=50)  # of each side: a message and its answer make two
WORKERS = size(small=4, full=8)
KILLS = size(small=4, full=40)
ECHO = FlowSpec(
    name="Echo",
    max_turns=1000,
    nodes={
        "start": Node(say="Ready.", ask=Ask(slot="line"), goto="again"),
        "again": Node(say="You said {line}.", ask=Ask(slot="line"), goto="again"),
    },
)
CONTACTS = [f"+1555{n + 3_000_000:07}" for n in range(CONVERSATIONS)]


async def work(world: World, rounds: int = 3) -> None:
    """What a worker does, for a while."""
    for _ in range(rounds):
        await world.takes_turns()
        await world.sends()


async def work_until_killed(worlds: Sequence[World], dice: random.Random, kills: int) -> int:
    """All workers at once; some are killed on the way. How many were."""
    tasks = [asyncio.create_task(work(world)) for world in worlds]
    killed = 0
    for task, world in dice.sample(list(zip(tasks, worlds, strict=True)), kills):
        for _ in range(dice.randrange(60)):  # steps of the loop, of which a worker's round takes a hundred
            await asyncio.sleep(0)
        if not task.done():
            task.cancel()
            for running in (*world.turns._running, *world.out._flying.values()):
                running.cancel()
            killed += 1
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    return killed


async def everything_is_quiet(world: World) -> bool:
    """Nothing waits to be sent or to be answered."""
    waiting = await world.value("SELECT count(*) FROM outbox")
    return not waiting and not await world.value("SELECT count(*) FROM conversation WHERE turn_due_at IS NOT NULL")


async def settle(worlds: Sequence[World], sweeping: SweepRoad) -> None:
    """Let leases run out, what is uncertain be found, and what a breaker shut be opened, until everything is quiet."""
    world = worlds[0]
    for _ in range(40):
        if await everything_is_quiet(world):
            return
        await asyncio.gather(*(work(one) for one in worlds))
        world.clock.passes(seconds=31)
        await world.settles()
        await sweeping.look()
    raise AssertionError("the roads never came to an end")


@pytest.mark.promise("P7")
@pytest.mark.promise("P2")
async def test_every_conversation_keeps_its_order_whoever_is_killed(database_url: str, reached: Reached) -> None:
    dice, killed = random.Random(7), 0
    async with processes(database_url, WORKERS) as worlds:
        world = worlds[0]
        sweeping = a_road(world)
        await world.saves(ECHO)
        ids = [await world.starts(to_number=contact, channel=SMS, text="Ready.") for contact in CONTACTS]
        await settle(worlds, sweeping)
        for n in range(LINES):
            kills = KILLS * (n + 1) // LINES - KILLS * n // LINES
            for contact in dice.sample(CONTACTS, CONVERSATIONS):
                await world.keeps(world.written(f"line {n}", by=contact))
                if dice.random() < 0.02:
                    world.twilio.script.append(dice.choice([Then.TAKE_AND_RESET, Then.RESET, Then.TAKE_AND_FAIL]))
            await asyncio.gather(*(one.handles() for one in worlds))
            killed += await work_until_killed(worlds, dice, min(kills, WORKERS))
            await settle(worlds, sweeping)
        expected = [("Ready."), *(f"You said line {n}." for n in range(LINES))]
        for contact, an_id in zip(CONTACTS, ids, strict=True):
            seen = [taken["body"] for taken in world.twilio.taken if taken["to"] == contact]
            assert seen == expected, contact
            lines = [line.text for line in await world.lines(an_id) if line.direction == "in"]
            assert lines == [f"line {n}" for n in range(LINES)]
        again = Counter((taken["to"], taken["body"]) for taken in world.twilio.taken)
        assert max(again.values()) == 1
    total = CONVERSATIONS * (2 * LINES + 1)
    assert killed >= KILLS // 2
    reached(
        f"{CONVERSATIONS} conversations, {total} messages, {WORKERS} workers, {killed} kills: "
        "0 inversions, 0 lost, 0 duplicates"
    )
