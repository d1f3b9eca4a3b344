"""Setting many places at the provider: a few at once, each again where the provider was busy."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Final, TypeVar

from overture.domain.errors import Transient

T = TypeVar("T")
_R = TypeVar("_R")

AT_ONCE: Final = 4  # Twilio limits concurrent requests of an account, and its messages want some of them too
TRIES: Final = 4
_LONGEST_SECONDS: Final = 30.0


async def persistently(work: Callable[[], Awaitable[_R]]) -> _R:
    """What the work gives, tried again while it is Transient; what may be done twice only."""
    for tried in range(1, TRIES):
        try:
            return await work()
        except Transient as busy:
            await asyncio.sleep(min(busy.retry_after_seconds or 0.2 * 4**tried, _LONGEST_SECONDS))
    return await work()


async def each(items: Iterable[T], work: Callable[[T], Awaitable[_R]]) -> AsyncIterator[tuple[T, _R]]:
    """Each item with what its work gave, as they end, a few at once. The first failure ends all and is raised."""
    waiting = iter(items)
    running: dict[asyncio.Task[_R], T] = {}

    def begin() -> None:
        for item in waiting:
            running[asyncio.ensure_future(_begun(work, item))] = item
            return

    try:
        for _ in range(AT_ONCE):
            begin()
        while running:
            ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                item = running.pop(task)
                yield item, await task
                begin()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _begun(work: Callable[[T], Awaitable[_R]], item: T) -> _R:
    return await persistently(lambda: work(item))
