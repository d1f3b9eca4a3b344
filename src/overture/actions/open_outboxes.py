"""Open the outboxes of an account's senders: what came in before they were shut is known and obeyed by now."""

from datetime import datetime

from msgspec import Struct

from overture.actions import trip_breaker
from overture.store import recovered, sweeps
from overture.store.engine import Writing


class Opened(Struct, frozen=True, kw_only=True):
    """How many senders were opened, or whether the account's breaker lets single messages through."""

    senders: int = 0
    is_half_open: bool = False


async def open_outboxes(tx: Writing, account_sid: str, *, shut_by: datetime, now: datetime) -> Opened:
    """Open those that were shut by an instant, at which the account's sweep began. The caller commits.

    None while anything that the sweep found, or that was kept before it began, has yet to be handled: a STOP among it
    must win. Where the account's breaker is not closed it lets single messages through from now on.
    """
    if await recovered.are_waiting(tx, account_sid, shut_by):
        return Opened()
    if await trip_breaker.half_open(tx, account_sid, now):
        return Opened(is_half_open=True)
    return Opened(senders=len(await sweeps.open_swept(tx, account_sid, shut_by)))
