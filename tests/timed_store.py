"""A store that lives by a test's clock."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from overture.domain.ports import Clock
from overture.store.engine import Reading, Store, Writing

T = TypeVar("T")


class TimedStore:
    """A real store that a test's clock tells the time: a PostgreSQL server has a clock of its own otherwise."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @property
    def writers(self) -> int:
        return self._store.writers

    async def open(self) -> None:
        await self._store.open()

    async def close(self) -> None:
        await self._store.close()

    async def read(self, work: Callable[[Reading], Awaitable[T]]) -> T:
        return await self._store.read(work)

    async def write(self, work: Callable[[Writing], Awaitable[T]]) -> T:
        return await self._store.write(work)

    def now(self) -> datetime:
        return self._clock.now()
