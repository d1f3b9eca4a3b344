"""What every test may ask for, and the rule that nothing is left out unseen.

With `REQUIRE_ALL=1` (as `.ci/run` sets it) a test that skips itself fails instead, by name and with its reason.
"""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests import databases
from tests.databases import Databases

pytest_plugins = ["tests.log_search", "tests.reaching"]

REQUIRE_ALL = os.environ.get("REQUIRE_ALL") == "1"

# The machine is shared with the other test processes, so the time of one example says nothing.
hypothesis.settings.register_profile("overture", deadline=None)
hypothesis.settings.load_profile("overture")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Databases]:
    """A PostgreSQL server of this test process (or the one of OVERTURE_TEST_DATABASE_URL)."""
    with databases.server(os.environ.get("OVERTURE_TEST_DATABASE_URL")) as server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'overture.db'}"


@pytest.fixture
def postgresql_url(postgresql: Databases) -> Iterator[str]:
    """The URL of a new, empty PostgreSQL database, dropped after the test."""
    url = postgresql.create()
    yield url
    postgresql.drop(url)


@pytest.fixture(scope="session")
def postgresql_template(postgresql: Databases) -> Iterator[str]:
    """A PostgreSQL database with the schema and without rows, to be copied and never connected to."""
    url = postgresql.create()
    postgresql.bring_up(url)
    yield url
    postgresql.drop(url)


@pytest.fixture
def migrated_postgresql_url(postgresql: Databases, postgresql_template: str) -> Iterator[str]:
    """The URL of a new PostgreSQL database with the schema and without rows, dropped after the test."""
    url = postgresql.create(template=postgresql_template)
    yield url
    postgresql.drop(url)


@pytest.fixture(scope="session")
def shared_postgresql_url(postgresql: Databases) -> Iterator[str]:
    """The URL of one PostgreSQL database for all tests of this process that empty it before they use it.

    To empty a database takes some milliseconds, to make and drop one some hundred.
    """
    url = postgresql.create()
    yield url
    postgresql.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a new, empty database; the test runs once on each engine."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if REQUIRE_ALL and report.skipped:
        _fail(report)
    return report


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure that says why it was skipped."""
    match report.longrepr:
        case (_, _, str(reason)):
            said = reason
        case other:
            said = str(other)
    report.outcome = "failed"
    report.longrepr = f"did not run, though REQUIRE_ALL is set: {said.removeprefix('Skipped: ')}"
