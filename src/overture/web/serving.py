"""Serving: the application on its sockets, until the house is told to stop."""

import asyncio
import contextlib
import gc
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from overture.domain.errors import Misconfigured

_BACKLOG: Final = 2048
LAST_ANSWERS_SECONDS: Final = 5  # what a request may still take when the house closes


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address. Raises Misconfigured where it is taken or not ours."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG, reuse_port=False)
    except OSError as taken:
        raise Misconfigured(
            "port_unavailable",
            f"Cannot listen on {host} port {port}: {os.strerror(taken.errno or 0)}.",
            hint="Give another port (OVERTURE_PORT), or stop what listens there.",
        ) from taken


def listen_locally(path: Path) -> socket.socket:
    """A Unix socket that only its owner can open, born with these rights."""
    path.unlink(missing_ok=True)
    local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        local.bind(str(path))
    except OSError as wrong:
        local.close()
        raise Misconfigured(
            "socket_unavailable",
            f"Cannot make the socket {path}: {os.strerror(wrong.errno or 0)}.",
            hint="A socket's path may have about 100 characters: give a shorter data folder (OVERTURE_DATA).",
        ) from wrong
    finally:
        os.umask(before)
    local.listen(_BACKLOG)
    return local


async def serve(doors: Sequence[tuple[ASGIApp, socket.socket]], stopping: asyncio.Event) -> None:
    """Answer at every door until `stopping` is set, then give what is open its last answers."""
    _spare_the_collector()
    servers = [_Server(_config(app)) for app, _ in doors]
    serving = [
        asyncio.get_running_loop().create_task(server.serve(sockets=[opened]))
        for server, (_, opened) in zip(servers, doors, strict=True)
    ]
    told = asyncio.get_running_loop().create_task(stopping.wait())
    await asyncio.wait([told, *serving], return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*serving)


def _spare_the_collector() -> None:
    """Leave what is loaded by now out of garbage collections, and collect what requests leave less often.

    A full pass over all of it took 46 ms, in which nobody is answered; requests leave hardly any cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        log_level="warning",  # one server a door: each would tell of the start and the end that the house tells of
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
        backlog=_BACKLOG,
    )
