"""Migrations: numbered files of SQL, applied in order, once, each in a transaction of its own.

They only ever grow: expand first, contract a release later, so that two neighbouring versions can run together.
"""

import re
from datetime import datetime
from importlib import resources
from typing import Any, Final

import apsw

from overture.domain.errors import Misconfigured
from overture.store.engine import stored
from overture.store.statement import for_postgresql, for_sqlite

_LEDGER: Final = """
    CREATE TABLE IF NOT EXISTS migration (
        number integer NOT NULL PRIMARY KEY, name text NOT NULL, applied_at bigint NOT NULL
    )
"""
_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


def all_migrations() -> list[tuple[int, str, str]]:
    """Every migration as number, name and text, in order."""
    folder = resources.files("overture.store") / "migrations"
    found = [
        (int(match[1]), file.name, file.read_text())
        for file in folder.iterdir()
        if (match := _NAME.fullmatch(file.name))
    ]
    return sorted(found)


def up_sqlite(connection: apsw.Connection, now: datetime) -> None:
    """Apply what is missing. Raises Misconfigured for a database that a later version has changed."""
    connection.execute(_LEDGER)
    applied = {number for (number,) in connection.execute("SELECT number FROM migration")}
    for number, name, text in _missing(applied):
        with connection:
            for statement in _statements(for_sqlite(text)):
                connection.execute(statement)
            connection.execute("INSERT INTO migration VALUES (?, ?, ?)", (number, name, stored(now)))


async def up_postgresql(connection: Any, now: datetime) -> None:
    """As `up_sqlite`; processes that start together wait for one another at the ledger's lock."""
    await connection.execute(f"SET client_min_messages = warning; {_LEDGER}")
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '60s'; LOCK TABLE migration IN ACCESS EXCLUSIVE MODE")
        applied = {row[0] for row in await connection.fetch("SELECT number FROM migration")}
        for number, name, text in _missing(applied):
            for statement in _statements(for_postgresql(text)):
                await connection.execute(statement)
            await connection.execute("INSERT INTO migration VALUES ($1, $2, $3)", number, name, stored(now))


def _missing(applied: set[int]) -> list[tuple[int, str, str]]:
    known = all_migrations()
    newest = known[-1][0]
    if applied and max(applied) > newest:
        raise Misconfigured(
            "database_too_new",
            f"The database is at migration {max(applied)}, this version knows {newest}.",
            hint="Run the version that made it, or a later one.",
        )
    return [one for one in known if one[0] not in applied]


def _statements(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return [statement for part in "\n".join(lines).split(";") if (statement := part.strip())]
