"""The circuit breaker of a provider account: when it is plain that nobody answers there.

Only silence counts: no connection, no answer in time, a connection that broke, a 5xx, an answer that cannot be read. A
refusal, a 429 too, comes from somebody who is there. What is counted is what one process sees in a row; the breaker
itself stands in the database, for all of them.
"""

from datetime import timedelta
from enum import Enum, auto
from typing import Final

from msgspec import Struct

from overture.domain.errors import Failure, Misconfigured, OutcomeUnknown, Unreachable
from overture.domain.ports import Accepted

OPENS_AT: Final = 5  # in a row: one or two happen on any day, and each more is a message whose fate must be found out
PROBE_EVERY: Final = timedelta(seconds=30)  # a probe that fails leaves a message uncertain: few, but soon enough
UNPROVEN: Final = 25  # in flight while nobody has answered: enough for a good start, and all that a dead end swallows


class Sign(Enum):
    """What one request tells of the provider: it answered, it refused us as such, or it was silent."""

    ANSWERED = auto()
    REFUSED = auto()
    SILENT = auto()


class Health(Struct, frozen=True, kw_only=True):
    """What one process knows of an account: how many requests in a row met silence, and whether one was answered."""

    silences: int = 0
    proven: bool = False


def read(result: Accepted | Failure) -> Sign:
    """What the outcome of a request that was made tells of the provider."""
    match result:
        case OutcomeUnknown() | Unreachable():
            return Sign.SILENT
        case Misconfigured():
            return Sign.REFUSED
        case _:
            return Sign.ANSWERED


def after(health: Health, sign: Sign) -> Health:
    """What is known after one more sign. Who refuses our credentials is there, but proves nothing for the next."""
    match sign:
        case Sign.ANSWERED:
            return Health(proven=True)
        case Sign.REFUSED:
            return Health()
        case Sign.SILENT:
            return Health(silences=health.silences + 1)


def opens(health: Health) -> bool:
    """Whether so much silence opens the breaker."""
    return health.silences >= OPENS_AT


def most_in_flight(health: Health, limit: int) -> int:
    """How many requests may be under way at once, of `limit` for a provider that answers."""
    return limit if health.proven else min(limit, UNPROVEN)
