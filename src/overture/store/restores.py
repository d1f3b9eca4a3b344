"""What a restore leaves to be found out: what was on its way, and what was said since, which the provider alone knows.

A sender with `restored_from` is one whose provider knows more than this database does. It stays shut, and its
conversations take no turns, until that is empty again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.channel import Channel
from overture.store.engine import Reading, Writing, instant, instant_or_none, stored
from overture.store.statement import Command, Query, RowsQuery

_NEWEST_EVENT: Final = Query("SELECT at FROM event ORDER BY id DESC LIMIT 1")
_BEGAN: Final = Query("SELECT min(created_at) FROM instance")
_WORKSPACES: Final = Query("SELECT id FROM workspace ORDER BY id")
# A queued message may have been tried after the backup was made: that try is put on record as the next one, so that
# the number in the callbacks of the provider is the same.
_ADD_ATTEMPTS: Final = Command(
    """
    INSERT INTO attempt (message_id, number, shard, workspace_id, account_sid, conversation_id, seq, state, reason,
                         duplicate, started_at, thread_id, epoch, priority, confirms_opt_out)
    SELECT o.message_id, o.attempt + 1, o.shard, o.workspace_id, s.account_sid, o.conversation_id, o.seq, 'uncertain',
        CAST($1 AS text), FALSE, o.created_at, o.thread_id, o.epoch, o.priority, o.confirms_opt_out
    FROM outbox o JOIN sender s ON s.id = o.sender_id WHERE o.state = 'queued'
    ON CONFLICT DO NOTHING
    """
)
_DOUBT_ATTEMPTS: Final = Command("UPDATE attempt SET state = 'uncertain', reason = $1 WHERE state = 'sending'")
_DOUBT: Final = Command(
    """
    UPDATE outbox SET state = 'uncertain', due_at = $1, looks = $2,
        started_at = CASE WHEN state = 'queued' THEN created_at ELSE coalesce(started_at, created_at) END,
        attempt = attempt + CASE WHEN state = 'queued' THEN 1 ELSE 0 END,
        resent = (resent AND state <> 'queued')
    WHERE state IN ('queued', 'sending', 'uncertain') RETURNING message_id
    """
)
_MARK_SENDERS: Final = Command(
    "UPDATE sender SET restored_from = $1, restored_at = $2 WHERE removed_at IS NULL RETURNING id"
)
_PENDING: Final = Query(
    """
    SELECT s.account_sid, min(s.restored_from), max(s.restored_at), max(a.swept_at),
        max(CASE WHEN s.webhook_seen_at IS NOT NULL OR s.inbound = 'poll' THEN 1 ELSE 0 END)
    FROM sender s LEFT JOIN provider_account a ON a.workspace_id = s.workspace_id AND a.sid = s.account_sid
    WHERE s.restored_from IS NOT NULL AND s.removed_at IS NULL
    GROUP BY s.account_sid ORDER BY s.account_sid
    """
)
_UNSETTLED: Final = Query(
    """
    SELECT 1 FROM outbox o JOIN sender s ON s.id = o.sender_id
    WHERE o.state IN ('sending', 'uncertain') AND s.account_sid = $1 LIMIT 1
    """
)
_SENDERS: Final = Query(
    """
    SELECT id, workspace_id, channel, address, messaging_service_sid FROM sender
    WHERE account_sid = $1 AND restored_from IS NOT NULL AND removed_at IS NULL
    """
)
_WAITING: Final = RowsQuery(
    {"thread_id": "text"},
    """
    SELECT o.message_id, o.shard, o.workspace_id, o.conversation_id, o.seq FROM rows
    JOIN outbox o ON o.thread_id = rows.thread_id
    WHERE o.state = 'queued' AND (o.created_at < $1 OR o.confirms_opt_out) /*pg: FOR UPDATE OF o */
    """,
)
_HAND_OVER: Final = Command(
    """
    UPDATE conversation SET mode = 'human', mode_note = $3, epoch = epoch + 1, fence = fence + 1, turn_leased = FALSE,
        turn_due_at = NULL, reply_due_at = NULL, first_pending_at = NULL, handled_seq = in_seq
    WHERE workspace_id = $1 AND id = $2 AND mode IN ('bot', 'paused') AND (created_at < $4 OR in_seq > handled_seq)
    RETURNING id
    """
)
_CLEAR: Final = Command(
    """
    UPDATE sender SET restored_from = NULL, restored_at = NULL
    WHERE account_sid = $1 AND restored_from IS NOT NULL RETURNING workspace_id, address
    """
)


class Pending(Struct, frozen=True, kw_only=True):
    """An account that came back with a backup: the provider is to be asked for what it took since `known_to`.

    `is_swept_for` where the sweep recovers its inbound messages; `swept_at` is when it last did.
    """

    account_sid: str
    known_to: datetime
    restored_at: datetime
    swept_at: datetime | None
    is_swept_for: bool


class RestoredSender(Struct, frozen=True, kw_only=True):
    """A sender whose provider is to be asked; with a Messaging Service that may write from other addresses."""

    id: str
    workspace_id: str
    channel: Channel
    address: str
    has_service: bool


class Waiting(Struct, frozen=True, kw_only=True):
    """A message that waits in the outbox."""

    message_id: str
    shard: int
    workspace_id: str
    conversation_id: str
    seq: int


async def find_newest(tx: Reading) -> datetime | None:
    """The latest instant that the database surely knew of: all it did later, it has forgotten."""
    row = await tx.one(_NEWEST_EVENT) or await tx.one(_BEGAN)
    return None if row is None else instant_or_none(row[0])


async def list_workspaces(tx: Reading) -> list[str]:
    """Every workspace."""
    return [row[0] for row in await tx.all(_WORKSPACES)]


async def doubt_all(tx: Writing, why: str, *, due_at: datetime, looks: int) -> int:
    """Make every message that was on its way uncertain, to be looked for from the time it was made on; how many."""
    await tx.run(_DOUBT_ATTEMPTS, why)
    await tx.run(_ADD_ATTEMPTS, why)
    return len(await tx.run(_DOUBT, stored(due_at), looks))


async def mark_senders(tx: Writing, known_to: datetime, now: datetime) -> int:
    """Remember of every sender since when its provider knows more; how many there are."""
    return len(await tx.run(_MARK_SENDERS, stored(known_to), stored(now)))


async def list_pending(tx: Reading) -> list[Pending]:
    """Accounts that came back with a backup and were not reconciled yet."""
    return [
        Pending(
            account_sid=row[0],
            known_to=instant(row[1]),
            restored_at=instant(row[2]),
            swept_at=instant_or_none(row[3]),
            is_swept_for=bool(row[4]),
        )
        for row in await tx.all(_PENDING)
    ]


async def is_settled(tx: Reading, account_sid: str) -> bool:
    """Whether the fate of everything that was on its way at an account is known."""
    return await tx.one(_UNSETTLED, account_sid) is None


async def list_senders(tx: Reading, account_sid: str) -> list[RestoredSender]:
    """The restored senders of an account."""
    return [
        RestoredSender(
            id=row[0], workspace_id=row[1], channel=Channel(row[2]), address=row[3], has_service=bool(row[4])
        )
        for row in await tx.all(_SENDERS, account_sid)
    ]


async def lock_waiting(tx: Writing, thread_ids: Sequence[str], restored_at: datetime) -> list[Waiting]:
    """What waits on threads since before the restore, and confirmations of opt-outs; held until the commit."""
    rows = await tx.all_of(_WAITING, [(an_id,) for an_id in sorted(set(thread_ids))], stored(restored_at))
    return [
        Waiting(message_id=row[0], shard=row[1], workspace_id=row[2], conversation_id=row[3], seq=row[4])
        for row in rows
    ]


async def hand_over(tx: Writing, workspace_id: str, conversation_id: str, note: str, restored_at: datetime) -> bool:
    """Leave a conversation to people, in a new epoch; whether it was the agent's.

    One that began after the restore goes on, unless its agent heard in it what may have been answered.
    """
    return bool(await tx.run(_HAND_OVER, workspace_id, conversation_id, note, stored(restored_at)))


async def clear(tx: Writing, account_sid: str) -> int:
    """Everything of an account is known again; how many senders that are."""
    return len(await tx.run(_CLEAR, account_sid))
