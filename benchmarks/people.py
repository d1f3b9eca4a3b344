"""People who write, and the provider between them and the server: `python -m benchmarks.people` with one JSON argument.

Each conversation is one person. When told to go, they write one after the other, each a line that names the
conversation and its number, signed as Twilio signs; the agent under measurement answers with the same words, so that
what comes back says which line it answers. Either so many of them wait for an answer at any time (closed), or one
begins every so often, whatever becomes of the others (open). Nobody writes again before they were answered.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

import msgspec
import uvloop
from msgspec import Struct
from starlette.types import Receive, Scope, Send

from benchmarks import webhooks
from benchmarks.provider import answer
from benchmarks.served import Ready
from overture.web import serving


class Crowd(Struct, frozen=True, kw_only=True):
    """On which core, how many people there are, and the server they write to."""

    core: int
    people: int
    port: int


class Going(Struct, frozen=True, kw_only=True):
    """So many lines in all: `at_once` waiting for their answers (closed), or `per_second` (open)."""

    lines: int
    at_once: int = 0
    per_second: float = 0.0


class Heard(Struct, frozen=True, kw_only=True):
    """What the provider took until now, and how the lines that were written fared.

    `openings` are messages that answer no line. `wrong` counts what answers no line that waits: a second answer, or
    one out of order. `seconds` are from a line's posting to its answer's arrival, of each line in order of answers.
    """

    openings: int
    answered: int
    wrong: int
    refused: int
    waiting: int
    cpu_seconds: float
    seconds: list[float] = []


class People:
    """The application, and who writes."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd: Final = crowd
        self._lines: Final = [1] * crowd.people
        self._waiting: Final[dict[int, float]] = {}
        self._seconds: Final[list[float]] = []
        self._free: Final[list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]] = []
        self._writing: Final[set[asyncio.Task[None]]] = set()
        self._on_answer: Callable[[], None] = _nothing
        self._next = 0
        self._openings = self._answered = self._wrong = self._refused = self._taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a message, let the people write, or tell what came of it."""
        message = await receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body", False):
            message = await receive()
            body += message.get("body", b"")
        match scope["path"]:
            case "/go":
                going = asyncio.get_running_loop().create_task(self._go(msgspec.json.decode(body, type=Going)))
                self._writing.add(going)
                going.add_done_callback(self._writing.discard)
                await answer(send, 200, b"{}")
            case "/heard":
                await answer(send, 200, msgspec.json.encode(self._heard()))
            case _ if scope["method"] == "GET":  # a past that is read before anything leaves: none
                await answer(send, 200, b'{"messages":[],"next_page_uri":null}')
            case _:
                self._take(dict(parse_qsl(body))[b"Body"])
                self._taken += 1
                told = b'{"sid":"SM%032x","status":"queued","num_segments":"1"}' % (2**64 + self._taken)
                await answer(send, 201, told)

    def _heard(self) -> Heard:
        return Heard(
            openings=self._openings,
            answered=self._answered,
            wrong=self._wrong,
            refused=self._refused,
            waiting=len(self._waiting),
            cpu_seconds=time.process_time(),
            seconds=self._seconds,
        )

    def _take(self, body: bytes) -> None:
        person, _, number = body.partition(b"/")
        n, line = int(person), int(number)
        if line == 1:
            self._openings += 1
        elif line == self._lines[n] and (began := self._waiting.pop(n, None)) is not None:
            self._answered += 1
            self._seconds.append(time.perf_counter() - began)
            self._on_answer()
        else:
            self._wrong += 1

    async def _go(self, going: Going) -> None:
        self._seconds.clear()
        left = going.lines

        def write() -> None:
            nonlocal left
            if left:
                left -= 1
                self._write_next()

        if going.at_once:
            self._on_answer = write
            for _ in range(going.at_once):
                write()
            return
        self._on_answer = _nothing
        began = time.perf_counter()
        while left:
            due = int((time.perf_counter() - began) * going.per_second) + 1
            for _ in range(min(left, due - (going.lines - left))):
                write()
            await asyncio.sleep(0.001)

    def _write_next(self) -> None:
        """Let the next person write who waits for no answer."""
        for _ in range(self._crowd.people):
            n, self._next = self._next, (self._next + 1) % self._crowd.people
            if n not in self._waiting:
                break
        else:
            raise RuntimeError("everybody waits for an answer")
        self._lines[n] += 1
        self._waiting[n] = time.perf_counter()
        task = asyncio.get_running_loop().create_task(self._post(n, self._lines[n]))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _post(self, n: int, line: int) -> None:
        signed, form = webhooks.of_line(n, line)
        head = (
            f"POST {webhooks.PATH} HTTP/1.1\r\nHost: overture.example\r\nX-Twilio-Signature: {signed}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n\r\n"
        )
        while not await self._sent((head + form).encode()):
            continue  # the server had let go of a connection that was idle; Twilio posts again as well

    async def _sent(self, request: bytes) -> bool:
        """Post on a connection that is free, or a new one; False where the server has closed it."""
        free = self._free.pop() if self._free else None
        reader, writer = free or await asyncio.open_connection("127.0.0.1", self._crowd.port)
        try:
            writer.write(request)
            told = await reader.readuntil(b"\r\n\r\n")
            lengths = [field for field in told.lower().split(b"\r\n") if field.startswith(b"content-length:")]
            await reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            if free is None:
                raise
            return False
        self._refused += not told.startswith(b"HTTP/1.1 2")
        self._free.append((reader, writer))
        return True


def _nothing() -> None:
    return


async def _serve(crowd: Crowd) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    door = serving.listen("127.0.0.1", 0)
    sys.stdout.buffer.write(msgspec.json.encode(Ready(port=door.getsockname()[1])) + b"\n")
    sys.stdout.flush()
    await serving.serve([(People(crowd), door)], stopping)


def main() -> None:
    """Serve as the first argument asks."""
    crowd = msgspec.json.decode(sys.argv[1], type=Crowd)
    os.sched_setaffinity(0, {crowd.core})
    uvloop.run(_serve(crowd))


if __name__ == "__main__":
    main()
