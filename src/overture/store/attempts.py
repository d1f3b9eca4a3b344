"""Stored attempts: every try to hand a message to the provider. The provider's id (SID) belongs to the try."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from overture.store.engine import Reading, Writing, instant, stored
from overture.store.statement import Query, Row, RowsCommand, RowsQuery, insert

_NEW: Final = {
    "message_id": "text",
    "number": "int",
    "shard": "int",
    "workspace_id": "text",
    "account_sid": "text",
    "conversation_id": "text",
    "seq": "int",
    "thread_id": "text",
    "epoch": "int",
    "priority": "int",
    "confirms_opt_out": "boolean",
}
_SAME: Final = {"state": "'sending'", "duplicate": "FALSE"}
_INSERT: Final = insert("attempt", _NEW, same={**_SAME, "started_at": "$1"})
_INSERT_PLANNED: Final = insert("attempt", {**_NEW, "started_at": "bigint"}, same=_SAME)
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
        status = coalesce(rows.status, attempt.status),
        error_code = CASE WHEN rows.status IS NULL THEN coalesce(rows.error_code, attempt.error_code)
                          ELSE rows.error_code END,
        reason = coalesce(rows.reason, attempt.reason), duplicate = (attempt.duplicate OR rows.duplicate),
        finished_at = coalesce(attempt.finished_at, $1)
    FROM rows
    WHERE attempt.message_id = rows.message_id AND attempt.number = rows.number AND attempt.shard = rows.shard
    """,
)
_COLUMNS: Final = """
    SELECT a.message_id, a.number, a.shard, a.workspace_id, a.account_sid, a.conversation_id, a.seq, a.state, a.sid,
        a.status, a.error_code, a.started_at, a.duplicate, a.thread_id, a.epoch, a.priority, a.confirms_opt_out
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
    {"message_id": "text"},
    f"""
    {_COLUMNS} FROM rows JOIN attempt a ON a.message_id = rows.message_id
    ORDER BY a.message_id, a.number /*pg: FOR UPDATE OF a */
    """,
)
_CLAIMED: Final = RowsQuery(
    {"account_sid": "text", "sid": "text"},
    """
    SELECT a.sid FROM rows JOIN attempt a ON a.account_sid = rows.account_sid AND a.sid = rows.sid
    UNION
    SELECT s.sid FROM rows JOIN second_sid s ON s.account_sid = rows.account_sid AND s.sid = rows.sid
    """,
)
_UNNAMED: Final = Query(
    f"""
    {_COLUMNS}, m.body FROM attempt a
    JOIN message m ON m.workspace_id = a.workspace_id AND m.conversation_id = a.conversation_id AND m.seq = a.seq
    WHERE a.thread_id = $1 AND a.sid IS NULL AND a.state IN ('uncertain', 'absent')
    ORDER BY a.started_at, a.message_id, a.number
    """
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
    thread_id: str
    epoch: int
    priority: int
    confirms_opt_out: bool


class Attempt(Struct, frozen=True, kw_only=True):
    """A try on record.

    `duplicate` where the provider gave it a second SID. What it was made with (thread, epoch, priority) is None of
    tries that an older version made.
    """

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
    duplicate: bool = False
    thread_id: str | None = None
    epoch: int | None = None
    priority: int | None = None
    confirms_opt_out: bool = False


class Finished(Struct, frozen=True, kw_only=True):
    """What became of a try; a sid that is on record is kept, and an error code goes with its status."""

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
    await tx.put(_INSERT, [_new(attempt) for attempt in attempts], stored(now))


async def insert_planned(tx: Writing, attempts: Sequence[tuple[NewAttempt, datetime]]) -> None:
    """Record tries before they are made, each with its own instant."""
    await tx.put(_INSERT_PLANNED, [(*_new(attempt), stored(at)) for attempt, at in attempts])


def _new(a: NewAttempt) -> Row:
    return (
        a.message_id,
        a.number,
        a.shard,
        a.workspace_id,
        a.account_sid,
        a.conversation_id,
        a.seq,
        a.thread_id,
        a.epoch,
        a.priority,
        a.confirms_opt_out,
    )


async def finish(tx: Writing, finished: Sequence[Finished], now: datetime) -> None:
    """Record what became of tries."""
    rows = [
        (f.message_id, f.number, f.shard, f.state.value, f.sid, f.status, f.error_code, f.reason, f.duplicate)
        for f in finished
    ]
    await tx.put(_FINISH, sorted(rows, key=lambda row: row[:2]), stored(now))


async def find(tx: Reading, by_sid: Sequence[tuple[str, str]], by_number: Sequence[tuple[str, int]]) -> list[Attempt]:
    """The tries behind (account, sid) pairs and (message, number) pairs."""
    rows = [*await tx.all_of(_BY_SID, sorted(set(by_sid)))]
    rows += await tx.all_of(_BY_NUMBER, sorted(set(by_number)))
    return [_attempt(row) for row in rows]


async def lock(tx: Writing, message_ids: Sequence[str]) -> list[Attempt]:
    """Every try of messages, the first of each first, held until the commit."""
    return [_attempt(row) for row in await tx.all_of(_LOCK, [(an_id,) for an_id in sorted(set(message_ids))])]


async def find_claimed(tx: Reading, account_sid: str, sids: Sequence[str]) -> set[str]:
    """Those of the provider's ids that belong to a try of ours already, as its first or a further one."""
    return {row[0] for row in await tx.all_of(_CLAIMED, sorted((account_sid, sid) for sid in set(sids)))}


async def list_unnamed(tx: Reading, thread_id: str) -> list[tuple[Attempt, str]]:
    """The tries of a thread that may have reached the provider and have no SID, oldest first, with their bodies
    as they are kept.

    Whatever became of their messages since: one that a person dropped may have gone out all the same.
    """
    return [(_attempt(row[:_WIDTH]), row[_WIDTH]) for row in await tx.all(_UNNAMED, thread_id)]


_WIDTH: Final = 17


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
        duplicate=bool(row[12]),
        thread_id=row[13],
        epoch=row[14],
        priority=row[15],
        confirms_opt_out=bool(row[16]),
    )
