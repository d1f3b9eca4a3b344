"""Slots: places where one case at a time is played.

A slot has a port that stays the same, because an installation is bound to its public address, and for each engine a
database with the agent, the senders and a key in it, copied for each case.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, TypeVar

from msgspec import Struct

from overture import settings
from overture.bootstrap import doors
from overture.client import Client
from overture.domain.access import Scope
from overture.domain.errors import Problem
from overture.settings import Settings
from overture.store.signals import Signals
from overture.store.statement import Command
from tests.crash import case as cases
from tests.crash import script, timescale
from tests.crash.case import environment
from tests.crash.lives import Port, Process, ServerLife
from tests.crash.record import Case, Record
from tests.databases import Databases

T = TypeVar("T")

_WEBHOOKS_SEEN: Final = Command("UPDATE sender SET webhook_seen_at = activated_at")


class Result(Struct, frozen=True, kw_only=True):
    """A case's record, and the folder that holds its logs (and its database, if it is a file)."""

    record: Record
    folder: Path


class Slot:
    """A place to play cases in, one after the other. `server_url` is that of a PostgreSQL server, if there is one."""

    def __init__(self, server_url: str | None) -> None:
        self._server_url: Final = server_url
        self._folder: Final = Path(tempfile.mkdtemp(prefix="chaos-"))
        self._port: Final = Port()
        self._templates: Final[dict[str, str]] = {}
        self._key: Final[dict[str, str]] = {}

    def close(self) -> None:
        """Let go of everything."""
        self._port.free()
        if "postgresql" in self._templates:
            self._administer(lambda server: server.drop(self._templates["postgresql"]))
        shutil.rmtree(self._folder, ignore_errors=True)

    async def play(self, case: Case) -> Result:
        """Play a case to its end."""
        if case.database not in self._templates:
            await self._furnish(case.database)
        folder = Path(tempfile.mkdtemp(prefix="case-", dir=self._folder))
        async with self._database(case.database, folder) as database_url:
            record = await cases.play(case, folder, database_url, port=self._port.number, key=self._key[case.database])
        return Result(record=record, folder=folder)

    async def _furnish(self, database: str) -> None:
        """Make the database that every case begins with."""
        folder = Path(tempfile.mkdtemp(prefix="furnish-", dir=self._folder))
        if database == "sqlite":
            url = f"sqlite:///{folder / 'overture.db'}"
        else:
            url = await asyncio.to_thread(self._administer, Databases.create)
        given = environment(folder, url, self._port.number, "http://127.0.0.1:9")
        life = ServerLife(
            environment=given,
            timescale=timescale.beginning_now(1.0),
            boundaries=folder / "boundaries",
            log=folder / "server.log",
        )
        process = Process(life)
        try:
            await process.ready
            async with Client(socket=folder / "overture.sock") as client:
                await client.put_agent(spec=script.LISTENER)
                self._key[database] = (await client.create_key("chaos", list(Scope))).key
        except (Problem, ConnectionError) as wrong:
            raise RuntimeError(f"the server did not come up: {(folder / 'server.log').read_text()}") from wrong
        finally:
            await process.end()
        await _note_webhooks(settings.read(given))
        self._templates[database] = url

    @contextlib.asynccontextmanager
    async def _database(self, database: str, folder: Path) -> AsyncIterator[str]:
        template = self._templates[database]
        if database == "sqlite":
            copy = folder / "overture.db"
            shutil.copyfile(template.removeprefix("sqlite:///"), copy)
            yield f"sqlite:///{copy}"
            return
        url = await asyncio.to_thread(self._administer, lambda server: server.create(template=template))
        try:
            yield url
        finally:
            await asyncio.to_thread(self._administer, lambda server: server.drop(url))

    def _administer(self, doing: Callable[[Databases], T]) -> T:
        """Do something on the server, over a connection of its own: one that is kept would not survive a restart."""
        assert self._server_url is not None, "a case on PostgreSQL needs a server"
        with contextlib.closing(Databases(self._server_url)) as server:
            return doing(server)


async def _note_webhooks(given: Settings) -> None:
    """Have an installation whose senders' webhooks have come before: only for such senders is a list swept."""
    store = doors.open_store(given, Signals())
    await store.open()
    try:
        await store.write(lambda tx: tx.run(_WEBHOOKS_SEEN))
    finally:
        await store.close()
