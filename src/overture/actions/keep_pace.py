"""Keep the pace of pools: how many messages of each sender may be claimed, and when each of them leaves.

The rows of the pools that have room are held from the first claim of a transaction to its commit, so that processes
plan one after the other. Whose pools have none is claimed nothing of.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from overture.domain import pace
from overture.domain.pace import Flow
from overture.domain.sending import Priority
from overture.store import pools
from overture.store.claims import DueSender
from overture.store.engine import Writing
from overture.store.outbox import Send

UNLIMITED: Final = 1_000_000  # more than a worker ever asks for


class Pacer:
    """The pools of the senders that may send now."""

    def __init__(
        self,
        members: Sequence[pools.Membership],
        flows: dict[str, Flow],
        limits: dict[str, int],
        now: datetime,
    ) -> None:
        self._now: Final = now
        self._flows: Final = {an_id: pace.steady(flow, now) for an_id, flow in flows.items()}
        self._pools: Final[defaultdict[str, list[str]]] = defaultdict(list)
        self._last: Final[dict[str, datetime]] = {}
        self._limited: Final[defaultdict[str, list[str]]] = defaultdict(list)
        self._paceless: Final = {one.sender_id for one in members} - {one.sender_id for one in members if one.paced}
        self.limits: Final = limits
        self._moved: Final[set[str]] = set()
        self._set_back: Final = {an_id for an_id, flow in self._flows.items() if flow != flows[an_id]}
        self._room: dict[str, int] = {}
        self._kept: dict[str, int] = {}
        for one in members:
            if one.pool_id in limits:
                self._limited[one.sender_id].append(one.pool_id)
            if not one.paced:
                continue
            self._pools[one.sender_id].append(one.pool_id)
            self._last[one.sender_id] = max(one.planned_at, self._last.get(one.sender_id, one.planned_at))
        self._full: Final = {an_id for an_id, ids in self._pools.items() if not self._flows.keys() >= set(ids)}

    def begin(self, due: Iterable[DueSender]) -> None:
        """Count what room there is before messages of these senders are claimed."""
        self._room = {an_id: pace.room(flow, self._now) for an_id, flow in self._flows.items()}
        opening = {
            pool for one in due if (at := one.due_at[Priority.OPENING]) and at <= self._now for pool in self._of(one)
        }
        self._kept = {an_id: pace.kept_for_openings(self._flows[an_id], self._room[an_id]) for an_id in opening}

    def kept_for_openings(self, sender: DueSender) -> int:
        """How many openings of a sender go before any reply, so that they do not wait for ever."""
        kept = [self._kept.get(an_id, 0) for an_id in self._of(sender)]
        return min(max(kept, default=0), self.room(sender))

    def release(self) -> None:
        """What was kept for openings is there for all."""
        self._kept = {}

    def room(self, sender: DueSender) -> int:
        """How many messages of a sender there is room for, if each has one segment."""
        if not sender.paced or sender.id in self._paceless:
            return UNLIMITED
        if sender.id in self._full or sender.id not in self._pools:
            return 0
        return min(self._room[an_id] for an_id in self._pools[sender.id])

    def limited(self, sender_id: str) -> Sequence[str]:
        """The pools of a sender that have a limit of recipients; `limits` has the limits."""
        return self._limited.get(sender_id, ())

    def take(self, sender: DueSender, count: int) -> None:
        """So many messages of a sender are to be planned."""
        for an_id in self._of(sender):
            self._room[an_id] -= count
            self._kept[an_id] = max(0, self._kept.get(an_id, 0) - count)

    def turn(self, sender: DueSender, due_at: datetime) -> tuple[datetime, datetime]:
        """What senders go by, the smallest first: whose pools are free earliest, and whose last message is oldest."""
        flows = [self._flows[an_id] for an_id in self._of(sender)]
        return max((due_at, *(flow.tat for flow in flows))), self._last.get(sender.id, due_at)

    def plan(self, sends: Sequence[Send]) -> list[tuple[Send, datetime]]:
        """When each message leaves; those that would leave too late are not among them. One sender's stay in order."""
        lines: dict[str, list[Send]] = {}
        planned: list[tuple[Send, datetime]] = []
        for send in sends:
            if send.sender_id not in self._pools:
                planned.append((send, self._now))
            elif send.sender_id not in self._full:
                lines.setdefault(send.sender_id, []).append(send)
        heap = [(self._now, place, an_id, 0) for place, an_id in enumerate(lines)]
        while heap:
            said, place, an_id, n = heapq.heappop(heap)
            at = pace.earliest((self._flows[pool] for pool in self._pools[an_id]), self._now)
            if at > self._now + pace.HORIZON:
                continue
            if at > said:
                heapq.heappush(heap, (at, place, an_id, n))
                continue
            send = lines[an_id][n]
            self._plan(send, at)
            planned.append((send, at))
            if n + 1 < len(lines[an_id]):
                heapq.heappush(heap, (at, place, an_id, n + 1))
        return planned

    async def write(self, tx: Writing) -> None:
        """Keep how far the pools have come."""
        moved = self._set_back | {pool for an_id in self._moved for pool in self._pools[an_id]}
        if moved:
            flows = {an_id: self._flows[an_id] for an_id in moved}
            await pools.move(tx, flows, {an_id: self._last[an_id] for an_id in self._moved})

    def _plan(self, send: Send, at: datetime) -> None:
        cost, opening = pace.cost_of(send.body, send.channel), send.priority == Priority.OPENING
        for pool in self._pools[send.sender_id]:
            self._flows[pool] = pace.after(self._flows[pool], at, cost, opening=opening)
        self._last[send.sender_id] = at
        self._moved.add(send.sender_id)

    def _of(self, sender: DueSender) -> Sequence[str]:
        return () if sender.id in self._full else self._pools.get(sender.id, ())


async def hold(tx: Writing, sender_ids: Iterable[str], now: datetime) -> Pacer:
    """Hold the pools of senders that have room or a limit; of senders without pools nothing is asked for."""
    asked = list(sender_ids)
    members = await pools.find_memberships(tx, asked) if asked else []
    flows, limits = await pools.lock_roomy(tx, (one.pool_id for one in members), now) if members else ({}, {})
    return Pacer(members, flows, limits, now)
