"""Take a sender out of use that was set up over the API; its threads and what was said stay on record."""

from datetime import datetime

from overture.actions.save_sender import refuse_sender_of_settings
from overture.domain.errors import Unknown
from overture.store import senders
from overture.store.engine import Writing


async def retire_sender(tx: Writing, workspace_id: str, sender_id: str, now: datetime) -> None:
    """Retire a sender. The caller commits. Raises Unknown, NotAllowed."""
    known = await senders.lock(tx, workspace_id, sender_id)
    if known is None:
        raise unknown_sender(sender_id)
    refuse_sender_of_settings(known)
    await senders.retire(tx, workspace_id, sender_id, now)


def unknown_sender(sender_id: str) -> Unknown:
    """The refusal where a sender is not there."""
    return Unknown(
        "sender_unknown",
        f"There is no sender {sender_id}.",
        field="sender_id",
        hint="GET /overture/v1/senders lists them.",
    )
