"""Stored media: what came with a message, by its address at first, then by its content."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from overture.store.engine import Reading, Writing, instant, instant_or_none, stored, stored_or_none
from overture.store.statement import Command, Query, Row, insert

_INSERT: Final = insert(
    "media",
    {
        "id": "text",
        "shard": "int",
        "workspace_id": "text",
        "conversation_id": "text",
        "seq": "int",
        "number": "int",
        "account_sid": "text",
        "url": "text",
    },
    same={"state": "'waiting'", "tries": "0", "due_at": "$1", "created_at": "$1"},
)
_CLAIM: Final = Command(
    """
    UPDATE media SET due_at = $2, tries = tries + 1 WHERE id IN (
        SELECT id FROM media WHERE due_at <= $1 ORDER BY due_at LIMIT $3 /*pg: FOR UPDATE SKIP LOCKED */
    ) RETURNING id, shard, account_sid, url, tries, workspace_id, conversation_id, seq
    """
)
_KEEP: Final = Command(
    """
    UPDATE media SET state = 'kept', content_type = $3, size = $4, body = $5, reason = NULL, due_at = NULL
    WHERE id = $1 AND shard = $2 AND state = 'waiting'
    """
)
_FAIL: Final = Command(
    """
    UPDATE media SET state = $3, reason = $4, due_at = $5 WHERE id = $1 AND shard = $2 AND state = 'waiting'
    """
)
_NEXT_DUE: Final = Query("SELECT min(due_at) FROM media WHERE due_at IS NOT NULL AND due_at > $1")
_FACTS: Final = "id, conversation_id, seq, number, state, content_type, size, reason, created_at"
_LIST: Final = Query(
    f"SELECT {_FACTS} FROM media WHERE workspace_id = $1 AND conversation_id = $2 ORDER BY seq, number LIMIT $3"
)
_GET: Final = Query(f"SELECT {_FACTS}, body FROM media WHERE workspace_id = $1 AND id = $2")


class MediumState(StrEnum):
    """Where a medium is: still at the provider, kept here, or lost."""

    WAITING = "waiting"
    KEPT = "kept"
    LOST = "lost"


class NewMedium(Struct, frozen=True, kw_only=True):
    """Something that came with a message and is to be fetched."""

    id: str
    shard: int
    workspace_id: str
    conversation_id: str
    seq: int
    number: int
    account_sid: str
    url: str


class ToFetch(Struct, frozen=True, kw_only=True):
    """A medium that is ours to fetch, with the message it came with; `tries` counts this one."""

    id: str
    shard: int
    account_sid: str
    url: str
    tries: int
    workspace_id: str
    conversation_id: str
    seq: int


class Medium(Struct, frozen=True, kw_only=True):
    """What is known of a medium; `reason` says why it is not here."""

    id: str
    conversation_id: str
    seq: int
    number: int
    state: MediumState
    content_type: str | None
    size: int | None
    reason: str | None
    created_at: datetime


async def insert_all(tx: Writing, media: Sequence[NewMedium], now: datetime) -> None:
    """Note media that are to be fetched, due at once."""
    rows = [(m.id, m.shard, m.workspace_id, m.conversation_id, m.seq, m.number, m.account_sid, m.url) for m in media]
    await tx.put(_INSERT, rows, stored(now))


async def claim_due(tx: Writing, now: datetime, lease_until: datetime, limit: int) -> list[ToFetch]:
    """Media that are due; nobody else fetches them until the lease is over."""
    rows = await tx.run(_CLAIM, stored(now), stored(lease_until), limit)
    return [
        ToFetch(
            id=row[0],
            shard=row[1],
            account_sid=row[2],
            url=row[3],
            tries=row[4],
            workspace_id=row[5],
            conversation_id=row[6],
            seq=row[7],
        )
        for row in rows
    ]


async def keep(tx: Writing, asked: ToFetch, *, content_type: str, body: bytes) -> None:
    """Keep a medium's content."""
    await tx.run(_KEEP, asked.id, asked.shard, content_type, len(body), body)


async def fail(tx: Writing, asked: ToFetch, *, reason: str, again_at: datetime | None) -> None:
    """Record that a medium could not be fetched; without another time to try it is lost."""
    state = MediumState.LOST if again_at is None else MediumState.WAITING
    await tx.run(_FAIL, asked.id, asked.shard, state.value, reason, stored_or_none(again_at))


async def find_next_due(tx: Reading, now: datetime) -> datetime | None:
    """When the next medium that waits is due."""
    row = await tx.one(_NEXT_DUE, stored(now))
    return None if row is None else instant_or_none(row[0])


async def list_of_conversation(tx: Reading, workspace_id: str, conversation_id: str, limit: int) -> list[Medium]:
    """The media of a conversation, in their order."""
    return [_medium(row) for row in await tx.all(_LIST, workspace_id, conversation_id, limit)]


async def find(tx: Reading, workspace_id: str, medium_id: str) -> tuple[Medium, bytes | None] | None:
    """A medium with its content, where it is kept."""
    row = await tx.one(_GET, workspace_id, medium_id)
    return None if row is None else (_medium(row), None if row[9] is None else bytes(row[9]))


def _medium(row: Row) -> Medium:
    return Medium(
        id=row[0],
        conversation_id=row[1],
        seq=row[2],
        number=row[3],
        state=MediumState(row[4]),
        content_type=row[5],
        size=row[6],
        reason=row[7],
        created_at=instant(row[8]),
    )
