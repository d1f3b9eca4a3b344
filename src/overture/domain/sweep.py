"""Sweeps: reading a provider's list of messages for what webhooks lost. When one is due, and how far back it reads.

All times in the list are the provider's own, and its clock may be off: a mark is only ever set to a time that the
provider itself wrote, never to ours. The list may show a message late, so each reading overlaps the one before.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from overture.domain.ports import ProviderMessage

EVERY: Final = timedelta(minutes=5)  # what a lost webhook costs a contact; a request each time is nothing
AGAIN: Final = timedelta(seconds=30)  # after a list that could not be read, while a queue waits for it
OVERLAP: Final = timedelta(minutes=15)  # a list lags by a minute at worst; statuses are looked at three times more so
FIRST: Final = timedelta(hours=24)  # what the first sweep reads: as long as a WhatsApp window lasts
FARTHEST: Final = timedelta(days=7)  # what is older is answered by nobody (`routing.RESUME_WITHIN`)
YOUNG: Final = timedelta(seconds=60)  # a webhook is on its way as long, its repetitions included; it says more
_ABSURD: Final = timedelta(days=1)  # no clock is ahead by more: such a date is a mistake

RECENT_PAGE: Final = 100  # messages a request: most sweeps find nothing new on their first page
LONG_PAGE: Final = 500  # after an outage; Twilio gives a thousand, but takes seconds for them
_LONG_AFTER: Final = timedelta(hours=1)
MOST_PAGES: Final = 2000  # a million messages: a list that goes on longer has no end
_OLD_IN_A_ROW: Final = 25  # so many old ones end a walk: a single odd date must not


class Need(Struct, frozen=True, kw_only=True):
    """What an account's sweeps depend on.

    `listens` where webhooks of one of its senders have reached us; `must_be_after` is the last instant at which its
    queue was shut: it opens when the account was swept since; `is_cut_off` where its breaker is open, and being able to
    read the list is the first sign of life.
    """

    listens: bool
    swept_at: datetime | None
    must_be_after: datetime | None
    is_cut_off: bool = False


def is_pressing(need: Need) -> bool:
    """Whether somebody waits for a sweep."""
    waits = need.must_be_after is not None and (need.swept_at is None or need.swept_at < need.must_be_after)
    return waits and (need.listens or need.is_cut_off)


def due_at(need: Need, tried_at: datetime | None, now: datetime) -> datetime | None:
    """When an account is to be swept next, given when this process last tried; None for never.

    A try of our future was dated by a clock that was set since: it delays nothing.
    """
    if is_pressing(need):
        due = now
    elif need.listens:
        due = now if need.swept_at is None else need.swept_at + EVERY
    else:
        return None
    return due if tried_at is None or tried_at > now else max(due, tried_at + AGAIN)


def reads_from(swept_to: datetime | None, now: datetime) -> datetime:
    """The provider's time down to which its list is read."""
    return now - FIRST if swept_to is None else max(swept_to - OVERLAP, now - FARTHEST)


def page_size(since: datetime, now: datetime) -> int:
    """How many messages to ask for at once."""
    return LONG_PAGE if now - since > _LONG_AFTER else RECENT_PAGE


class Walk:
    """One reading of an account's list, from its newest message down.

    `up_to` is the newest time that the provider wrote, for the mark; what is dated in our future does not set it.
    """

    def __init__(self, *, since: datetime, now: datetime, leaves_young: bool) -> None:
        self._since: Final = since
        self._now: Final = now
        self._leaves_young: Final = leaves_young
        self._place = 0
        self._old: list[tuple[int, ProviderMessage]] = []
        self.is_over = False
        self.up_to: datetime | None = None

    def take(self, messages: Iterable[ProviderMessage]) -> list[tuple[int, ProviderMessage]]:
        """The messages of a page that are to be looked at, each with its place in the list, 1 for the newest.

        An old message counts as one that is known only when nothing newer stands behind it.
        """
        taken: list[tuple[int, ProviderMessage]] = []
        for message in messages:
            self._place += 1
            if message.created_at < self._since:
                self._old.append((self._place, message))
                if len(self._old) >= _OLD_IN_A_ROW:
                    self.is_over = True
                    break
                continue
            taken += self._old
            self._old.clear()
            if self._leaves_young and self._now - YOUNG < message.created_at < self._now + _ABSURD:
                continue
            taken.append((self._place, message))
            if message.created_at <= self._now:
                self.up_to = message.created_at if self.up_to is None else max(self.up_to, message.created_at)
        return taken
