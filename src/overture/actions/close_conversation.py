"""Close a conversation by hand: a person ends it, and what people wrote last still goes out."""

from datetime import datetime

from msgspec import Struct

from overture.actions import in_hand
from overture.actions.cancel_deliveries import cancel_deliveries
from overture.domain.agent import EndReason
from overture.domain.conversation import Mode
from overture.domain.event import EventKind
from overture.domain.ports import Ids
from overture.store import conversations, events, people
from overture.store.engine import Writing


class Closed(Struct, frozen=True, kw_only=True):
    """The conversation has ended; `changed` is false where it had before, for `reason`."""

    changed: bool
    reason: EndReason


async def close_conversation(
    tx: Writing,
    *,
    workspace_id: str,
    conversation_id: str,
    by: str,
    reason: EndReason | None,
    note: str | None = None,
    now: datetime,
    ids: Ids,
) -> Closed:
    """End it; without a reason as `handed_over` where people had it, else as `completed`. The caller commits.

    Raises Unknown.
    """
    present = await in_hand.hold(tx, workspace_id, conversation_id)
    if present.mode is Mode.ENDED:
        return Closed(changed=False, reason=present.end_reason or EndReason.COMPLETED)
    why = reason or (EndReason.COMPLETED if present.mode is Mode.BOT else EndReason.HANDED_OVER)
    await conversations.end_all(tx, [(workspace_id, conversation_id, present.epoch, why)], now)
    if present.thread_id is not None:
        await people.carry_over(tx, present.thread_id, workspace_id, conversation_id, present.epoch + 1)
        await cancel_deliveries(tx, [(present.thread_id, conversation_id, present.epoch)], now, ids)
    ended = events.make(
        ids,
        EventKind.CONVERSATION_ENDED,
        workspace_id,
        conversation_id,
        now,
        reason=why.value,
        by=by,
        note=note,
    )
    await events.insert_all(tx, [ended], now)
    return Closed(changed=True, reason=why)
