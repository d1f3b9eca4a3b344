"""Remember what places at the provider were set to before they are connected, and forget it once they have it back."""

from collections.abc import Sequence
from datetime import datetime

from overture.domain.remembered_wiring import Remembered
from overture.store import wirings
from overture.store.engine import Writing


async def remember_wirings(tx: Writing, workspace_id: str, which: Sequence[Remembered], now: datetime) -> None:
    """Keep what each place was and is to become; the caller commits."""
    for wiring in which:
        await wirings.put(tx, workspace_id, wiring, now)


async def forget_wiring(tx: Writing, workspace_id: str, sid: str) -> bool:
    """Forget a place; whether it was known. The caller commits."""
    return await wirings.forget(tx, workspace_id, sid)
