"""Details: days, times, numbers and addresses that a flow asks for, and how they are read back."""

import contextlib
import re
from collections.abc import Mapping
from datetime import date, time
from typing import Final

from overture.agents import dates
from overture.domain import numbers
from overture.domain.agent import Ask, FlowSpec, Json

_LONGEST_ADDRESS: Final = 254  # of an e-mail address, by RFC 5321
_ADDRESS: Final = re.compile(
    r"(?<![\w.+@-])[A-Za-z0-9](?:[A-Za-z0-9._%+-]{0,62}[A-Za-z0-9_+-])?@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"[A-Za-z]{2,63}(?![\w@-])"
)
_NUMBER: Final = re.compile(r"(?<![\w+])(?:\+|00)?\(?\d[\d\s().\-/]{3,}\d(?!\w)")


def moment(ask: Ask, text: str, language: str, today: date) -> str | None:
    """The day, time of day or both that a text names, as ISO 8601; None where it names none or several."""
    earliest, latest = time.fromisoformat(ask.earliest), time.fromisoformat(ask.latest)
    if ask.type == "date":
        day = dates.read_day(text, language, today=today, most_days=ask.max_days)
        return None if day is None else day.isoformat()
    if ask.type == "time":
        at = dates.read_time(text, language, today=today, earliest=earliest, latest=latest)
        return None if at is None else f"{at:%H:%M}"
    both = dates.read_both(text, language, today=today, most_days=ask.max_days, earliest=earliest, latest=latest)
    return None if both is None else f"{both[0].isoformat()}T{both[1]:%H:%M}"


def phone(text: str, country: str | None) -> str | None:
    """The one number that a text holds, as E.164; None for none or several.

    `country` is the calling code that a number gets which was written as people write it at home, its trunk zero
    dropped.
    """
    found = {number for match in _NUMBER.findall(text) if (number := _international(match, country)) is not None}
    return found.pop() if len(found) == 1 else None


def email(text: str) -> str | None:
    """The one e-mail address that a text holds, its host in lower case; None for none or several."""
    found = {f"{name}@{host.lower()}" for name, _, host in (match.partition("@") for match in _ADDRESS.findall(text))}
    address = found.pop() if len(found) == 1 else None
    return None if address is None or ".." in address or len(address) > _LONGEST_ADDRESS else address


def told(spec: FlowSpec, values: Mapping[str, Json]) -> dict[str, Json]:
    """Values as texts show them: a day that was asked for with its weekday, in the flow's language."""
    asked = {node.ask.slot: node.ask.type for node in spec.nodes.values() if node.ask is not None}
    return {name: _told(value, asked.get(name), spec.language) for name, value in values.items()}


def _told(value: Json, asked: str | None, language: str) -> Json:
    if asked not in ("date", "datetime") or not isinstance(value, str):
        return value
    with contextlib.suppress(ValueError):  # a caller gave the slot's value beforehand, in words of its own
        day = dates.tell_day(date.fromisoformat(value[:10]), language)
        return f"{day}, {value[11:]}" if len(value) > 10 else day
    return value


def _international(written: str, country: str | None) -> str | None:
    bare = re.sub(r"\D", "", written)
    if written.startswith(("+", "00")):
        return numbers.read_number(f"+{bare.removeprefix('00')}")
    return None if country is None else numbers.read_number(f"+{country}{bare.removeprefix('0')}")
