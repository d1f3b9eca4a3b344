"""Intend a call of a tool: write down that it will be made, while the turn is still ours to make it."""

from datetime import datetime

from overture.domain.conversation import Mode
from overture.store import conversations, steps
from overture.store.conversations import Conversation
from overture.store.engine import Writing
from overture.store.steps import NewStep


async def intend_call(tx: Writing, claimed: Conversation, step: NewStep, now: datetime) -> str | None:
    """Write the intent, or say why the turn is no longer ours: it was taken over, ended, or claimed by another.

    The caller commits before the call is made.
    """
    present = await conversations.find_locked(tx, claimed.workspace_id, claimed.id)
    if present is None or present.fence != claimed.fence:
        return "claimed again"
    if present.epoch != claimed.epoch or present.mode is not Mode.BOT:
        return f"{present.mode.value}, in a newer epoch"
    await steps.begin(tx, claimed, step, now)
    return None
