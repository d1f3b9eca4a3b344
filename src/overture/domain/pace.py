"""Pace: how many messages of a pool leave in a second, by the theoretical arrival times of GCRA (ITU-T I.371).

A pool counts in segments for SMS, in messages elsewhere. Each message is given the instant at which it leaves, one
interval of its own after the one before: in no second leave more than the pace and one, and a time without messages
saves nothing up. Messages are claimed a little ahead of their instants, and what is late by little is made up for as
far as that bound allows, so that a worker that comes late loses none.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

from msgspec import Struct

from overture.domain import segments
from overture.domain.channel import Channel
from overture.domain.message import Body, Template, shown

SLOWEST: Final = 0.001  # a message in a quarter of an hour: whoever wants less wants none
FASTEST: Final = 10_000.0  # thrice what the fastest short code may do
HORIZON: Final = timedelta(milliseconds=300)  # how far ahead of its instant a message is claimed
REFILL: Final = timedelta(milliseconds=200)  # a pool that has less planned has room: the rest is for late workers
ONE_OF: Final = 5  # while openings wait, at least one of so many messages is one
_LONGEST_CREDIT: Final = timedelta(seconds=1)
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class PoolKind(StrEnum):
    """What has a pace: a sender of ours, or what the provider or a carrier counts several senders as."""

    SENDER = "sender"
    MESSAGING_SERVICE = "messaging_service"
    CAMPAIGN = "campaign"
    BRAND = "brand"
    WHATSAPP_PORTFOLIO = "whatsapp_portfolio"
    ACCOUNT = "account"
    FREE = "free"


class Flow(Struct, frozen=True, kw_only=True):
    """What leaves a pool: `tat` is when it is free again, `planned_at` the instant of its last message.

    `replies` is how many went that no opening has made up for yet; where it is less than zero, openings are ahead.
    """

    per_second: float
    tat: datetime = _LONG_AGO
    planned_at: datetime = _LONG_AGO
    replies: int = 0


@lru_cache(maxsize=1024)  # paces and lengths are few
def interval(per_second: float, cost: int = 1) -> timedelta:
    """What a message of so many segments keeps its pool busy for."""
    return timedelta(microseconds=math.ceil(cost * 1_000_000 / per_second))


def credit(per_second: float) -> timedelta:
    """Which lateness is made up for; what is more is a pause.

    No second has more than the pace and one for it, with a tenth to spare.
    By GCRA a second has at most `floor(pace * (1 + credit)) + 1`.
    """
    seconds = 0.9 * (math.floor(per_second) + 1 - per_second) / per_second
    return min(_LONGEST_CREDIT, timedelta(seconds=seconds))


def cost_of(body: Body, channel: Channel) -> int:
    """What a message counts: its segments as SMS, one elsewhere; one, too, where its text is the provider's."""
    if channel is not Channel.SMS or (isinstance(body, Template) and body.rendered is None):
        return 1
    return segments.count(shown(body))


def steady(flow: Flow, now: datetime) -> Flow:
    """The flow as the clock has it now: nothing was ever planned further ahead, so a clock was set back where it is."""
    back = flow.planned_at - (now + HORIZON)
    if back <= timedelta(0):
        return flow
    return Flow(per_second=flow.per_second, tat=flow.tat - back, planned_at=now + HORIZON, replies=flow.replies)


def room(flow: Flow, now: datetime) -> int:
    """How many messages of one segment may be claimed now; none before enough of what is planned has left."""
    if flow.tat > now + REFILL:
        return 0
    return 1 + (now + HORIZON - max(flow.tat, now)) // interval(flow.per_second)


def has_room_at(flow: Flow) -> datetime:
    """From when on messages may be claimed again."""
    return flow.tat - REFILL


def kept_for_openings(flow: Flow, count: int) -> int:
    """How many of the next `count` messages are openings at least, where openings wait."""
    return max(0, flow.replies + count) // ONE_OF


def earliest(flows: Iterable[Flow], now: datetime) -> datetime:
    """When the next message may leave that all of these count."""
    return max((now, *(flow.tat for flow in flows)))


def after(flow: Flow, at: datetime, cost: int, *, opening: bool) -> Flow:
    """The flow with one more message, which leaves at `at`."""
    most = ONE_OF - 1
    replies = max(-most, flow.replies - most) if opening else min(most, flow.replies + 1)
    return Flow(
        per_second=flow.per_second,
        tat=(flow.tat if at - flow.tat <= credit(flow.per_second) else at) + interval(flow.per_second, cost),
        planned_at=max(at, flow.planned_at),
        replies=replies,
    )


class Tail(Struct, frozen=True, kw_only=True, cache_hash=True):
    """The end of a pool's queue: what is accepted now leaves at `at`, if that is not past."""

    pool_id: str
    name: str
    per_second: float
    at: datetime = _LONG_AGO


def leaves_at(tails: Sequence[Tail], now: datetime) -> datetime:
    """When an opening leaves that is accepted now."""
    return max((now, *(tail.at for tail in tails)))
