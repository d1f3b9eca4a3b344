"""A store on a loop of its own, in a thread, by the real clock: a database's time limits are not the test's to move."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any, Final, TypeVar

from overture.store.engine import Reading, Store, Writing

T = TypeVar("T")


class ElsewhereStore:
    """Any store, reached from another loop."""

    def __init__(self, store: Store) -> None:
        self._store: Final = store
        self._loop: Final = asyncio.new_event_loop()
        self._thread: Final = threading.Thread(target=self._loop.run_forever, name="store", daemon=True)
        self._thread.start()

    @property
    def writers(self) -> int:
        return self._store.writers

    async def open(self) -> None:
        await self._there(self._store.open())

    async def close(self) -> None:
        """Close the store, then end its loop."""
        await self._there(self._store.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def read(self, work: Callable[[Reading], Awaitable[T]]) -> T:
        return await self._there(self._store.read(work))

    async def write(self, work: Callable[[Writing], Awaitable[T]]) -> T:
        return await self._there(self._store.write(work))

    def now(self) -> datetime:
        return self._store.now()

    async def _there(self, doing: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(doing, self._loop))
