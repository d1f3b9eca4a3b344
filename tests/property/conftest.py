"""What property tests stand on: the core and the API, each on either database."""

from collections.abc import AsyncIterator

import pytest

from tests.web import conftest as web_parts
from tests.web.conftest import World as Web
from tests.world import World, a_world


@pytest.fixture
def postgresql_url(migrated_postgresql_url: str) -> str:
    """The URL of a PostgreSQL database with the schema and without rows."""
    return migrated_postgresql_url


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """A database with one agent and two senders, and the roads."""
    async with a_world(database_url) as world:
        yield world


@pytest.fixture
async def web(database_url: str) -> AsyncIterator[Web]:
    """The application on a database with three agents and two senders."""
    async with web_parts.furnished(database_url) as web:
        yield web
