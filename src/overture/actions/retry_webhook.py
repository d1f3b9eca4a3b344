"""Handle a webhook that was left over once more: the sender it was for is there now, or its fault was mended."""

from datetime import datetime

from overture.domain.errors import Conflict, Unknown
from overture.store import inbox
from overture.store.engine import Writing


async def retry_webhook(tx: Writing, *, workspace_id: str, inbox_id: str, now: datetime) -> bool:
    """Make it due at once; False where it is due already. The caller commits.

    Raises Unknown, and Conflict where something was made of it already.
    """
    found = await inbox.lock_of(tx, workspace_id, inbox_id)
    if found is None:
        raise Unknown(
            "webhook_unknown",
            f"There is no webhook {inbox_id}.",
            field="inbox_id",
            hint="GET /overture/v1/inbox lists those that were left over.",
        )
    webhook, shard = found
    match webhook.state:
        case "unrouted" | "parked":
            await inbox.make_due(tx, inbox_id, shard, now)
            return True
        case "new":
            return False
        case _:
            raise Conflict(
                "webhook_handled",
                f"The webhook was handled already: {webhook.outcome}",
                field="inbox_id",
                hint="A webhook is handled once; there is nothing left to do.",
            )
