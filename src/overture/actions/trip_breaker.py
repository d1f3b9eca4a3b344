"""Move the breaker of a provider account: what every process that sends goes by.

closed     everything leaves
open       nothing leaves; the account's list is tried every half minute (the sweep), and once it can be read:
half open  one message at a time leaves, each half a minute after the last, until one of them gets an answer
"""

from collections.abc import Iterable
from datetime import datetime

from overture.domain.event import EventKind
from overture.domain.ports import Ids
from overture.store import accounts, events
from overture.store.accounts import Account, BreakerState, ShutBecause
from overture.store.engine import Writing


async def trip_breaker(tx: Writing, account_sid: str, now: datetime, ids: Ids) -> bool:
    """Let nothing of an account leave any more: nobody answers there. Whether that is news. The caller commits.

    A breaker that is half open goes back to open: the probe failed.
    """
    await accounts.add_of_senders(tx, account_sid, now)
    found = await accounts.lock(tx, account_sid)
    if all(account.breaker is BreakerState.OPEN for account in found):
        return False
    await accounts.set_breaker(tx, account_sid, BreakerState.OPEN, now)
    await accounts.shut_open(tx, account_sid, ShutBecause.BREAKER, now)
    unheard = [account for account in found if account.breaker is BreakerState.CLOSED]
    await _tell(
        tx,
        EventKind.PROVIDER_UNREACHABLE,
        unheard,
        now,
        ids,
        "The provider does not answer. Messages wait; it is tried again every half minute.",
    )
    return True


async def half_open(tx: Writing, account_sid: str, now: datetime) -> bool:
    """Let one message at a time of an account leave: its list could be read, and what came in meanwhile is known.

    Whether the breaker lets only probes through now; False where it is closed, and nothing was done. The senders that
    were shut for a sweep since are shut for the breaker from now on. The caller commits, and wakes the out road.
    """
    found = await accounts.lock(tx, account_sid)
    if all(account.breaker is BreakerState.CLOSED for account in found):
        return False
    if any(account.breaker is BreakerState.OPEN for account in found):
        await accounts.set_breaker(tx, account_sid, BreakerState.HALF_OPEN, now)
    await accounts.shut_otherwise(tx, account_sid, ShutBecause.START, ShutBecause.BREAKER, now)
    return True


async def close_breaker(tx: Writing, account_sid: str, now: datetime, ids: Ids) -> bool:
    """Let everything of an account leave again: a probe was answered. Whether that is news. The caller commits.

    Only a half open breaker closes: an answer that comes late to one that is open says nothing of what came in
    meanwhile. Senders that were shut for another reason stay shut.
    """
    found = [one for one in await accounts.lock(tx, account_sid) if one.breaker is BreakerState.HALF_OPEN]
    if not found:
        return False
    await accounts.set_breaker(tx, account_sid, BreakerState.CLOSED, now)
    await accounts.open_shut_because(tx, account_sid, ShutBecause.BREAKER)
    await _tell(tx, EventKind.PROVIDER_REACHABLE, found, now, ids, "The provider answers again. Messages leave.")
    return True


async def _tell(tx: Writing, kind: EventKind, of: Iterable[Account], now: datetime, ids: Ids, description: str) -> None:
    told = [
        events.make(ids, kind, one.workspace_id, None, now, account_sid=one.sid, description=description) for one in of
    ]
    await events.insert_all(tx, told, now)
