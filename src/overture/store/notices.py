"""Stored notices: written with what they tell of, claimed by whoever delivers them, kept a while for who asks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.notice import Notice, NoticeKind, NoticeState
from overture.store.engine import Reading, Writing, instant, instant_or_none, stored, stored_or_none
from overture.store.statement import Command, Query, insert

_INSERT: Final = insert(
    "notice",
    {
        "id": "text",
        "shard": "int",
        "workspace_id": "text",
        "conversation_id": "text",
        "kind": "text",
        "body": "text",
        "url": "text",
        "secret": "text",
    },
    same={"state": "'waiting'", "tries": "0", "due_at": "$1", "created_at": "$1"},
)
# A notice waits for the one before it of its conversation, unless that was put off for longer than a claim lasts.
_CLAIM: Final = Command(
    """
    UPDATE notice SET due_at = $2, tries = tries + 1 WHERE id IN (
        SELECT n.id FROM notice n WHERE n.due_at <= $1 AND n.url = $4 AND NOT EXISTS (
            SELECT 1 FROM notice e
            WHERE e.workspace_id = n.workspace_id AND e.conversation_id = n.conversation_id AND e.state = 'waiting'
                AND e.due_at <= $2 AND (e.created_at, e.id) < (n.created_at, n.id)
        )
        ORDER BY n.tries, n.due_at LIMIT $3 /*pg: FOR UPDATE SKIP LOCKED */
    ) RETURNING id, shard, workspace_id, conversation_id, kind, body, url, secret, tries, created_at
    """
)
_SETTLE: Final = Command(
    """
    UPDATE notice SET state = $3, reason = $4, due_at = $5, finished_at = $6
    WHERE id = $1 AND tries = $2 AND state = 'waiting' RETURNING id
    """
)
_DUE_URLS: Final = Query("SELECT url FROM notice WHERE due_at <= $1 GROUP BY url ORDER BY min(due_at), url LIMIT $2")
_NEXT_DUE: Final = Query("SELECT min(due_at) FROM notice WHERE due_at IS NOT NULL AND due_at > $1")
_LIST: Final = Query(
    """
    SELECT id, kind, state, tries, reason, created_at, finished_at FROM notice
    WHERE workspace_id = $1 AND conversation_id = $2 ORDER BY created_at DESC, id DESC LIMIT $3
    """
)
_FORGET: Final = Command("DELETE FROM notice WHERE finished_at < $1")


class NewNotice(Struct, frozen=True, kw_only=True):
    """A notice to be kept."""

    id: str
    shard: int
    workspace_id: str
    conversation_id: str
    kind: NoticeKind
    body: str
    url: str
    secret: str | None


class Told(Struct, frozen=True, kw_only=True):
    """What became of a notice; `reason` says why its last try failed."""

    id: str
    kind: NoticeKind
    state: NoticeState
    tries: int
    reason: str | None
    created_at: datetime
    finished_at: datetime | None


async def insert_all(tx: Writing, new: Sequence[NewNotice], now: datetime) -> None:
    """Keep notices, due at once."""
    rows = [
        (one.id, one.shard, one.workspace_id, one.conversation_id, one.kind.value, one.body, one.url, one.secret)
        for one in new
    ]
    await tx.put(_INSERT, rows, stored(now))


async def claim_due(tx: Writing, url: str, now: datetime, lease_until: datetime, limit: int) -> list[Notice]:
    """Notices that are due at a server, those that failed least often first; nobody else has them until the lease ends.

    Of a conversation the earliest alone.
    """
    rows = await tx.run(_CLAIM, stored(now), stored(lease_until), limit, url)
    return [
        Notice(
            id=row[0],
            shard=row[1],
            workspace_id=row[2],
            conversation_id=row[3],
            kind=NoticeKind(row[4]),
            body=row[5],
            url=row[6],
            secret=row[7],
            tries=row[8],
            created_at=instant(row[9]),
        )
        for row in rows
    ]


async def settle(
    tx: Writing, notice: Notice, state: NoticeState, *, reason: str | None, again_at: datetime | None, now: datetime
) -> bool:
    """Record what a try came to; whether it was still the last one."""
    finished_at = None if state is NoticeState.WAITING else stored(now)
    return bool(
        await tx.run(_SETTLE, notice.id, notice.tries, state.value, reason, stored_or_none(again_at), finished_at)
    )


async def list_due_urls(tx: Reading, now: datetime, limit: int) -> list[str]:
    """The servers that are to be told something, who waits longest first: looking takes no lock that writing would."""
    return [row[0] for row in await tx.all(_DUE_URLS, stored(now), limit)]


async def find_next_due(tx: Reading, now: datetime) -> datetime | None:
    """When the next notice that waits is due."""
    row = await tx.one(_NEXT_DUE, stored(now))
    return None if row is None else instant_or_none(row[0])


async def list_of_conversation(tx: Reading, workspace_id: str, conversation_id: str, limit: int) -> list[Told]:
    """The notices of a conversation, the newest first."""
    return [
        Told(
            id=row[0],
            kind=NoticeKind(row[1]),
            state=NoticeState(row[2]),
            tries=row[3],
            reason=row[4],
            created_at=instant(row[5]),
            finished_at=instant_or_none(row[6]),
        )
        for row in await tx.all(_LIST, workspace_id, conversation_id, limit)
    ]


async def forget_before(tx: Writing, at: datetime) -> None:
    """Let go of notices that were delivered or given up before an instant."""
    await tx.run(_FORGET, stored(at))
