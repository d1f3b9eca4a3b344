"""A backup as a file: what kind it is, what stands in it, and how it gets its name.

A backup is written under a name that ends in `.partial`, checked, brought to the disk, and only then given its own: a
file with the name that was asked for is always whole.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from secrets import token_hex
from typing import Final

from msgspec import Struct

from overture.domain.errors import Conflict, Invalid, Unavailable, Unknown
from overture.store import migrate

_SQLITE: Final = b"SQLite format 3\x00"
_POSTGRESQL: Final = b"PGDMP"  # pg_dump's custom format

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much; 0 where nobody knows."""


class Engine(StrEnum):
    """Which database a backup was made of."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


class Facts(Struct, frozen=True, kw_only=True):
    """What stands in a backup, as found by reading it.

    `rows` counts each table's; `unsettled` messages were on their way when it was made.
    """

    engine: Engine
    size: int
    migration: int
    rows: dict[str, int]
    unsettled: int
    instance_id: str | None = None


def engine_of(path: Path) -> Engine:
    """The kind of a backup, by its first bytes. Raises Invalid or Unknown for what is none."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE))
    except FileNotFoundError as missing:
        raise Unknown("backup_missing", f"There is no file {path}.", hint="Check the path.") from missing
    except IsADirectoryError as folder:
        raise not_a_backup(path, "It is a folder.") from folder
    except OSError as wrong:
        raise Invalid(
            "backup_unreadable",
            f"{path} cannot be read: {wrong.strerror}.",
            hint="May you, and is its disk well?",
        ) from wrong
    if head == _SQLITE:
        return Engine.SQLITE
    if head.startswith(_POSTGRESQL):
        return Engine.POSTGRESQL
    raise not_a_backup(path, "It is empty." if not head else "It begins like neither SQLite nor PostgreSQL.")


def size_of(path: Path) -> int:
    """How long a file is, in bytes."""
    return path.stat().st_size


def not_a_backup(path: Path, why: str) -> Invalid:
    """A file that is none of ours."""
    return Invalid("not_a_backup", f"{path} is no backup. {why}", hint="`overture backup FILE` makes one.")


def damaged(path: Path, why: str) -> Invalid:
    """A file that was a backup once."""
    return Invalid("backup_damaged", f"{path} is damaged: {why}", hint="Take another backup; do not restore this one.")


def refuse_newer(path: Path, migration: int) -> None:
    """Raise Invalid for a backup that a later version of Overture made."""
    newest = migrate.all_migrations()[-1][0]
    if migration > newest:
        raise Invalid(
            "backup_too_new",
            f"{path} is at migration {migration}, this version knows {newest}.",
            hint="Use the version that made it, or a later one.",
        )


def refuse_taken(path: Path, *, force: bool) -> None:
    """Refuse a name that cannot be a new backup's. Raises Conflict or Invalid."""
    if path.is_dir():
        raise Invalid("backup_is_folder", f"{path} is a folder.", field="path", hint="Name a file in it.")
    if path.exists() and not force:
        raise Conflict(
            "backup_exists",
            f"{path} is there already.",
            field="path",
            hint="Give another name, or --force.",
        )
    if not path.parent.is_dir():
        raise Invalid("backup_no_folder", f"There is no folder {path.parent}.", field="path", hint="Make it first.")


@contextlib.contextmanager
def under_way(path: Path, *, force: bool) -> Iterator[Path]:
    """A file beside `path`, empty and its owner's alone, that becomes `path` at the end of the block.

    When the block raises, nothing is left. Raises Conflict or Invalid for a name that is taken, Unavailable where the
    disk does not carry it.
    """
    refuse_taken(path, force=force)
    partial = path.with_name(f"{path.name}.{token_hex(4)}.partial")
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            yield partial
            sync(partial)
            _name(partial, path, force=force)
            sync(path.parent)
        finally:
            for left in (partial, *(partial.with_name(partial.name + end) for end in ("-journal", "-wal", "-shm"))):
                left.unlink(missing_ok=True)
    except OSError as wrong:
        raise no_room(path, wrong) from wrong


def sync(path: Path) -> None:
    """Wait until a file, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def no_room(path: Path, wrong: OSError) -> Unavailable | Invalid:
    """What an error of the disk means to whoever wanted a file there."""
    if wrong.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Unavailable("disk_full", f"The disk has no room for {path}.", hint="Make room, or name another place.")
    return Invalid("backup_unwritable", f"{path} cannot be written: {wrong.strerror}.", field="path", hint="Who may?")


def _name(partial: Path, path: Path, *, force: bool) -> None:
    """Give a finished file its name; one that appeared there meanwhile is kept, unless it may be replaced."""
    if force:
        partial.replace(path)
        return
    try:
        path.hardlink_to(partial)
    except FileExistsError as taken:
        raise Conflict(
            "backup_exists", f"{path} has appeared meanwhile.", field="path", hint="Give another name, or --force."
        ) from taken
    except OSError:  # a file system without hard links
        refuse_taken(path, force=False)
        partial.replace(path)
