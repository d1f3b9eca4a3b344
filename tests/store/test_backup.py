"""Backups: one picture of a database that goes on, whole or not there, and known for what they are."""

import asyncio
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path

import apsw
import pytest

from overture.actions.mark_restored import Marked
from overture.domain.errors import Conflict, Invalid, Misconfigured, Problem, Transient, Unknown
from overture.store import backup_file, backup_postgresql, backup_sqlite
from overture.store.backup_file import Engine, Facts
from overture.store.engine import Writing
from overture.store.statement import Command
from tests.store.restoring import Safe, bin_folder
from tests.world import World, a_world

SOAK_SECONDS = float(os.environ.get("OVERTURE_SOAK_SECONDS", "2"))  # P13 speaks of ten minutes: 600


def ignore(_done: int, _total: int) -> None:
    """Progress that nobody follows."""


@pytest.fixture
def safe(world: World, database_url: str, tmp_path: Path) -> Safe:
    """A world that can be backed up."""
    return Safe(world=world, url=database_url, file=tmp_path / "overture.backup")


@pytest.fixture
async def sqlite_safe(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Safe]:
    """The same on SQLite, for what only that has."""
    async with a_world(sqlite_url) as world:
        yield Safe(world=world, url=sqlite_url, file=tmp_path / "overture.backup")


async def inspect(path: Path) -> Facts:
    match backup_file.engine_of(path):
        case Engine.SQLITE:
            return backup_sqlite.inspect(path)
        case Engine.POSTGRESQL:
            return await backup_postgresql.inspect(path, bin_folder=bin_folder())


async def while_it_goes_on(world: World, work: Callable[[], Awaitable[Facts]]) -> tuple[Facts, int]:
    """What `work` gave while conversations were started beside it, and how many were."""
    done, started = asyncio.Event(), 0

    async def start_more() -> None:
        nonlocal started
        while not done.is_set():
            asked = [world.asks(to_number=f"+1555{started + n:07}", text="Hello") for n in range(10)]
            await world.starts_all(*asked)
            started += len(asked)

    writing = asyncio.get_running_loop().create_task(start_more())
    try:
        facts = await work()
    finally:
        done.set()
        await writing
    return facts, started


async def backs_up_beside(safe: Safe) -> Facts:
    if safe.url.startswith("sqlite:"):
        return await asyncio.to_thread(
            backup_sqlite.make, safe.database, safe.file, force=True, told=ignore, stop=threading.Event()
        )
    return await safe.backs_up()


@pytest.mark.promise("P20")
async def test_a_backup_taken_while_writers_run_is_one_picture(safe: Safe) -> None:
    world = safe.world
    await world.starts_all(*(world.asks(to_number=f"+1666{n:07}", text="Hello") for n in range(300)))
    facts, started = await while_it_goes_on(world, lambda: backs_up_beside(safe))
    assert started > 0
    kept = facts.rows["conversation"]
    assert 300 <= kept <= 300 + started
    assert (kept - 300) % 10 == 0  # ten were started in one commit each time
    assert {facts.rows[table] for table in ("message", "outbox", "thread", "contact", "timer")} == {kept}
    assert facts.unsettled == kept
    assert facts == await inspect(safe.file)


async def test_a_backup_belongs_to_its_owner_alone_and_nothing_lies_beside_it(safe: Safe) -> None:
    await safe.backs_up()
    assert stat.S_IMODE(safe.file.stat().st_mode) == 0o600
    assert [path.name for path in safe.file.parent.iterdir() if "backup" in path.name] == [safe.file.name]


async def test_a_file_that_is_there_is_not_replaced_unless_told(safe: Safe) -> None:
    safe.file.write_text("something dear")
    with pytest.raises(Conflict) as refused:
        await makes(safe, safe.file)
    assert refused.value.code == "backup_exists"
    assert safe.file.read_text() == "something dear"
    await safe.backs_up()
    assert (await inspect(safe.file)).rows["sender"] == 2


async def makes(safe: Safe, path: Path, *, stop: threading.Event | None = None) -> Facts:
    if safe.url.startswith("sqlite:"):
        return backup_sqlite.make(safe.database, path, force=False, told=ignore, stop=stop or threading.Event())
    return await backup_postgresql.make(safe.url, path, force=False, bin_folder=bin_folder(), told=lambda _: None)


@pytest.mark.parametrize(("name", "code"), [("nowhere/b", "backup_no_folder"), ("", "backup_is_folder")])
async def test_a_place_that_is_none_is_refused(safe: Safe, name: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        await makes(safe, safe.file.parent / name)
    assert refused.value.code == code
    assert refused.value.hint


async def test_a_backup_that_is_stopped_leaves_nothing(sqlite_safe: Safe) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Transient):
        await makes(sqlite_safe, sqlite_safe.file, stop=stop)
    assert [path.name for path in sqlite_safe.file.parent.iterdir() if "backup" in path.name] == []


KILLED = """
import os, signal, sys, threading
from pathlib import Path
from overture.store import backup_sqlite
def told(done, total):
    if done * 2 > total:
        os.kill(os.getpid(), signal.SIGKILL)
backup_sqlite.make(Path(sys.argv[1]), Path(sys.argv[2]), force=True, told=told, stop=threading.Event())
"""
LIMITED = """
import resource, sys, threading
from pathlib import Path
from overture.domain.errors import Unavailable
from overture.store import backup_sqlite
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    backup_sqlite.make(
        Path(sys.argv[1]), Path(sys.argv[2]), force=True, told=lambda *_: None, stop=threading.Event()
    )
except Unavailable as full:
    print(full.code, full.description)
"""
LIMITED_DUMP = """
import asyncio, resource, sys
from pathlib import Path
from overture.domain.errors import Unavailable
from overture.store import backup_postgresql
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, 3_000))
try:
    asyncio.run(backup_postgresql.make(
        sys.argv[1], Path(sys.argv[2]), force=True, bin_folder=Path(sys.argv[3]), told=lambda _: None
    ))
except Unavailable as full:
    print(full.code, full.description)
"""


async def grown(safe: Safe) -> None:
    """The database has some hundred pages."""
    await safe.world.starts_all(*(safe.world.asks(to_number=f"+1666{n:07}", text="Hello" * 20) for n in range(1000)))


async def test_a_backup_that_is_killed_leaves_no_file_of_its_name(sqlite_safe: Safe) -> None:
    await grown(sqlite_safe)
    await sqlite_safe.world.store.close()
    await run(KILLED, sqlite_safe.database, sqlite_safe.file)
    assert not sqlite_safe.file.exists()
    [left] = [path.name for path in sqlite_safe.file.parent.iterdir() if "backup" in path.name]
    assert left.endswith(".partial")
    await sqlite_safe.world.store.open()


async def test_a_disk_that_is_full_is_told_and_leaves_nothing(safe: Safe) -> None:
    await grown(safe)
    if safe.url.startswith("sqlite:"):
        said = await run(LIMITED, safe.database, safe.file)
    else:
        said = await run(LIMITED_DUMP, safe.url, safe.file, bin_folder())
    assert said.startswith("disk_full The disk has no room for"), said
    assert [path.name for path in safe.file.parent.iterdir() if "backup" in path.name] == []


async def run(program: str, *arguments: str | Path) -> str:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, timeout=60)
    return ran.stdout or ran.stderr


async def test_a_pg_dump_that_is_missing_or_too_old_is_refused(tmp_path: Path, postgresql_url: str) -> None:
    for folder, code in ((tmp_path, "program_missing"), (bin_folder(16), "program_too_old")):
        with pytest.raises(Misconfigured) as refused:
            await backup_postgresql.make(
                postgresql_url, tmp_path / "b", force=False, bin_folder=folder, told=lambda _: None
            )
        assert refused.value.code == code
        assert "--pg-bin" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        (lambda whole: b"", "not_a_backup"),
        (lambda whole: b"PK\x03\x04 a spreadsheet", "not_a_backup"),
        (lambda whole: b"\xff\xfe\x00", "not_a_backup"),
        (lambda whole: whole[: len(whole) // 2], "backup_damaged"),
        (lambda whole: whole[:100], "backup_damaged"),
        (lambda whole: whole[:-1000] + b"\x00" * 1000, "backup_damaged"),
    ],
)
async def test_what_is_no_whole_backup_is_refused(safe: Safe, spoilt: Callable[[bytes], bytes], code: str) -> None:
    await grown(safe)
    await safe.backs_up()
    safe.file.write_bytes(spoilt(safe.file.read_bytes()))
    with pytest.raises(Invalid) as refused:
        await inspect(safe.file)
    assert refused.value.code == code, refused.value.description
    assert str(safe.file) in refused.value.description
    assert refused.value.hint


async def test_what_is_not_there_or_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unknown):
        await inspect(tmp_path / "nothing")
    with pytest.raises(Invalid):
        await inspect(tmp_path)


async def test_a_backup_of_a_later_version_is_refused(safe: Safe) -> None:
    await safe.world.change("INSERT INTO migration VALUES (9999, '9999_later.sql', 0)")
    with pytest.raises(Invalid) as refused:
        await safe.backs_up()
    assert refused.value.code == "backup_too_new"
    assert "9999" in refused.value.description
    assert not safe.file.exists()


async def test_another_database_of_the_same_kind_is_no_backup(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    connection = apsw.Connection(str(other))
    connection.execute("CREATE TABLE migration (number integer); INSERT INTO migration VALUES (1)")
    connection.close()
    with pytest.raises(Invalid) as refused:
        await inspect(other)
    assert refused.value.code == "not_a_backup"


async def test_a_database_that_was_copied_while_in_use_is_no_backup(sqlite_safe: Safe) -> None:
    await grown(sqlite_safe)
    for end in ("", "-wal"):
        copy = sqlite_safe.file.with_name(sqlite_safe.file.name + end)
        shutil.copyfile(f"{sqlite_safe.database}{end}", copy)
    with pytest.raises(Invalid, match="copied while in use"):
        await inspect(sqlite_safe.file)


async def test_a_database_that_is_there_is_only_replaced_when_told_and_then_kept(safe: Safe) -> None:
    await safe.world.starts()
    await safe.backs_up()
    await safe.world.starts(to_number="+15550100077")
    await safe.world.store.close()
    with pytest.raises(Conflict) as refused:
        await safe.restores(force=False)
    assert refused.value.code == "database_not_empty"
    await safe.restores(force=True)
    await safe.world.store.open()
    assert await safe.world.value("SELECT count(*) FROM conversation") == 1
    if safe.url.startswith("sqlite:"):
        [aside] = safe.database.parent.glob("*.before-restore-*")
        assert backup_sqlite.inspect(aside).rows["conversation"] == 2
        assert not list(safe.database.parent.glob("*.restoring*"))
    else:
        [schema] = await safe.world.column(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'before_restore_%' ORDER BY 1"
        )
        assert await safe.world.value(f'SELECT count(*) FROM "{schema}".conversation') == 2


async def test_a_restore_under_a_running_server_is_refused(safe: Safe) -> None:
    await safe.world.starts()
    await safe.backs_up()
    with pytest.raises(Misconfigured) as refused:
        await safe.restores(force=True)
    assert refused.value.code == "database_in_use"
    assert await safe.world.value("SELECT count(*) FROM conversation") == 1


async def test_a_damaged_backup_replaces_nothing(safe: Safe) -> None:
    await safe.world.starts()
    await safe.backs_up()
    whole = safe.file.read_bytes()
    safe.file.write_bytes(whole[: len(whole) // 2])  # the end of a file may be the empty rest of a page
    await safe.world.store.close()
    with pytest.raises(Problem):
        await safe.restores(force=True)
    await safe.world.store.open()
    assert await safe.world.value("SELECT count(*) FROM conversation") == 1


@pytest.mark.promise("P20")
async def test_a_restore_that_breaks_off_leaves_nothing_that_a_server_would_send_from(safe: Safe) -> None:
    """What was there before, or a database that is refused: never one that is not marked."""
    world = safe.world
    await world.starts()
    await safe.backs_up()
    await world.store.close()

    async def breaks_off(_tx: Writing, _now: datetime) -> Marked:
        raise RuntimeError("the power is gone")

    with pytest.raises(RuntimeError, match="power"):
        await safe.restores(mark=breaks_off)
    if safe.url.startswith("sqlite:"):
        await world.store.open()
        assert await world.column("SELECT state FROM outbox") == ["queued"]  # the old database, untouched
        assert not list(safe.database.parent.glob("*.restoring*"))
        await world.store.close()
    else:
        with pytest.raises(Misconfigured) as refused:
            await world.store.open()
        assert refused.value.code == "database_refused"
    await safe.restores()
    await world.store.open()
    assert await world.column("SELECT state FROM outbox") == ["uncertain"]


@pytest.mark.promise("P13")
async def test_no_lock_error_reaches_anybody_while_backups_are_made(sqlite_safe: Safe) -> None:
    """One backup after the other, for as long as the soak lasts; every write succeeds, and none waits for long."""
    world = sqlite_safe.world
    await grown(sqlite_safe)
    until, backups, waits = time.monotonic() + SOAK_SECONDS, 0, list[float]()

    async def writes() -> None:
        number = 0
        insert = Command("INSERT INTO event (id, shard, workspace_id, kind, data, at) VALUES ($1, 0, 'd', 'k', $2, 1)")
        while time.monotonic() < until:
            number += 1
            began = time.perf_counter()
            await world.store.write(lambda tx, number=number: tx.run(insert, f"soak {number}", "x" * 500))  # type: ignore[misc]
            waits.append(time.perf_counter() - began)

    async def reads() -> None:
        while time.monotonic() < until:
            await world.value("SELECT count(*) FROM outbox")

    async def backs_up() -> None:
        nonlocal backups
        while time.monotonic() < until:
            await backs_up_beside(sqlite_safe)
            backups += 1

    await asyncio.gather(writes(), reads(), backs_up())
    assert backups >= 2
    assert len(waits) > 10
    assert max(waits) < 5  # as long as a client may wait for a commit on a machine that does much else
