"""Restoring SQLite: the copy is made ready beside its place, and takes it when it is safe to serve.

An interruption at any moment leaves either what was there before or a restored database that is marked as one, never a
database that would send again what its original has sent.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

import apsw

from overture.domain.errors import Conflict
from overture.domain.ports import Clock
from overture.store import backup_file, backup_sqlite
from overture.store.engine import Writing
from overture.store.sqlite import SqliteStore, take_lock

T = TypeVar("T")

_COMPANIONS: Final = ("", "-wal", "-shm")


async def restore(
    backup: Path,
    target: Path,
    *,
    force: bool,
    clock: Clock,
    mark: Callable[[Writing, datetime], Awaitable[T]],
) -> tuple[T, Path | None]:
    """Put `backup` in the place of the database file `target`; what `mark` gave, and where the old one was put.

    `mark` runs in the commit that ends the copy's preparation. Raises Misconfigured while a process serves `target`,
    Conflict where a database is there and `force` is not, Invalid for a backup that is none.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target):
        if not force and _is_there(target):
            raise Conflict(
                "database_not_empty",
                f"There is a database already: {target}.",
                hint="Give another data folder, or --force: the old database is then kept beside the new one.",
            )
        await asyncio.to_thread(backup_sqlite.inspect, backup)
        ready = target.with_name(f"{target.name}.restoring")
        try:
            await asyncio.to_thread(_copy, backup, ready)
            marked = await _prepare(ready, clock, mark)
            aside = await asyncio.to_thread(_set_aside, target, clock.now()) if _is_there(target) else None
            ready.replace(target)
            backup_file.sync(target.parent)
        except OSError as wrong:
            raise backup_file.no_room(target, wrong) from wrong
        finally:
            for end in (*_COMPANIONS, ".lock"):
                ready.with_name(ready.name + end).unlink(missing_ok=True)
        return marked, aside


async def _prepare(ready: Path, clock: Clock, mark: Callable[[Writing, datetime], Awaitable[T]]) -> T:
    """Bring the copy up to date and mark it; closing folds its log back into the one file."""
    store = SqliteStore(ready, clock)
    await store.open()
    try:
        now = store.now()
        return await store.write(lambda tx: mark(tx, now))
    finally:
        await store.close()
        backup_file.sync(ready)


def _copy(backup: Path, ready: Path) -> None:
    own = os.open(ready, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(own, "wb") as copy, backup.open("rb") as source:
        shutil.copyfileobj(source, copy, 1024 * 1024)
        copy.flush()
        os.fsync(copy.fileno())


def _is_there(target: Path) -> bool:
    return target.exists() and target.stat().st_size > 0


def _set_aside(target: Path, now: datetime) -> Path:
    """Give the old database another name, and its log where that cannot be folded back: it may be damaged."""
    with contextlib.suppress(apsw.Error), contextlib.closing(apsw.Connection(str(target))) as old:
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    aside = target.with_name(f"{target.name}.before-restore-{now:%Y%m%dT%H%M%S%f}")
    for end in _COMPANIONS:
        part = target.with_name(target.name + end)
        if part.exists():
            part.rename(aside.with_name(aside.name + end))
    return aside


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = take_lock(path)
    try:
        yield
    finally:
        os.close(descriptor)
