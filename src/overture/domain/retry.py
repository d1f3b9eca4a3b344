"""When to try again: doubling pauses, the provider's own word first where it gave one."""

from datetime import timedelta
from typing import Final

FIRST: Final = timedelta(seconds=0.5)  # Twilio's advice after a 429
LONGEST: Final = timedelta(minutes=5)
POISON_TRIES: Final = 5  # work that failed so often will fail again: it is parked for a person to look at
_POISON_FROM: Final = 3  # 4, 8, 16, 32 s: parked after a minute, within the two in which a contact hears of us


def delay(tries: int, asked_seconds: float | None = None) -> timedelta:
    """The pause before the next try after `tries` that failed; what the provider asked for is the least."""
    pause = min(LONGEST, FIRST * (1 << min(tries, 12)))
    return pause if asked_seconds is None else max(pause, timedelta(seconds=asked_seconds))


def poison_delay(tries: int) -> timedelta:
    """The pause before work that could not even be read is tried again, after `tries` that failed before this one."""
    return delay(tries + _POISON_FROM)
