"""A loop whose time is the test's: a sleep ends, and a time limit runs out, when the clock is moved and not before."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from tests.world import StillClock

T = TypeVar("T")

SPINS: Final = 12  # rounds of the loop: no chain of our tasks that wait for each other alone is longer


class TurnedLoop(asyncio.SelectorEventLoop):
    """An event loop that asks a test's clock for the time."""

    def __init__(self, clock: StillClock) -> None:
        self._turned: Final = clock
        super().__init__()

    def time(self) -> float:
        """Seconds by the test's clock."""
        return self._turned.at.timestamp()


class Busy:
    """Counts what is with the database, whose threads nobody can see from the loop."""

    def __init__(self) -> None:
        self._count = 0
        self._idle: asyncio.Future[None] | None = None

    async def waits_for(self, doing: Coroutine[Any, Any, T]) -> T:
        """What the database answers. Whoever asked may be cancelled meanwhile: a database goes on all the same."""
        self._count += 1
        asked = asyncio.get_running_loop().create_task(doing)
        asked.add_done_callback(self._ended)
        return await asyncio.shield(asked)

    def _ended(self, _: "asyncio.Task[Any]") -> None:
        self._count -= 1
        if not self._count and self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def settles(self) -> None:
        """Return when every task waits for a gate, for the clock, or for nothing any more."""
        calm = 0
        while calm < SPINS:
            if self._count:
                self._idle = asyncio.get_running_loop().create_future()
                await self._idle
                calm = 0
            await asyncio.sleep(0)
            calm += 1
