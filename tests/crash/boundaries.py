"""Boundaries: the instants at which a process may die, numbered in the order in which it passes them.

Before and after the commit of every transaction that changed something, before and after every call of the provider,
before and after every answer to a POST (webhooks and API calls). Each is written to a file as it is passed, by one
write that a kill does not take back. At one of them, if told to, the process sends itself a signal.

A transaction that only looked and found nothing to do is no boundary: a death there is a death while idle.
"""

import inspect
import os
import re
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overture.bootstrap.doors import ClosingProvider
from overture.domain.ports import Clock
from overture.store.engine import Reading, Store, Writing
from overture.store.statement import Command, Query, Row, RowsCommand, RowsQuery

T = TypeVar("T")

_WRITES: Final = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM)\s+([a-z_]+)")
_CHANGES: Final = Query(
    "SELECT /*pg: pg_current_xact_id_if_assigned()::text */ /*sqlite: total_changes() */"
)  # PostgreSQL gives a transaction its number with its first change


class Boundaries:
    """Counts, writes down, and sends the signal `number` to its own process at boundary `stop_at`.

    With `stop_of` only boundaries of that name are counted for it.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        stop_at: int | None = None,
        stop_of: str | None = None,
        number: int = signal.SIGKILL,
    ) -> None:
        self._file: Final = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._clock: Final = clock
        self._left = stop_at
        self._stop_of: Final = stop_of
        self._number: Final = number
        self._lock: Final = threading.Lock()  # SQLite commits in a thread of its own
        self._passed = 0

    def passes(self, name: str) -> None:
        """Pass a boundary, or die there."""
        with self._lock:
            self._passed += 1
            os.write(self._file, f"{self._passed} {self._clock.now().isoformat()} {name}\n".encode())
            if self._left is not None and self._stop_of in {None, name}:
                self._left -= 1
                if self._left == 0:
                    os.kill(os.getpid(), self._number)


class Passed(Struct, frozen=True, kw_only=True):
    """A boundary that was passed, and when."""

    name: str
    at: datetime


def read(path: Path) -> list[Passed]:
    """The boundaries that a process passed, in order."""
    if not path.exists():
        return []
    lines = [line.split(" ", 2) for line in path.read_text().splitlines()]
    return [Passed(name=name, at=datetime.fromisoformat(at)) for _, at, name in lines]


class _Watched:
    """A transaction that notes which tables are written to, and whether that changed anything."""

    def __init__(self, tx: Writing) -> None:
        self._tx = tx
        self._tables: Final[set[str]] = set()
        self._before: Any = None

    @property
    def name(self) -> str:
        return " ".join(sorted(self._tables))

    async def has_changed(self) -> bool:
        """Whether a row was written, as the database counts."""
        if not self._tables:
            return False  # it sent no command: most transactions of an idle server
        return bool(await self._count() != self._before)

    async def _count(self) -> Any:
        row = await self._tx.one(_CHANGES)
        assert row is not None
        return row[0]

    async def _note(self, statement: str) -> None:
        if not self._tables:
            self._before = await self._count()
        self._tables.update(_WRITES.findall(statement))

    async def all(self, query: Query, *scalars: Any) -> Sequence[Row]:
        return await self._tx.all(query, *scalars)

    async def all_of(self, query: RowsQuery, rows: Sequence[Row], *scalars: Any) -> Sequence[Row]:
        return await self._tx.all_of(query, rows, *scalars)

    async def one(self, query: Query, *scalars: Any) -> Row | None:
        return await self._tx.one(query, *scalars)

    async def run(self, command: Command, *scalars: Any) -> Sequence[Row]:
        await self._note(command.postgresql)
        return await self._tx.run(command, *scalars)

    async def run_rows(self, command: RowsCommand, rows: Sequence[Row], *scalars: Any) -> Sequence[Row]:
        if rows:
            await self._note(command.postgresql)
        return await self._tx.run_rows(command, rows, *scalars)

    async def put(self, command: RowsCommand, rows: Sequence[Row], *scalars: Any) -> None:
        if rows:
            await self._note(command.postgresql)
        await self._tx.put(command, rows, *scalars)


class CountedStore:
    """A store that passes a boundary on both sides of each commit."""

    def __init__(self, store: Store, boundaries: Boundaries) -> None:
        self._store = store
        self._boundaries = boundaries

    @property
    def writers(self) -> int:
        return self._store.writers

    async def open(self) -> None:
        await self._store.open()

    async def close(self) -> None:
        await self._store.close()

    def now(self) -> datetime:
        return self._store.now()

    async def read(self, work: Callable[[Reading], Awaitable[T]]) -> T:
        return await self._store.read(work)

    async def write(self, work: Callable[[Writing], Awaitable[T]]) -> T:
        changed: list[str] = []

        async def counted(tx: Writing) -> T:
            watched = _Watched(tx)
            done = await work(watched)
            if await watched.has_changed():
                changed.append(watched.name)
                self._boundaries.passes(f"before the commit of {watched.name}")
            return done

        done = await self._store.write(counted)
        if changed:
            self._boundaries.passes(f"after the commit of {changed[0]}")
        return done


class _CountedProvider:
    """Passes a boundary on both sides of each call, whichever it is."""

    def __init__(self, provider: ClosingProvider, boundaries: Boundaries) -> None:
        self._provider = provider
        self._boundaries = boundaries

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._provider, name)
        if inspect.isasyncgenfunction(found):
            return self._counted_pages(name, found)
        if not inspect.iscoroutinefunction(found) or name == "aclose":
            return found

        async def counted(*given: Any, **named: Any) -> Any:
            self._boundaries.passes(f"before {name}")
            try:
                return await found(*given, **named)
            finally:
                self._boundaries.passes(f"after {name}")

        return counted

    def _counted_pages(self, name: str, found: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
        """A call that brings pages: each is asked for between two boundaries."""

        async def counted(*given: Any, **named: Any) -> AsyncIterator[Any]:
            self._boundaries.passes(f"before {name}")
            async for page in found(*given, **named):
                self._boundaries.passes(f"after {name}")
                yield page
                self._boundaries.passes(f"before {name}")

        return counted


def counted_provider(provider: ClosingProvider, boundaries: Boundaries) -> ClosingProvider:
    """The same provider, counted; calls that the port will have one day are counted too."""
    return cast("ClosingProvider", _CountedProvider(provider, boundaries))


def counted_app(app: ASGIApp, boundaries: Boundaries) -> ASGIApp:
    """The same application, that passes a boundary on both sides of each answer to a POST."""

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await app(scope, receive, send)
            return

        async def counted_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                boundaries.passes(f"before the answer to {scope['path']}")
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                boundaries.passes(f"after the answer to {scope['path']}")

        await app(scope, receive, counted_send)

    return counted
