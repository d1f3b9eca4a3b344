"""The instance: who this database is, under which URLs, and the secret that its callback URLs are marked with."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from overture.store.engine import Reading, Writing, stored
from overture.store.statement import Command, Query, Row

_GET: Final = Query("SELECT id, callback_secret FROM instance ORDER BY created_at, id LIMIT 1")
_INSERT: Final = Command(
    "INSERT INTO instance (id, callback_secret, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
)
_ADD_WORKSPACE: Final = Command(
    "INSERT INTO workspace (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
)
_IS_SHUT: Final = Query("SELECT 1 FROM instance WHERE shut_because IS NOT NULL LIMIT 1")
_FIND_BINDING: Final = Query("SELECT id, public_urls, shut_because FROM instance ORDER BY created_at, id LIMIT 1")
_LOCK_BINDING: Final = Query(
    "SELECT id, public_urls, shut_because FROM instance ORDER BY created_at, id LIMIT 1 /*pg: FOR UPDATE */"
)
_BIND: Final = Command("UPDATE instance SET public_urls = $2, shut_because = $3 WHERE id = $1")
_LOCK_WORKSPACE: Final = Query("SELECT id FROM workspace WHERE id = $1 /*pg: FOR UPDATE */")
_COUNT: Final = Query("SELECT count(*) FROM workspace")


class Instance(Struct, frozen=True, kw_only=True):
    """One database's identity. Its secret never shows in its representation."""

    id: str
    callback_secret: str

    def __repr__(self) -> str:
        return f"Instance(id={self.id!r})"


class Binding(Struct, frozen=True, kw_only=True):
    """The URLs that a database is bound to. `shut_because` says why it is taken for a copy; then it sends nothing."""

    instance_id: str
    public_urls: tuple[str, ...]
    shut_because: str | None


async def get_or_make(tx: Writing, offered: Instance, now: datetime) -> Instance:
    """The identity of this database; the offered one where it had none."""
    row = await tx.one(_GET)
    if row is None:
        await tx.run(_INSERT, offered.id, offered.callback_secret, stored(now))
        row = await tx.one(_GET)
    return offered if row is None else Instance(id=row[0], callback_secret=row[1])


async def find_binding(tx: Reading) -> Binding | None:
    """What the database is bound to; None before its first start."""
    return _binding(await tx.one(_FIND_BINDING))


async def lock_binding(tx: Writing) -> Binding | None:
    """As `find_binding`, held until the commit."""
    return _binding(await tx.one(_LOCK_BINDING))


async def bind(tx: Writing, instance_id: str, public_urls: Sequence[str], shut_because: str | None) -> None:
    """Bind the database to URLs, shut or open."""
    await tx.run(_BIND, instance_id, msgspec.json.encode(list(public_urls)).decode(), shut_because)


async def is_shut(tx: Reading) -> bool:
    """Whether the database is taken for a copy."""
    return await tx.one(_IS_SHUT) is not None


async def add_workspace(tx: Writing, workspace_id: str, name: str, now: datetime) -> None:
    """Keep a workspace; one that is known stays as it is."""
    await tx.run(_ADD_WORKSPACE, workspace_id, name, stored(now))


async def lock_workspace(tx: Writing, workspace_id: str, now: datetime) -> None:
    """Keep a workspace, and hold it until the commit: of two who change its senders one waits."""
    await add_workspace(tx, workspace_id, workspace_id, now)
    await tx.one(_LOCK_WORKSPACE, workspace_id)


async def count_workspaces(tx: Reading) -> int:
    """How many workspaces there are: the least that a database which is well can tell."""
    row = await tx.one(_COUNT)
    return 0 if row is None else int(row[0])


def _binding(row: Row | None) -> Binding | None:
    if row is None:
        return None
    urls = msgspec.json.decode(row[1], type=tuple[str, ...])
    return Binding(instance_id=row[0], public_urls=urls, shut_because=row[2])
