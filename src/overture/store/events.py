"""Stored events. Their `position` comes after the commit, from one sequencer a workspace."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from overture.domain.agent import Json
from overture.domain.event import Event, EventKind
from overture.domain.ids import shard_of
from overture.domain.ports import Ids
from overture.store.engine import Writing, stored
from overture.store.statement import insert

_INSERT: Final = insert(
    "event",
    {
        "id": "text",
        "shard": "int",
        "workspace_id": "text",
        "conversation_id": "text",
        "kind": "text",
        "data": "text",
    },
    same={"at": "$1"},
)
_encode: Final = msgspec.json.Encoder().encode


def make(
    ids: Ids, kind: EventKind, workspace_id: str, conversation_id: str | None, now: datetime, **data: Json
) -> Event:
    """An event that happens now; it lives on its conversation's shard."""
    shard = shard_of(conversation_id) if conversation_id is not None else None
    an_id = ids.new(now, shard)
    return Event(
        id=an_id,
        shard=shard_of(an_id) if shard is None else shard,
        workspace_id=workspace_id,
        conversation_id=conversation_id,
        kind=kind,
        data=data,
        at=now,
    )


async def insert_all(tx: Writing, events: Sequence[Event], now: datetime) -> None:
    """Write events that happen now."""
    rows = [(e.id, e.shard, e.workspace_id, e.conversation_id, e.kind.value, _encode(e.data).decode()) for e in events]
    await tx.put(_INSERT, rows, stored(now))
