"""Spending: what messages were expected to cost, and what was charged for them, in sums of one currency each."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from overture.domain.errors import Invalid

LONGEST: Final = timedelta(days=366)  # every message of the time is read
USUAL: Final = timedelta(days=29)  # beside the last day
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9998


class By(StrEnum):
    """What is summed up together."""

    DAY = "day"
    SENDER = "sender"
    AGENT = "agent"


class Period(Struct, frozen=True, kw_only=True):
    """From one instant to before another."""

    begins: datetime
    ends: datetime


class Part(Struct, frozen=True, kw_only=True):
    """Messages of one key that have the same currencies: how many, and what is not known of how many.

    `charges` counts the provider's ids, of which a message that was tried twice has two.
    """

    key: str
    name: str
    expected_in: str | None
    charged_in: str | None
    messages: int
    segments: int
    expected: int
    not_expected: int
    charged: int
    not_charged: int


class Sum(Struct, frozen=True, kw_only=True):
    """What was expected and what was charged in a currency, in millionths."""

    currency: str
    expected: int = 0
    charged: int = 0


class Spent(Struct, frozen=True, kw_only=True):
    """What goes with one key. `not_expected` are messages whose cost was not known when they were written,
    `not_charged` those of the provider's ids whose price it has not said.
    """

    key: str
    name: str
    messages: int
    segments: int
    not_expected: int
    not_charged: int
    sums: tuple[Sum, ...]


def period(first: date | None, last: date | None, now: datetime) -> Period:
    """Whole days in UTC, both included; the last thirty where none is given. Raises Invalid."""
    end = now.astimezone(UTC).date() if last is None else last
    begin = end - min(USUAL, end - date.min) if first is None else first
    if begin > end:
        raise Invalid("invalid_request", "from is later than to.", field="from", hint="Give the earlier day as from.")
    if end - begin >= LONGEST:
        raise Invalid(
            "invalid_request", f"That is more than {LONGEST.days} days.", field="from", hint="Ask for a year at a time."
        )
    if begin.year < _FIRST_YEAR or end.year > _LAST_YEAR:
        raise Invalid("invalid_request", "Nothing was ever written then.", field="from", hint="Give other days.")
    midnight = datetime.combine(begin, time(), UTC)
    return Period(begins=midnight, ends=midnight + (end - begin) + timedelta(days=1))


def summed(parts: Iterable[Part]) -> list[Spent]:
    """The parts by their keys, in the keys' order."""
    by_key: dict[str, list[Part]] = {}
    for part in parts:
        by_key.setdefault(part.key, []).append(part)
    return [_spent(key, by_key[key]) for key in sorted(by_key)]


def total(parts: Iterable[Part]) -> Spent:
    """All of the parts together."""
    return _spent("", list(parts))


def _spent(key: str, parts: list[Part]) -> Spent:
    expected: dict[str, int] = {}
    charged: dict[str, int] = {}
    for part in parts:
        if part.expected_in is not None:
            expected[part.expected_in] = expected.get(part.expected_in, 0) + part.expected
        if part.charged_in is not None:
            charged[part.charged_in] = charged.get(part.charged_in, 0) + part.charged
    return Spent(
        key=key,
        name=parts[0].name if key and parts else "",
        messages=sum(part.messages for part in parts),
        segments=sum(part.segments for part in parts),
        not_expected=sum(part.not_expected for part in parts),
        not_charged=sum(part.not_charged for part in parts),
        sums=tuple(
            Sum(currency=one, expected=expected.get(one, 0), charged=charged.get(one, 0))
            for one in sorted(expected.keys() | charged.keys())
        ),
    )
