"""Stored past lines: what was said between a sender and a contact before the sender was activated.

They belong to no conversation. Whoever carries the pair's first one is shown them.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.message import Author, Direction, Text
from overture.store.engine import Reading, Writing, instant, stored
from overture.store.messages import Message, decode_body, encode_body
from overture.store.statement import Command, Query, RowsCommand

_KEEP: Final = RowsCommand(
    {
        "sender_id": "text",
        "contact": "text",
        "sid": "text",
        "shard": "int",
        "workspace_id": "text",
        "direction": "text",
        "body": "text",
        "place": "int",
        "at": "bigint",
    },
    """
    INSERT INTO past_line (sender_id, contact, sid, shard, workspace_id, direction, body, place, at)
    SELECT rows.sender_id, rows.contact, rows.sid, rows.shard, rows.workspace_id, rows.direction, rows.body, rows.place,
        rows.at
    FROM rows WHERE (
        SELECT count(*) FROM past_line p WHERE p.sender_id = rows.sender_id AND p.contact = rows.contact
    ) < $1
    ON CONFLICT DO NOTHING
    """,
)
_LAST: Final = Query(
    """
    SELECT p.direction, p.body, p.sid, p.at FROM thread t
    JOIN contact c ON c.id = t.contact_id AND c.alias_of IS NULL
    JOIN past_line p ON p.sender_id = t.sender_id AND p.contact = c.address
    WHERE t.id = $1 ORDER BY p.at DESC, p.place LIMIT $2
    """
)
_FORGET: Final = Command("DELETE FROM past_line WHERE at < $1")


class PastLine(Struct, frozen=True, kw_only=True):
    """One line; `contact` is the address under which its contact is on record, `place` its place in the list."""

    sender_id: str
    contact: str
    sid: str
    shard: int
    workspace_id: str
    direction: Direction
    text: str
    place: int
    at: datetime


async def keep(tx: Writing, lines: Sequence[PastLine], most: int) -> None:
    """Keep lines, for a pair that has fewer than so many already; one that is kept stays as it is."""
    rows = [
        (
            one.sender_id,
            one.contact,
            one.sid,
            one.shard,
            one.workspace_id,
            one.direction.value,
            encode_body(Text(text=one.text)),
            one.place,
            stored(one.at),
        )
        for one in lines
    ]
    await tx.run_rows(_KEEP, sorted(rows, key=lambda row: row[:3]), most)


async def list_of_thread(tx: Reading, thread_id: str, limit: int) -> list[Message]:
    """The last lines of a thread's pair, oldest first, as messages of no conversation."""
    rows = await tx.all(_LAST, thread_id, limit)
    return [
        Message(
            id=row[2],
            conversation_id="",
            seq=0,
            direction=Direction(row[0]),
            author=Author.CONTACT if row[0] == Direction.IN else Author.OPERATOR,
            body=decode_body(row[1]),
            place=None,
            status=None,
            provider_sid=row[2],
            error_code=None,
            reason=None,
            segments=None,
            possible_duplicate=False,
            created_at=instant(row[3]),
        )
        for row in reversed(rows)
    ]


async def forget_before(tx: Writing, at: datetime) -> None:
    """Let go of lines that are older than an instant."""
    await tx.run(_FORGET, stored(at))
