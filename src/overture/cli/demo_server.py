"""The demo's Overture as a program of its own, so that it can be killed while one watches, and comes back.

The program reads its settings from its standard input, says when it serves, and ends when its input does: by the
demo's will, or because the demo is gone.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from overture.cli import telling
from overture.settings import ModelSettings, Settings

_READY: Final = "ready"
_START_SECONDS: Final = 30.0  # it takes about one; a machine that is busy is no reason to give up
_STOP_SECONDS: Final = 28.0  # Overture drains within 25


class Orders(Struct, frozen=True, kw_only=True):
    """What the program is told: settings as the environment would give them, and the models of the operator."""

    environment: dict[str, str]
    models: tuple[ModelSettings, ...] = ()

    def settings(self) -> Settings:
        """The settings in force; no file of the operator's is read."""
        from overture import settings

        return msgspec.structs.replace(settings.read(self.environment, Path(os.devnull)), models=self.models)


class Server:
    """Overture, which is started again whenever something kills it.

    `stopped` is set when it ended by itself, which it should not. `tell` is given a line for the person who watches.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell: Final = tell
        self._process: Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._leaving = False
        self.stopped: Final = asyncio.Event()

    async def load(self) -> None:
        """Start the program, which loads what it needs and waits for its orders."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "overture.cli.demo_server"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the demo, which stops Overture in its order
        )

    async def start(self, orders: Orders) -> None:
        """Give the program its orders and wait until it serves. Raises Stop with what it complained of."""
        await self._serve(orders)
        self._watching = asyncio.get_running_loop().create_task(self._watch(orders))
        self._watching.add_done_callback(lambda _: self.stopped.set())

    def kill(self) -> bool:
        """Kill it without a warning, as a power cut would; whether it ran."""
        if self._process is None or self._process.returncode is not None:
            return False
        self._process.kill()
        return True

    async def stop(self) -> None:
        """End it in peace."""
        self._leaving = True
        process = self._process
        if process is not None and process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    async def _serve(self, orders: Orders) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(orders) + b"\n")
        try:
            async with asyncio.timeout(_START_SECONDS):
                said = (await process.stdout.readline()).decode().strip()
        except TimeoutError:
            telling.stop(f"Overture did not start within {_START_SECONDS:.0f} seconds.")
        if said != _READY:
            telling.stop(said or "Overture ended before it served, without a word.")

    async def _watch(self, orders: Orders) -> None:
        """Start it again as often as it is killed; end when it ended by itself or was told to."""
        while True:
            assert self._process is not None
            status = await self._process.wait()
            if self._leaving or status >= 0:
                return
            self._tell(f"[bold red]Overture was killed[/] ({signal.Signals(-status).name}); it is started again ...")
            began = time.monotonic()
            await self.load()
            await self._serve(orders)
            self._tell(
                f"[bold green]Overture is back[/] after {time.monotonic() - began:.1f} s: it asks Handset first what "
                "came and what left meanwhile, and sends only what certainly did not."
            )


@contextlib.asynccontextmanager
async def loaded(tell: Callable[[str], None]) -> AsyncIterator[Server]:
    """Overture, loading already, to be started inside the block; it ends with it."""
    server = Server(tell)
    try:
        await server.load()
        yield server
    finally:
        await server.stop()


def main() -> None:
    """Serve as told on the standard input until it ends."""
    from overture import bootstrap, log  # what takes time to load is loaded before the orders come

    line = sys.stdin.buffer.readline()
    if not line:
        return  # the demo ended before there was anything to serve
    orders = msgspec.json.decode(line, type=Orders)
    settings = orders.settings()
    log.configure(settings.log_level, "text")

    def ready(_host: str, _port: int) -> None:
        print(_READY, flush=True)

    telling.run(_until_told(lambda stopping: bootstrap.serve(settings, ready=ready, stopping=stopping)))


async def _until_told(serve: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    from overture.domain.errors import Failure

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), _until_the_end(loop, stopping))
    try:
        await serve(stopping)
    except Failure as failure:
        print(failure.description, flush=True)
        sys.exit(telling.WRONG)


def _until_the_end(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> Callable[[], None]:
    def read() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            stopping.set()

    return read


if __name__ == "__main__":
    main()
