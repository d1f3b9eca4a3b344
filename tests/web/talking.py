"""Agents that answer: the turn road of a world, running while a test talks."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from overture.domain.turn import ModelAnswered, ModelRequest
from overture.workers import loop
from overture.workers.turns import TurnRoad
from tests.web.conftest import World


class ScriptedModel:
    """A model that says its lines in order; it waits while `may_speak` is not set."""

    def __init__(self, *lines: str) -> None:
        self._lines = list(lines)
        self.may_speak = asyncio.Event()
        self.may_speak.set()
        self.was_asked = asyncio.Event()

    async def complete(self, request: ModelRequest, *, timeout_seconds: float) -> ModelAnswered:
        """The next line."""
        self.was_asked.set()
        async with asyncio.timeout(timeout_seconds):
            await self.may_speak.wait()
        return ModelAnswered(text=self._lines.pop(0))

    def endpoints(self) -> Sequence[str]:
        """One endpoint."""
        return ("scripted",)


@asynccontextmanager
async def agents_answer(world: World, model: ScriptedModel | None = None) -> AsyncIterator[ScriptedModel]:
    """Run turns as long as the context is open."""
    scripted = model or ScriptedModel()
    road = TurnRoad(store=world.store, model=scripted, ids=world.parts.ids, signals=world.parts.signals)
    stopping = asyncio.Event()
    task = asyncio.get_running_loop().create_task(
        loop.run("turns", road.look, signals=world.parts.signals, stopping=stopping)
    )
    try:
        yield scripted
    finally:
        stopping.set()
        world.parts.signals.heard("turns")
        await task
        await road.drain(5)
