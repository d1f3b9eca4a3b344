"""The connection under a request: dropped as a broken network drops it, or held until its client gives up."""

import asyncio
import contextlib
import socket
import struct
from typing import Final

from starlette.types import Receive, Scope

EXTENSION: Final = "handset.connection"  # where the server puts the transport of a request
_NO_LINGER: Final = struct.pack("ii", 1, 0)  # with it a close sends RST in place of FIN


def reset(scope: Scope) -> None:
    """Abort the connection with a TCP reset; nothing more can be sent on it."""
    transport = _transport(scope)
    if transport.is_closing():
        return
    plain = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):  # the client may be gone already
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def close(scope: Scope) -> None:
    """Close the connection after what was written to it."""
    _transport(scope).close()


async def gone(receive: Receive) -> None:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _transport(scope: Scope) -> asyncio.Transport:
    transport: asyncio.Transport = scope["extensions"][EXTENSION]["transport"]
    return transport
