"""Join the queues that a sender's pace makes: how long an opening would wait, told before it is accepted.

Each pool's queue has an end, kept apart from the messages: nobody counts them while a caller waits. The calls of one
batch lengthen it one after the other.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from math import ceil
from typing import Final

from overture.domain import pace
from overture.domain.cost import Carried
from overture.domain.errors import Limited
from overture.domain.pace import Tail
from overture.domain.sending import Facts, Opens, Verdict
from overture.store import queues
from overture.store.engine import Writing
from overture.store.messages import NewMessage
from overture.store.outbox import NewSend


class Queues:
    """The queues that the calls of one batch join."""

    def __init__(self, now: datetime) -> None:
        self._now: Final = now
        self._ends: Final[dict[str, datetime]] = {}
        self._joins: Final[dict[str, tuple[int, tuple[Tail, ...]]]] = {}

    def refuse(self, facts: Facts, verdict: Verdict, carried: Sequence[Carried]) -> Limited | None:
        """Why an opening is not accepted that would expire before its turn comes; None where it joins, or asks not.

        One that waits for its recipient's morning joins when it is due.
        """
        if not facts.queues or not isinstance(verdict, Opens) or verdict.times.is_deferred:
            return None
        slowest, at = facts.queues[0], self._now
        for tail in facts.queues:
            if (end := self._end(tail)) > at:
                slowest, at = tail, end
        if at < verdict.times.expires_at:
            if carried:
                cost = sum([one.segments for one in carried])
                for tail in facts.queues:
                    self._ends[tail.pool_id] = self._end(tail) + pace.interval(tail.per_second, cost)
            return None
        waits = ceil((at - self._now).total_seconds())
        lasts = int((verdict.times.expires_at - self._now).total_seconds())
        return Limited(
            "queue_full",
            f"The queue of {slowest.name} is about {waits} s long at its pace of {slowest.per_second:g} a second; "
            f"the opening is given up after {lasts} s.",
            retry_after_seconds=max(1, waits - lasts + 1),
            hint="Ask again later, use another sender, or raise the pace (`overture queues` shows them).",
        )

    def _end(self, tail: Tail) -> datetime:
        """Where a queue ends by now: never in the past."""
        known = self._ends.get(tail.pool_id)
        return known if known is not None else max(tail.at, self._now)

    def join(self, facts: Facts, said: NewMessage) -> None:
        """Count a message that is to be queued."""
        if facts.queues:
            self._joins[said.id] = (said.segments or 1, facts.queues)

    async def write(self, tx: Writing, sends: Sequence[NewSend]) -> None:
        """Lengthen the queues by what was queued."""
        joins = Counter([join for send in sends if (join := self._joins.get(send.message_id)) is not None])
        added: dict[str, tuple[int, int, float]] = {}
        for (cost, tails), times in joins.items():
            for tail in tails:
                messages, segments, _ = added.get(tail.pool_id, (0, 0, 0.0))
                added[tail.pool_id] = (messages + times, segments + cost * times, tail.per_second)
        if added:
            await queues.lengthen(tx, added, self._now)
