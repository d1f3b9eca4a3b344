"""End a conversation: terminal, and whatever waits to be sent for it is taken back in the same commit."""

from datetime import datetime

from overture.actions.cancel_deliveries import cancel_deliveries
from overture.domain.agent import EndReason
from overture.domain.conversation import Mode
from overture.domain.event import EventKind
from overture.domain.ports import Ids
from overture.store import conversations, events
from overture.store.engine import Writing


async def end_conversation(
    tx: Writing,
    *,
    workspace_id: str,
    conversation_id: str,
    reason: EndReason,
    now: datetime,
    ids: Ids,
    hide: bool = False,
) -> bool:
    """End it; whether there is such a conversation that was not hidden before. The caller commits.

    `hide` takes it out of the API's sight as well; messages, attempts and ledger stay on record.
    """
    conversation = await conversations.find_locked(tx, workspace_id, conversation_id, unread=True)
    if conversation is None or conversation.deleted_at is not None:
        return False
    if conversation.mode is not Mode.ENDED:
        await conversations.end_all(tx, [(workspace_id, conversation_id, conversation.epoch, reason)], now)
        if conversation.thread_id is not None:
            waiting = [(conversation.thread_id, conversation_id, conversation.epoch)]
            await cancel_deliveries(tx, waiting, now, ids)
        ended = events.make(ids, EventKind.CONVERSATION_ENDED, workspace_id, conversation_id, now, reason=reason.value)
        await events.insert_all(tx, [ended], now)
    if hide:
        await conversations.mark_deleted(tx, workspace_id, conversation_id, now)
    return True
