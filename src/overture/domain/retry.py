"""When to try again: doubling pauses, the provider's own word first where it gave one."""

from datetime import timedelta
from typing import Final

FIRST: Final = timedelta(seconds=0.5)  # Twilio's advice after a 429
LONGEST: Final = timedelta(minutes=5)
POISON_TRIES: Final = 5  # work that failed so often will fail again: it is parked for a person to look at


def delay(tries: int, asked_seconds: float | None = None) -> timedelta:
    """The pause before the next try after `tries` that failed; what the provider asked for is the least."""
    pause = min(LONGEST, FIRST * (1 << min(tries, 12)))
    return pause if asked_seconds is None else max(pause, timedelta(seconds=asked_seconds))
