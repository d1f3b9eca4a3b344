"""Put a message off that could not even be claimed: it is tried again later, and then left to a person.

The row may be one that nothing here can read, so nothing of it is read.
"""

from datetime import datetime

from overture.domain import reasons, retry
from overture.domain.delivery import DeliveryStatus
from overture.domain.event import EventKind
from overture.domain.ports import Ids
from overture.domain.reasons import Reason
from overture.store import claims, events, messages
from overture.store.engine import Writing


async def put_off_delivery(tx: Writing, key: tuple[str, int], told: str, now: datetime, ids: Ids) -> bool:
    """Leave one message, by its (message, shard), for later, or for a person; `told` is the end of a traceback.

    Whether a person is to look at it now. Where another worker has seen to it meanwhile, nothing is done. The caller
    commits.
    """
    stumbles = await claims.lock_stumbles(tx, key, now)
    if stumbles is None:
        return False
    if stumbles + 1 < retry.POISON_TRIES:
        await claims.put_off(tx, key, now + retry.poison_delay(stumbles), told)
        return False
    workspace_id, conversation_id, seq = await claims.park(tx, key, told)
    why = reasons.TABLE[Reason.CANNOT_BE_CLAIMED]
    change = messages.StatusChange(
        workspace_id=workspace_id,
        conversation_id=conversation_id,
        seq=seq,
        status=DeliveryStatus.QUEUED,
        reason=why.code,
    )
    await messages.set_statuses(tx, [change])
    event = events.make(
        ids,
        EventKind.MESSAGE_NEEDS_REVIEW,
        workspace_id,
        conversation_id,
        now,
        message_id=key[0],
        seq=seq,
        reason=why.code,
        description=why.sentence,
    )
    await events.insert_all(tx, [event], now)
    return True
