"""Queues: what waits at each sender, how long it takes, and what will not leave in time."""

from collections.abc import Sequence
from datetime import datetime
from math import ceil

from msgspec import Struct

from overture.domain import portfolio
from overture.domain.access import Scope
from overture.domain.channel import Channel
from overture.domain.portfolio import Portfolio
from overture.store import queues, recipients
from overture.store.engine import Reading
from overture.store.queues import SenderQueue
from overture.web.routes import Call, get


class QueueView(Struct, frozen=True, kw_only=True):
    """What waits at a sender. `later` is not due yet; `expiring` is how many of the others expire before their turn.

    `pace_per_second` is that of the pool that keeps the queue longest, `pool` its name; `estimated_seconds` is how
    long the queue takes at it. All three are null where nothing has a pace. `stopped_because` says why nothing leaves.
    `recipients_used` of `recipients_a_day` people were written to within 24 hours by the WhatsApp portfolio that has
    the least room, `recipients_free_at` is when it has some; null where none has a limit.
    """

    sender_id: str
    channel: Channel
    address: str
    replies: int
    openings: int
    later: int
    oldest_due_at: datetime | None
    pool: str | None
    pace_per_second: float | None
    estimated_seconds: int | None
    expiring: int
    stopped_because: str | None
    recipients_a_day: int | None
    recipients_used: int | None
    recipients_free_at: datetime | None


class QueueList(Struct, frozen=True, kw_only=True):
    """The queue of every sender in use."""

    queues: list[QueueView]


@get("/overture/v1/queues", may=Scope.READ, gives=QueueList, tag="Deliveries")
async def list_queues(call: Call[None, None]) -> QueueList:
    """List the queues of all senders.

    The estimate is as of the last few seconds.
    """
    now = call.now

    async def look(tx: Reading) -> QueueList:
        found = await queues.list_all(tx, call.workspace_id, now)
        limited = await recipients.list_of_senders(tx, call.workspace_id, now)
        return QueueList(queues=[_view(one, limited.get(one.sender_id, ()), now) for one in found])

    return await call.parts.store.read(look)


def _view(one: SenderQueue, limited: Sequence[Portfolio], now: datetime) -> QueueView:
    fullest = min(limited, key=lambda any_: any_.at_most - portfolio.used(any_, now), default=None)
    longest = max(one.tails, key=lambda tail: (tail.at, -tail.per_second), default=None)
    return QueueView(
        sender_id=one.sender_id,
        channel=one.channel,
        address=one.address,
        replies=one.replies,
        openings=one.openings,
        later=one.later,
        oldest_due_at=one.oldest_due_at,
        pool=None if longest is None else longest.name,
        pace_per_second=None if longest is None else longest.per_second,
        estimated_seconds=None if longest is None else max(0, ceil((longest.at - now).total_seconds())),
        expiring=one.expiring,
        stopped_because=one.stopped_because,
        recipients_a_day=None if fullest is None else fullest.at_most,
        recipients_used=None if fullest is None else portfolio.used(fullest, now),
        recipients_free_at=None if fullest is None else portfolio.free_at(fullest, now),
    )
