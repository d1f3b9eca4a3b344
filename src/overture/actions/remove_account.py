"""Forget a provider account that was set up over the API, once no sender of it is in use."""

from collections.abc import Collection
from datetime import datetime

from overture.actions.save_account import refuse_of_settings, unknown_account
from overture.domain.errors import Conflict
from overture.store import credentials
from overture.store.engine import Writing


async def remove_account(
    tx: Writing, workspace_id: str, sid: str, *, of_settings: Collection[tuple[str, str]], now: datetime
) -> None:
    """Forget an account's credentials. The caller commits. Raises NotAllowed, Unknown, Conflict."""
    refuse_of_settings(workspace_id, sid, of_settings)
    if await credentials.lock(tx, workspace_id, sid) is None:
        raise unknown_account(sid)
    if await credentials.has_senders(tx, workspace_id, sid):
        raise Conflict(
            "account_has_senders",
            f"Account {sid} has senders in use.",
            hint="Remove its senders first: `overture senders list` shows them.",
        )
    await credentials.remove(tx, workspace_id, sid, now)
