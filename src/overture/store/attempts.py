"""Stored attempts: every try to hand a message to the provider. The provider's id (SID) belongs to the try."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from overture.store.engine import Reading, Writing, instant, stored
from overture.store.statement import Row, RowsCommand, RowsQuery, insert

_INSERT: Final = insert(
    "attempt",
    {
        "message_id": "text",
        "number": "int",
        "shard": "int",
        "workspace_id": "text",
        "account_sid": "text",
        "conversation_id": "text",
        "seq": "int",
    },
    same={"state": "'sending'", "duplicate": "FALSE", "started_at": "$1"},
)
_FINISH: Final = RowsCommand(
    {
        "message_id": "text",
        "number": "int",
        "shard": "int",
        "state": "text",
        "sid": "text",
        "status": "text",
        "error_code": "int",
        "reason": "text",
        "duplicate": "boolean",
    },
    """
    UPDATE attempt SET state = rows.state, sid = coalesce(attempt.sid, rows.sid),
        status = coalesce(rows.status, attempt.status), error_code = coalesce(rows.error_code, attempt.error_code),
        reason = coalesce(rows.reason, attempt.reason), duplicate = (attempt.duplicate OR rows.duplicate),
        finished_at = coalesce(attempt.finished_at, $1)
    FROM rows
    WHERE attempt.message_id = rows.message_id AND attempt.number = rows.number AND attempt.shard = rows.shard
    """,
)
_COLUMNS: Final = """
    SELECT a.message_id, a.number, a.shard, a.workspace_id, a.account_sid, a.conversation_id, a.seq, a.state, a.sid,
        a.status, a.error_code, a.started_at
"""
_BY_SID: Final = RowsQuery(
    {"account_sid": "text", "sid": "text"},
    f"{_COLUMNS} FROM rows JOIN attempt a ON a.account_sid = rows.account_sid AND a.sid = rows.sid",
)
_BY_NUMBER: Final = RowsQuery(
    {"message_id": "text", "number": "int"},
    f"{_COLUMNS} FROM rows JOIN attempt a ON a.message_id = rows.message_id AND a.number = rows.number",
)
_LOCK: Final = RowsQuery(
    {"message_id": "text", "number": "int"},
    f"""
    {_COLUMNS} FROM rows JOIN attempt a ON a.message_id = rows.message_id AND a.number = rows.number
    ORDER BY a.message_id, a.number /*pg: FOR UPDATE OF a */
    """,
)
_CLAIMED: Final = RowsQuery(
    {"account_sid": "text", "sid": "text"},
    "SELECT a.sid FROM rows JOIN attempt a ON a.account_sid = rows.account_sid AND a.sid = rows.sid",
)


class AttemptState(StrEnum):
    """What became of one try."""

    SENDING = "sending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNCERTAIN = "uncertain"
    ABSENT = "absent"


class NewAttempt(Struct, frozen=True, kw_only=True):
    """A try that begins."""

    message_id: str
    number: int
    shard: int
    workspace_id: str
    account_sid: str
    conversation_id: str
    seq: int


class Attempt(Struct, frozen=True, kw_only=True):
    """A try on record."""

    message_id: str
    number: int
    shard: int
    workspace_id: str
    account_sid: str
    conversation_id: str
    seq: int
    state: AttemptState
    sid: str | None
    status: str | None
    error_code: int | None
    started_at: datetime


class Finished(Struct, frozen=True, kw_only=True):
    """What became of a try; a sid that is on record is kept."""

    message_id: str
    number: int
    shard: int
    state: AttemptState
    sid: str | None = None
    status: str | None = None
    error_code: int | None = None
    reason: str | None = None
    duplicate: bool = False


async def insert_all(tx: Writing, attempts: Sequence[NewAttempt], now: datetime) -> None:
    """Record tries before they are made."""
    rows = [
        (a.message_id, a.number, a.shard, a.workspace_id, a.account_sid, a.conversation_id, a.seq) for a in attempts
    ]
    await tx.run_rows(_INSERT, rows, stored(now))


async def finish(tx: Writing, finished: Sequence[Finished], now: datetime) -> None:
    """Record what became of tries."""
    rows = [
        (f.message_id, f.number, f.shard, f.state.value, f.sid, f.status, f.error_code, f.reason, f.duplicate)
        for f in finished
    ]
    await tx.run_rows(_FINISH, sorted(rows, key=lambda row: row[:2]), stored(now))


async def find(tx: Reading, by_sid: Sequence[tuple[str, str]], by_number: Sequence[tuple[str, int]]) -> list[Attempt]:
    """The tries behind (account, sid) pairs and (message, number) pairs."""
    rows = [*await tx.all_of(_BY_SID, sorted(set(by_sid)))]
    rows += await tx.all_of(_BY_NUMBER, sorted(set(by_number)))
    return [_attempt(row) for row in rows]


async def lock(tx: Writing, keys: Sequence[tuple[str, int]]) -> list[Attempt]:
    """The tries of (message, number), held until the commit."""
    return [_attempt(row) for row in await tx.all_of(_LOCK, sorted(set(keys)))]


async def find_claimed(tx: Reading, account_sid: str, sids: Sequence[str]) -> set[str]:
    """Those of the provider's ids that belong to a try of ours already."""
    return {row[0] for row in await tx.all_of(_CLAIMED, sorted((account_sid, sid) for sid in set(sids)))}


def _attempt(row: Row) -> Attempt:
    return Attempt(
        message_id=row[0],
        number=row[1],
        shard=row[2],
        workspace_id=row[3],
        account_sid=row[4],
        conversation_id=row[5],
        seq=row[6],
        state=AttemptState(row[7]),
        sid=row[8],
        status=row[9],
        error_code=row[10],
        started_at=instant(row[11]),
    )
