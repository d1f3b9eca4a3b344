"""The loop under every road: it works while there is something, waits for a signal, and no failure ends it."""

import asyncio
from collections.abc import Callable

import pytest

from overture.domain.errors import Unavailable
from overture.store.signals import Signals
from overture.workers import loop


class Looks:
    """A road's look that gives or raises what a list says, and then waits for ever."""

    def __init__(self, *outcomes: float | Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.count = 0
        self.changed = asyncio.Event()

    async def __call__(self) -> float | None:
        """The next outcome."""
        self.count += 1
        self.changed.set()
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def until(self, condition: Callable[[int], bool]) -> None:
        """Return once so many looks were taken."""
        async with asyncio.timeout(5):
            while not condition(self.count):
                self.changed.clear()
                await self.changed.wait()


async def run(looks: Looks, signals: Signals, stopping: asyncio.Event, longest: float = 60) -> None:
    await loop.run("outbox", looks, signals=signals, stopping=stopping, longest_wait_seconds=longest)


async def test_it_looks_again_at_once_while_there_is_work_and_then_waits_for_a_signal() -> None:
    looks, signals, stopping = Looks(0, 0, 0, None), Signals(), asyncio.Event()
    running = asyncio.create_task(run(looks, signals, stopping))
    await looks.until(lambda count: count == 4)
    signals.wake("turns")
    await asyncio.sleep(0.01)
    assert looks.count == 4
    signals.wake("outbox")
    await looks.until(lambda count: count == 5)
    stopping.set()
    signals.wake("outbox")
    await asyncio.wait_for(running, 5)
    assert looks.count == 5


async def test_it_waits_no_longer_than_until_something_is_due() -> None:
    looks, stopping = Looks(0.01, 0.01), asyncio.Event()
    running = asyncio.create_task(run(looks, Signals(), stopping))
    await looks.until(lambda count: count == 3)
    running.cancel()


async def test_a_lost_signal_costs_only_the_longest_wait() -> None:
    looks, stopping = Looks(None, 3600, 0), asyncio.Event()
    running = asyncio.create_task(run(looks, Signals(), stopping, longest=0.01))
    await looks.until(lambda count: count >= 4)
    running.cancel()


@pytest.mark.promise("P11")
@pytest.mark.parametrize("failure", [Unavailable("storage_away", "It is away."), ZeroDivisionError("a fault of ours")])
async def test_no_failure_ends_it(failure: Exception) -> None:
    looks, stopping = Looks(failure, None), asyncio.Event()
    running = asyncio.create_task(run(looks, Signals(), stopping))
    await looks.until(lambda count: count == 2)
    assert not running.done()
    running.cancel()


async def test_it_stops_while_it_rests_from_a_failure() -> None:
    looks, stopping = Looks(Unavailable("storage_away", "It is away.")), asyncio.Event()
    running = asyncio.create_task(run(looks, Signals(), stopping))
    await looks.until(lambda count: count == 1)
    stopping.set()
    await asyncio.wait_for(running, 0.4)
