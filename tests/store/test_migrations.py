"""Migrations apply once, in order, on both engines, and a database from the future is refused."""

from pathlib import Path

import apsw
import pytest

from overture.domain.errors import Misconfigured
from overture.store import migrate
from overture.store.statement import Command, Query
from tests.store import schema
from tests.world import StillClock, open_store


async def test_a_database_is_brought_up_to_date_once(database_url: str) -> None:
    for _ in range(2):
        store = open_store(database_url, StillClock())
        await store.open()
        applied = await store.read(lambda tx: tx.all(Query("SELECT number, name FROM migration ORDER BY number")))
        await store.close()
        assert [tuple(row) for row in applied] == [(number, name) for number, name, _ in migrate.all_migrations()]


async def test_a_database_of_a_later_version_is_refused_and_let_go(database_url: str) -> None:
    store = open_store(database_url, StillClock())
    await store.open()
    await store.write(lambda tx: tx.run(Command("INSERT INTO migration VALUES (9999, '9999_from_the_future.sql', 0)")))
    await store.close()
    for _ in range(2):  # the second refusal is the same: the first has let go of the lock and of its connections
        again = open_store(database_url, StillClock())
        with pytest.raises(Misconfigured) as refused:
            await again.open()
        assert refused.value.code == "database_too_new"
        assert "9999" in refused.value.description
        await again.close()


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [number for number, _, _ in migrate.all_migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_schema_file_is_the_sum_of_the_migrations(tmp_path: Path) -> None:
    """Written anew by `python -m tests.store.schema`."""
    assert schema.WRITTEN.read_text() == schema.sum_of_migrations(tmp_path)


async def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "half.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE sender (something text)")  # in the way of the first migration
    connection.close()
    store = open_store(f"sqlite:///{path}", StillClock())
    with pytest.raises(Exception, match="sender"):
        await store.open()
    await store.close()
    connection = apsw.Connection(str(path))
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    connection.close()
    assert tables == {"migration", "sender"}
