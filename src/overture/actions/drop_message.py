"""Give a message in review up, because a person says so: it failed, and says that somebody dropped it.

Should the provider report of it later all the same, its word is recorded: what arrived did arrive.
"""

from datetime import datetime

from overture.actions import in_review
from overture.actions.give_back import give_back
from overture.actions.in_review import Decided
from overture.domain import reasons
from overture.domain.delivery import DeliveryState, DeliveryStatus
from overture.domain.event import EventKind
from overture.domain.ports import Ids
from overture.domain.reasons import Reason
from overture.store import deliveries, events, messages, outbox, reviews
from overture.store.engine import Writing


async def drop_message(
    tx: Writing, *, workspace_id: str, message_id: str, note: str | None, by: str, now: datetime, ids: Ids
) -> Decided:
    """Drop it; nothing changes where it was dropped before. The caller commits.

    Raises Unknown, and Conflict where it is not in review.
    """
    held = await reviews.lock(tx, workspace_id, message_id)
    if held is None:
        found = await deliveries.find(tx, workspace_id, message_id)
        if found is not None and found.state is DeliveryState.FAILED and found.reason == Reason.DROPPED_BY_OPERATOR:
            return Decided(changed=False, state=found.state)
        raise await in_review.settled(tx, workspace_id, message_id)
    if held.state is not DeliveryState.NEEDS_REVIEW:
        raise in_review.undecidable(held.state)
    why = reasons.TABLE[Reason.DROPPED_BY_OPERATOR]
    await outbox.delete(tx, [(held.message_id, held.shard)])
    await give_back(tx, [(held.message_id, held.shard)])
    change = messages.StatusChange(
        workspace_id=workspace_id,
        conversation_id=held.conversation_id,
        seq=held.seq,
        status=DeliveryStatus.FAILED,
        reason=why.code,
    )
    await messages.set_statuses(tx, [change])
    dropped = events.make(
        ids,
        EventKind.MESSAGE_FAILED,
        workspace_id,
        held.conversation_id,
        now,
        message_id=held.message_id,
        reason=why.code,
        description=why.sentence,
        note=note,
        by=by,
    )
    await events.insert_all(tx, [dropped], now)
    return Decided(changed=True, state=DeliveryState.FAILED)
