"""Backups of SQLite: page by page out of one reading transaction, while the writer goes on.

The copy is made in the process that owns the database, over a connection of its own that only reads. Its transaction
holds one picture from the first page to the last, so no commit makes the copy begin anew; until it ends the log cannot
be folded back into the database behind that picture, and grows by what is written meanwhile. It is the writer's thread
that checkpoints, before and after.
"""

import os
import threading
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import apsw

from overture.domain.errors import Failure, Transient, Unavailable
from overture.store import backup_file
from overture.store.backup_file import Engine, Facts, Progress

_STEP_PAGES: Final = 256  # 1 MiB: a moment to be told to stop, and to tell how far it is
_SYNC_PAGES: Final = 2048  # 8 MiB: no more waits to be written at once than a commit of the writer can wait behind
_SEQUELS: Final = ("-wal", "-journal")


def make(source: Path, target: Path, *, force: bool, told: Progress, stop: threading.Event) -> Facts:
    """Back up the database `source`, which this process owns, as `target`. Takes long: run it in a thread.

    Raises Conflict, Invalid, Unavailable, and Transient where `stop` was set before it was done.
    """
    with backup_file.under_way(target, force=force) as partial:
        try:
            _copy(source, partial, told, stop)
        except (apsw.FullError, apsw.IOError) as full:
            raise Unavailable(
                "disk_full",
                f"The disk has no room for {target}, or fails.",
                hint="Make room, or name another place.",
            ) from full
        except apsw.Error as wrong:
            raise Failure("backup_failed", f"The database could not be copied: {wrong}") from wrong
        return inspect(partial, named=target)


def inspect(path: Path, *, named: Path | None = None) -> Facts:
    """What stands in a backup: the whole of it is read and checked, nothing is written. Raises Invalid.

    `named` is what to call it where it has not got its name yet.
    """
    name = named or path
    for end in _SEQUELS:
        if (beside := path.with_name(path.name + end)).exists() and beside.stat().st_size:
            raise backup_file.not_a_backup(
                name, f"It is a database that was copied while in use: {beside.name} belongs to it."
            )
    connection = apsw.Connection(
        f"file:{quote(str(path))}?mode=ro&immutable=1", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    )
    try:
        return _facts(connection, path, name)
    except apsw.SQLError as foreign:
        raise backup_file.not_a_backup(name, f"Its tables are not Overture's: {foreign}.") from foreign
    except apsw.Error as wrong:
        raise backup_file.damaged(name, f"{wrong}.") from wrong
    finally:
        connection.close()


def _copy(source: Path, target: Path, told: Progress, stop: threading.Event) -> None:
    reading, writing = _open(source), apsw.Connection(str(target))
    on_disk = os.open(target, os.O_RDONLY)
    try:
        writing.execute("PRAGMA journal_mode=OFF")  # what is half made is thrown away whole
        writing.execute("PRAGMA synchronous=OFF")  # it is brought to the disk below, in small parts
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        synced = 0
        with writing.backup("main", reading, "main") as backup:
            while not backup.done:
                if stop.is_set():
                    raise Transient("backup_stopped", "The backup was stopped before it was done.")
                backup.step(_STEP_PAGES)
                done = backup.page_count - backup.remaining
                if done - synced >= _SYNC_PAGES:
                    os.fsync(on_disk)
                    synced = done
                told(done, backup.page_count)
        reading.execute("COMMIT")
        writing.execute("PRAGMA journal_mode=DELETE")  # one file, which a disk that cannot be written to can hold
    finally:
        writing.close()
        os.close(on_disk)  # not before: a file's locks end with the first descriptor of it that is closed
        reading.close()


def _open(source: Path) -> apsw.Connection:
    connection = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(5000)
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("PRAGMA query_only=ON")
    return connection


def _facts(connection: apsw.Connection, path: Path, name: Path) -> Facts:
    complaints = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
    if complaints != ["ok"]:
        raise backup_file.damaged(name, f"{'; '.join(complaints)}.")
    whole = int(_one(connection, "PRAGMA page_count")) * int(_one(connection, "PRAGMA page_size"))
    if (size := path.stat().st_size) < whole:  # what is cut off an empty page at the end, no check complains about
        raise backup_file.damaged(name, f"It has {size} bytes of {whole}.")
    migration = _one(connection, "SELECT max(number) FROM migration") or 0
    backup_file.refuse_newer(name, migration)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    if migration < 1 or "outbox" not in tables:
        raise backup_file.not_a_backup(name, "It is an SQLite database of something else.")
    if lost := _one(connection, _OUTBOX_WITHOUT_MESSAGE):
        raise backup_file.damaged(name, f"{lost} rows of the outbox have no message.")
    return Facts(
        engine=Engine.SQLITE,
        size=path.stat().st_size,
        migration=migration,
        rows={table: _one(connection, f'SELECT count(*) FROM "{table}"') for table in tables},
        unsettled=_one(connection, "SELECT count(*) FROM outbox WHERE state <> 'needs_review'"),
        instance_id=_one(connection, "SELECT min(id) FROM instance"),
    )


_OUTBOX_WITHOUT_MESSAGE: Final = """
    SELECT count(*) FROM outbox o WHERE NOT EXISTS (
        SELECT 1 FROM message m
        WHERE m.workspace_id = o.workspace_id AND m.conversation_id = o.conversation_id AND m.seq = o.seq
    )
"""


def _one(connection: apsw.Connection, sql: str) -> Any:
    row = connection.execute(sql).fetchone()
    return None if row is None else row[0]
