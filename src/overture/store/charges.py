"""Stored charges: what the provider took for messages, by each of its ids, and whom it has yet to say it of.

Ids of messages rise with the time at which they were written, so a stretch of time is a stretch of the attempts' key.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.ids import uuid7
from overture.domain.prices import Cost
from overture.store.engine import Reading, Writing
from overture.store.statement import Command, Query, RowsCommand

_CHARGED: Final = {"account_sid": "text", "sid": "text", "micros": "bigint", "currency": "text"}
_SETTLE: Final = RowsCommand(
    _CHARGED,
    """
    UPDATE attempt SET price_micros = rows.micros, price_currency = rows.currency FROM rows
    WHERE attempt.account_sid = rows.account_sid AND attempt.sid = rows.sid AND (
        attempt.price_micros IS NULL OR attempt.price_micros <> rows.micros OR attempt.price_currency <> rows.currency
    )
    RETURNING attempt.sid, attempt.workspace_id, attempt.conversation_id, attempt.seq
    """,
)
_SETTLE_SECOND: Final = RowsCommand(
    _CHARGED,
    """
    UPDATE second_sid SET price_micros = rows.micros, price_currency = rows.currency FROM rows
    WHERE second_sid.account_sid = rows.account_sid AND second_sid.sid = rows.sid AND (
        second_sid.price_micros IS NULL OR second_sid.price_micros <> rows.micros
        OR second_sid.price_currency <> rows.currency
    )
    RETURNING second_sid.sid
    """,
)
_SET_SEGMENTS: Final = RowsCommand(
    {"workspace_id": "text", "conversation_id": "text", "seq": "int", "segments": "int"},
    """
    UPDATE message SET segments = rows.segments FROM rows
    WHERE message.workspace_id = rows.workspace_id AND message.conversation_id = rows.conversation_id
        AND message.seq = rows.seq AND coalesce(message.segments, 0) <> rows.segments
    """,
)
_UNPRICED: Final = Query(
    """
    SELECT a.message_id, a.account_sid, a.sid FROM attempt a
    JOIN workspace w ON w.id = a.workspace_id AND w.prices_revision IS NOT NULL
    WHERE a.message_id > $1 AND a.message_id < $2 AND a.sid IS NOT NULL AND a.price_micros IS NULL
        AND coalesce(a.status, '') NOT IN ('failed', 'canceled')
    ORDER BY a.message_id, a.number LIMIT $3
    """
)
_WANTED: Final = Query("SELECT 1 FROM workspace WHERE prices_revision IS NOT NULL LIMIT 1")
_BEGIN: Final = Command("INSERT INTO price_look (number, looked_to) VALUES ($1, $2) ON CONFLICT (number) DO NOTHING")
_LOOKED: Final = Query("SELECT looked_to FROM price_look WHERE number = $1 /*pg: FOR UPDATE */")
_LOOK: Final = Command("UPDATE price_look SET looked_to = $2 WHERE number = $1")


class Charge(Struct, frozen=True, kw_only=True):
    """What one of the provider's ids cost, and the segments that it counted."""

    account_sid: str
    sid: str
    price: Cost
    segments: int | None = None


class Unpriced(Struct, frozen=True, kw_only=True):
    """One of the provider's ids of which no price is known."""

    account_sid: str
    sid: str


async def settle(tx: Writing, charged: Sequence[Charge]) -> int:
    """Keep prices of ids that are ours; of how many that was news. Segments follow what was counted for the price."""
    by_sid = {(one.account_sid, one.sid): one for one in charged}
    rows = [(*key, one.price.micros, one.price.currency) for key, one in sorted(by_sid.items())]
    settled = await tx.run_rows(_SETTLE, rows)
    second = await tx.run_rows(_SETTLE_SECOND, rows)
    counted = {sid: one.segments for (_, sid), one in by_sid.items() if one.segments}
    segments = {tuple(row[1:]): counted[row[0]] for row in settled if row[0] in counted}
    await tx.run_rows(_SET_SEGMENTS, sorted((*place, count) for place, count in segments.items()))
    return len(settled) + len(second)


async def are_wanted(tx: Reading) -> bool:
    """Whether any workspace has a price table."""
    return await tx.one(_WANTED) is not None


async def take_unpriced(tx: Writing, number: int, *, written_by: datetime, limit: int) -> list[Unpriced]:
    """The next messages of a look (each has a number) that were written by an instant and have no price.

    They are taken once, whatever comes of it: the look goes on behind them. The first one of all begins at its
    instant. Only of workspaces that have a price table.
    """
    until = first_id(written_by)
    await tx.run(_BEGIN, number, until)
    row = await tx.one(_LOOKED, number)
    assert row is not None
    if row[0] >= until:
        return []
    found = await tx.all(_UNPRICED, row[0], until, limit)
    await tx.run(_LOOK, number, found[-1][0] if len(found) == limit else until)
    return [Unpriced(account_sid=row[1], sid=row[2]) for row in found]


def first_id(at: datetime) -> str:
    """The least id that a message of an instant can have."""
    return uuid7(max(0, int(at.timestamp() * 1000)), 0, 0)
