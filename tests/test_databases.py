"""Each test that asks for a database gets one of its own, with nothing in it, on both engines."""

from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.databases import Databases


@pytest.mark.parametrize("time", ["first", "second"])
async def test_a_postgresql_database_is_empty_and_its_own(postgresql_url: str, time: str) -> None:
    connection = await asyncpg.connect(postgresql_url)
    try:
        tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        await connection.execute("CREATE TABLE left_behind (id text)")
    finally:
        await connection.close()
    assert tables == 0, time


async def test_a_database_can_start_as_a_copy_of_another(postgresql: Databases, postgresql_url: str) -> None:
    connection = await asyncpg.connect(postgresql_url)
    await connection.execute("CREATE TABLE made_once (id text)")
    await connection.close()
    copy = postgresql.create(template=postgresql_url)
    try:
        connection = await asyncpg.connect(copy)
        assert await connection.fetchval("SELECT count(*) FROM made_once") == 0
    finally:
        postgresql.drop(copy)  # whoever is still connected
        connection.terminate()


def test_an_sqlite_database_is_a_file_that_does_not_exist_yet(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    assert path.is_absolute()
    assert path.parent.is_dir()
    assert not path.exists()


def test_a_store_test_runs_on_both(database_url: str, request: pytest.FixtureRequest) -> None:
    assert urlsplit(database_url).scheme == request.node.callspec.params["database_url"]
