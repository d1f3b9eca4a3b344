"""A WhatsApp portfolio: how many different people it may write to first, outside their windows, within 24 hours.

Meta counts people, not messages, over all senders of the business portfolio, and over a rolling day. We count by the
hour, and let an hour go when its last minute is a day old: what we let through, Meta does too.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from overture.domain import window
from overture.domain.channel import Channel

FEWEST: Final = 1
MOST: Final = 10_000_000  # the largest of Meta's tiers is 100 000; above it there is no limit
_HOUR_SECONDS: Final = 3600
_LASTS: Final = timedelta(hours=25)  # from the hour's beginning: its last minute is then a day old


class Portfolio(Struct, frozen=True, kw_only=True):
    """A pool's limit, and how many people it last wrote to in which hour (seconds since 1970)."""

    pool_id: str
    at_most: int
    hours: Mapping[int, int] = {}


def is_counted(channel: Channel, last_inbound_at: datetime | None, now: datetime) -> bool:
    """Whether a message that leaves now is one the contact did not ask for: then it is a template, too."""
    return channel is Channel.WHATSAPP and not window.is_open(last_inbound_at, now)


def hour_of(at: datetime) -> int:
    """The hour that a message counts in."""
    seconds = int(at.timestamp())
    return seconds - seconds % _HOUR_SECONDS


def oldest_hour(now: datetime) -> int:
    """The first hour that still counts."""
    return hour_of(now - _LASTS) + _HOUR_SECONDS


def used(portfolio: Portfolio, now: datetime) -> int:
    """How many people count now."""
    oldest = oldest_hour(now)
    return sum(count for hour, count in portfolio.hours.items() if hour >= oldest)


def free_at(portfolio: Portfolio, now: datetime, place: int = 1) -> datetime:
    """From when on there is room for one more; for the second one, the third… by `place`.

    Who comes after as many as a day has room for asks again then.
    """
    missing = used(portfolio, now) + min(place, portfolio.at_most) - portfolio.at_most
    if missing <= 0:
        return now
    oldest = oldest_hour(now)
    for hour in sorted(hour for hour in portfolio.hours if hour >= oldest):
        missing -= portfolio.hours[hour]
        if missing <= 0:
            return datetime.fromtimestamp(hour, UTC) + _LASTS
    return now


def counted(portfolio: Portfolio, now: datetime) -> Portfolio:
    """The portfolio with one more person."""
    hour = hour_of(now)
    hours = {**portfolio.hours, hour: portfolio.hours.get(hour, 0) + 1}
    return Portfolio(pool_id=portfolio.pool_id, at_most=portfolio.at_most, hours=hours)
