"""Stored messages in review: what a person may decide over, held while it is decided."""

from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from overture.domain.channel import Channel
from overture.domain.delivery import DeliveryState
from overture.domain.ids import is_uuid, shard_of
from overture.domain.message import Body
from overture.domain.sending import Priority
from overture.store import messages, opt_outs
from overture.store.engine import Writing, instant_or_none, stored
from overture.store.statement import Command, Query

_LOCK: Final = Query(
    """
    SELECT o.message_id, o.shard, o.conversation_id, o.seq, o.epoch, o.priority, o.state, o.attempt, o.resent,
        o.confirms_opt_out, s.channel, s.removed_at, t.last_inbound_at, c.opted_out_at, v.epoch, m.body,
        c.opted_out_of, s.id, s.messaging_service_sid
    FROM outbox o
    JOIN sender s ON s.id = o.sender_id
    JOIN thread t ON t.id = o.thread_id
    JOIN conversation v ON v.workspace_id = o.workspace_id AND v.id = o.conversation_id
    JOIN message m ON m.workspace_id = o.workspace_id AND m.conversation_id = o.conversation_id AND m.seq = o.seq
    JOIN contact c ON c.id = t.contact_id AND c.alias_of IS NULL
    WHERE o.workspace_id = $1 AND o.message_id = $2 AND o.shard = $3 AND v.deleted_at IS NULL /*pg: FOR UPDATE OF o */
    """
)
_REQUEUE: Final = Command(
    """
    UPDATE outbox SET state = 'queued', due_at = $3, expires_at = $4, tries = 0, looks = 0, resent = TRUE,
        waits_because = NULL, stumbles = 0, stumbled_over = NULL
    WHERE message_id = $1 AND shard = $2 AND state = 'needs_review'
    """
)
_PROLONG: Final = Command(
    "UPDATE message SET expires_at = $4 WHERE workspace_id = $1 AND conversation_id = $2 AND seq = $3"
)


class Held(Struct, frozen=True, kw_only=True):
    """A row of the outbox with what decides over it, held until the commit. A body that cannot be read is None."""

    workspace_id: str
    message_id: str
    shard: int
    conversation_id: str
    seq: int
    epoch: int
    priority: Priority
    state: DeliveryState
    attempt: int
    resent: bool
    confirms_opt_out: bool
    channel: Channel
    sender_removed_at: datetime | None
    last_inbound_at: datetime | None
    opted_out_at: datetime | None
    conversation_epoch: int
    body: Body | None


async def lock(tx: Writing, workspace_id: str, message_id: str) -> Held | None:
    """A message that is in the outbox, None where it has left it or never was in it."""
    if not is_uuid(message_id):
        return None
    row = await tx.one(_LOCK, workspace_id, message_id, shard_of(message_id))
    if row is None:
        return None
    return Held(
        workspace_id=workspace_id,
        message_id=row[0],
        shard=row[1],
        conversation_id=row[2],
        seq=row[3],
        epoch=row[4],
        priority=Priority(row[5]),
        state=DeliveryState(row[6]),
        attempt=row[7],
        resent=bool(row[8]),
        confirms_opt_out=bool(row[9]),
        channel=Channel(row[10]),
        sender_removed_at=instant_or_none(row[11]),
        last_inbound_at=instant_or_none(row[12]),
        opted_out_at=opt_outs.since(row[13], row[16], row[17], row[18]),
        conversation_epoch=row[14],
        body=_body(row[15]),
    )


async def requeue(tx: Writing, held: Held, now: datetime, expires_at: datetime) -> None:
    """Put a message in review back into the queue, due at once.

    It counts as sent again: should this try end unknown as well, a person decides once more.
    """
    await tx.run(_REQUEUE, held.message_id, held.shard, stored(now), stored(expires_at))
    await tx.run(_PROLONG, held.workspace_id, held.conversation_id, held.seq, stored(expires_at))


def _body(text: str) -> Body | None:
    try:
        return messages.decode_body(text)
    except msgspec.DecodeError:
        return None
