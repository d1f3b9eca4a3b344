"""Serving Handset over HTTP: uvicorn, told to let go of the open streams first when it is asked to stop."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from handset.app import Handset
from handset.wire.connection import EXTENSION

PATIENCE_SECONDS: Final = 1  # what a request under way is given when the server stops


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP, which hands each request the connection under it, so that a fault can break it."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: {"transport": self.transport}}


class Server(uvicorn.Server):
    """uvicorn, serving a Handset."""

    def __init__(self, handset: Handset, *, host: str, port: int, obeys_signals: bool = True) -> None:
        super().__init__(
            uvicorn.Config(
                handset.app,
                host=host,
                port=port,
                lifespan="on",
                http=Protocol,
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=PATIENCE_SECONDS,
                ws="none",
                server_header=False,
            )
        )
        self._handset = handset
        self._obeys_signals = obeys_signals
        self.address: str | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM; inside somebody else's program the signals stay theirs."""
        if self._obeys_signals:
            with super().capture_signals():
                yield
        else:
            yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; `address` tells where, the port included that the system chose for 0."""
        await super().startup(sockets=sockets)
        if not self.should_exit and self.servers:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self.address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            self.announce(self.address)

    def announce(self, address: str) -> None:
        """Hook: the server listens."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then stop as uvicorn does."""
        self._handset.hang_up()
        await super().shutdown(sockets=sockets)


def unused(*_: Any) -> None:
    """A signal handler that leaves the deciding to uvicorn, which raises its signals once more at its end."""
