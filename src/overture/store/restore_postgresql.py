"""Restoring PostgreSQL: the backup's tables first, in one transaction, and then what makes them a database to serve.

Between the two the ledger of migrations is empty, and no server begins on tables that it does not account for. So an
interruption leaves a database that is refused, never one that would send again what its original has sent.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg

from overture.domain.errors import Conflict, Misconfigured, Unavailable
from overture.store import backup_postgresql, migrate
from overture.store.engine import Writing
from overture.store.postgresql import within

T = TypeVar("T")

_TABLES: Final = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
_SERVERS: Final = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'overture' AND pid <> pg_backend_pid()
"""


async def restore(
    backup: Path,
    url: str,
    *,
    force: bool,
    bin_folder: Path | None,
    told: Callable[[str], None],
    mark: Callable[[Writing, datetime], Awaitable[T]],
) -> tuple[T, str | None]:
    """Put `backup` into the database behind `url`; what `mark` gave, and the schema that keeps what was there before.

    Raises Misconfigured while a server is connected, Conflict where there are tables and `force` is not, Invalid for a
    backup that is none, Failure where pg_restore gives up.
    """
    async with _connected(url) as connection:
        if await connection.fetchval(_SERVERS):
            raise Misconfigured(
                "database_in_use", "A server is connected to the database.", hint="Stop every Overture process first."
            )
        holds = bool(await connection.fetchval(_TABLES))
        if holds and not force:
            raise Conflict(
                "database_not_empty",
                "There are tables in the database already.",
                hint="Name an empty database, or --force: the tables are then kept in a schema beside the new ones.",
            )
    await backup_postgresql.inspect(backup, bin_folder=bin_folder)
    ledger = [
        (int(values["number"]), values["name"].decode(), int(values["applied_at"]))
        async for values in _rows(backup, bin_folder)
    ]
    async with _connected(url) as connection:
        aside = await _set_aside(connection) if holds else None
    try:
        await backup_postgresql.restore(url, backup, bin_folder=bin_folder, told=told)
    except BaseException:
        async with _connected(url) as connection:
            if aside is not None:  # pg_restore has changed nothing, so what was there can come back
                await connection.execute(f'DROP SCHEMA public; ALTER SCHEMA "{aside}" RENAME TO public')
        raise
    async with _connected(url) as connection:
        return await _finish(connection, ledger, mark), aside


async def _finish(
    connection: Any, ledger: list[tuple[int, str, int]], mark: Callable[[Writing, datetime], Awaitable[T]]
) -> T:
    """Account for the migrations, apply those that the backup lacks, and mark it, in one commit."""
    now: datetime = (await connection.fetchval("SELECT clock_timestamp()")).astimezone(UTC)
    async with connection.transaction():
        await connection.executemany("INSERT INTO migration VALUES ($1, $2, $3)", ledger)
        await migrate.up_postgresql(connection, now)
        marked = await within(connection, lambda tx: mark(tx, now))
    await connection.execute("ANALYZE")
    return marked


async def _set_aside(connection: Any) -> str:
    """Keep what is in the database in a schema of another name."""
    now: datetime = (await connection.fetchval("SELECT clock_timestamp()")).astimezone(UTC)
    name = f"before_restore_{now:%Y%m%dt%H%M%S%f}"
    async with connection.transaction():
        await connection.execute(f'ALTER SCHEMA public RENAME TO "{name}"; CREATE SCHEMA public')
    return name


async def _rows(backup: Path, bin_folder: Path | None) -> AsyncIterator[dict[str, bytes]]:
    rows = backup_postgresql.read_rows(backup, bin_folder=bin_folder, table="migration")
    async for _, columns, values in rows:
        if values:
            yield dict(zip(columns, values, strict=True))


@contextlib.asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Any]:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as away:
        raise Unavailable("storage_away", f"The database cannot be reached ({type(away).__name__}).") from away
    try:
        yield connection
    except asyncpg.PostgresError as wrong:
        raise Misconfigured("database_refused", f"PostgreSQL refused: {wrong}") from wrong
    finally:
        await connection.close(timeout=5)
