"""Backups of PostgreSQL: by its own `pg_dump` and `pg_restore`, in the custom format.

pg_dump takes one consistent picture while everybody goes on, and disturbs nothing but changes of the schema. Neither
program ever sees the password among its arguments, which any user of the machine can read.
"""

import asyncio
import errno
import os
import re
import shutil
import signal
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

from overture.domain.errors import Failure, Misconfigured, Unavailable
from overture.store import backup_file
from overture.store.backup_file import Engine, Facts

_SAYS_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)")
_BEGINS_TABLE: Final = re.compile(rb"COPY public\.(\w+) \(([^)]*)\) FROM stdin;\n")
_ENDS_TABLE: Final = b"\\.\n"
_LINE_BYTES: Final = 256 * 1024 * 1024  # the longest row: a medium of some megabytes, written in hexadecimal
_NO_ROOM: Final = ("No space left", "File too large", "Disk quota")
_NAMES_TABLE: Final = re.compile(r'table "public\.(\w+)"')
# What is there anyway, what belongs to the other server's users, and the ledger's rows.
_LEFT_OUT: Final = re.compile(r" (SCHEMA|ACL|COMMENT|EXTENSION|DEFAULT ACL) | TABLE DATA public migration ")
_KEPT_LINES: Final = 20


def find_program(name: str, folder: Path | None) -> Path:
    """A program of PostgreSQL's, in the folder given or on the PATH. Raises Misconfigured."""
    found = shutil.which(name, path=None if folder is None else str(folder))
    if found is None:
        where = "on the PATH" if folder is None else f"in {folder}"
        raise Misconfigured(
            "program_missing",
            f"PostgreSQL's {name} is not {where}.",
            hint="Install PostgreSQL's client programs, or name their folder with --pg-bin.",
        )
    return Path(found)


async def make(url: str, target: Path, *, force: bool, bin_folder: Path | None, told: Callable[[str], None]) -> Facts:
    """Back up the database behind `url` as `target`; `told` hears which table is being written.

    Raises Misconfigured where pg_dump is missing or older than the server, Conflict, Invalid, Unavailable.
    """
    backup_file.refuse_taken(target, force=force)
    dump = find_program("pg_dump", bin_folder)
    find_program("pg_restore", bin_folder)  # to check it; better missed now than after the dump
    await _refuse_older(dump, url)
    with backup_file.under_way(target, force=force) as partial:
        arguments = ["--format=custom", "--compress=1", "--schema=public", "--no-owner", "--no-privileges", "--verbose"]
        said = await _run(dump, [*arguments, f"--file={partial}", f"--dbname={_public(url)}"], url, told=told)
        if said is not None:
            if any(word in said for word in _NO_ROOM):
                raise backup_file.no_room(target, OSError(errno.ENOSPC, said))
            raise Failure("backup_failed", f"pg_dump gave up: {said}")
        return await inspect(partial, bin_folder=bin_folder, named=target)


async def inspect(path: Path, *, bin_folder: Path | None, named: Path | None = None) -> Facts:
    """What stands in a backup: all of it is unpacked and read, nothing is written. Raises Invalid, Misconfigured."""
    name = named or path
    rows: dict[str, int] = {}
    migration, unsettled, instance_id = 0, 0, None
    async for table, columns, values in read_rows(path, bin_folder=bin_folder, named=name):
        rows.setdefault(table, 0)
        if not values:
            continue
        rows[table] += 1
        if table == "migration":
            migration = max(migration, int(values[columns.index("number")]))
        elif table == "outbox" and values[columns.index("state")] != b"needs_review":
            unsettled += 1
        elif table == "instance":
            instance_id = values[columns.index("id")].decode()
    if "outbox" not in rows or not migration:
        raise backup_file.not_a_backup(name, "It is a dump of another database.")
    backup_file.refuse_newer(name, migration)
    return Facts(
        engine=Engine.POSTGRESQL,
        size=backup_file.size_of(path),
        migration=migration,
        rows=dict(sorted(rows.items())),
        unsettled=unsettled,
        instance_id=instance_id,
    )


async def read_rows(
    path: Path, *, bin_folder: Path | None, named: Path | None = None, table: str | None = None
) -> AsyncIterator[tuple[str, list[str], list[bytes]]]:
    """The rows of a backup as (table, columns, values): each table first once without values. Raises Invalid.

    Values are as COPY writes them. The end is reached only where the whole file could be read.
    """
    program = find_program("pg_restore", bin_folder)
    only = [] if table is None else ["--data-only", f"--table={table}"]
    process = await asyncio.create_subprocess_exec(
        str(program), "--file=-", *only, str(path), env=_environment(""), limit=_LINE_BYTES,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    complaints = asyncio.ensure_future(process.stderr.read())
    try:
        current, columns = "", list[str]()
        async for line in process.stdout:
            if current and line == _ENDS_TABLE:
                current = ""
            elif current:
                yield current, columns, line.rstrip(b"\n").split(b"\t")
            elif found := _BEGINS_TABLE.fullmatch(line):
                current, columns = found[1].decode(), [one.strip(' "') for one in found[2].decode().split(",")]
                yield current, columns, []
        if await process.wait():
            raise backup_file.damaged(
                named or path,
                f"pg_restore says: {_complaint(await complaints)}",
            )
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await complaints


async def restore(url: str, path: Path, *, bin_folder: Path | None, told: Callable[[str], None]) -> None:
    """Put a backup into the empty database behind `url`, in one transaction; the ledger of migrations is left empty.

    While it is, no server can begin on the database: whoever calls fills it in the commit that makes the rest safe.
    Raises Misconfigured, Failure.
    """
    program = find_program("pg_restore", bin_folder)
    listed = await _output(program, "--list", str(path))
    wanted = [line for line in listed.splitlines() if line and not line.startswith(";") and not _LEFT_OUT.search(line)]
    with tempfile.NamedTemporaryFile("w", prefix="overture-restore-", suffix=".list") as chosen:
        chosen.write("\n".join(wanted) + "\n")
        chosen.flush()
        arguments = ["--single-transaction", "--no-owner", "--no-privileges", "--exit-on-error", "--verbose"]
        said = await _run(
            program, [*arguments, f"--use-list={chosen.name}", f"--dbname={_public(url)}", str(path)], url, told=told
        )
    if said is not None:
        raise Failure("restore_failed", f"pg_restore gave up, and nothing was changed: {said}")


async def _refuse_older(dump: Path, url: str) -> None:
    """Refuse a pg_dump that cannot read the server: it must be at least as new. Raises Misconfigured, Unavailable."""
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as away:
        raise Unavailable("storage_away", f"The database cannot be reached ({type(away).__name__}).") from away
    try:
        server = connection.get_server_version().major
    finally:
        await connection.close(timeout=5)
    said = _SAYS_VERSION.search(await _output(dump, "--version"))
    own = 0 if said is None else int(said[1])
    if own < server:
        raise Misconfigured(
            "program_too_old",
            f"{dump} is of PostgreSQL {own}, the server is {server}: it cannot be read with that.",
            hint="Install PostgreSQL's client programs of that version, or name their folder with --pg-bin.",
        )


async def _run(program: Path, arguments: list[str], url: str, *, told: Callable[[str], None]) -> str | None:
    """Run a program to its end, telling each table it names; what it complained of, None where all went well."""
    process = await asyncio.create_subprocess_exec(
        str(program),
        "--no-password",
        *arguments,
        env=_environment(url),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    last: deque[bytes] = deque(maxlen=_KEPT_LINES)
    try:
        async for line in process.stderr:
            text = line.decode(errors="replace").strip()
            last.append(line)
            if found := _NAMES_TABLE.search(text):
                told(found[1])
        status = await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if status == -signal.SIGXFSZ:
        return _NO_ROOM[0]
    return None if status == 0 else _complaint(b"".join(last))


async def _output(program: Path, *arguments: str) -> str:
    """What a program prints. Raises Failure where it fails."""
    process = await asyncio.create_subprocess_exec(
        str(program),
        *arguments,
        env=_environment(""),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complained = await process.communicate()
    if process.returncode:
        raise Failure("program_failed", f"{program.name}: {_complaint(complained)}")
    return printed.decode(errors="replace")


def _complaint(said: bytes) -> str:
    """The lines that say what is wrong, else the last one."""
    every = [line for line in said.decode(errors="replace").splitlines() if line]
    wrong = [line for line in every if "error" in line.lower() or "fatal" in line.lower()]
    return " ".join(wrong[-2:] or every[-1:]) or "it said nothing"


def _environment(url: str) -> dict[str, str]:
    """This process's environment with the URL's password, in English."""
    parts = urlsplit(url)
    given = parts.password or parse_qs(parts.query).get("password", [""])[0]
    password = {"PGPASSWORD": unquote(given)} if given else {}
    return {**os.environ, **password, "LC_ALL": "C"}


def _public(url: str) -> str:
    """The URL without its password."""
    parts = urlsplit(url)
    netloc = re.sub(r"^([^:@]*):[^@]*@", r"\1@", parts.netloc)
    query = "&".join(one for one in parts.query.split("&") if one and not one.startswith("password="))
    return parts._replace(netloc=netloc, query=query).geturl()
