"""The instance: who this database is, and the secret that its callback URLs are marked with."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.store.engine import Reading, Writing, stored
from overture.store.statement import Command, Query

_GET: Final = Query("SELECT id, callback_secret FROM instance ORDER BY created_at, id LIMIT 1")
_INSERT: Final = Command(
    "INSERT INTO instance (id, callback_secret, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
)
_ADD_WORKSPACE: Final = Command(
    "INSERT INTO workspace (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
)


_COUNT: Final = Query("SELECT count(*) FROM workspace")


class Instance(Struct, frozen=True, kw_only=True):
    """One database's identity. Its secret never shows in its representation."""

    id: str
    callback_secret: str

    def __repr__(self) -> str:
        return f"Instance(id={self.id!r})"


async def get_or_make(tx: Writing, offered: Instance, now: datetime) -> Instance:
    """The identity of this database; the offered one where it had none."""
    row = await tx.one(_GET)
    if row is None:
        await tx.run(_INSERT, offered.id, offered.callback_secret, stored(now))
        row = await tx.one(_GET)
    return offered if row is None else Instance(id=row[0], callback_secret=row[1])


async def add_workspace(tx: Writing, workspace_id: str, name: str, now: datetime) -> None:
    """Keep a workspace; one that is known stays as it is."""
    await tx.run(_ADD_WORKSPACE, workspace_id, name, stored(now))


async def count_workspaces(tx: Reading) -> int:
    """How many workspaces there are: the least that a database which is well can tell."""
    row = await tx.one(_COUNT)
    return 0 if row is None else int(row[0])
