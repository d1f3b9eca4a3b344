"""A turn that dies at any of its commits, before or after it, books once at most and still answers.

What would let a tool be called twice (an intent written after the call, a journal that is not read, a draft thrown away
after a change) is seen at one of these boundaries.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from overture.adapters.http_tool import HttpTools
from overture.agents import reading
from overture.domain.conversation import Mode
from overture.domain.ports import Clock
from overture.domain.tool_address import Reach
from overture.domain.turn import ModelAnswered, ModelRequest, ToolCall
from overture.store.engine import Store, Writing
from overture.workers.turns import TurnRoad
from tests.adapters.wire import Peer, http, peer
from tests.timed_store import TimedStore
from tests.turns.test_tools import FLOW, PROMPT
from tests.world import World, a_world

T = TypeVar("T")
BOOKED = http(201, '{"ref": "A17"}', Content_Type="application/json")


class DyingStore(TimedStore):
    """A store under a worker that dies at its nth commit, before or after it, and then works."""

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__(store, clock)
        self.dies_at: int | None = None
        self.committed_first = False
        self.commits = 0

    async def write(self, work: Callable[[Writing], Awaitable[T]]) -> T:
        """Commit, or die."""
        self.commits += 1
        if self.commits != self.dies_at:
            return await super().write(work)
        if self.committed_first:
            await super().write(work)
        raise RuntimeError("the worker died")


class Agreeable:
    """A model that decides from what it is shown alone: it books once, then says so. Each process has the same."""

    async def complete(self, request: ModelRequest, *, timeout_seconds: float) -> ModelAnswered:
        """Book, or tell what came of it."""
        if not request.rounds:
            return ModelAnswered(text="", calls=(ToolCall(id="1", name="book", arguments='{"day": "Monday"}'),))
        return ModelAnswered(text="Done." if '"ok":true' in request.rounds[-1].results[0] else "Unsure.")

    def endpoints(self) -> Sequence[str]:
        """One endpoint."""
        return ("default",)


@asynccontextmanager
async def a_dying_worker(url: str, text: str) -> AsyncIterator[tuple[World, Peer, DyingStore]]:
    tools = HttpTools(secrets={}, reach=Reach.read(("127.0.0.1",)))
    async with peer(*[BOOKED] * 40) as server, a_world(url, model=Agreeable()) as world:
        await world.saves(reading.read_spec(text.format(url=server.url, first="book")))
        store = DyingStore(world.store, world.clock)
        world.turns = TurnRoad(store=store, model=world.model, ids=world.ids, signals=world.signals, tools=tools)
        try:
            yield world, server, store
        finally:
            await tools.aclose()


@pytest.mark.parametrize("text", [FLOW, PROMPT], ids=["flow", "prompt"])
@pytest.mark.parametrize("committed_first", [False, True], ids=["before", "after"])
async def test_a_worker_that_dies_at_any_commit_books_once_at_most(
    database_url: str, text: str, *, committed_first: bool
) -> None:
    async with a_dying_worker(database_url, text) as (world, server, store):
        said = set()
        for n in range(1, 20):
            contact = f"+1555010{n:04}"
            an_id = await world.starts(text="Which day?", to_number=contact)
            await world.hears("Monday", by=contact)
            server.requests.clear()
            store.commits, store.dies_at, store.committed_first = 0, n, committed_first
            for _ in range(6):
                await world.turns.look()
                await asyncio.wait_for(world.turns.drain(10), 20)
                world.clock.passes(seconds=31)
            assert len(server.requests) <= 1, n
            last = (await world.texts(an_id))[-1]
            assert not last.startswith(">"), n
            assert len(await world.texts(an_id)) == 3, n  # answered once
            said.add(last)
            if "nsure" in last or "not sure" in last:
                assert await world.value("SELECT count(*) FROM step WHERE state = 'started'") >= 1
            if store.commits < n:
                break
        else:
            pytest.fail("a turn has fewer commits than that")
        assert len(said) == 2, said  # booked, or unsure where the intent was all that was written
        assert (await world.conversation(an_id)).mode is not Mode.HUMAN
