"""PostgreSQL, the engine of many machines: short READ COMMITTED transactions over a small pool.

No transaction waits for the world, none holds a lock for long, and the session's own limits say so. NOTIFY is only
ever a hint to look sooner; the truth is what a query finds.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import asyncpg

from overture.domain.errors import Misconfigured, Unavailable
from overture.domain.ports import Clock
from overture.store import migrate
from overture.store.engine import Reading, Writing
from overture.store.statement import Command, Query, Row, RowsCommand, RowsQuery, together

T = TypeVar("T")

_SESSION: Final = {
    "statement_timeout": "15s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "10s",
    "default_transaction_isolation": "read committed",
    "jit": "off",  # our statements run for microseconds; compiling them takes milliseconds
    # Every statement of ours walks an index; a plan made while a table was empty must not outlive that.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",  # it loses the index's order: a claim would sort the whole backlog for its first rows
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",  # it reads a whole index once, where an empty table made that look like one row
    "application_name": "overture",
}
_STATEMENTS: Final = 800  # prepared ones a connection keeps: all of ours in two forms, and those that are sent together
_CHANNEL: Final = "overture"
_MEASURE_EVERY: Final = timedelta(seconds=30)
_PARTED: Final = timedelta(seconds=1)
_OLDEST: Final = 140000  # version 14: the oldest that its makers still mend
_AWAY: Final = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a connection says that was cut while it was being made
)
_TRIES: Final = 3  # of a write that met others in a circle: each time one of them has gone on
_BUSY: Final = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)


class PostgresqlTransaction:
    """A transaction on one connection. What is `put` waits for the next statement: each is a way to the server."""

    def __init__(self, connection: Any) -> None:
        self._connection: Final = connection
        self._put: Final[list[tuple[RowsCommand, str, list[Any]]]] = []

    async def all(self, query: Query, *scalars: Any) -> Sequence[Row]:
        """Every row of a query."""
        await self.settle()
        return await self._connection.fetch(query.postgresql, *scalars)  # type: ignore[no-any-return]

    async def all_of(self, query: RowsQuery, rows: Sequence[Row], *scalars: Any) -> Sequence[Row]:
        """Every row of a query over a set of rows."""
        return await self._rows(query, rows, scalars)

    async def one(self, query: Query, *scalars: Any) -> Row | None:
        """The first row of a query."""
        await self.settle()
        return await self._connection.fetchrow(query.postgresql, *scalars)  # type: ignore[no-any-return]

    async def run(self, command: Command, *scalars: Any) -> Sequence[Row]:
        """Write; the rows it returns."""
        await self.settle()
        return await self._connection.fetch(command.postgresql, *scalars)  # type: ignore[no-any-return]

    async def run_rows(self, command: RowsCommand, rows: Sequence[Row], *scalars: Any) -> Sequence[Row]:
        """Write a set of rows; the rows it returns."""
        return await self._rows(command, rows, scalars)

    async def put(self, command: RowsCommand, rows: Sequence[Row], *scalars: Any) -> None:
        """Write a set of rows, with others that are put, before the next statement."""
        if not rows:
            return
        if any(command.meets(other) for other, _, _ in self._put):
            await self.settle()
        text, bound = command.bound(rows)
        self._put.append((command, text, [*scalars, *bound]))

    async def settle(self) -> None:
        """Write what was put."""
        if self._put:
            texts = tuple([text for _, text, _ in self._put])
            values = [value for _, _, values in self._put for value in values]
            self._put.clear()
            await self._connection.fetch(together(texts), *values)

    async def _rows(self, statement: RowsQuery | RowsCommand, rows: Sequence[Row], scalars: Sequence[Any]) -> list[Row]:
        if not rows:
            return []
        await self.settle()
        text, bound = statement.bound(rows)
        return await self._connection.fetch(text, *scalars, *bound)  # type: ignore[no-any-return]


async def within(connection: Any, work: Callable[[Any], Awaitable[T]]) -> T:
    """Run in the transaction that a connection is in, whose owner commits."""
    tx = PostgresqlTransaction(connection)
    done = await work(tx)
    await tx.settle()
    return done


class PostgresqlStore:
    """A database and a pool of connections to it."""

    writers: Final = 2  # more batches in flight make each smaller: two keep the server busy while one is decided

    def __init__(
        self, url: str, clock: Clock, *, pool_size: int = 8, on_hint: Callable[[str], None] | None = None
    ) -> None:
        self._url: Final = url
        self._clock: Final = clock
        self._pool_size: Final = pool_size
        self._on_hint: Final = on_hint
        self._pool: Any = None
        self._listener: Any = None
        self._keeper: asyncio.Task[None] | None = None
        self._hints: Final[set[str]] = set()
        self._measured: tuple[datetime, float, datetime] | None = None  # theirs, by the steady clock, by ours

    def now(self) -> datetime:
        """The server's time as last measured, and what has passed since: setting our own clock changes nothing."""
        if self._measured is None:
            return self._clock.now()
        theirs, at, _ = self._measured
        return theirs + timedelta(seconds=time.monotonic() - at)

    async def open(self) -> None:
        """Connect, check the version, bring the schema up to date."""
        try:
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=self._pool_size,
                server_settings=_SESSION,
                command_timeout=20,
                timeout=5,
                max_inactive_connection_lifetime=300,
                statement_cache_size=_STATEMENTS,
                reset=_keep_as_it_is,
            )
            async with self._pool.acquire() as connection:
                if (version := connection.get_server_version()) and version.major * 10000 < _OLDEST:
                    raise Misconfigured("database_too_old", f"PostgreSQL {version.major} is too old; 14 is the oldest.")
                await migrate.up_postgresql(connection, self._clock.now())
            await self._measure()
        except _AWAY as away:
            await self.close()
            raise _unavailable(away) from away
        except asyncpg.PostgresError as wrong:
            await self.close()
            raise Misconfigured("database_refused", f"PostgreSQL refused: {wrong}") from wrong
        except Misconfigured:
            await self.close()
            raise
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Close every connection."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        if self._listener is not None:
            with contextlib.suppress(*_AWAY, asyncpg.PostgresError):
                await self._listener.close(timeout=2)
            self._listener = None
        if self._pool is not None:
            try:
                await asyncio.wait_for(self._pool.close(), 5)
            except TimeoutError:
                self._pool.terminate()
            self._pool = None

    async def read(self, work: Callable[[Reading], Awaitable[T]]) -> T:
        """Run in one read-only transaction."""
        return await self._transact(work, readonly=True)

    async def write(self, work: Callable[[Writing], Awaitable[T]]) -> T:
        """Run in one transaction and commit; anew, where the server ended it so that another one could go on."""
        for _ in range(_TRIES):
            with contextlib.suppress(asyncpg.DeadlockDetectedError):
                return await self._transact(work, readonly=False)
        raise Unavailable("storage_busy", "Too many writes met on the same rows; nothing was stored.")

    def hint(self, topic: str) -> None:
        """Tell other processes, before long, that there is work of a kind."""
        self._hints.add(topic)

    async def _transact(self, work: Callable[[Any], Awaitable[T]], *, readonly: bool) -> T:
        if self._pool is None:
            raise Unavailable("storage_closed", "The database is closed.")
        try:
            async with (
                self._connection() as connection,
                connection.transaction(
                    readonly=readonly, isolation="repeatable_read" if readonly else "read_committed"
                ),
            ):
                return await within(connection, work)
        except _AWAY as away:
            if isinstance(away, ValueError):
                raise  # a value that no parameter can carry: asyncpg's word for it is a kind of InterfaceError
            raise _unavailable(away) from away
        except _BUSY as busy:
            raise Unavailable("storage_busy", "The database was busy for too long; nothing was stored.") from busy
        except (asyncpg.DiskFullError, asyncpg.OutOfMemoryError) as full:
            raise Unavailable("storage_full", "The database has no space left; nothing was stored.") from full
        except asyncpg.ReadOnlySQLTransactionError as standby:
            raise Unavailable("storage_read_only", "The database accepts no writes at present.") from standby

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """A connection of the pool. A server that gives none, for whatever reason, is away."""
        try:
            connection = await self._pool.acquire(timeout=5)
        except asyncpg.PostgresError as refused:
            raise _unavailable(refused) from refused
        try:
            yield connection
        finally:
            await self._pool.release(connection)

    async def _keep(self) -> None:
        """Measure the clock's difference, pass hints on, and hear those of others."""
        while True:
            await asyncio.sleep(0.25)  # hints leave at most four times a second: each NOTIFY takes a server-wide lock
            try:
                if self._listener is None or self._listener.is_closed():
                    self._listener = await asyncpg.connect(self._url, timeout=5, server_settings=_SESSION)
                    await self._listener.add_listener(_CHANNEL, self._heard)
                while self._hints:
                    await self._listener.execute("SELECT pg_notify($1, $2)", _CHANNEL, self._hints.pop())
                if self._is_to_be_measured():
                    await self._measure()
            except (*_AWAY, asyncpg.PostgresError):
                self._listener = None  # the database is away; every road finds that out by itself

    def _heard(self, _connection: Any, _pid: int, _channel: str, topic: str) -> None:
        if self._on_hint is not None:
            self._on_hint(topic)

    def _is_to_be_measured(self) -> bool:
        """Every half minute, and where our two clocks part: one was set, or the machine slept."""
        if self._measured is None:
            return True
        _, at, ours = self._measured
        passed = timedelta(seconds=time.monotonic() - at)
        return passed > _MEASURE_EVERY or abs(self._clock.now() - ours - passed) > _PARTED

    async def _measure(self) -> None:
        async with self._pool.acquire(timeout=5) as connection:
            before = time.monotonic()
            theirs = (await connection.fetchval("SELECT clock_timestamp()")).astimezone(UTC)
            after = time.monotonic()
        self._measured = theirs, (before + after) / 2, self._clock.now()


async def _keep_as_it_is(_connection: Any) -> None:
    """What a returned connection needs: nothing, for a transaction of ours leaves no state in its session."""


def _unavailable(away: BaseException) -> Unavailable:
    return Unavailable("storage_away", f"The database cannot be reached ({type(away).__name__}).")
