"""Stored queues: where each pool's ends, so that an accept tells how long an opening waits, and counts nothing."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct

from overture.domain.channel import Channel
from overture.domain.pace import PoolKind, Tail, interval
from overture.store.engine import Reading, Writing, instant, instant_or_none, stored
from overture.store.statement import Query, RowsCommand, RowsQuery

TAILS_OF_SENDER: Final = """
    (SELECT /*pg: json_agg(json_build_array(pool.id, pool.kind, pool.name, pool.per_second, queue.tail_at))::text */
        /*sqlite: json_group_array(json_array(pool.id, pool.kind, pool.name, pool.per_second, queue.tail_at)) */
     FROM pool_member JOIN pool ON pool.id = pool_member.pool_id LEFT JOIN queue ON queue.pool_id = pool.id
     WHERE pool_member.sender_id = sender.id AND pool.paced)
"""
"""A column of a query over `sender`: the ends of the queues that each stands in, for `read_tails`."""

_LOCK: Final = RowsQuery(
    {"pool_id": "text"},
    """
    SELECT q.pool_id FROM queue q WHERE q.pool_id IN (SELECT pool_id FROM rows)
    ORDER BY q.pool_id /*pg: FOR UPDATE OF q */
    """,
)
_LENGTHEN: Final = RowsCommand(
    {"pool_id": "text", "microseconds": "bigint", "messages": "bigint", "segments": "bigint"},
    """
    UPDATE queue SET tail_at = CASE WHEN queue.tail_at > $1 THEN queue.tail_at ELSE $1 END + rows.microseconds,
        messages = queue.messages + rows.messages, segments = queue.segments + rows.segments
    FROM rows WHERE queue.pool_id = rows.pool_id
    """,
)
_ANY: Final = Query("SELECT 1 WHERE EXISTS (SELECT 1 FROM queue)")
_COUNT: Final = Query(
    """
    SELECT m.pool_id, count(*) FROM pool_member m
    JOIN outbox o ON o.sender_id = m.sender_id AND o.state = 'queued' AND o.priority IN (0, 1) AND o.due_at <= $1
    GROUP BY m.pool_id
    """
)
_LOCK_ALL: Final = Query(
    """
    SELECT q.pool_id, q.messages, q.segments, p.per_second FROM queue q JOIN pool p ON p.id = q.pool_id
    WHERE q.messages > 0 OR q.tail_at > $1 OR EXISTS (
        SELECT 1 FROM pool_member m JOIN outbox o ON o.sender_id = m.sender_id
        WHERE m.pool_id = q.pool_id AND o.state = 'queued' AND o.priority IN (0, 1) AND o.due_at <= $1
    )
    ORDER BY q.pool_id /*pg: FOR UPDATE OF q */
    """
)
_SET: Final = RowsCommand(
    {"pool_id": "text", "tail_at": "bigint", "messages": "bigint", "segments": "bigint"},
    """
    UPDATE queue SET tail_at = rows.tail_at, messages = rows.messages, segments = rows.segments
    FROM rows WHERE queue.pool_id = rows.pool_id
    """,
)
_WAITING: Final = """
    (SELECT count(*) FROM outbox o
     WHERE o.sender_id = sender.id AND o.state = 'queued' AND o.priority = {priority} AND o.due_at <= $2)
"""
_OLDEST: Final = """
    (SELECT min(o.due_at) FROM outbox o
     WHERE o.sender_id = sender.id AND o.state = 'queued' AND o.priority = {priority})
"""
_LIST: Final = Query(
    f"""
    SELECT sender.id, sender.channel, sender.address, {_WAITING.format(priority=0)}, {_WAITING.format(priority=1)},
        (SELECT count(*) FROM outbox o
         WHERE o.sender_id = sender.id AND o.state = 'queued' AND o.priority IN (0, 1) AND o.due_at > $2),
        {_OLDEST.format(priority=0)}, {_OLDEST.format(priority=1)},
        sender.stopped_because, sender.shut_because, {TAILS_OF_SENDER}
    FROM sender WHERE sender.workspace_id = $1 AND sender.removed_at IS NULL ORDER BY sender.channel, sender.address
    """
)
_EXPIRING: Final = Query(
    """
    SELECT count(*) FROM (
        SELECT o.expires_at, row_number() OVER (ORDER BY o.priority, o.due_at) AS place FROM outbox o
        WHERE o.sender_id = $1 AND o.state = 'queued' AND o.priority IN (0, 1) AND o.due_at <= $2
    ) waiting WHERE expires_at < $2 + place * $3
    """
)


_read_tails: Final = msgspec.json.Decoder(list[tuple[str, str, str, float, int | None]]).decode


class SenderQueue(Struct, frozen=True, kw_only=True):
    """What waits at a sender: `later` is what is not due yet, `expiring` what cannot leave before it expires."""

    sender_id: str
    channel: Channel
    address: str
    replies: int
    openings: int
    later: int
    oldest_due_at: datetime | None
    stopped_because: str | None
    tails: tuple[Tail, ...] = ()
    expiring: int = 0


def read_tails(told: str | None) -> tuple[Tail, ...]:
    """The ends of a sender's queues, by what `TAILS_OF_SENDER` found."""
    return tuple(
        Tail(
            pool_id=pool_id,
            name=name if kind == PoolKind.SENDER else f"{kind} {name}",
            per_second=per_second,
            at=instant(tail_at or 0),
        )
        for pool_id, kind, name, per_second, tail_at in sorted(() if told is None else _read_tails(told))
    )


async def lengthen(tx: Writing, added: Mapping[str, tuple[int, int, float]], now: datetime) -> None:
    """Lengthen pools' queues by (messages, segments) at so many a second."""
    ids = sorted(added)
    if len(ids) > 1:  # in one order, so that nobody waits in a circle
        await tx.all_of(_LOCK, [(an_id,) for an_id in ids])
    rows = []
    for an_id in ids:
        messages, segments, per_second = added[an_id]
        rows.append((an_id, interval(per_second, segments) // timedelta(microseconds=1), messages, segments))
    await tx.put(_LENGTHEN, rows, stored(now))


async def is_any_kept(tx: Reading) -> bool:
    """Whether there is any pool, and so anything to count."""
    return await tx.one(_ANY) is not None


async def recount(tx: Writing, now: datetime) -> None:
    """Let every queue be as long as what is due in it; a message has as many segments as they had of late."""
    known = await tx.all(_LOCK_ALL, stored(now))
    waiting: dict[str, int] = {row[0]: row[1] for row in await tx.all(_COUNT, stored(now))} if known else {}
    rows = []
    for pool_id, messages, segments, per_second in known:
        count = waiting.get(pool_id, 0)
        each = segments / messages if messages else 1.0
        now_segments = math.ceil(count * each)
        tail_at = now if not count else now + interval(per_second, now_segments)
        rows.append((pool_id, stored(tail_at), count, now_segments))
    await tx.run_rows(_SET, rows)


async def list_all(tx: Reading, workspace_id: str, now: datetime) -> list[SenderQueue]:
    """What waits at each sender in use of a workspace."""
    rows = await tx.all(_LIST, workspace_id, stored(now))
    found = []
    for row in rows:
        due = [at for at in (instant_or_none(row[6]), instant_or_none(row[7])) if at is not None]
        of_sender, count = read_tails(row[10]), row[3] + row[4]
        found.append(
            SenderQueue(
                sender_id=row[0],
                channel=Channel(row[1]),
                address=row[2],
                replies=row[3],
                openings=row[4],
                later=row[5],
                oldest_due_at=min(due, default=None),
                stopped_because=row[8] or row[9],
                tails=of_sender,
                expiring=await _count_expiring(tx, row[0], of_sender, count, now),
            )
        )
    return found


async def _count_expiring(tx: Reading, sender_id: str, tails: tuple[Tail, ...], count: int, now: datetime) -> int:
    lasts = max((tail.at - now for tail in tails), default=timedelta(0))
    if not count or lasts <= timedelta(0):
        return 0
    row = await tx.one(_EXPIRING, sender_id, stored(now), lasts // timedelta(microseconds=1) // count)
    return 0 if row is None else int(row[0])
