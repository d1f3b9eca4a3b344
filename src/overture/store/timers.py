"""Stored timers: they carry the epoch and the message they were set after, so that none fires stale."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from overture.store.engine import Reading, Writing, instant, stored
from overture.store.statement import Command, Query, insert

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
_NEXT_DUE: Final = Query("SELECT min(due_at) FROM timer WHERE due_at > $1")


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
    await tx.run_rows(
        _INSERT,
        [
            (stored(t.due_at), t.conversation_id, t.kind.value, t.shard, t.workspace_id, t.epoch, t.after_seq)
            for t in timers
        ],
    )


async def take_due(tx: Writing, now: datetime, limit: int) -> list[Timer]:
    """Take timers that are due out of the store: they fire in this very commit, once."""
    return [
        Timer(
            due_at=instant(row[0]),
            conversation_id=row[1],
            kind=TimerKind(row[2]),
            shard=row[3],
            workspace_id=row[4],
            epoch=row[5],
            after_seq=row[6],
        )
        for row in await tx.run(_TAKE, stored(now), limit)
    ]


async def find_next_due(tx: Reading, now: datetime) -> datetime | None:
    """When the next timer fires that waits for its time."""
    row = await tx.one(_NEXT_DUE, stored(now))
    return None if row is None or row[0] is None else instant(row[0])
