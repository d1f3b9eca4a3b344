"""A furnished world on each engine; on PostgreSQL in one database, which every world empties first."""

from collections.abc import AsyncIterator

import pytest

from tests.world import World, a_world


@pytest.fixture
def postgresql_url(shared_postgresql_url: str) -> str:
    """The URL of a PostgreSQL database that the test's first world empties."""
    return shared_postgresql_url


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """A database with one agent and two senders."""
    async with a_world(database_url) as world:
        yield world
