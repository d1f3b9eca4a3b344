"""Queues: what waits at each sender, how long it takes, and what will not leave in time."""

from datetime import datetime
from math import ceil

from msgspec import Struct

from overture.domain.access import Scope
from overture.domain.channel import Channel
from overture.store import queues
from overture.store.queues import SenderQueue
from overture.web.routes import Call, get


class QueueView(Struct, frozen=True, kw_only=True):
    """What waits at a sender. `later` is not due yet; `expiring` is how many of the others expire before their turn.

    `pace_per_second` is that of the pool that keeps the queue longest, `pool` its name; `estimated_seconds` is how
    long the queue takes at it. All three are null where nothing has a pace. `stopped_because` says why nothing leaves.
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


class QueueList(Struct, frozen=True, kw_only=True):
    """The queue of every sender in use."""

    queues: list[QueueView]


@get("/overture/v1/queues", may=Scope.READ, gives=QueueList, tag="Deliveries")
async def list_queues(call: Call[None, None]) -> QueueList:
    """List the queues of all senders.

    The estimate is as of the last few seconds.
    """
    now = call.now
    found = await call.parts.store.read(lambda tx: queues.list_all(tx, call.workspace_id, now))
    return QueueList(queues=[_view(one, now) for one in found])


def _view(one: SenderQueue, now: datetime) -> QueueView:
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
    )
