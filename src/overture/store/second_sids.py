"""Stored second ids: where the provider took one attempt twice, every further id that it gave, and how far each got."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.delivery import DeliveryStatus
from overture.store.engine import Reading, Writing, stored
from overture.store.statement import Row, RowsQuery, insert

_COLUMNS: Final = "SELECT s.account_sid, s.sid, s.shard, s.message_id, s.number, s.status, s.error_code FROM rows"
_BY_SID: Final = RowsQuery(
    {"account_sid": "text", "sid": "text"},
    f"{_COLUMNS} JOIN second_sid s ON s.account_sid = rows.account_sid AND s.sid = rows.sid",
)
_OF_MESSAGES: Final = RowsQuery(
    {"message_id": "text"},
    f"{_COLUMNS} JOIN second_sid s ON s.message_id = rows.message_id ORDER BY s.message_id, s.number, s.sid",
)
_KEEP: Final = insert(
    "second_sid",
    {
        "account_sid": "text",
        "sid": "text",
        "shard": "int",
        "message_id": "text",
        "number": "int",
        "status": "text",
        "error_code": "int",
    },
    "ON CONFLICT (account_sid, sid, shard) DO UPDATE SET status = excluded.status, error_code = excluded.error_code",
    same={"seen_at": "$1"},
)


class SecondSid(Struct, frozen=True, kw_only=True):
    """A further id of one attempt."""

    account_sid: str
    sid: str
    shard: int
    message_id: str
    number: int
    status: DeliveryStatus
    error_code: int | None = None


async def find(tx: Reading, keys: Sequence[tuple[str, str]]) -> list[SecondSid]:
    """The second ids among (account, SID)."""
    return [_second(row) for row in await tx.all_of(_BY_SID, sorted(set(keys)))]


async def list_of_messages(tx: Reading, message_ids: Sequence[str]) -> list[SecondSid]:
    """Every second id of messages."""
    return [_second(row) for row in await tx.all_of(_OF_MESSAGES, [(an_id,) for an_id in sorted(set(message_ids))])]


async def keep(tx: Writing, seconds: Sequence[SecondSid], now: datetime) -> None:
    """Keep second ids, and what is news of those that are kept."""
    rows = [(s.account_sid, s.sid, s.shard, s.message_id, s.number, s.status.value, s.error_code) for s in seconds]
    await tx.run_rows(_KEEP, sorted(rows, key=lambda row: row[:2]), stored(now))


def _second(row: Row) -> SecondSid:
    return SecondSid(
        account_sid=row[0],
        sid=row[1],
        shard=row[2],
        message_id=row[3],
        number=row[4],
        status=DeliveryStatus.QUEUED if row[5] is None else DeliveryStatus(row[5]),
        error_code=row[6],
    )
