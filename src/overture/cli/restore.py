"""The verb `overture restore`."""

import json
from datetime import datetime
from pathlib import Path

from msgspec import to_builtins

from overture.actions import mark_restored
from overture.actions.mark_restored import Marked
from overture.adapters.clock import SystemClock
from overture.adapters.ids import RandomIds
from overture.cli import serving, telling
from overture.settings import Settings
from overture.store import backup_file, restore_postgresql, restore_sqlite
from overture.store.backup_file import Engine
from overture.store.engine import Writing


def run(settings: Settings, file: Path, *, force: bool, pg_bin: Path | None, as_json: bool) -> None:
    """Put a backup in the place of the settings' database, marked so that nothing in it is sent again."""
    path = file.expanduser().absolute()
    engine = backup_file.engine_of(path)
    wanted = Engine.SQLITE if settings.database_url.startswith("sqlite:///") else Engine.POSTGRESQL
    if engine is not wanted:
        telling.stop(
            f"{path} is a backup of {_NAMES[engine]}, and the settings name {_NAMES[wanted]}.",
            hint="Set OVERTURE_DATABASE_URL to a database of that kind.",
        )
    if engine is Engine.SQLITE and path == _database(settings).absolute():
        telling.stop(f"{path} is the database itself.", hint="Name a file that `overture backup` made.")
    marked, aside = telling.run(_restore(settings, path, engine, force=force, pg_bin=pg_bin))
    if as_json:
        print(json.dumps({**to_builtins(marked), "aside": aside}, indent=2))
        return
    print(f"Restored. The backup knew of everything until {marked.known_to:%Y-%m-%d %H:%M:%S} UTC.")
    if aside is not None:
        print(f"What was there before is kept: {aside}.")
    print(
        f"{marked.unsettled:,} messages were on their way. When the server starts, they and what was said since are "
        "looked up at the provider before anything leaves; that takes some minutes."
    )


async def _restore(
    settings: Settings, path: Path, engine: Engine, *, force: bool, pg_bin: Path | None
) -> tuple[Marked, str | None]:
    if await serving.is_running(settings):
        telling.stop("A server runs in this data folder.", hint="Stop it first: a restore takes its database away.")
    ids = RandomIds()

    async def mark(tx: Writing, now: datetime) -> Marked:
        return await mark_restored.mark_restored(tx, now, ids)

    if engine is Engine.POSTGRESQL:
        return await restore_postgresql.restore(
            path, settings.database_url, force=force, bin_folder=pg_bin, told=lambda _: None, mark=mark
        )
    marked, aside = await restore_sqlite.restore(path, _database(settings), force=force, clock=SystemClock(), mark=mark)
    return marked, None if aside is None else str(aside)


def _database(settings: Settings) -> Path:
    return Path(settings.database_url.removeprefix("sqlite:///"))


_NAMES = {Engine.SQLITE: "SQLite", Engine.POSTGRESQL: "PostgreSQL"}
