"""Mark a restored database, in the commit that makes it one: nothing of it may leave before the provider was asked.

Since the backup was made its original went on. What the backup holds as queued may have been sent, and what was said
after it stands in the provider's records alone. So whatever was on its way becomes uncertain, every sender is shut,
and timers wait: see docs/decisions/0012.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from overture.actions import settle_delivery
from overture.domain.agent import Json
from overture.domain.event import EventKind
from overture.domain.ports import Ids
from overture.domain.reasons import Reason
from overture.store import accounts, events, restores, timers
from overture.store.accounts import ShutBecause
from overture.store.engine import Writing

TIMERS_REST: Final = timedelta(minutes=10)  # thrice what settling takes; a timer that ends something may be late
_MOMENT: Final = timedelta(microseconds=1)  # what instants are counted in
# Settling counts its time from when a message was made, which is long ago; the provider is to be given all of it from
# the restore on, for the original may have died a moment before. So there are as many looks as fill it, and these are
# counted below zero.
_LOOKS: Final = settle_delivery.ENOUGH_LOOKS - 1 - settle_delivery.SETTLE // settle_delivery.LOOK_AGAIN


class Marked(Struct, frozen=True, kw_only=True):
    """What a restore has to find out. `known_to` is the latest that the backup knew of."""

    known_to: datetime
    unsettled: int
    senders: int


async def mark_restored(tx: Writing, now: datetime, ids: Ids) -> Marked:
    """Mark this database as restored. The caller commits."""
    known_to = min(now, await restores.find_newest(tx) or now)
    unsettled = await restores.doubt_all(tx, Reason.RESTORED, due_at=now, looks=_LOOKS)
    await accounts.shut_all(tx, ShutBecause.RESTORE, now)
    senders = await restores.mark_senders(tx, known_to, now)
    await _let_timers_rest(tx, now + TIMERS_REST)
    said: dict[str, Json] = {"known_to": known_to.isoformat(), "unsettled": unsettled}
    workspaces = await restores.list_workspaces(tx)
    told = [events.make(ids, EventKind.DATABASE_RESTORED, workspace, None, now, **said) for workspace in workspaces]
    await events.insert_all(tx, told, now)
    return Marked(known_to=known_to, unsettled=unsettled, senders=senders)


async def _let_timers_rest(tx: Writing, until: datetime) -> None:
    """Put timers off that are due before an instant: each a moment before it, in their order, so that all have room.

    A conversation may have several of one kind, of several epochs, and the stale one must not be the one that stays.
    """
    taken = await timers.take_before(tx, until)
    ahead: Counter[tuple[str, timers.TimerKind]] = Counter()
    rested = []
    for one in sorted(taken, key=lambda timer: timer.due_at, reverse=True):
        of = (one.conversation_id, one.kind)
        ahead[of] += 1
        rested.append(replace(one, due_at=until - _MOMENT * ahead[of]))
    await timers.insert_all(tx, rested)
