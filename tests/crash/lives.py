"""Lives: the server and Handset as processes of their own, forked from one that has imported everything.

A life of the server is the production server, `overture.bootstrap.serve`, with every road and door, in fast time, with
its boundaries counted. Its death is a real one: SIGKILL, with nothing flushed and nothing closed but by the kernel.
"""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import socket
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from tests.crash.timescale import Timescale

_FORKED: Final = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["tests.crash.serving", "tests.crash.handsets", "tests.crash.__main__"])


class ServerLife(Struct, frozen=True, kw_only=True):
    """What a life of the server begins with. `stop_at`: the boundary at which it sends itself the signal;
    with `stop_of` it is counted among those of that name.
    """

    environment: dict[str, str]
    timescale: Timescale
    boundaries: Path
    log: Path
    stop_at: int | None = None
    stop_of: str | None = None
    stop_by: int = signal.SIGKILL
    bug: str | None = None


class HandsetLife(Struct, frozen=True, kw_only=True):
    """What Handset begins with: its configuration, as its file would have it."""

    config: dict[str, Any]
    log: Path


class Process:
    """A process of either kind, watched from an event loop."""

    def __init__(self, life: ServerLife | HandsetLife) -> None:
        self._said, child = _FORKED.Pipe(duplex=False)
        self._process = _FORKED.Process(target=_live, args=(life, child), daemon=True)
        self._process.start()
        child.close()
        loop = asyncio.get_running_loop()
        self.ready: Final[asyncio.Future[str]] = loop.create_future()
        self.ended: Final[asyncio.Future[int]] = loop.create_future()
        loop.add_reader(self._said.fileno(), self._hear)

    @property
    def is_up(self) -> bool:
        """Whether it has said that it is ready, and lives."""
        return self.ready.done() and not self.ended.done()

    @property
    def was_up(self) -> bool:
        """Whether it ever said that it is ready."""
        return self.ready.done() and self.ready.exception() is None

    def send(self, number: int) -> None:
        """Send it a signal, if it lives."""
        if not self.ended.done() and self._process.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal and wait for its end; the exit code, negative for a signal that it died of."""
        self.send(number)
        return await self.ended

    def _hear(self) -> None:
        try:
            said = self._said.recv()
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(self._said.fileno())
            self._said.close()
            self._process.join()  # the pipe ends with the process, so this takes no time
            code = self._process.exitcode
            self.ended.set_result(-1 if code is None else code)
            if not self.ready.done():
                self.ready.set_exception(ConnectionError("the process ended before it was ready"))
                self.ready.exception()  # whoever waits hears of it; that nobody does is no fault
            return
        if not self.ready.done():
            self.ready.set_result(said)


def _live(life: ServerLife | HandsetLife, said: Connection) -> None:
    """The forked child."""
    with life.log.open("ab", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    sys.stdout = sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115 - for the life of the process
    if isinstance(life, ServerLife):
        from tests.crash import serving

        serving.serve(life, said.send)
    else:
        from tests.crash import handsets

        handsets.serve(life, said.send)


class Port:
    """A port of the loopback that nobody else is given while nothing listens on it.

    A socket that is bound and does not listen keeps it: connections are refused, and the server may listen beside it.
    """

    def __init__(self) -> None:
        self._kept = socket.socket()
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._kept.bind(("127.0.0.1", 0))
        self.number: Final = int(self._kept.getsockname()[1])

    def free(self) -> None:
        """Let others have it."""
        self._kept.close()
