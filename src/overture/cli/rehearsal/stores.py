"""Stores of a rehearsal: one that notices when nothing happens any more, and one that a worker dies with."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from overture.actions.commit_turn import Committed
from overture.domain.errors import Unavailable
from overture.store.engine import Reading, Store, Writing
from overture.store.statement import Command, Query, Row, RowsCommand, RowsQuery

T = TypeVar("T")


class WatchedStore:
    """A store that counts what changes in it: a round of the roads that changes nothing is the last."""

    def __init__(self, store: Store) -> None:
        self._store: Final = store
        self.changes = 0

    async def open(self) -> None:
        """Connect."""
        await self._store.open()

    async def close(self) -> None:
        """Let go."""
        await self._store.close()

    async def read(self, work: Callable[[Reading], Awaitable[T]]) -> T:
        """Read."""
        return await self._store.read(work)

    async def write(self, work: Callable[[Writing], Awaitable[T]]) -> T:
        """Write, and count."""
        return await self._store.write(lambda tx: work(_Counted(tx, self)))

    def now(self) -> datetime:
        """The clock's time."""
        return self._store.now()

    @property
    def writers(self) -> int:
        """As many as the store has."""
        return self._store.writers


class _Counted:
    """A transaction whose changes are counted."""

    def __init__(self, tx: Writing, store: WatchedStore) -> None:
        self._tx: Final = tx
        self._store: Final = store

    async def all(self, query: Query, *scalars: Any) -> Sequence[Row]:
        return await self._tx.all(query, *scalars)

    async def all_of(self, query: RowsQuery, rows: Sequence[Row], *scalars: Any) -> Sequence[Row]:
        return await self._tx.all_of(query, rows, *scalars)

    async def one(self, query: Query, *scalars: Any) -> Row | None:
        return await self._tx.one(query, *scalars)

    async def run(self, command: Command, *scalars: Any) -> Sequence[Row]:
        found = await self._tx.run(command, *scalars)
        self._store.changes += len(found)
        return found

    async def run_rows(self, command: RowsCommand, rows: Sequence[Row], *scalars: Any) -> Sequence[Row]:
        self._store.changes += len(rows)
        return await self._tx.run_rows(command, rows, *scalars)

    async def put(self, command: RowsCommand, rows: Sequence[Row], *scalars: Any) -> None:
        self._store.changes += len(rows)
        await self._tx.put(command, rows, *scalars)


class DoomedStore:
    """A worker's store until the commit of its first turn: that is rolled back, and the worker reaches nothing more."""

    def __init__(self, store: WatchedStore) -> None:
        self._store: Final = store
        self.is_dead = False

    async def open(self) -> None:
        """It is open."""

    async def close(self) -> None:
        """It is another's to close."""

    async def read(self, work: Callable[[Reading], Awaitable[T]]) -> T:
        """Read, while it lives."""
        self._live()
        return await self._store.read(work)

    async def write(self, work: Callable[[Writing], Awaitable[T]]) -> T:
        """Write, while it lives; the end of a turn is its own."""
        self._live()

        async def until_the_end(tx: Writing) -> T:
            done = await work(tx)
            if isinstance(done, Committed) or (
                isinstance(done, list) and any(isinstance(one, Committed) for one in done)
            ):
                self.is_dead = True
                self._live()
            return done

        return await self._store.write(until_the_end)

    def now(self) -> datetime:
        """The clock's time."""
        return self._store.now()

    @property
    def writers(self) -> int:
        """As many as the store has."""
        return self._store.writers

    def _live(self) -> None:
        if self.is_dead:
            raise Unavailable("worker_died", "The worker died.")
