"""What both engines offer: transactions that read, transactions that write, and nothing else.

`Reading` and `Writing` are different types, so a function's signature says whether it can change anything.
A coroutine given to `read` or `write` awaits nothing but its transaction: on SQLite it is driven to its end inside
a thread, without a hop a statement.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Protocol, TypeVar

from overture.store.statement import Command, Query, Row, RowsCommand, RowsQuery

T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@lru_cache(maxsize=64)  # a batch keeps one instant many times
def stored(at: datetime) -> int:
    """An instant as both engines keep it: microseconds since 1970 in UTC."""
    return (at - _EPOCH) // _MICROSECOND


def stored_or_none(at: datetime | None) -> int | None:
    """As `stored`, for an instant that may be missing."""
    return None if at is None else (at - _EPOCH) // _MICROSECOND


def instant(microseconds: int) -> datetime:
    """The instant of a kept value."""
    return _EPOCH + timedelta(microseconds=microseconds)


def instant_or_none(microseconds: int | None) -> datetime | None:
    """As `instant`, for a value that may be missing."""
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


class Reading(Protocol):
    """A transaction that can only read: one consistent picture of the database."""

    async def all(self, query: Query, *scalars: Any) -> Sequence[Row]: ...

    async def all_of(self, query: RowsQuery, rows: Sequence[Row], *scalars: Any) -> Sequence[Row]: ...

    async def one(self, query: Query, *scalars: Any) -> Row | None: ...


class Writing(Reading, Protocol):
    """A transaction that can write; whoever opened it commits, the actions inside never do."""

    async def run(self, command: Command, *scalars: Any) -> Sequence[Row]: ...

    async def run_rows(self, command: RowsCommand, rows: Sequence[Row], *scalars: Any) -> Sequence[Row]: ...

    async def put(self, command: RowsCommand, rows: Sequence[Row], *scalars: Any) -> None:
        """Write a set of rows of which nothing is asked back: before anything else is asked, or the commit.

        PostgreSQL is sent all that was put since in one statement; what touches the same tables is kept apart.
        """
        ...


class Store(Protocol):
    """A database with its connections."""

    async def open(self) -> None:
        """Connect, and bring the schema up to date. Raises Unavailable."""
        ...

    async def close(self) -> None: ...

    async def read(self, work: Callable[[Reading], Awaitable[T]]) -> T:
        """Run `work` in a transaction of its own that cannot write. Raises Unavailable."""
        ...

    async def write(self, work: Callable[[Writing], Awaitable[T]]) -> T:
        """Run `work` in a transaction of its own and commit. Raises Unavailable; then nothing was written.

        Where it could not be told whether a commit reached the disk, Unavailable is raised as well: every write of
        ours can be asked again.
        """
        ...

    def now(self) -> datetime:
        """The database's time."""
        ...

    @property
    def writers(self) -> int:
        """How many writing transactions are of use at once: one on SQLite."""
        ...
