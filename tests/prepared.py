"""Databases that have their schema already: what the migrations make is made once, and copied for each test."""

import functools
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import apsw
import asyncpg

from overture.store import migrate

_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)


def prepare(url: str) -> None:
    """Put a file with the schema where an SQLite database is to be and none is; leave any other URL alone."""
    path = Path(urlsplit(url).path)
    if url.startswith("sqlite:") and not path.exists():
        path.write_bytes(_file())


async def bring_up(url: str) -> None:
    """Give the schema to a PostgreSQL database."""
    connection = await asyncpg.connect(url)
    try:
        await migrate.up_postgresql(connection, _AT)
    finally:
        await connection.close()


@functools.cache
def _file() -> bytes:
    """An SQLite database with the schema, in the journal mode of the store."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prepared.db"
        connection = apsw.Connection(str(path))
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=WAL")
        migrate.up_sqlite(connection, _AT)
        connection.close()
        return path.read_bytes()
