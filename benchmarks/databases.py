"""The databases of the benchmark: a file, or a private PostgreSQL that shares wrk's core."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import apsw
import asyncpg
from msgspec import Struct

from tests import databases

# What an operator of such a load would set; durability stays as it is by default.
_SETTINGS: Final = ("autovacuum = on", "max_wal_size = '4GB'", "wal_compression = on")


class Cluster(Struct, frozen=True, kw_only=True):
    """A PostgreSQL that runs; `pid` is its first process."""

    url: str
    pid: int


@contextmanager
def postgresql() -> Iterator[Cluster]:
    """A private cluster with an empty database, on the core of this process."""
    with databases.server(None) as server:
        asyncio.run(_set_up(server.url))
        folder = Path(parse_qs(urlsplit(server.url).query)["host"][0])
        pid = int((folder / "postmaster.pid").read_text().splitlines()[0])
        yield Cluster(url=server.create(), pid=pid)


@contextmanager
def of(engine: str, folder: Path) -> Iterator[tuple[Path, str]]:
    """A data folder and the URL of an empty database (empty: the folder's own file), by the engine's name."""
    folder.mkdir(parents=True)
    if engine == "SQLite":
        yield folder, ""
    else:
        with postgresql() as cluster:
            yield folder, cluster.url


async def _set_up(url: str) -> None:
    connection = await asyncpg.connect(url)
    for setting in _SETTINGS:
        await connection.execute(f"ALTER SYSTEM SET {setting}")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()


def count_in_sqlite(path: Path, table: str) -> int:
    """How many rows a table of a database file has."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        [(count,)] = connection.execute(f"SELECT count(*) FROM {table}")
        return int(str(count))
    finally:
        connection.close()


async def count_in_postgresql(url: str, table: str) -> int:
    """How many rows a table of a database has."""
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))
    finally:
        await connection.close()
