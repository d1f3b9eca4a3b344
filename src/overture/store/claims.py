"""Claims on the outbox: whose turn it is to send, and which of its messages may go.

Claims go by sender. A sender that is stopped or shut, or whose account's breaker is not closed, is not asked for its
messages at all, so a backlog behind it costs nothing; of the others an index gives the messages that are due, first
things first. Within a thread one message is on its way at a time.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.store import opt_outs, outbox
from overture.store.engine import Reading, Writing, instant_or_none, stored
from overture.store.outbox import Send
from overture.store.statement import Command, Query, RowsQuery

_MIN_DUE: Final = """
    (SELECT min(o.due_at) FROM outbox o
     WHERE o.sender_id = s.id AND o.state = 'queued' AND o.priority = {priority} {after})
"""
OPEN: Final = """
    FROM sender s LEFT JOIN provider_account a ON a.workspace_id = s.workspace_id AND a.sid = s.account_sid
    WHERE s.stopped_at IS NULL AND (
        (s.shut_at IS NULL AND (a.breaker IS NULL OR a.breaker = 'closed'))
        OR (a.breaker = 'half_open' AND a.probe_at <= $1 AND (s.shut_at IS NULL OR s.shut_because = 'breaker'))
    )
"""
_SENDERS: Final = Query(
    f"""
    SELECT s.id, s.account_sid, a.breaker,
        {_MIN_DUE.format(priority=0, after="")}, {_MIN_DUE.format(priority=1, after="")},
        EXISTS (SELECT 1 FROM pool_member m WHERE m.sender_id = s.id)
    {OPEN}
    """
)
_NEXT_DUE: Final = Query(
    f"""
    SELECT {_MIN_DUE.format(priority=0, after="AND o.due_at > $1")},
        {_MIN_DUE.format(priority=1, after="AND o.due_at > $1")}
    {OPEN}
    """
)
_IS_PASSED: Final = """
    e.due_at > $3 AND (e.may_be_passed OR (o.priority = 0 AND e.priority = 1
        AND coalesce(e.waits_because, '') IN ('quiet_hours', 'portfolio_limit')))
"""
_IS_FIRST: Final = f"""
    NOT EXISTS (
        SELECT 1 FROM outbox e
        WHERE e.thread_id = o.thread_id AND e.state <> 'needs_review' AND e.message_id <> o.message_id AND (
            e.state <> 'queued'
            OR (NOT ({_IS_PASSED}) AND e.conversation_id = o.conversation_id AND e.seq < o.seq)
            OR (NOT ({_IS_PASSED}) AND e.conversation_id <> o.conversation_id
                AND (e.created_at, e.message_id) < (o.created_at, o.message_id))
        )
    )
"""
_DUE: Final = f"""
    WHERE o.sender_id = $1 AND o.state = 'queued' AND o.priority = $2 AND o.due_at <= $3 AND {_IS_FIRST}
    ORDER BY o.due_at LIMIT $4
"""
_LOCK_DUE: Final = Query(f"SELECT {outbox.FACTS} {outbox.JOINS} {_DUE} /*pg: FOR UPDATE OF o, t, v, c SKIP LOCKED */")
_LOCK_FIRST: Final = RowsQuery(
    {"sender_id": "text"},
    f"""
    SELECT {outbox.FACTS}
    FROM rows JOIN outbox o ON o.message_id = (
        SELECT o.message_id FROM outbox o
        WHERE o.sender_id = rows.sender_id AND o.state = 'queued' AND o.priority = $1 AND o.due_at <= $2
            AND {_IS_FIRST.replace("$3", "$2")}
        ORDER BY o.due_at LIMIT 1
    )
    {outbox.JOINS.removeprefix(chr(10) + "    FROM outbox o")} /*pg: FOR UPDATE OF o, t, v, c SKIP LOCKED */
    """,
)
_KEYS_DUE: Final = Query(f"SELECT o.message_id, o.shard FROM outbox o {_DUE}")
_LOCK_ONE: Final = Query(
    f"""
    SELECT {outbox.FACTS} {outbox.JOINS}
    WHERE o.message_id = $1 AND o.shard = $2 AND o.state = 'queued' AND o.due_at <= $3 AND {_IS_FIRST}
    /*pg: FOR UPDATE OF o, t, v, c SKIP LOCKED */
    """
)
_STANDING: Final = Query(
    """
    SELECT v.epoch, o.epoch, o.confirms_opt_out, c.opted_out_at, c.opted_out_of, o.sender_id, s.messaging_service_sid
    FROM outbox o
    JOIN sender s ON s.id = o.sender_id
    JOIN thread t ON t.id = o.thread_id
    JOIN contact c ON c.id = t.contact_id AND c.alias_of IS NULL
    JOIN conversation v ON v.workspace_id = o.workspace_id AND v.id = o.conversation_id
    WHERE o.message_id = $1 AND o.shard = $2 AND o.state = 'sending' AND o.attempt = $3
    """
)
_IS_OPEN: Final = Query(
    """
    SELECT s.id FROM sender s LEFT JOIN provider_account a ON a.workspace_id = s.workspace_id AND a.sid = s.account_sid
    WHERE s.id = $1 AND s.stopped_at IS NULL AND s.shut_at IS NULL AND (a.breaker IS NULL OR a.breaker = 'closed')
    """
)
_STUMBLES: Final = Query(
    """
    SELECT stumbles FROM outbox WHERE message_id = $1 AND shard = $2 AND due_at <= $3 AND state <> 'needs_review'
    /*pg: FOR UPDATE SKIP LOCKED */
    """
)
_PUT_OFF: Final = Command(
    """
    UPDATE outbox SET due_at = $3, stumbles = stumbles + 1, stumbled_over = $4 WHERE message_id = $1 AND shard = $2
    """
)
_PARK: Final = Command(
    """
    UPDATE outbox SET state = 'needs_review', stumbles = stumbles + 1, stumbled_over = $3
    WHERE message_id = $1 AND shard = $2 RETURNING workspace_id, conversation_id, seq
    """
)


class DueSender(Struct, frozen=True, kw_only=True):
    """A sender that may send now: since when something of it is due, by priority (None where nothing is).

    `probes` where its account's breaker lets one message through, to see how it goes; `paced` where it is in a
    pool.
    """

    id: str
    account_sid: str
    probes: bool
    due_at: tuple[datetime | None, ...]
    paced: bool


async def list_due_senders(tx: Reading, now: datetime) -> list[DueSender]:
    """Every sender that may send now and has something due."""
    senders = (
        DueSender(
            id=row[0],
            account_sid=row[1],
            probes=row[2] == "half_open",
            due_at=(instant_or_none(row[3]), instant_or_none(row[4])),
            paced=bool(row[5]),
        )
        for row in await tx.all(_SENDERS, stored(now))
    )
    return [sender for sender in senders if any(at is not None and at <= now for at in sender.due_at)]


async def lock_due(tx: Writing, sender_id: str, priority: int, now: datetime, limit: int) -> list[Send]:
    """A sender's queued messages that may go now, the first of each thread, held until the commit."""
    return [outbox.read_send(row) for row in await tx.all(_LOCK_DUE, sender_id, int(priority), stored(now), limit)]


async def lock_first_due(tx: Writing, sender_ids: Sequence[str], priority: int, now: datetime) -> list[Send]:
    """As `lock_due`, the first message of each sender: many slow senders are one statement."""
    rows = await tx.all_of(_LOCK_FIRST, [(an_id,) for an_id in sender_ids], int(priority), stored(now))
    return [outbox.read_send(row) for row in rows]


async def list_due(tx: Reading, sender_id: str, priority: int, now: datetime, limit: int) -> Sequence[tuple[str, int]]:
    """As `lock_due`, as (message, shard) and unread: one that cannot be read is among them."""
    return [(row[0], row[1]) for row in await tx.all(_KEYS_DUE, sender_id, int(priority), stored(now), limit)]


async def lock_one(tx: Writing, key: tuple[str, int], now: datetime) -> Send | None:
    """One queued message, held until the commit; None where it may not go now, or another worker holds it.

    It is read before its sender is asked for: one that cannot be read shows itself behind a sender that is shut too.
    """
    row = await tx.one(_LOCK_ONE, *key, stored(now))
    send = None if row is None else outbox.read_send(row)
    return send if send is not None and await tx.one(_IS_OPEN, send.sender_id) is not None else None


async def is_wanted(tx: Reading, key: tuple[str, int], attempt: int) -> bool:
    """Whether a claimed message, by its (message, shard), may still be handed over as this attempt."""
    row = await tx.one(_STANDING, *key, attempt)
    if row is None or row[0] != row[1]:
        return False
    return bool(row[2]) or opt_outs.since(row[3], row[4], row[5], row[6]) is None


async def lock_stumbles(tx: Writing, key: tuple[str, int], now: datetime) -> int | None:
    """How often a message that is due was stumbled over, unread and held; None where another worker saw to it."""
    row = await tx.one(_STUMBLES, *key, stored(now))
    return None if row is None else int(row[0])


async def put_off(tx: Writing, key: tuple[str, int], until: datetime, told: str) -> None:
    """Leave a message for later that could not be claimed; `told` is the end of the traceback."""
    await tx.run(_PUT_OFF, *key, stored(until), told)


async def park(tx: Writing, key: tuple[str, int], told: str) -> tuple[str, str, int]:
    """Leave a message to a person, unread; its (workspace, conversation, seq)."""
    [row] = await tx.run(_PARK, *key, told)
    return row[0], row[1], row[2]


async def find_next_due(tx: Reading, now: datetime) -> datetime | None:
    """When the next message that waits for its time may go."""
    rows = await tx.all(_NEXT_DUE, stored(now))
    return min((at for row in rows for due in row if (at := instant_or_none(due)) is not None), default=None)
