"""The outbox as reconciliation sees it: what is to be found out, what still stands there, what is put back into it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from overture.store import outbox
from overture.store.engine import Reading, Writing, instant, stored
from overture.store.outbox import OutboxState, Send
from overture.store.statement import Query, RowsCommand, RowsQuery, insert

_OPEN_DUE: Final = Query(
    f"""
    SELECT {outbox.FACTS} {outbox.JOINS}
    WHERE o.state IN ('sending', 'uncertain') AND o.due_at <= $1
    ORDER BY o.due_at LIMIT $2 /*pg: FOR UPDATE OF o SKIP LOCKED */
    """
)
_NEXT_OPEN: Final = Query("SELECT min(due_at) FROM outbox WHERE state IN ('sending', 'uncertain') AND due_at > $1")
_LOCK: Final = RowsQuery(
    {"message_id": "text", "shard": "int"},
    """
    SELECT o.message_id, o.state, o.attempt, o.resent, o.expires_at
    FROM rows JOIN outbox o ON o.message_id = rows.message_id AND o.shard = rows.shard
    ORDER BY o.message_id /*pg: FOR UPDATE OF o */
    """,
)
_PARK: Final = RowsCommand(
    {"message_id": "text", "shard": "int"},
    """
    UPDATE outbox SET state = 'needs_review' FROM rows
    WHERE outbox.message_id = rows.message_id AND outbox.shard = rows.shard
    """,
)
_PUT_BACK: Final = insert(
    "outbox",
    {
        "message_id": "text",
        "shard": "int",
        "workspace_id": "text",
        "conversation_id": "text",
        "thread_id": "text",
        "sender_id": "text",
        "seq": "int",
        "epoch": "int",
        "priority": "int",
        "attempt": "int",
        "due_at": "bigint",
        "expires_at": "bigint",
        "resent": "boolean",
        "confirms_opt_out": "boolean",
        "waits_because": "text",
        "may_be_passed": "boolean",
    },
    """
    ON CONFLICT (message_id, shard) DO UPDATE SET state = 'queued', due_at = excluded.due_at,
        waits_because = excluded.waits_because, may_be_passed = excluded.may_be_passed
    """,
    same={"state": "'queued'", "tries": "0", "looks": "0", "created_at": "$1"},
)


class Standing(Struct, frozen=True, kw_only=True):
    """A row of the outbox without what it says."""

    message_id: str
    state: OutboxState
    attempt: int
    resent: bool
    expires_at: datetime


class Unreadable(Struct, frozen=True, kw_only=True):
    """A row whose message nothing of ours can read."""

    message_id: str
    shard: int
    workspace_id: str
    conversation_id: str
    seq: int
    attempt: int


class Again(Struct, frozen=True, kw_only=True):
    """A message that the provider failed and that is to go once more, `attempt` being the last try's number.

    It keeps the epoch it was sent in: who took the conversation over meanwhile has the last word.
    """

    message_id: str
    shard: int
    workspace_id: str
    conversation_id: str
    thread_id: str
    sender_id: str
    seq: int
    epoch: int
    priority: int
    attempt: int
    due_at: datetime
    expires_at: datetime
    resent: bool
    confirms_opt_out: bool
    because: str


async def lock_due(tx: Writing, now: datetime, limit: int) -> tuple[list[Send], list[Unreadable]]:
    """Messages whose claim has run out or whose fate is to be looked into, held until the commit.

    One whose body cannot be read stands in nobody's way: it is told apart.
    """
    readable: list[Send] = []
    unreadable: list[Unreadable] = []
    for row in await tx.all(_OPEN_DUE, stored(now), limit):
        try:
            readable.append(outbox.read_send(row))
        except (msgspec.MsgspecError, ValueError):  # ValueError: a channel or a state of a later version
            unreadable.append(
                Unreadable(
                    message_id=row[0],
                    shard=row[1],
                    workspace_id=row[2],
                    conversation_id=row[3],
                    seq=row[6],
                    attempt=row[8],
                )
            )
    return readable, unreadable


async def find_next_due(tx: Reading, now: datetime) -> datetime | None:
    """When the next message of unknown fate is to be looked into."""
    row = await tx.one(_NEXT_OPEN, stored(now))
    return None if row is None or row[0] is None else instant(row[0])


async def lock_standing(tx: Writing, keys: Sequence[tuple[str, int]]) -> dict[str, Standing]:
    """The rows of (message, shard), by message, held until the commit."""
    return {
        row[0]: Standing(
            message_id=row[0],
            state=OutboxState(row[1]),
            attempt=row[2],
            resent=bool(row[3]),
            expires_at=instant(row[4]),
        )
        for row in await tx.all_of(_LOCK, sorted(set(keys)))
    }


async def park(tx: Writing, keys: Sequence[tuple[str, int]]) -> None:
    """Leave (message, shard) to a person."""
    await tx.run_rows(_PARK, sorted(keys))


async def put_back(tx: Writing, again: Sequence[Again], now: datetime) -> None:
    """Queue messages once more; one that is still there (in review) is queued again as it is.

    What waits for its time is passed by what was said after it, until that time has come.
    """
    rows = [
        (
            a.message_id,
            a.shard,
            a.workspace_id,
            a.conversation_id,
            a.thread_id,
            a.sender_id,
            a.seq,
            a.epoch,
            a.priority,
            a.attempt,
            stored(a.due_at),
            stored(a.expires_at),
            a.resent,
            a.confirms_opt_out,
            a.because,
            a.due_at > now,
        )
        for a in again
    ]
    await tx.run_rows(_PUT_BACK, sorted(rows, key=lambda row: row[0]), stored(now))
