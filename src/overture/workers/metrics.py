"""What is counted on the roads, in Prometheus' form."""

from functools import cache
from typing import Final

from prometheus_client import Counter

_BREAKER: Final = Counter(
    "overture_breaker_moves", "How often this process opened or closed a breaker.", ["account_sid", "to"]
)
_PARKED: Final = Counter("overture_parked", "Work that failed too often and was left to a person.", ["road"])


@cache
def breaker_moves(account_sid: str, to: str) -> Counter:
    """Counts how often an account's breaker was opened or closed; `to` is open or closed."""
    return _BREAKER.labels(account_sid, to)


@cache
def parked(road: str) -> Counter:
    """Counts the work of a road that was left to a person."""
    return _PARKED.labels(road)
