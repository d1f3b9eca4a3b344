"""Fast time: one line through the machine's time, which the server and Handset both go by.

shown = at + (machine - real_at) * rate

The constants of production stay what they are (a lease of 30 s, a settle time of 120 s, looks 30 s apart); only the
seconds are shorter. A process lives in fast time as a whole: its store tells it, and its event loop counts by it, so
that every time-out, every renewal and every pause keeps its proportion to all others.
"""

import asyncio
import selectors
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from msgspec import Struct

from overture.adapters.clock import SystemClock
from overture.store.engine import Reading, Store, Writing

T = TypeVar("T")


class Timescale(Struct, frozen=True, kw_only=True):
    """`at` is shown when the machine shows `real_at`; from there, `rate` seconds for each of the machine's."""

    at: datetime
    real_at: datetime
    rate: float

    def now(self) -> datetime:
        """The instant that is shown: a Clock."""
        return self.at + (SystemClock().now() - self.real_at) * self.rate

    def real_seconds(self, shown: timedelta) -> float:
        """How long the machine takes for a length of shown time."""
        return shown.total_seconds() / self.rate


def beginning_now(rate: float) -> Timescale:
    """A timescale that shows the machine's own time at this instant."""
    now = SystemClock().now()
    return Timescale(at=now, real_at=now, rate=rate)


class ScaledLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds are the timescale's."""

    def __init__(self, rate: float) -> None:
        super().__init__(_ScaledSelector(rate))
        self._rate = rate

    def time(self) -> float:
        """Monotonic seconds, as many as are shown."""
        return super().time() * self._rate


class _ScaledSelector(selectors.EpollSelector):
    def __init__(self, rate: float) -> None:
        super().__init__()
        self._rate = rate

    def select(self, timeout: float | None = None) -> Any:
        return super().select(timeout if timeout is None or timeout <= 0 else timeout / self._rate)


def run(doing: Callable[[], Any], rate: float) -> None:
    """Run a coroutine function to its end in fast time."""
    with asyncio.Runner(loop_factory=lambda: ScaledLoop(rate)) as runner:
        runner.run(doing())


class ScaledStore:
    """A store that tells the timescale's time: a PostgreSQL server has a clock of its own otherwise."""

    def __init__(self, store: Store, clock: Timescale) -> None:
        self._store = store
        self._clock = clock

    @property
    def writers(self) -> int:
        return self._store.writers

    async def open(self) -> None:
        await self._store.open()

    async def close(self) -> None:
        await self._store.close()

    async def read(self, work: "Callable[[Reading], Any]") -> Any:
        return await self._store.read(work)

    async def write(self, work: "Callable[[Writing], Any]") -> Any:
        return await self._store.write(work)

    def now(self) -> datetime:
        return self._clock.now()
