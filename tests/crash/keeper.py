"""The keeper: starts the server again whenever it has died, as any supervisor does, and writes down how it died."""

import asyncio
import signal
from collections.abc import Callable
from typing import Final

from tests.crash import boundaries
from tests.crash.lives import Process, ServerLife
from tests.crash.record import Death

MOST_LIVES: Final = 8  # a case kills twice at most; a server that goes on dying has something to tell
MOST_STARTS: Final = 30  # in fast time a busy machine's database has an eighth of a second to answer


class Keeper:
    """Keeps one server running until it is closed. `life` says what the n-th life begins with, from 1."""

    def __init__(self, life: Callable[[int], ServerLife]) -> None:
        self._life: Final = life
        self._current: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        self._is_closing = False
        self.deaths: Final[list[Death]] = []
        self.lives: Final[list[ServerLife]] = []
        self._task: Final = asyncio.create_task(self._keep())

    @property
    def is_up(self) -> bool:
        """Whether the server takes calls."""
        return self._current.done() and self._current.result().is_up

    @property
    def has_given_up(self) -> bool:
        """Whether it died too often to be started again."""
        return self._task.done()

    async def up(self) -> str:
        """The server's address, as soon as it takes calls."""
        while True:
            process = await asyncio.shield(self._current)
            try:
                return await asyncio.shield(process.ready)
            except ConnectionError:
                await asyncio.shield(process.ended)
                await asyncio.sleep(0)  # let the keeper start the next one

    async def close(self) -> None:
        """Tell the server to stop, and wait until it has."""
        self._is_closing = True
        if not self._task.done():
            process = await asyncio.shield(self._current)
            process.send(signal.SIGTERM)
        await self._task

    async def _keep(self) -> None:
        for number in range(1, MOST_LIVES + 1):
            life = self._life(number)
            self.lives.append(life)
            exit_code = await self._live(life)
            passed = boundaries.read(life.boundaries)
            self.deaths.append(
                Death(
                    life=number,
                    exit_code=exit_code,
                    passed=len(passed),
                    at=passed[-1].name if passed else "before the first boundary",
                    asked=life.stop_at,
                )
            )
            if self._is_closing:
                return
            self._current = asyncio.get_running_loop().create_future()

    async def _live(self, life: ServerLife) -> int:
        """The exit code of a life. One that found no database when it began is begun again."""
        exit_code = 1
        for _ in range(MOST_STARTS):
            process = Process(life)
            if self._current.done():
                self._current = asyncio.get_running_loop().create_future()
            self._current.set_result(process)
            exit_code = await process.ended
            if process.was_up or exit_code != 1 or boundaries.read(life.boundaries) or self._is_closing:
                return exit_code
        return exit_code
