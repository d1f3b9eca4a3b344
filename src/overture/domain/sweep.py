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
POLL: Final = timedelta(seconds=3)  # what polling adds to a contact's wait; one request of an account each time
AGAIN: Final = timedelta(seconds=30)  # after a list that could not be read, while a queue waits for it
OVERLAP: Final = timedelta(minutes=15)  # a list lags by a minute at worst; statuses are looked at three times more so
POLL_OVERLAP: Final = timedelta(minutes=1)  # as a list lags at worst; every five minutes a poll has the whole overlap
FIRST: Final = timedelta(hours=24)  # what the first sweep, and an activation, reads: as long as a WhatsApp window lasts
FARTHEST: Final = timedelta(days=7)  # what is older is answered by nobody (`routing.RESUME_WITHIN`)
YOUNG: Final = timedelta(seconds=60)  # a webhook is on its way as long, its repetitions included; it says more
_ABSURD: Final = timedelta(days=1)  # no clock is ahead by more: such a date is a mistake

POLL_PAGE: Final = 50  # 25 of the last minute, and the 25 old ones that end a walk: one request
RECENT_PAGE: Final = 100  # messages a request: most sweeps find nothing new on their first page
LONG_PAGE: Final = 500  # after an outage; Twilio gives a thousand, but takes seconds for them
_LONG_AFTER: Final = timedelta(hours=1)
MOST_PAGES: Final = 2000  # a million messages: a list that goes on longer has no end
_OLD_IN_A_ROW: Final = 25  # so many old ones end a walk: a single odd date must not


class Need(Struct, frozen=True, kw_only=True):
    """What an account's sweeps depend on.

    `listens` where webhooks of one of its senders have reached us, or one is polled; `must_be_after` is the last
    instant at which its queue was shut: it opens when the account was swept since; `is_cut_off` where its breaker is
    open, and being able to read the list is the first sign of life. `polls` where the list is a sender's way in,
    `activates` where the past of one is to be read.
    """

    listens: bool
    swept_at: datetime | None
    must_be_after: datetime | None
    is_cut_off: bool = False
    polls: bool = False
    activates: bool = False


class Stretch(Struct, frozen=True, kw_only=True):
    """What one sweep reads: down to the provider's time `since`, so many messages a request.

    `is_whole` where it reads all that a sweep ever does; a poll between two of these reads what is new.
    """

    since: datetime
    page_size: int
    is_whole: bool


def is_pressing(need: Need) -> bool:
    """Whether somebody waits for a sweep."""
    if need.activates:
        return True
    waits = need.must_be_after is not None and (need.swept_at is None or need.swept_at < need.must_be_after)
    return waits and (need.listens or need.is_cut_off)


def due_at(need: Need, tried_at: datetime | None, now: datetime) -> datetime | None:
    """When an account is to be swept next, given when this process last tried; None for never.

    A try of our future was dated by a clock that was set since: it delays nothing.
    """
    swept_at = need.swept_at
    if is_pressing(need):
        due = now
    elif need.listens:
        due = now if swept_at is None or swept_at > now else swept_at + (POLL if need.polls else EVERY)
    else:
        return None
    if tried_at is None or tried_at > now:
        return due
    was_read = swept_at is not None and swept_at >= tried_at
    return max(due, tried_at + (POLL if need.polls and was_read else AGAIN))


def stretch(need: Need, swept_to: datetime | None, whole_at: datetime | None, now: datetime) -> Stretch:
    """What to read now, given when this process last read the whole."""
    since = reads_from(swept_to, now)
    if need.activates:
        since = min(since, now - FIRST)
    is_recent = whole_at is not None and timedelta() <= now - whole_at < EVERY
    if need.polls and is_recent and not is_pressing(need):
        since = since if swept_to is None else max(since, swept_to - POLL_OVERLAP)
        return Stretch(since=since, page_size=POLL_PAGE, is_whole=False)
    return Stretch(since=since, page_size=page_size(since, now), is_whole=True)


def is_young(written_at: datetime, now: datetime) -> bool:
    """Whether a message's webhook may still be on its way."""
    return now - YOUNG < written_at < now + _ABSURD


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
            if self._leaves_young and is_young(message.created_at, self._now):
                continue
            taken.append((self._place, message))
            if message.created_at <= self._now:
                self.up_to = message.created_at if self.up_to is None else max(self.up_to, message.created_at)
        return taken
