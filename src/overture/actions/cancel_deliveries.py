"""Take back what waits to be sent: in the commit that ends its conversation, and every message says that it stayed."""

from collections.abc import Sequence
from datetime import datetime

from overture.actions.give_back import give_back
from overture.domain.delivery import DeliveryStatus
from overture.domain.event import EventKind
from overture.domain.ids import shard_of
from overture.domain.leaving import STAYS
from overture.domain.ports import Ids
from overture.store import events, messages, outbox
from overture.store.engine import Writing


async def cancel_deliveries(
    tx: Writing,
    waiting: Sequence[tuple[str, str, int]],
    now: datetime,
    ids: Ids,
    *,
    reason: str = "cancelled",
    goes_on: bool = False,
) -> None:
    """Cancel what waits for (thread, conversation, at most this epoch). The caller commits.

    `reason` is one of the reasons for which a message stays. Where a conversation `goes_on`, an opening that its agent
    has yet to compose may still leave.
    """
    taken = await outbox.cancel_queued(tx, waiting)
    composing = [] if goes_on else [conversation_id for _, conversation_id, _ in waiting]
    gone = [*composing, *(message_id for *_, message_id in taken)]
    await give_back(tx, [(an_id, shard_of(an_id)) for an_id in gone])
    if not taken:
        return
    changes = [
        messages.StatusChange(
            workspace_id=workspace_id,
            conversation_id=conversation_id,
            seq=seq,
            status=DeliveryStatus.FAILED,
            reason=reason,
        )
        for workspace_id, conversation_id, seq, _ in taken
    ]
    await messages.set_statuses(tx, changes)
    told = [
        events.make(
            ids,
            EventKind.MESSAGE_REFUSED,
            workspace_id,
            conversation_id,
            now,
            message_id=message_id,
            reason=reason,
            description=STAYS[reason],
        )
        for workspace_id, conversation_id, _, message_id in taken
    ]
    await events.insert_all(tx, told, now)
