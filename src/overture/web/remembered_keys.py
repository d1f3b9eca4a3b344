"""API keys that were looked up lately, known or not: for a minute they need no database."""

import time
from typing import Final

from msgspec import Struct

from overture.domain.access import Principal
from overture.store.api_keys import ApiKey

_FRESH_SECONDS: Final = 60.0
_MOST: Final = 10_000  # some two megabytes


class Remembered(Struct, frozen=True):
    """What the store said of a kid, and until when that is good enough. No key: there is none of that name."""

    until: float
    key: ApiKey | None
    principal: Principal

    @property
    def is_fresh(self) -> bool:
        """Whether the store need not be asked again."""
        return time.monotonic() < self.until


class RememberedKeys:
    """The keys of one process, by kid; the oldest makes room."""

    def __init__(self) -> None:
        self._by_kid: Final[dict[str, Remembered]] = {}

    def find(self, kid: str) -> Remembered | None:
        """What is remembered of a kid, stale or not."""
        return self._by_kid.get(kid)

    def remember(self, kid: str, key: ApiKey | None, principal: Principal) -> Remembered:
        """Keep what the store said."""
        self.forget(kid)
        if len(self._by_kid) >= _MOST:
            del self._by_kid[next(iter(self._by_kid))]
        kept = self._by_kid[kid] = Remembered(time.monotonic() + _FRESH_SECONDS, key, principal)
        return kept

    def forget(self, kid: str) -> None:
        """Ask the store the next time."""
        self._by_kid.pop(kid, None)
