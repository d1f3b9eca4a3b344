"""Conversations that a verb of people's changes: found and held, or refused with what to do.

What a caller gave (variables, metadata) is no part of it: one in which that cannot be read is theirs all the more.
"""

from overture.domain.conversation import Mode
from overture.domain.errors import Unknown, WrongMode
from overture.store import conversations
from overture.store.conversations import Conversation
from overture.store.engine import Writing


async def hold(tx: Writing, workspace_id: str, conversation_id: str) -> Conversation:
    """A conversation, held until the commit. Raises Unknown."""
    found = await conversations.find_locked(tx, workspace_id, conversation_id, unread=True)
    if found is None or found.deleted_at is not None:
        raise unknown(conversation_id)
    return found


async def hold_live(tx: Writing, workspace_id: str, conversation_id: str) -> Conversation:
    """One that has not ended. Raises Unknown, or WrongMode."""
    found = await hold(tx, workspace_id, conversation_id)
    if found.mode is Mode.ENDED:
        raise WrongMode(
            "conversation_ended",
            f"Conversation {conversation_id} has ended, and ended is for good.",
            field="conversation_id",
            hint="Open a new one: POST /v2/chat/outbound.",
        )
    return found


def unknown(conversation_id: str) -> Unknown:
    """There is no such conversation in this workspace."""
    return Unknown(
        "conversation_unknown",
        f"Conversation {conversation_id} does not exist.",
        field="conversation_id",
        hint="GET /overture/v1/conversations lists the conversations there are.",
    )
