"""Stored timers: they carry the epoch and the message they were set after, so that none fires stale."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from overture.store.engine import Reading, Writing, instant, stored
from overture.store.statement import Command, Query, Row, insert

_INSERT: Final = insert(
    "timer",
    {
        "due_at": "bigint",
        "conversation_id": "text",
        "kind": "text",
        "shard": "int",
        "workspace_id": "text",
        "epoch": "int",
        "after_seq": "int",
    },
    "ON CONFLICT DO NOTHING",
)
_TAKE: Final = Command(
    """
    DELETE FROM timer WHERE (due_at, conversation_id, kind, shard) IN (
        SELECT due_at, conversation_id, kind, shard FROM timer WHERE due_at <= $1
        ORDER BY due_at LIMIT $2 /*pg: FOR UPDATE SKIP LOCKED */
    ) RETURNING due_at, conversation_id, kind, shard, workspace_id, epoch, after_seq
    """
)
_TAKE_BEFORE: Final = Command(
    """
    DELETE FROM timer WHERE due_at < $1
    RETURNING due_at, conversation_id, kind, shard, workspace_id, epoch, after_seq
    """
)
_LIST_DUE: Final = Query(
    """
    SELECT workspace_id, due_at, conversation_id, kind, shard FROM timer WHERE due_at <= $1 ORDER BY due_at LIMIT $2
    """
)
_TAKE_ONE: Final = Command(
    """
    DELETE FROM timer
    WHERE workspace_id = $1 AND due_at = $2 AND conversation_id = $3 AND kind = $4 AND shard = $5
    RETURNING due_at, conversation_id, kind, shard, workspace_id, epoch, after_seq
    """
)
_NEXT_DUE: Final = Query("SELECT min(due_at) FROM timer WHERE due_at > $1")


Key = tuple[str, int, str, str, int]
"""A timer as it is stored: its workspace, when it is due, its conversation, kind and shard."""


class TimerKind(StrEnum):
    """What a timer does when it fires."""

    INACTIVITY = "inactivity"
    UNATTENDED = "unattended"
    GIVEN_UP = "given_up"
    HAND_BACK = "hand_back"
    FOLLOW_UP = "follow_up"


class Timer(Struct, frozen=True, kw_only=True):
    """Something to look at later."""

    due_at: datetime
    conversation_id: str
    kind: TimerKind
    shard: int
    workspace_id: str
    epoch: int
    after_seq: int


async def insert_all(tx: Writing, timers: Sequence[Timer]) -> None:
    """Set timers."""
    await tx.put(
        _INSERT,
        [
            (stored(t.due_at), t.conversation_id, t.kind.value, t.shard, t.workspace_id, t.epoch, t.after_seq)
            for t in timers
        ],
    )


async def take_due(tx: Writing, now: datetime, limit: int) -> list[Timer]:
    """Take timers that are due out of the store: they fire in this very commit, once."""
    return [_timer(row) for row in await tx.run(_TAKE, stored(now), limit)]


async def take_before(tx: Writing, at: datetime) -> list[Timer]:
    """Take every timer out of the store that is due before an instant, of all workspaces, to be set anew."""
    return [_timer(row) for row in await tx.run(_TAKE_BEFORE, stored(at))]


async def list_due(tx: Reading, now: datetime, limit: int) -> list[Key]:
    """The timers that are due, left where they are."""
    return [(row[0], row[1], row[2], row[3], row[4]) for row in await tx.all(_LIST_DUE, stored(now), limit)]


async def take_one(tx: Writing, key: Key) -> list[Timer]:
    """Take one timer out of the store; nothing where another worker has."""
    return [_timer(row) for row in await tx.run(_TAKE_ONE, *key)]


async def put_off(tx: Writing, key: Key, until: datetime) -> None:
    """Let a timer fire at another instant, where it has not fired meanwhile."""
    await insert_all(tx, [msgspec.structs.replace(one, due_at=until) for one in await take_one(tx, key)])


async def find_next_due(tx: Reading, now: datetime) -> datetime | None:
    """When the next timer fires that waits for its time."""
    row = await tx.one(_NEXT_DUE, stored(now))
    return None if row is None or row[0] is None else instant(row[0])


def _timer(row: Row) -> Timer:
    return Timer(
        due_at=instant(row[0]),
        conversation_id=row[1],
        kind=TimerKind(row[2]),
        shard=row[3],
        workspace_id=row[4],
        epoch=row[5],
        after_seq=row[6],
    )
