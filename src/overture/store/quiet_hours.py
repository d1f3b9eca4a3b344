"""Stored quiet hours: when an opening may leave, where that is not at once, and what its caller said of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.store.engine import Reading, Writing, instant_or_none, stored, stored_or_none
from overture.store.statement import Query, RowsCommand, RowsQuery

_NOTE: Final = RowsCommand(
    {
        "workspace_id": "text",
        "id": "text",
        "recipient_timezone": "text",
        "opening_due_at": "bigint",
        "opening_expires_at": "bigint",
    },
    """
    UPDATE conversation SET
        recipient_timezone = coalesce(rows.recipient_timezone, conversation.recipient_timezone),
        opening_due_at = coalesce(rows.opening_due_at, conversation.opening_due_at),
        opening_expires_at = coalesce(rows.opening_expires_at, conversation.opening_expires_at)
    FROM rows WHERE conversation.workspace_id = rows.workspace_id AND conversation.id = rows.id
    """,
)
_TIME_SENDS: Final = RowsCommand(
    {"message_id": "text", "shard": "int", "due_at": "bigint", "expires_at": "bigint", "waits_because": "text"},
    """
    UPDATE outbox SET due_at = rows.due_at, expires_at = rows.expires_at, waits_because = rows.waits_because
    FROM rows WHERE outbox.message_id = rows.message_id AND outbox.shard = rows.shard
    """,
)
_TIME_MESSAGES: Final = RowsCommand(
    {"workspace_id": "text", "conversation_id": "text", "seq": "int", "expires_at": "bigint"},
    """
    UPDATE message SET expires_at = rows.expires_at FROM rows
    WHERE message.workspace_id = rows.workspace_id AND message.conversation_id = rows.conversation_id
        AND message.seq = rows.seq
    """,
)
_HOLD: Final = RowsCommand(
    {"thread_id": "text", "conversation_id": "text", "priority": "int", "due_at": "bigint", "because": "text"},
    """
    UPDATE outbox SET due_at = rows.due_at, waits_because = rows.because FROM rows
    WHERE outbox.thread_id = rows.thread_id AND outbox.conversation_id = rows.conversation_id
        AND outbox.state = 'queued' AND outbox.priority = rows.priority AND outbox.due_at < rows.due_at
    """,
)
_NOTE_HELD: Final = RowsCommand(
    {"workspace_id": "text", "id": "text", "opening_due_at": "bigint"},
    """
    UPDATE conversation SET opening_due_at = rows.opening_due_at FROM rows
    WHERE conversation.workspace_id = rows.workspace_id AND conversation.id = rows.id
    """,
)
_FIND: Final = RowsQuery(
    {"workspace_id": "text", "id": "text"},
    """
    SELECT c.workspace_id, c.id, c.recipient_timezone, c.opening_due_at, c.opening_expires_at FROM rows
    JOIN conversation c ON c.workspace_id = rows.workspace_id AND c.id = rows.id
    """,
)
_SCHEDULED: Final = Query(
    """
    SELECT min(due_at) FROM outbox
    WHERE thread_id = $1 AND state = 'queued' AND workspace_id = $2 AND conversation_id = $3 AND waits_because = $4
    """
)


class Opening(Struct, frozen=True, kw_only=True):
    """What is kept of a conversation's opening: all None where its caller said nothing and nothing is quiet."""

    time_zone: str | None = None
    due_at: datetime | None = None
    expires_at: datetime | None = None


NOTHING: Final = Opening()


class Held(Struct, frozen=True, kw_only=True):
    """An opening that is to wait until an instant."""

    workspace_id: str
    conversation_id: str
    thread_id: str
    until: datetime


class Timing(Struct, frozen=True, kw_only=True):
    """A message's own times; `waits_because` is the code of the reason for which it is put off."""

    message_id: str
    shard: int
    workspace_id: str
    conversation_id: str
    seq: int
    due_at: datetime
    expires_at: datetime
    waits_because: str | None


async def note(tx: Writing, openings: Sequence[tuple[str, str, Opening]]) -> None:
    """Keep what is known of the opening of each (workspace, conversation); what joins it adds to what was known."""
    rows = [
        (workspace, an_id, o.time_zone, stored_or_none(o.due_at), stored_or_none(o.expires_at))
        for workspace, an_id, o in openings
    ]
    await tx.run_rows(_NOTE, sorted(rows, key=lambda row: row[:2]))


async def time_messages(tx: Writing, timings: Sequence[Timing]) -> None:
    """Give queued messages times of their own."""
    sends = [(t.message_id, t.shard, stored(t.due_at), stored(t.expires_at), t.waits_because) for t in timings]
    await tx.run_rows(_TIME_SENDS, sorted(sends, key=lambda row: row[:2]))
    lines = sorted((t.workspace_id, t.conversation_id, t.seq, stored(t.expires_at)) for t in timings)
    await tx.run_rows(_TIME_MESSAGES, lines)


async def hold(tx: Writing, held: Sequence[Held], *, priority: int, because: str) -> None:
    """Let all that is queued of a priority in these conversations wait."""
    rows = sorted((h.thread_id, h.conversation_id, int(priority), stored(h.until), because) for h in held)
    await tx.run_rows(_HOLD, rows)
    await tx.run_rows(_NOTE_HELD, sorted((h.workspace_id, h.conversation_id, stored(h.until)) for h in held))


async def find_openings(tx: Reading, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Opening]:
    """What is kept of the openings of conversations, by (workspace, conversation)."""
    return {
        (row[0], row[1]): Opening(time_zone=row[2], due_at=instant_or_none(row[3]), expires_at=instant_or_none(row[4]))
        for row in await tx.all_of(_FIND, sorted(set(keys)))
    }


async def find_scheduled(
    tx: Reading, workspace_id: str, conversation_id: str, thread_id: str, *, because: str
) -> datetime | None:
    """When the first message of a conversation that waits for this reason may leave."""
    row = await tx.one(_SCHEDULED, thread_id, workspace_id, conversation_id, because)
    return None if row is None else instant_or_none(row[0])
