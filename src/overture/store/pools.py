"""Stored pools: what several senders, or one, share a pace or a limit of recipients with, and how far each has come.

A pool's row is the only place where its pace is kept, whatever process sends. A claim holds the rows of the pools that
have room or a limit, in the order of their ids, before it holds anything else, and waits for none of those that it
holds after.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.pace import FASTEST, HORIZON, REFILL, Flow, PoolKind
from overture.store.claims import OPEN
from overture.store.engine import Reading, Writing, instant, stored
from overture.store.statement import Command, Query, RowsCommand, RowsQuery

_OF_SENDERS: Final = RowsQuery(
    {"sender_id": "text"},
    """
    SELECT m.sender_id, m.pool_id, m.planned_at, p.paced
    FROM rows JOIN pool_member m ON m.sender_id = rows.sender_id JOIN pool p ON p.id = m.pool_id
    ORDER BY m.sender_id, m.pool_id
    """,
)
_LOCK_ROOMY: Final = RowsQuery(
    {"id": "text"},
    """
    SELECT p.id, p.per_second, p.tat, p.planned_at, p.replies,
        p.paced AND (p.tat <= $1 OR p.planned_at > $2), p.recipients_a_day
    FROM pool p
    WHERE p.id IN (SELECT id FROM rows) AND (p.tat <= $1 OR p.planned_at > $2 OR p.recipients_a_day IS NOT NULL)
    ORDER BY p.id /*pg: FOR UPDATE OF p */
    """,
)
_MOVE: Final = RowsCommand(
    {"id": "text", "tat": "bigint", "planned_at": "bigint", "replies": "int"},
    """
    UPDATE pool SET tat = rows.tat, planned_at = rows.planned_at, replies = rows.replies FROM rows
    WHERE pool.id = rows.id
    """,
)
_MOVE_MEMBERS: Final = RowsCommand(
    {"sender_id": "text", "planned_at": "bigint"},
    "UPDATE pool_member SET planned_at = rows.planned_at FROM rows WHERE pool_member.sender_id = rows.sender_id",
)
_NEXT_ROOM: Final = Query(
    f"""
    SELECT min(free_at) FROM (
        SELECT (SELECT max(p.tat) FROM pool_member m JOIN pool p ON p.id = m.pool_id WHERE m.sender_id = s.id)
            AS free_at
        {OPEN} AND EXISTS (SELECT 1 FROM pool_member m WHERE m.sender_id = s.id) AND (
            EXISTS (SELECT 1 FROM outbox o
                    WHERE o.sender_id = s.id AND o.state = 'queued' AND o.priority = 0 AND o.due_at <= $1)
            OR EXISTS (SELECT 1 FROM outbox o
                       WHERE o.sender_id = s.id AND o.state = 'queued' AND o.priority = 1 AND o.due_at <= $1)
        )
    ) waiting WHERE free_at > $2
    """
)
_COLUMNS: Final = "pool.id, pool.kind, pool.name, pool.per_second, pool.paced, pool.recipients_a_day"
_LIST: Final = Query(f"SELECT {_COLUMNS} FROM pool WHERE workspace_id = $1 ORDER BY kind, name")
_FIND: Final = Query(
    f"SELECT {_COLUMNS} FROM pool WHERE workspace_id = $1 AND kind <> 'sender' AND name = $2 /*pg: FOR UPDATE */"
)
_MEMBERS: Final = Query(
    """
    SELECT m.pool_id, m.sender_id FROM pool p JOIN pool_member m ON m.pool_id = p.id
    WHERE p.workspace_id = $1 ORDER BY m.pool_id, m.sender_id
    """
)
_UPSERT: Final = Command(
    """
    INSERT INTO pool (id, workspace_id, kind, name, per_second, paced, recipients_a_day)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, name = excluded.name, per_second = excluded.per_second,
        paced = excluded.paced, recipients_a_day = excluded.recipients_a_day
    """
)
_ADD_QUEUE: Final = Command("INSERT INTO queue (pool_id) VALUES ($1) ON CONFLICT DO NOTHING")
_ADD_MEMBERS: Final = RowsCommand(
    {"sender_id": "text", "pool_id": "text"},
    """
    INSERT INTO pool_member (sender_id, pool_id) SELECT sender_id, pool_id FROM rows WHERE true ON CONFLICT DO NOTHING
    """,
)
_DROP_MEMBERS: Final = Command("DELETE FROM pool_member WHERE pool_id = $1")
_DROP_QUEUE: Final = Command("DELETE FROM queue WHERE pool_id = $1")
_DROP: Final = Command("DELETE FROM pool WHERE workspace_id = $1 AND id = $2")


class Pool(Struct, frozen=True, kw_only=True):
    """A pace, a limit of recipients or both, and which senders they hold for.

    A sender's own pool has the sender's id, and its address as name.
    """

    id: str
    kind: PoolKind
    name: str
    per_second: float | None
    recipients_a_day: int | None = None
    sender_ids: tuple[str, ...] = ()


class Membership(Struct, frozen=True, kw_only=True):
    """A sender in a pool; `planned_at` is when its last message leaves, `paced` whether the pool has a pace."""

    sender_id: str
    pool_id: str
    planned_at: datetime
    paced: bool


async def find_memberships(tx: Reading, sender_ids: Iterable[str]) -> list[Membership]:
    """The pools of senders."""
    rows = await tx.all_of(_OF_SENDERS, [(an_id,) for an_id in sorted(set(sender_ids))])
    return [
        Membership(sender_id=row[0], pool_id=row[1], planned_at=instant(row[2]), paced=bool(row[3])) for row in rows
    ]


async def lock_roomy(tx: Writing, pool_ids: Iterable[str], now: datetime) -> tuple[dict[str, Flow], dict[str, int]]:
    """Those of the pools that have room now, and the limits of those that have one, all held until the commit."""
    rows = await tx.all_of(
        _LOCK_ROOMY, [(an_id,) for an_id in sorted(set(pool_ids))], stored(now + REFILL), stored(now + HORIZON)
    )
    flows = {
        row[0]: Flow(per_second=row[1], tat=instant(row[2]), planned_at=instant(row[3]), replies=row[4])
        for row in rows
        if row[5]
    }
    return flows, {row[0]: row[6] for row in rows if row[6] is not None}


async def move(tx: Writing, flows: dict[str, Flow], members: dict[str, datetime]) -> None:
    """Keep how far pools have come, and when the last message of each of their senders leaves."""
    rows = [(an_id, stored(f.tat), stored(f.planned_at), f.replies) for an_id, f in sorted(flows.items())]
    await tx.run_rows(_MOVE, rows)
    await tx.run_rows(_MOVE_MEMBERS, [(an_id, stored(at)) for an_id, at in sorted(members.items())])


async def find_next_room(tx: Reading, now: datetime, since: datetime) -> datetime | None:
    """When a message may be claimed that waits for its pools alone; of pools that had no room `since`."""
    row = await tx.one(_NEXT_ROOM, stored(now), stored(since + REFILL))
    return None if row is None or row[0] is None else instant(row[0]) - REFILL


async def list_all(tx: Reading, workspace_id: str) -> list[Pool]:
    """The pools of a workspace, those of single senders too."""
    members: dict[str, list[str]] = {}
    for pool_id, sender_id in await tx.all(_MEMBERS, workspace_id):
        members.setdefault(pool_id, []).append(sender_id)
    return [_pool(row, members.get(row[0], ())) for row in await tx.all(_LIST, workspace_id)]


async def lock(tx: Writing, workspace_id: str, name: str) -> Pool | None:
    """The pool of a name, without its members, held until the commit."""
    row = await tx.one(_FIND, workspace_id, name)
    return None if row is None else _pool(row, ())


async def save(tx: Writing, workspace_id: str, pool: Pool) -> None:
    """Keep a pool with its members; one that is known goes on from where it is."""
    paced, rate = pool.per_second is not None, FASTEST if pool.per_second is None else pool.per_second
    await tx.run(_UPSERT, pool.id, workspace_id, pool.kind.value, pool.name, rate, paced, pool.recipients_a_day)
    await tx.run(_ADD_QUEUE if paced else _DROP_QUEUE, pool.id)
    await tx.run(_DROP_MEMBERS, pool.id)
    await tx.run_rows(_ADD_MEMBERS, [(an_id, pool.id) for an_id in sorted(set(pool.sender_ids))])


async def remove(tx: Writing, workspace_id: str, pool_id: str) -> None:
    """Let a pool's senders go without it."""
    await tx.run(_DROP, workspace_id, pool_id)
    await tx.run(_DROP_MEMBERS, pool_id)
    await tx.run(_DROP_QUEUE, pool_id)


def _pool(row: Sequence[object], sender_ids: Iterable[str]) -> Pool:
    return Pool(
        id=str(row[0]),
        kind=PoolKind(str(row[1])),
        name=str(row[2]),
        per_second=float(str(row[3])) if row[4] else None,
        recipients_a_day=None if row[5] is None else int(str(row[5])),
        sender_ids=tuple(sender_ids),
    )
