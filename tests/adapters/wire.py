"""A server that answers as a test tells it, byte for byte: what a real one does on a bad day."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

Answer: TypeAlias = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(kw_only=True)
class Peer:
    """A server on loopback. `requests` holds what came: request line, headers and body as sent."""

    port: int = 0
    answers: list[Answer] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    landed: asyncio.Event = field(default_factory=asyncio.Event)
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError), aborted_at_the_end(writer):
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *lines = head.decode("latin-1").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.requests.append((line, headers, body))
                self.landed.set()
                await self.answers.pop(0)(writer)


@contextmanager
def aborted_at_the_end(writer: asyncio.StreamWriter) -> Iterator[None]:
    try:
        yield
    finally:
        writer.transport.abort()


@asynccontextmanager
async def peer(*answers: Answer) -> AsyncIterator[Peer]:
    """A peer that gives these answers in turn."""
    told = Peer(answers=list(answers))
    server = await asyncio.start_server(told.serve, "127.0.0.1", 0)
    told.port = server.sockets[0].getsockname()[1]
    try:
        yield told
    finally:
        server.close()
        for task in told.serving:
            task.cancel()
        await asyncio.gather(*told.serving, return_exceptions=True)


def http(status: int, body: bytes | str = b"", **headers: str) -> Answer:
    """A whole answer; underscores in a header's name stand for dashes."""
    content = body.encode() if isinstance(body, str) else body

    async def answer(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} Told", f"Content-Length: {len(content)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        await writer.drain()

    return answer


def truncated(status: int, body: bytes) -> Answer:
    """An answer that breaks off before the length it promised."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} Told\r\nContent-Length: {len(body) + 500}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    return answer


async def reset(writer: asyncio.StreamWriter) -> None:
    """The connection is reset once the request has landed."""
    writer.transport.abort()


async def silence(writer: asyncio.StreamWriter) -> None:
    """Nothing is ever answered, until the peer ends."""
    await asyncio.Event().wait()


async def drip(writer: asyncio.StreamWriter) -> None:
    """A success that comes a byte at a time and never ends: each byte alone is in time."""
    writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n{")
    while not writer.is_closing():
        writer.write(b" ")
        await asyncio.sleep(0.02)
