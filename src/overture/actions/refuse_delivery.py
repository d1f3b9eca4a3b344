"""Refuse messages that were queued and may not leave any more: each says why."""

from collections.abc import Sequence
from datetime import datetime

from overture.actions.give_back import give_back
from overture.domain.delivery import DeliveryStatus
from overture.domain.event import EventKind
from overture.domain.leaving import Stay
from overture.domain.ports import Ids
from overture.store import events, messages, outbox
from overture.store.engine import Writing


async def refuse_deliveries(tx: Writing, staying: Sequence[tuple[outbox.Send, Stay]], now: datetime, ids: Ids) -> None:
    """Take messages out of the outbox that will never leave. The caller commits."""
    if not staying:
        return
    ended = [(send.message_id, send.shard) for send, _ in staying]
    await outbox.delete(tx, ended)
    await give_back(tx, ended)
    await messages.set_statuses(
        tx,
        [
            messages.StatusChange(
                workspace_id=send.workspace_id,
                conversation_id=send.conversation_id,
                seq=send.seq,
                status=DeliveryStatus.FAILED,
                reason=stay.reason,
            )
            for send, stay in staying
        ],
    )
    await events.insert_all(
        tx,
        [
            events.make(
                ids,
                EventKind.MESSAGE_REFUSED,
                send.workspace_id,
                send.conversation_id,
                now,
                message_id=send.message_id,
                reason=stay.reason,
                description=stay.description,
            )
            for send, stay in staying
        ],
        now,
    )
