"""Caps: how much of a measure was taken in a stretch of time, whether more fits, and when it will.

A cap counts in buckets of a 24th of its window, of a minute at least. A bucket counts in full until the last instant
that it covers has left the window: so the stretch that is watched is never shorter than the window, and longer by a
bucket at most. Buckets of the future, which a clock that stepped back leaves behind, count as well.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from msgspec import Struct

from overture.domain import message, segments
from overture.domain.channel import Channel
from overture.domain.errors import Limited
from overture.domain.rules import Applying, Cap, Measure, Per, Rules, Scope

NEAR: Final = 80  # per cent: there is time left to do something about it
_BUCKETS: Final = 24  # an hour of a day, two and a half minutes of an hour
_SHORTEST_BUCKET: Final = 60  # seconds
_KEPT: Final = 64  # buckets, more than two windows: those that are over count again where a clock steps back to them

SPENT: Final = frozenset({Measure.SEGMENTS, Measure.MONEY})
"""What replies count into as well: a budget that is silent about half of what it pays for would be no budget."""


class Line(Struct, frozen=True, kw_only=True):
    """A cap that applies to a message: whose it is (`owner`: the agent or sender), and the name that it is counted by.

    The name does not hold the limit: a cap that is raised goes on from where it stood. Nor does it hold the contact,
    where each is counted apart.
    """

    name: str
    scope: Scope
    owner: str
    cap: Cap


class Wanted(Struct, frozen=True, kw_only=True):
    """What one message would take. `cost_micros` is None where its price is not known: then no money is counted."""

    messages: int = 1
    segments: int = 1
    cost_micros: int | None = None


def lines(applying: Applying, *, agent_id: str | None, sender_id: str | None) -> tuple[Line, ...]:
    """The caps that apply to a message of an agent from a sender, the widest first."""
    return tuple(
        _line(scope, an_id, cap)
        for scope, rules, an_id in (
            (Scope.WORKSPACE, applying.workspace, ""),
            (Scope.AGENT, applying.agent, agent_id or ""),
            (Scope.SENDER, applying.sender, sender_id or ""),
        )
        for cap in rules.caps
    )


def _line(scope: Scope, owner: str, cap: Cap) -> Line:
    apart = "-" if cap.per is None else cap.per.value
    name = f"{cap.count.value} {cap.within_seconds} {apart} {scope.value} {owner}"
    return Line(name=name, scope=scope, owner=owner, cap=cap)


def measure_of(name: str) -> Measure:
    """What a cap counts, by the name that it is counted by."""
    return Measure(name.partition(" ")[0])


def is_apart(name: str) -> bool:
    """Whether a cap counts each contact apart, by its name."""
    return name.split(" ")[2] == Per.CONTACT.value


def end_of(name: str, start: int) -> int:
    """The second from which a bucket of a cap of some name counts no longer."""
    return _until(int(name.split(" ")[1]), start)


def still_counting(name: str, buckets: Mapping[int, int], since: int) -> dict[int, int]:
    """Of what a cap of some name has counted, what it still counts at a second."""
    return {start: count for start, count in buckets.items() if end_of(name, start) > since}


def are_set(applying: Applying) -> bool:
    """Whether any cap applies at all."""
    return bool(applying.workspace.caps or applying.agent.caps or applying.sender.caps)


def spends(rules: Rules) -> bool:
    """Whether replies count into any of its caps."""
    return any(cap.count in SPENT for cap in rules.caps)


def width(cap: Cap) -> int:
    """Seconds that one bucket of a cap covers."""
    return _width(cap.within_seconds)


@lru_cache(maxsize=1024)  # windows are few, and messages many
def _width(within_seconds: int) -> int:
    return max(_SHORTEST_BUCKET, -(-within_seconds // _BUCKETS))


def bucket(cap: Cap, now: datetime) -> int:
    """The bucket of an instant, by the second in which it starts."""
    wide = _width(cap.within_seconds)
    return int(now.timestamp()) // wide * wide


def horizon(cap: Cap, now: datetime) -> int:
    """The last bucket that counts no longer."""
    return int(now.timestamp()) - cap.within_seconds - _width(cap.within_seconds)


def until(cap: Cap, start: int) -> int:
    """The second from which a bucket counts no longer."""
    return _until(cap.within_seconds, start)


def _until(within_seconds: int, start: int) -> int:
    return start + _width(within_seconds) + within_seconds


def together(wanted: Sequence[Wanted]) -> Wanted:
    """What messages take together. Where no price is known, no money."""
    if len(wanted) == 1:
        return wanted[0]
    return Wanted(
        messages=sum(one.messages for one in wanted),
        segments=sum(one.segments for one in wanted),
        cost_micros=sum(one.cost_micros or 0 for one in wanted),
    )


def amount(cap: Cap, wanted: Wanted) -> int:
    """What a message takes of a cap that counts no recipients."""
    match cap.count:
        case Measure.MESSAGES:
            return wanted.messages
        case Measure.SEGMENTS:
            return wanted.segments
        case Measure.MONEY:
            return wanted.cost_micros or 0
        case Measure.RECIPIENTS:
            return 1


def wanted_of(body: message.Body, channel: Channel, cost_micros: int | None) -> Wanted:
    """What one message takes; `cost_micros` is what it will cost, where that is known."""
    count = segments.count(message.shown(body)) if channel is Channel.SMS else 1
    return Wanted(segments=count, cost_micros=cost_micros)


class Told(Struct, frozen=True, kw_only=True):
    """When it was last told that a cap is nearly, or wholly, used up; in seconds."""

    near_at: int | None = None
    reached_at: int | None = None


class Tally:
    """What a cap has counted of late. Of recipients it knows those who are asked for now, by `contacts`:
    in which bucket each was last written to.
    """

    def __init__(
        self, cap: Cap, buckets: Mapping[int, int], told: Told, contacts: Mapping[str, int], now: datetime
    ) -> None:
        self.cap: Final = cap
        self.told: Final = told
        self._now: Final = now
        self._start: Final = bucket(cap, now)
        self._over: Final = horizon(cap, now)
        self._contacts: Final = {contact: start for contact, start in contacts.items() if start > self._over}
        newest = sorted(buckets, reverse=True)[:_KEPT]
        self.buckets: Final = {start: buckets[start] for start in newest if buckets[start] > 0}
        self._used = sum([count for start, count in self.buckets.items() if start > self._over])

    @property
    def used(self) -> int:
        """How much of the cap is taken."""
        return self._used

    def fits(self, wanted: Wanted, contact: str) -> bool:
        """Whether an opening fits. One whose price is unknown fits as long as anything is left."""
        return self._excess(wanted, contact) <= 0

    def can_ever_fit(self, wanted: Wanted) -> bool:
        """Whether an opening would fit if nothing else were counted."""
        if self.cap.count is Measure.RECIPIENTS:
            return self.cap.at_most > 0
        return self._needed(wanted) <= self.cap.at_most

    def room(self, wanted: Wanted) -> int:
        """How many openings that each take so much fit one after the other, of a cap that counts no recipients."""
        return max(0, (self.cap.at_most - self._used) // self._needed(wanted))

    def add_alike(self, wanted: Wanted, times: int) -> None:
        """Count several openings that each take so much, of a cap that counts no recipients."""
        self.change(self._start, amount(self.cap, wanted) * times)

    def add(self, wanted: Wanted, contact: str) -> None:
        """Count an opening."""
        start = self._start
        if self.cap.count is Measure.RECIPIENTS:
            if (before := self._contacts.get(contact)) is not None:
                self.change(before, -1)
                start = max(start, before)
            self._contacts[contact] = start
            self.change(start, 1)
        else:
            self.change(start, amount(self.cap, wanted))

    def change(self, start: int, by: int) -> None:
        """Let a bucket hold more, or less."""
        before = self.buckets.get(start, 0)
        count = max(0, before + by)
        if count:
            self.buckets[start] = count
        else:
            self.buckets.pop(start, None)
        if start > self._over:
            self._used += count - before

    def frees_in(self, wanted: Wanted, contact: str) -> int:
        """Seconds until an opening fits, if nothing else is counted; a whole window where it never does."""
        excess = self._excess(wanted, contact)
        for start, count in sorted(self.buckets.items()):
            if start <= self._over:
                continue
            if excess <= 0:
                break
            excess -= count
            if excess <= 0:
                return max(1, until(self.cap, start) - int(self._now.timestamp()))
        return self.cap.within_seconds

    def _excess(self, wanted: Wanted, contact: str) -> int:
        if self.cap.count is Measure.RECIPIENTS:
            return self.used + (contact not in self._contacts) - self.cap.at_most
        return self.used + self._needed(wanted) - self.cap.at_most

    def _needed(self, wanted: Wanted) -> int:
        """What must be left for an opening, of a cap that counts no recipients: something, where no price is known."""
        return max(1, amount(self.cap, wanted))

    def news(self) -> tuple[bool, bool]:
        """Whether it is to be told now that the cap is nearly, or wholly, used up: once a window each."""
        if self.cap.per is not None or not self.cap.at_most:
            return False, False
        near = self.used * 100 >= self.cap.at_most * NEAR and self._is_over(self.told.near_at)
        reached = self.used >= self.cap.at_most and self._is_over(self.told.reached_at)
        return near, reached

    def _is_over(self, told_at: int | None) -> bool:
        return told_at is None or int(self._now.timestamp()) - told_at >= self.cap.within_seconds


def refuse(line: Line, tally: Tally, wanted: Wanted, contact: str) -> Limited | None:
    """Why an opening is refused for a cap; None where it fits."""
    if tally.fits(wanted, contact):
        return None
    can_fit = tally.can_ever_fit(wanted)
    raising = f"raise the cap with `overture {'agents apply' if line.scope is Scope.AGENT else 'rules set'}`"
    return Limited(
        "cap_reached",
        f"{name(line)} is reached: {taken(tally)} is used.",
        retry_after_seconds=tally.frees_in(wanted, contact),
        hint=f"Try again when Retry-After has passed, or {raising}." if can_fit else f"So much never fits: {raising}.",
    )


def name(line: Line) -> str:
    """A cap in words: `The workspace's cap of 100 messages in 1 day`."""
    cap = line.cap
    apart = " to one contact" if cap.per is Per.CONTACT else ""
    return f"The {line.scope.value}'s cap of {_much(cap, cap.at_most)}{apart} in {length(cap.within_seconds)}"


def taken(tally: Tally) -> str:
    """What is used in words: `20 of 100 messages`."""
    return f"{tally.used:,} of {_much(tally.cap, tally.cap.at_most)}"


def _much(cap: Cap, count: int) -> str:
    if cap.count is Measure.MONEY:
        return f"{count:,} millionths of money"
    return f"{count:,} {cap.count.value.removesuffix('s') if count == 1 else cap.count.value}"


def length(seconds: int) -> str:
    """A length of time in words: `1 day`, `90 seconds`."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds % size == 0 and seconds >= size:
            return f"{seconds // size} {unit}{'' if seconds == size else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
