"""Backups under way in this process: started, asked after, stopped. One at a time, and nothing of them is kept on disk
but the finished file.
"""

import asyncio
import threading
from enum import StrEnum
from pathlib import Path
from typing import Final

from overture import log
from overture.domain.errors import Conflict, Failure, NotAllowed, Problem
from overture.store import backup_file, backup_sqlite
from overture.store.backup_file import Facts

_KEPT: Final = 20  # finished ones that can still be asked after

_log: Final = log.get(__name__)


class BackupState(StrEnum):
    """How far a backup is. It is checked when all of it is copied."""

    COPYING = "copying"
    CHECKING = "checking"
    DONE = "done"
    FAILED = "failed"


class Backup:
    """One backup: `done` of `total` pages are copied; `facts` once it is done, `problem` where it failed."""

    def __init__(self, an_id: str, path: Path) -> None:
        self.id: Final = an_id
        self.path: Final = path
        self.done = 0
        self.total = 0
        self.facts: Facts | None = None
        self.problem: Problem | None = None
        self.stop: Final = threading.Event()
        self.finished: Final = asyncio.Event()

    @property
    def state(self) -> BackupState:
        """How far it is."""
        if self.problem is not None:
            return BackupState.FAILED
        if self.facts is not None:
            return BackupState.DONE
        return BackupState.CHECKING if 0 < self.total <= self.done else BackupState.COPYING

    def progress(self, done: int, total: int) -> None:
        """Told by the copying thread."""
        self.done, self.total = done, total


class Backups:
    """The backups of the SQLite database `source`; None where it is PostgreSQL, which backs itself up."""

    def __init__(self, source: Path | None) -> None:
        self._source: Final = source
        self._known: Final[dict[str, Backup]] = {}
        self._running: asyncio.Task[None] | None = None

    def start(self, an_id: str, path: Path, *, force: bool) -> Backup:
        """Begin to back up as `path`. Raises Conflict, Invalid or NotAllowed where it cannot even begin."""
        if self._source is None:
            raise NotAllowed(
                "backup_elsewhere",
                "This server's database is PostgreSQL, which is not backed up by the server.",
                hint="`overture backup FILE` runs pg_dump itself.",
            )
        if self._running is not None and not self._running.done():
            raise Conflict("backup_running", "A backup is being made already.", hint="Wait until it is done.")
        backup_file.refuse_taken(path, force=force)
        backup = self._known[an_id] = Backup(an_id, path)
        while len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]
        self._running = asyncio.get_running_loop().create_task(self._run(backup, self._source, force=force))
        return backup

    def find(self, an_id: str) -> Backup | None:
        """A backup of this process by its id."""
        return self._known.get(an_id)

    async def close(self) -> None:
        """Stop what runs; nothing of it is left."""
        for backup in self._known.values():
            backup.stop.set()
        if self._running is not None:
            await asyncio.wait([self._running])

    async def _run(self, backup: Backup, source: Path, *, force: bool) -> None:
        making = asyncio.to_thread(
            backup_sqlite.make, source, backup.path, force=force, told=backup.progress, stop=backup.stop
        )
        [made] = await asyncio.gather(making, return_exceptions=True)
        match made:
            case Facts():
                backup.facts = made
                _log.info("backed_up", bytes=made.size)
            case Problem():
                backup.problem = made
                _log.warning("backup_failed", code=made.code, why=made.description)
            case wrong:
                backup.problem = Failure("backup_failed", "The backup broke off; the server's log says where.")
                _log.error("backup_broke", exc_info=wrong)
        backup.finished.set()
