"""Stored idempotency keys: for seven days the same key brings the same conversation."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from overture.store.engine import Writing, stored
from overture.store.statement import Command, RowsCommand, insert

LIFE: Final = timedelta(days=7)

_INSERT: Final = insert(
    "idempotency",
    {"workspace_id": "text", "key": "text", "digest": "text", "conversation_id": "text", "created_at": "bigint"},
    "ON CONFLICT DO NOTHING RETURNING workspace_id, key",
)
_DELETE: Final = RowsCommand(
    {"workspace_id": "text", "key": "text"},
    "DELETE FROM idempotency WHERE (workspace_id, key) IN (SELECT workspace_id, key FROM rows)",
)
_EXPIRE: Final = Command("DELETE FROM idempotency WHERE created_at < $1")


async def insert_where_free(
    tx: Writing, keys: Sequence[tuple[str, str, str, str]], now: datetime
) -> set[tuple[str, str]]:
    """Keep (workspace, key, digest, conversation); the (workspace, key) that nobody used before."""
    rows = sorted((*key, stored(now)) for key in keys)
    return {(row[0], row[1]) for row in await tx.run_rows(_INSERT, rows)}


async def delete(tx: Writing, keys: Sequence[tuple[str, str]]) -> None:
    """Free (workspace, key) again."""
    await tx.run_rows(_DELETE, sorted(keys))


async def expire(tx: Writing, now: datetime) -> None:
    """Forget keys that have had their time."""
    await tx.run(_EXPIRE, stored(now - LIFE))
