"""The news: everything that changed, in order, for those who follow along.

A follower that lost its connection goes on from the last event it saw, while that is among the kept ones. Else,
and after a restart, it is told to `reset`: to read everything anew.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Final, Literal

import msgspec

from handset.state import nouns

KEPT: Final = 10_000  # an hour of a busy test; a follower that far behind reads everything anew

Kind = Literal[
    "message",
    "phone",
    "webhook",
    "opt-out",
    "opt-in",
    "removed",
    "typing",
    "act",
    "faults",
    "clock",
    "content",
    "forgotten",
    "reset",
]
Subject = nouns.Message | nouns.Phone | nouns.Webhook | nouns.OptOut | nouns.Lifted | nouns.Removed | nouns.Act | None


class Event(msgspec.Struct, frozen=True):
    """A change. `id` is opaque to followers."""

    id: str
    kind: Kind
    subject: Subject


class Feed:
    """The last events, and who waits for the next."""

    def __init__(self, *, boot: str) -> None:
        self._boot = boot
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._next = 1
        self._news = asyncio.Event()
        self._closed = False

    @property
    def position(self) -> str:
        """The id of the last event: whoever reads the whole state now goes on from here."""
        return f"{self._boot}-{self._next - 1}"

    def publish(self, kind: Kind, subject: Subject = None) -> None:
        """Tell all followers."""
        self._events.append(Event(f"{self._boot}-{self._next}", kind, subject))
        self._next += 1
        self._news.set()
        self._news = asyncio.Event()

    def close(self) -> None:
        """End every stream: Handset is stopping."""
        self._closed = True
        self._news.set()

    async def follow(self, last_id: str | None) -> AsyncIterator[Event | None]:
        """Events after that one (None: from now on); yields None now and then, so that a dead line is noticed."""
        position = self._next if last_id is None else self._resume(last_id)
        if position is None:
            yield Event(self.position, "reset", None)
            position = self._next
        while not self._closed:
            news = self._news
            oldest = self._next - len(self._events)
            if position < oldest:
                yield Event(self.position, "reset", None)
                position = self._next
            while position < self._next and not self._closed:
                yield self._events[position - (self._next - len(self._events))]
                position += 1
                if position < self._next - len(self._events):
                    break
            else:
                if not await _within(news, seconds=15):
                    yield None

    def _resume(self, last_id: str) -> int | None:
        boot, _, number = last_id.rpartition("-")
        if boot != self._boot or not number.isdecimal() or len(number) > 18:
            return None
        position = int(number) + 1
        return position if self._next - len(self._events) <= position <= self._next else None


async def _within(event: asyncio.Event, *, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
