"""Stored messages: the lines of every conversation, in their order."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from overture.domain.delivery import DeliveryStatus
from overture.domain.message import Author, Body, Direction, shown
from overture.domain.prices import Cost
from overture.store.engine import Reading, Writing, instant, instant_or_none, stored, stored_or_none
from overture.store.statement import Query, Row, RowsCommand, RowsQuery, insert

_INSERT: Final = insert(
    "message",
    {
        "workspace_id": "text",
        "conversation_id": "text",
        "seq": "int",
        "shard": "int",
        "id": "text",
        "direction": "text",
        "author": "text",
        "body": "text",
        "place": "text",
        "turn_id": "text",
        "status": "text",
        "provider_sid": "text",
        "segments": "int",
        "cost_micros": "bigint",
        "cost_currency": "text",
    },
    same={"created_at": "$1", "expires_at": "$2", "possible_duplicate": "FALSE"},
)
_INSERT_OPENINGS: Final = insert(
    "message",
    {
        "workspace_id": "text",
        "conversation_id": "text",
        "seq": "int",
        "shard": "int",
        "id": "text",
        "author": "text",
        "body": "text",
        "segments": "int",
        "cost_micros": "bigint",
        "cost_currency": "text",
    },
    same={"created_at": "$1", "expires_at": "$2", "direction": "'out'", "possible_duplicate": "FALSE"},
)
_COLUMNS: Final = """
    id, conversation_id, seq, direction, author, body, place, status, provider_sid, error_code, reason, segments,
    possible_duplicate, created_at, expires_at, cost_micros, cost_currency
"""
_LIST: Final = Query(
    f"""
    SELECT {_COLUMNS} FROM message WHERE workspace_id = $1 AND conversation_id = $2 AND seq > $3
    ORDER BY seq LIMIT $4
    """
)
_LAST: Final = Query(
    f"""
    SELECT {_COLUMNS} FROM message WHERE workspace_id = $1 AND conversation_id = $2 AND seq < $3
    ORDER BY seq DESC LIMIT $4
    """
)
_WAITING: Final = Query(
    f"""
    SELECT {_COLUMNS} FROM message
    WHERE workspace_id = $1 AND conversation_id = $2 AND seq > $3 AND seq <= $4 AND direction = 'in'
    ORDER BY seq LIMIT $5
    """
)
_SET_STATUS: Final = RowsCommand(
    {
        "workspace_id": "text",
        "conversation_id": "text",
        "seq": "int",
        "status": "text",
        "error_code": "int",
        "reason": "text",
        "sid": "text",
    },
    """
    UPDATE message SET status = rows.status, error_code = rows.error_code,
        reason = CASE WHEN message.reason = 'dropped_by_operator' THEN coalesce(rows.reason, message.reason)
                      ELSE rows.reason END,
        provider_sid = coalesce(rows.sid, message.provider_sid)
    FROM rows
    WHERE message.workspace_id = rows.workspace_id AND message.conversation_id = rows.conversation_id
        AND message.seq = rows.seq AND NOT (
            message.possible_duplicate AND coalesce(message.status, '') IN ('delivered', 'read')
            AND rows.status <> 'read'
        )
    """,
)
_FIND: Final = RowsQuery(
    {"workspace_id": "text", "conversation_id": "text", "seq": "int"},
    f"""
    SELECT {", ".join("m." + name.strip() for name in _COLUMNS.split(","))} FROM rows
    JOIN message m ON m.workspace_id = rows.workspace_id AND m.conversation_id = rows.conversation_id
        AND m.seq = rows.seq
    """,
)
_SET_BODY: Final = RowsCommand(
    {"workspace_id": "text", "conversation_id": "text", "seq": "int", "body": "text"},
    """
    UPDATE message SET body = rows.body, cost_micros = NULL, cost_currency = NULL FROM rows
    WHERE message.workspace_id = rows.workspace_id AND message.conversation_id = rows.conversation_id
        AND message.seq = rows.seq
    """,
)
_SET_COST: Final = RowsCommand(
    {"workspace_id": "text", "conversation_id": "text", "seq": "int", "micros": "bigint", "currency": "text"},
    """
    UPDATE message SET cost_micros = rows.micros, cost_currency = rows.currency FROM rows
    WHERE message.workspace_id = rows.workspace_id AND message.conversation_id = rows.conversation_id
        AND message.seq = rows.seq
    """,
)
_FLAG: Final = RowsCommand(
    {"workspace_id": "text", "conversation_id": "text", "seq": "int"},
    """
    UPDATE message SET possible_duplicate = TRUE FROM rows
    WHERE message.workspace_id = rows.workspace_id AND message.conversation_id = rows.conversation_id
        AND message.seq = rows.seq
    """,
)

_encode: Final = msgspec.json.Encoder().encode
_decode_body: Final = msgspec.json.Decoder(Body).decode


class Message(Struct, frozen=True, kw_only=True):
    """One line of a conversation. `cost` is what it was expected to cost when it was written.

    `status` is the provider's word (None until it has one, and always for an API chat); a message that did not leave
    has status failed and a `reason`.
    """

    id: str
    conversation_id: str
    seq: int
    direction: Direction
    author: Author
    body: Body
    place: str | None
    status: DeliveryStatus | None
    provider_sid: str | None
    error_code: int | None
    reason: str | None
    segments: int | None
    possible_duplicate: bool
    created_at: datetime
    expires_at: datetime | None = None
    cost: Cost | None = None

    @property
    def text(self) -> str:
        """What a person reads."""
        return shown(self.body)


class NewMessage(Struct, frozen=True, kw_only=True):
    """A line to be kept."""

    id: str
    workspace_id: str
    conversation_id: str
    seq: int
    shard: int
    direction: Direction
    author: Author
    body: Body
    place: str | None = None
    turn_id: str | None = None
    status: DeliveryStatus | None = None
    provider_sid: str | None = None
    segments: int | None = None
    cost: Cost | None = None


class StatusChange(Struct, frozen=True, kw_only=True):
    """What became of a message."""

    workspace_id: str
    conversation_id: str
    seq: int
    status: DeliveryStatus
    error_code: int | None = None
    reason: str | None = None
    sid: str | None = None


async def insert_all(
    tx: Writing, messages: Sequence[NewMessage], *, now: datetime, expires_at: datetime | None = None
) -> None:
    """Keep messages."""
    rows = [
        (
            m.workspace_id,
            m.conversation_id,
            m.seq,
            m.shard,
            m.id,
            m.direction.value,
            m.author.value,
            encode_body(m.body),
            m.place,
            m.turn_id,
            None if m.status is None else m.status.value,
            m.provider_sid,
            m.segments,
            *_amount(m.cost),
        )
        for m in messages
    ]
    await tx.put(_INSERT, rows, stored(now), stored_or_none(expires_at))


async def insert_openings(tx: Writing, messages: Sequence[NewMessage], *, now: datetime, expires_at: datetime) -> None:
    """Keep messages that go out and were composed by no turn."""
    rows = [
        (
            *(m.workspace_id, m.conversation_id, m.seq, m.shard, m.id, m.author.value, encode_body(m.body)),
            m.segments,
            *_amount(m.cost),
        )
        for m in messages
    ]
    await tx.put(_INSERT_OPENINGS, rows, stored(now), stored(expires_at))


async def list_after(tx: Reading, workspace_id: str, conversation_id: str, seq: int, limit: int) -> list[Message]:
    """The messages after a sequence number, oldest first."""
    return [_message(row) for row in await tx.all(_LIST, workspace_id, conversation_id, seq, limit)]


async def list_inbound(
    tx: Reading, workspace_id: str, conversation_id: str, after: int, up_to: int, limit: int
) -> list[Message]:
    """The contact's messages after a sequence number and up to another, oldest first."""
    return [_message(row) for row in await tx.all(_WAITING, workspace_id, conversation_id, after, up_to, limit)]


async def list_before(tx: Reading, workspace_id: str, conversation_id: str, seq: int, limit: int) -> list[Message]:
    """The last messages before a sequence number, oldest first."""
    rows = await tx.all(_LAST, workspace_id, conversation_id, seq, limit)
    return [_message(row) for row in reversed(rows)]


async def set_statuses(tx: Writing, changes: Sequence[StatusChange]) -> None:
    """Record what became of messages; at most one change a message.

    Of a message that was sent twice, what one attempt achieved is not undone by the other. That a person dropped it
    stays on record, whatever is heard of it later.
    """
    rows = [(c.workspace_id, c.conversation_id, c.seq, c.status.value, c.error_code, c.reason, c.sid) for c in changes]
    await tx.put(_SET_STATUS, sorted(rows, key=lambda row: row[:3]))


async def find_all(tx: Reading, keys: Sequence[tuple[str, str, int]]) -> dict[str, Message]:
    """The messages of (workspace, conversation, seq), by id."""
    return {row[0]: _message(row) for row in await tx.all_of(_FIND, sorted(set(keys)))}


async def set_bodies(tx: Writing, bodies: Sequence[tuple[str, str, int, Body]]) -> None:
    """Let messages, as (workspace, conversation, seq, body), say something else: what they said did not go out.

    What they were expected to cost goes with their words.
    """
    await tx.put(_SET_BODY, sorted((ws, an_id, seq, encode_body(body)) for ws, an_id, seq, body in bodies))


async def set_costs(tx: Writing, costs: Sequence[tuple[str, str, int, Cost]]) -> None:
    """Let messages, as (workspace, conversation, seq, cost), be expected to cost something else."""
    rows = sorted((ws, an_id, seq, cost.micros, cost.currency) for ws, an_id, seq, cost in costs)
    await tx.put(_SET_COST, rows)


async def flag_possible_duplicates(tx: Writing, keys: Sequence[tuple[str, str, int]]) -> None:
    """Mark (workspace, conversation, seq) as one that the provider may have taken twice."""
    await tx.put(_FLAG, sorted(keys))


def encode_body(body: Body) -> str:
    """A body as it is kept."""
    return _encode(body).decode()


def decode_body(text: str) -> Body:
    """A kept body."""
    body: Body = _decode_body(text)
    return body


def _amount(cost: Cost | None) -> tuple[int | None, str | None]:
    return (None, None) if cost is None else (cost.micros, cost.currency)


def _message(row: Row) -> Message:
    return Message(
        id=row[0],
        conversation_id=row[1],
        seq=row[2],
        direction=Direction(row[3]),
        author=Author(row[4]),
        body=_decode_body(row[5]),
        place=row[6],
        status=None if row[7] is None else DeliveryStatus(row[7]),
        provider_sid=row[8],
        error_code=row[9],
        reason=row[10],
        segments=row[11],
        possible_duplicate=bool(row[12]),
        created_at=instant(row[13]),
        expires_at=instant_or_none(row[14]),
        cost=None if row[15] is None else Cost(micros=row[15], currency=row[16]),
    )
