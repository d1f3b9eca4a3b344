"""SQLite, the embedded engine: one file, one process, one writer thread.

The writer thread alone writes and checkpoints; whatever waits for it is carried by one commit, each work in a
savepoint of its own. Readers have connections of their own that cannot write. `synchronous=FULL`: what was answered
survives a power cut. A lock file keeps a second process out.
"""

import asyncio
import fcntl
import os
import queue
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar, cast

import apsw

from overture.domain.errors import Misconfigured, Unavailable
from overture.domain.ports import Clock
from overture.store import migrate
from overture.store.engine import Reading, Writing
from overture.store.statement import Command, Query, Row, RowsCommand, RowsQuery

T = TypeVar("T")

_READERS: Final = 2
_CACHED_STATEMENTS: Final = 600
_CHECKPOINT_PAGES: Final = (
    4000  # 16 MiB of log: a checkpoint every second or so under full load, far from the disk's limit
)
_TOGETHER: Final = 32  # works of one commit; each is itself a batch
_COMPLAINTS: Final = {
    apsw.FullError: ("storage_full", "The disk is full; nothing was stored."),
    apsw.IOError: ("storage_failing", "The disk refused to write; nothing was stored."),
    apsw.BusyError: ("storage_busy", "The database is held by another program; nothing was stored."),
    apsw.LockedError: ("storage_busy", "The database is held by another program; nothing was stored."),
    apsw.CantOpenError: ("storage_missing", "The database file cannot be opened."),
}

_Job: TypeAlias = "tuple[Callable[[Writing], Awaitable[Any]], asyncio.Future[Any]]"


class SqliteTransaction:
    """A transaction on one connection; its coroutines never suspend."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._cursor: Final = connection.cursor()

    async def all(self, query: Query, *scalars: Any) -> Sequence[Row]:
        """Every row of a query."""
        return self._cursor.execute(query.sqlite, scalars).fetchall()

    async def all_of(self, query: RowsQuery, rows: Sequence[Row], *scalars: Any) -> Sequence[Row]:
        """Every row of a query over a set of rows."""
        return self._chunked(query, rows, scalars)

    async def one(self, query: Query, *scalars: Any) -> Row | None:
        """The first row of a query."""
        found = self._cursor.execute(query.sqlite, scalars).fetchall()
        return found[0] if found else None

    async def run(self, command: Command, *scalars: Any) -> Sequence[Row]:
        """Write; the rows it returns."""
        return self._cursor.execute(command.sqlite, scalars).fetchall()

    async def run_rows(self, command: RowsCommand, rows: Sequence[Row], *scalars: Any) -> Sequence[Row]:
        """Write a set of rows; the rows it returns."""
        return self._chunked(command, rows, scalars)

    async def put(self, command: RowsCommand, rows: Sequence[Row], *scalars: Any) -> None:
        """Write a set of rows."""
        self._chunked(command, rows, scalars)

    def _chunked(self, statement: RowsQuery | RowsCommand, rows: Sequence[Row], scalars: Sequence[Any]) -> list[Row]:
        found: list[Row] = []
        for text, bound in statement.chunks(rows, scalars):
            found.extend(self._cursor.execute(text, bound))
        return found


def _drive(work: Awaitable[T]) -> T:
    """Run a coroutine to its end here and now."""
    try:
        cast("Coroutine[Any, Any, T]", work).send(None)
    except StopIteration as end:
        return cast("T", end.value)
    raise RuntimeError("an action awaited something other than its transaction")


class SqliteStore:
    """One database file."""

    writers: Final = 1

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path: Final = path
        self._clock: Final = clock
        self._jobs: Final[queue.SimpleQueue[_Job | None]] = queue.SimpleQueue()
        self._local: Final = threading.local()
        self._opened: Final[list[apsw.Connection]] = []
        self._writer: threading.Thread | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._lock: int | None = None
        self._last_now = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """The system's time, which is the database's: there is one process. Never steps back within a second."""
        now = self._clock.now()
        if timedelta(0) < self._last_now - now < timedelta(seconds=1):
            return self._last_now
        self._last_now = now
        return now

    async def open(self) -> None:
        """Take the lock, bring the schema up to date, start the threads."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = take_lock(self._path)
        try:
            connection = self._connect()
            migrate.up_sqlite(connection, self._clock.now())
        except apsw.Error as wrong:
            self._let_go()
            raise _complaint(wrong) from wrong
        except Misconfigured:
            self._let_go()
            raise
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-read")
        self._writer = threading.Thread(target=self._write_jobs, args=(connection,), name="sqlite-write", daemon=True)
        self._writer.start()

    async def close(self) -> None:
        """Finish what waits, then let go of the file."""
        writer, self._writer = self._writer, None  # first: what came after the last job would wait for ever
        if writer is not None:
            self._jobs.put(None)
            await asyncio.to_thread(writer.join)
        readers, self._readers = self._readers, None
        if readers is not None:
            await asyncio.to_thread(readers.shutdown)
        self._let_go()

    async def read(self, work: Callable[[Reading], Awaitable[T]]) -> T:
        """Run in a reader's thread, in one transaction."""
        if self._readers is None:
            raise Unavailable("storage_closed", "The database is closed.")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def write(self, work: Callable[[Writing], Awaitable[T]]) -> T:
        """Hand to the writer thread; answered after the commit."""
        if self._writer is None:
            raise Unavailable("storage_closed", "The database is closed.")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((work, future))
        return await future

    def _read(self, work: Callable[[Reading], Awaitable[T]]) -> T:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect(reader=True)
        try:
            connection.execute("BEGIN")
            try:
                return _drive(work(SqliteTransaction(connection)))
            finally:
                connection.execute("COMMIT")
        except apsw.Error as wrong:
            raise _complaint(wrong) from wrong

    def _write_jobs(self, connection: apsw.Connection) -> None:
        while (job := self._jobs.get()) is not None:
            jobs = [job]
            last = False
            while len(jobs) < _TOGETHER and not self._jobs.empty():
                another = self._jobs.get()
                if another is None:
                    last = True
                    break
                jobs.append(another)
            outcomes = self._commit(connection, jobs)
            loop = job[1].get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, jobs, outcomes)
            if last:
                return

    def _commit(self, connection: apsw.Connection, jobs: list[_Job]) -> list[Any]:
        try:
            connection.execute("BEGIN IMMEDIATE")
            outcomes = [_savepoint(connection, work) for work, _ in jobs]
            connection.execute("COMMIT")
        except apsw.Error as wrong:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            return [_Wrong(_complaint(wrong))] * len(jobs)
        return outcomes

    def _connect(self, *, reader: bool = False) -> apsw.Connection:
        connection = apsw.Connection(str(self._path), statementcachesize=_CACHED_STATEMENTS)
        self._opened.append(connection)
        connection.set_busy_timeout(5000)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cache_size=-65536")  # 64 MiB at most, used only where the working set needs it
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute(f"PRAGMA wal_autocheckpoint={0 if reader else _CHECKPOINT_PAGES}")
        if reader:
            connection.execute("PRAGMA query_only=ON")
        return connection

    def _let_go(self) -> None:
        """Close the file and give the lock back."""
        for connection in self._opened:
            connection.close()
        self._opened.clear()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def take_lock(path: Path) -> int:
    """Keep every other process out of a database file, until the descriptor is closed. Raises Misconfigured."""
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as held:
        os.close(descriptor)
        raise Misconfigured(
            "database_in_use",
            f"Another process serves the database {path}.",
            hint="Stop it, give another data folder, or use PostgreSQL to run several processes.",
        ) from held
    return descriptor


class _Wrong:
    def __init__(self, exception: BaseException) -> None:
        self.exception: Final = exception


def _savepoint(connection: apsw.Connection, work: Callable[[Writing], Awaitable[Any]]) -> Any:
    """Run one work; what it wrote is undone when it raises, and its neighbours' is not."""
    connection.execute("SAVEPOINT work")
    try:
        outcome = _drive(work(SqliteTransaction(connection)))
    except (apsw.FullError, apsw.IOError):
        raise  # SQLite has given up the whole transaction
    except Exception as wrong:  # noqa: BLE001 - handed to whoever asked for the work
        connection.execute("ROLLBACK TO work")
        connection.execute("RELEASE work")
        return _Wrong(wrong)
    connection.execute("RELEASE work")
    return outcome


def _resolve(jobs: list[_Job], outcomes: list[Any]) -> None:
    for (_, future), outcome in zip(jobs, outcomes, strict=True):
        if future.done():
            continue
        if isinstance(outcome, _Wrong):
            future.set_exception(outcome.exception)
        else:
            future.set_result(outcome)


def _complaint(wrong: apsw.Error) -> Unavailable:
    code, sentence = _COMPLAINTS.get(type(wrong), ("storage_failing", f"The database failed: {wrong}"))
    return Unavailable(code, sentence)
