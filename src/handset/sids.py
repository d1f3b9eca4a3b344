"""SIDs: two capital letters that say the kind, and 32 hexadecimal digits.

Random, as Twilio's are, unless a seed makes them the same in every run.
"""

import random


class Sids:
    """Gives out identifiers."""

    def __init__(self, *, seed: int | None) -> None:
        self._random = random.SystemRandom() if seed is None else random.Random(seed)

    def new(self, prefix: str) -> str:
        """An identifier such as `SM` and 32 digits."""
        return f"{prefix}{self._random.getrandbits(128):032x}"

    def token(self) -> str:
        """A UUID-shaped token, as webhooks carry one to tell a retry from a new event."""
        digits = f"{self._random.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
