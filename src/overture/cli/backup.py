"""The verbs `overture backup` and `overture verify`."""

import asyncio
import json
import os
from pathlib import Path

from msgspec import to_builtins
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from overture import log
from overture.cli import serving, telling
from overture.client import Client
from overture.settings import Settings
from overture.store import backup_file, backup_postgresql, backup_sqlite
from overture.store.backup_file import Engine, Facts
from overture.store.backups import Backups, BackupState
from overture.store.sqlite import take_lock
from overture.web.api.backups import BackupView

_ASK_SECONDS = 0.2
_TOLD = ("conversation", "message", "contact", "event")


def make(settings: Settings, file: Path, *, force: bool, pg_bin: Path | None, as_json: bool) -> None:
    """Back the database up as `file`, check it, and say what is in it."""
    path = file.expanduser().absolute()
    database = Path(settings.database_url.removeprefix("sqlite:///"))
    if settings.database_url.startswith("sqlite:///") and not database.exists():
        telling.stop(f"There is no database {database}.", hint="--data names another folder.")
    log.configure("error", "text")
    with _progress() as shown:
        facts = telling.run(_make(settings, path, force=force, pg_bin=pg_bin, shown=shown))
    tell(path, facts, as_json=as_json)


def verify(file: Path, *, pg_bin: Path | None, as_json: bool) -> None:
    """Read a backup from end to end, and say what is in it; nothing is written."""
    path = file.expanduser().absolute()
    tell(path, inspect(path, pg_bin=pg_bin), as_json=as_json)


def inspect(path: Path, *, pg_bin: Path | None) -> Facts:
    """What stands in a backup of either engine. Raises Invalid, Unknown, Misconfigured."""
    match backup_file.engine_of(path):
        case Engine.SQLITE:
            return backup_sqlite.inspect(path)
        case Engine.POSTGRESQL:
            return telling.run(backup_postgresql.inspect(path, bin_folder=pg_bin))


def tell(path: Path, facts: Facts, *, as_json: bool) -> None:
    """Print what is in a backup."""
    if as_json:
        print(json.dumps({"path": str(path), **to_builtins(facts)}, indent=2))
        return
    counted = ", ".join(f"{facts.rows.get(table, 0):,} {table}s" for table in _TOLD)
    print(f"{path}: {facts.engine.value}, {_size(facts.size)}, migration {facts.migration}, sound.")
    print(f"It holds {counted}; {facts.unsettled:,} messages were on their way.")


async def _make(settings: Settings, path: Path, *, force: bool, pg_bin: Path | None, shown: Progress) -> Facts:
    database = Path(settings.database_url.removeprefix("sqlite:///"))
    if not settings.database_url.startswith("sqlite:///"):
        task = shown.add_task("pg_dump", total=None)
        return await backup_postgresql.make(
            settings.database_url,
            path,
            force=force,
            bin_folder=pg_bin,
            told=lambda table: shown.update(task, description=f"pg_dump: {table}"),
        )
    task = shown.add_task("copying", total=None)
    if await serving.is_running(settings):
        return await _ask(settings, path, force=force, shown=shown, task=task)
    return await _alone(database, path, force=force, shown=shown, task=task)


async def _ask(settings: Settings, path: Path, *, force: bool, shown: Progress, task: TaskID) -> Facts:
    """Have the running server make it: the database is its own."""
    async with Client(socket=settings.socket) as client:
        begun = await client.start_backup(str(path), force=force)
        try:
            while (view := await client.get_backup(begun.id)).state in (BackupState.COPYING, BackupState.CHECKING):
                _show(shown, task, view.state, view.done, view.total)
                await asyncio.sleep(_ASK_SECONDS)
        except BaseException:
            await client.stop_backup(begun.id)
            raise
    return _facts(view)


async def _alone(database: Path, path: Path, *, force: bool, shown: Progress, task: TaskID) -> Facts:
    """Make it here, holding the lock: no server runs, and none can begin meanwhile."""
    descriptor = take_lock(database)
    backups = Backups(database)
    try:
        backup = backups.start("this", path, force=force)
        while not backup.finished.is_set():
            _show(shown, task, backup.state, backup.done, backup.total)
            await asyncio.sleep(_ASK_SECONDS)
    finally:
        await backups.close()
        os.close(descriptor)
    if backup.problem is not None:
        raise backup.problem
    assert backup.facts is not None
    return backup.facts


def _facts(view: BackupView) -> Facts:
    if view.problem is not None:
        telling.stop(view.problem.description, hint=view.problem.hint)
    assert view.facts is not None
    return Facts(
        engine=view.facts.engine,
        size=view.facts.size,
        migration=view.facts.migration,
        rows=view.facts.rows,
        unsettled=view.facts.unsettled,
        instance_id=view.facts.instance_id,
    )


def _progress() -> Progress:
    """A bar on standard error, where a person looks at it."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _show(shown: Progress, task: TaskID, state: BackupState, done: int, total: int) -> None:
    shown.update(task, description=state.value, completed=done, total=total or None)


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.0f} kB"
