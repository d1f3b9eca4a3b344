"""Backups of the running server's database: begin one, see how far it is, stop it.

For the operator at the machine alone, by the data folder's socket: a backup is a file of this machine, with everything
in it. To whoever comes with a key there are none.
"""

from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from overture.domain.access import Scope
from overture.domain.errors import Forbidden, Invalid, Unknown
from overture.store.backup_file import Engine
from overture.store.backups import Backup, BackupState
from overture.web.routes import Answer, Call, delete, get, post


class NewBackup(Struct, frozen=True, kw_only=True):
    """A backup to make."""

    path: Annotated[str, Meta(min_length=1, max_length=4096, description="Absolute, on the server's machine.")]
    force: Annotated[bool, Meta(description="Replace a file that is there.")] = False


class BackupFacts(Struct, frozen=True, kw_only=True):
    """What stands in a backup: its size in bytes, each table's rows, and how many messages were on their way."""

    engine: Engine
    size: int
    migration: int
    rows: dict[str, int]
    unsettled: int
    instance_id: str | None = None


class BackupProblem(Struct, frozen=True, kw_only=True):
    """Why a backup failed."""

    code: str
    description: str
    hint: str | None = None


class BackupView(Struct, frozen=True, kw_only=True):
    """A backup: `done` of `total` pages are copied."""

    id: str
    path: str
    state: BackupState
    done: int
    total: int
    facts: BackupFacts | None = None
    problem: BackupProblem | None = None


@post(
    "/overture/v1/backups",
    may=Scope.ADMIN,
    takes=NewBackup,
    gives=BackupView,
    status=202,
    tag="Backups",
    example={"path": "/var/backups/overture.backup"},
    refusals=(400, 403),
)
async def start_backup(call: Call[NewBackup, None]) -> BackupView:
    """Back the database up into a file of the server's machine, while it serves.

    Only over the local socket; `overture backup` does it, on PostgreSQL by pg_dump.
    """
    if not _at_the_machine(call):
        raise Forbidden(
            "operator_only", "A backup is made at the machine itself.", hint="Run `overture backup FILE` there."
        )
    path = Path(call.body.path)
    if not path.is_absolute() or "\x00" in call.body.path:
        raise Invalid("invalid_request", "path must be absolute.", field="path", hint="Begin it with a slash.")
    made = call.parts.backups.start(call.parts.ids.new(call.now), path, force=call.body.force)
    return _view(made)


@get("/overture/v1/backups/{backup_id}", may=Scope.ADMIN, gives=BackupView, tag="Backups", refusals=(404,))
async def get_backup(call: Call[None, None]) -> BackupView:
    """How far a backup is.

    Known until the server stops.
    """
    return _view(_find(call))


@delete("/overture/v1/backups/{backup_id}", may=Scope.ADMIN, status=204, tag="Backups", refusals=(404,))
async def stop_backup(call: Call[None, None]) -> Any:
    """Stop a backup.

    Nothing is left of it; one that is done stays.
    """
    backup = _find(call)
    backup.stop.set()
    await backup.finished.wait()
    return Answer(status=204)


def _at_the_machine(call: Call[Any, None]) -> bool:
    return call.principal.kid is None


def _find(call: Call[None, None]) -> Backup:
    backup = call.parts.backups.find(call.path["backup_id"]) if _at_the_machine(call) else None
    if backup is None:
        raise Unknown("backup_unknown", "There is no such backup.", field="backup_id", hint="A restart forgets them.")
    return backup


def _view(backup: Backup) -> BackupView:
    facts, problem = backup.facts, backup.problem
    return BackupView(
        id=backup.id,
        path=str(backup.path),
        state=backup.state,
        done=backup.done,
        total=backup.total,
        facts=None
        if facts is None
        else BackupFacts(
            engine=facts.engine,
            size=facts.size,
            migration=facts.migration,
            rows=facts.rows,
            unsettled=facts.unsettled,
            instance_id=facts.instance_id,
        ),
        problem=None
        if problem is None
        else BackupProblem(code=problem.code, description=problem.description, hint=problem.hint),
    )
