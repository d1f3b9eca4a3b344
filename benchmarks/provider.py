"""A provider that takes every message after the same while: `python -m benchmarks.provider` with one JSON argument.

It does nothing but read the form, wait and answer as Twilio does, so that the server sets the pace. It counts what it
took, and what came out of order inside a conversation: bodies are `conversation/number`.
"""

import asyncio
import os
import signal
import sys
from typing import Final
from urllib.parse import parse_qsl

import msgspec
import uvloop
from msgspec import Struct
from starlette.types import Receive, Scope, Send

from benchmarks.served import Ready
from overture.web import serving


class Asked(Struct, frozen=True, kw_only=True):
    """On which core, and how long each answer takes."""

    core: int
    latency_seconds: float


class Seen(Struct, frozen=True, kw_only=True):
    """What was taken so far: messages, those that came before an earlier one of theirs, those that came twice."""

    taken: int
    inversions: int
    twice: int


class Provider:
    """The application."""

    def __init__(self, latency_seconds: float) -> None:
        self._latency: Final = latency_seconds
        self._last: Final[dict[bytes, int]] = {}
        self._taken = 0
        self._inversions = 0
        self._twice = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a message, or tell what was taken."""
        if scope["method"] == "GET" and scope["path"] != "/seen":  # a past that is read before anything leaves: none
            await answer(send, 200, b'{"messages":[],"next_page_uri":null}')
            return
        if scope["method"] == "GET":
            seen = Seen(taken=self._taken, inversions=self._inversions, twice=self._twice)
            await answer(send, 200, msgspec.json.encode(seen))
            return
        message = await receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body", False):
            message = await receive()
            body += message.get("body", b"")
        self._note(dict(parse_qsl(body))[b"Body"])
        self._taken += 1
        number = self._taken
        await asyncio.sleep(self._latency)
        await answer(send, 201, b'{"sid":"SM%032x","status":"queued","num_segments":"1"}' % number)

    def _note(self, body: bytes) -> None:
        conversation, _, number = body.partition(b"/")
        last, this = self._last.get(conversation, 0), int(number)
        self._inversions += this < last
        self._twice += this == last
        self._last[conversation] = max(last, this)


async def answer(send: Send, status: int, body: bytes) -> None:
    """Answer with JSON."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _serve(asked: Asked) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    door = serving.listen("127.0.0.1", 0)
    sys.stdout.buffer.write(msgspec.json.encode(Ready(port=door.getsockname()[1])) + b"\n")
    sys.stdout.flush()
    await serving.serve([(Provider(asked.latency_seconds), door)], stopping)


def main() -> None:
    """Serve as the first argument asks."""
    asked = msgspec.json.decode(sys.argv[1], type=Asked)
    os.sched_setaffinity(0, {asked.core})
    uvloop.run(_serve(asked))


if __name__ == "__main__":
    main()
