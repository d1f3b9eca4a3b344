"""Several processes on one database, and what each of them does at the same time.

On PostgreSQL every process has connections of its own, so their transactions truly overlap; on SQLite there is one
process by design, and its roads overlap between their commits.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from tests.timed_store import TimedStore
from tests.world import World, a_world, open_store

_MOST_SECONDS: Final = 0.03  # of a random wait: some claims and commits long, so that all orders come about


@asynccontextmanager
async def processes(url: str, count: int) -> AsyncIterator[list[World]]:
    """So many processes with one clock and one provider; the first is furnished, and writes what contacts write."""
    async with a_world(url) as first, AsyncExitStack() as stack:
        worlds = [first]
        for _ in range(count - 1):
            store = first.store
            if not url.startswith("sqlite:"):
                store = TimedStore(open_store(url, first.clock, pool_size=2), first.clock)
                await store.open()
                stack.push_async_callback(store.close)
            another = World(store, first.clock, first.twilio, first.model)
            stack.push_async_callback(another.client.aclose)
            worlds.append(another)
        yield worlds


async def all_at_once(dice: random.Random, *doing: Callable[[], Awaitable[object]]) -> None:
    """Do everything at the same time, each after a random wait."""

    async def one(what: Callable[[], Awaitable[object]]) -> None:
        await asyncio.sleep(dice.random() * _MOST_SECONDS)
        await what()

    async with asyncio.TaskGroup() as together:
        for what in doing:
            together.create_task(one(what))


async def go_on(worlds: Sequence[World], *, until: Callable[[], Awaitable[bool]], rounds: int = 500) -> None:
    """Let every process take turns and send until a condition holds. Raises AssertionError where it never does."""
    for _ in range(rounds):
        if await until():
            return
        await asyncio.gather(*(world.sends() for world in worlds), *(world.takes_turns() for world in worlds))
    raise AssertionError("the roads never came to an end")
