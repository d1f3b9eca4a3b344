"""The inbox: webhooks as they came, once each, until something has been made of them.

The unique key outlives the body, so that a late duplicate is still one. What shares an ordering key is handled in the
order of its arrival.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.ports import RawEvent
from overture.store.engine import Reading, Writing, instant, stored
from overture.store.statement import Command, Query, Row, RowsCommand, insert

_LONGEST_OUTCOME: Final = 2000  # the end of a traceback, where its error stands

_INSERT: Final = insert(
    "inbox",
    {
        "id": "text",
        "shard": "int",
        "kind": "text",
        "account_sid": "text",
        "unique_key": "text",
        "ordering_key": "text",
        "query": "text",
        "body": "bytea",
    },
    "ON CONFLICT DO NOTHING RETURNING unique_key",
    same={"state": "'new'", "tries": "0", "due_at": "$1", "received_at": "$1"},
)
_KEPT: Final = """
    SELECT i.id, i.shard, i.kind, i.account_sid, i.unique_key, i.ordering_key, i.query, i.body, i.tries, i.received_at
    FROM inbox i
"""
_IS_DUE: Final = """
    i.due_at <= $1 AND NOT EXISTS (
        SELECT 1 FROM inbox e WHERE e.ordering_key = i.ordering_key AND e.due_at IS NOT NULL AND e.id < i.id
    )
"""
_LIST_DUE: Final = Query(f"SELECT i.id, i.shard FROM inbox i WHERE {_IS_DUE} ORDER BY i.due_at, i.id LIMIT $2")
_LOCK_DUE: Final = Query(
    f"{_KEPT} WHERE {_IS_DUE} ORDER BY i.due_at, i.id LIMIT $2 /*pg: FOR UPDATE OF i SKIP LOCKED */"
)
_LOCK_ONE: Final = Query(f"{_KEPT} WHERE {_IS_DUE} AND i.id = $2 AND i.shard = $3 /*pg: FOR UPDATE OF i SKIP LOCKED */")
_FINISH: Final = RowsCommand(
    {"id": "text", "shard": "int", "state": "text", "outcome": "text", "workspace_id": "text"},
    """
    UPDATE inbox SET state = rows.state, outcome = rows.outcome, workspace_id = rows.workspace_id, due_at = NULL,
        body = CASE WHEN rows.state = 'done' THEN NULL ELSE inbox.body END
    FROM rows WHERE inbox.id = rows.id AND inbox.shard = rows.shard
    """,
)
_AGAIN: Final = RowsCommand(
    {"id": "text", "shard": "int", "due_at": "bigint"},
    """
    UPDATE inbox SET due_at = rows.due_at, tries = inbox.tries + 1 FROM rows
    WHERE inbox.id = rows.id AND inbox.shard = rows.shard
    """,
)
_NEXT_DUE: Final = Query("SELECT min(due_at) FROM inbox WHERE due_at IS NOT NULL AND due_at > $1")
_LIST_LEFT: Final = Query(
    """
    SELECT id, state, kind, unique_key, outcome, received_at FROM inbox
    WHERE state IN ('unrouted', 'parked') AND state = $1 AND id > $2 ORDER BY id LIMIT $3
    """
)
_LIST_LEFT_OF: Final = Query(
    """
    SELECT id, state, kind, unique_key, outcome, received_at FROM inbox
    WHERE state IN ('unrouted', 'parked') AND state = $2 AND id > $3 AND EXISTS (
        SELECT 1 FROM sender WHERE sender.workspace_id = $1 AND sender.account_sid = inbox.account_sid
    )
    ORDER BY id LIMIT $4
    """
)
_LOCK_LEFT_OVER: Final = Query(
    """
    SELECT id, state, kind, unique_key, outcome, received_at, shard FROM inbox
    WHERE id = $2 AND EXISTS (
        SELECT 1 FROM sender WHERE sender.workspace_id = $1 AND sender.account_sid = inbox.account_sid
    ) /*pg: FOR UPDATE */
    """
)
_RETRY: Final = Command(
    """
    UPDATE inbox SET state = 'new', tries = 0, due_at = $3
    WHERE id = $1 AND shard = $2 AND state IN ('unrouted', 'parked')
    """
)


class Kept(Struct, frozen=True, kw_only=True):
    """A kept webhook that something is to be made of."""

    id: str
    shard: int
    event: RawEvent
    tries: int
    received_at: datetime


class LeftOver(Struct, frozen=True, kw_only=True):
    """A webhook that nothing could be made of."""

    id: str
    state: str
    kind: str
    unique_key: str
    outcome: str | None
    received_at: datetime


class Handled(Struct, frozen=True, kw_only=True):
    """What became of a webhook: `state` is done, unrouted or parked."""

    id: str
    shard: int
    state: str
    outcome: str
    workspace_id: str | None = None


async def insert_all(tx: Writing, kept: Sequence[tuple[str, int, RawEvent]], now: datetime) -> set[str]:
    """Keep (id, shard, event); the unique keys of those that were not there before."""
    rows = [
        (an_id, shard, e.kind, e.account_sid, e.unique_key, e.ordering_key, e.query, e.body) for an_id, shard, e in kept
    ]
    return {row[0] for row in await tx.run_rows(_INSERT, rows, stored(now))}


async def lock_due(tx: Writing, now: datetime, limit: int) -> list[Kept]:
    """Webhooks that are due, of each ordering key the first that is left, oldest first; held until the commit."""
    return [_kept(row) for row in await tx.all(_LOCK_DUE, stored(now), limit)]


async def list_due(tx: Reading, now: datetime, limit: int) -> list[tuple[str, int]]:
    """As `lock_due`, as (id, shard) and unread."""
    return [(row[0], row[1]) for row in await tx.all(_LIST_DUE, stored(now), limit)]


async def lock_one(tx: Writing, key: tuple[str, int], now: datetime) -> Kept | None:
    """One webhook that is due, held until the commit; None where it is not, or another worker has it."""
    row = await tx.one(_LOCK_ONE, stored(now), *key)
    return None if row is None else _kept(row)


async def finish(tx: Writing, handled: Sequence[Handled]) -> None:
    """Record what became of webhooks; the body of one that is done is let go."""
    rows = [(h.id, h.shard, h.state, h.outcome[-_LONGEST_OUTCOME:], h.workspace_id) for h in handled]
    await tx.put(_FINISH, sorted(rows, key=lambda row: row[0]))


async def try_again(tx: Writing, later: Sequence[tuple[str, int, datetime]]) -> None:
    """Look at (id, shard) again, not before an instant."""
    await tx.put(_AGAIN, sorted((an_id, shard, stored(at)) for an_id, shard, at in later))


async def find_next_due(tx: Reading, now: datetime) -> datetime | None:
    """When the next webhook that waits is due."""
    row = await tx.one(_NEXT_DUE, stored(now))
    return None if row is None or row[0] is None else instant(row[0])


async def list_left_over(tx: Reading, state: str, *, after: str, limit: int) -> list[LeftOver]:
    """Webhooks that are unrouted or parked, oldest first."""
    return [_left_over(row) for row in await tx.all(_LIST_LEFT, state, after, limit)]


async def list_left_over_of(tx: Reading, workspace_id: str, state: str, *, after: str, limit: int) -> list[LeftOver]:
    """As `list_left_over`, of the accounts that a workspace sends from: whose an unrouted one is, only they tell."""
    return [_left_over(row) for row in await tx.all(_LIST_LEFT_OF, workspace_id, state, after, limit)]


async def lock_of(tx: Writing, workspace_id: str, an_id: str) -> tuple[LeftOver, int] | None:
    """A webhook of an account that a workspace sends from, in any state, with its shard; held until the commit."""
    row = await tx.one(_LOCK_LEFT_OVER, workspace_id, an_id)
    return None if row is None else (_left_over(row), row[6])


async def make_due(tx: Writing, an_id: str, shard: int, now: datetime) -> None:
    """Let a webhook that was left over be handled again, as if it had not been tried."""
    await tx.run(_RETRY, an_id, shard, stored(now))


def _left_over(row: Row) -> LeftOver:
    return LeftOver(
        id=row[0], state=row[1], kind=row[2], unique_key=row[3], outcome=row[4], received_at=instant(row[5])
    )


def _kept(row: Row) -> Kept:
    event = RawEvent(
        kind=row[2], account_sid=row[3], unique_key=row[4], ordering_key=row[5], query=row[6], body=bytes(row[7] or b"")
    )
    return Kept(id=row[0], shard=row[1], event=event, tries=row[8], received_at=instant(row[9]))
