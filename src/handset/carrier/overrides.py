"""Connection overrides: the fragment of a webhook's URL says how patiently it is called.

`#rc=3&rp=ct,rt,5xx&ct=2000&rt=5000&tt=15000`, after Twilio's "Webhooks: connection overrides". What is absent,
malformed or out of range keeps its default: one retry, and only where the connection itself failed.
"""

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl

Trouble = Literal["ct", "rt", "4xx", "5xx"]
ALL: Final[frozenset[Trouble]] = frozenset({"ct", "rt", "4xx", "5xx"})


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """How a webhook is called: lengths in seconds, the number of retries and what they are for."""

    connect_seconds: float = 5.0
    read_seconds: float = 15.0
    total_seconds: float = 15.0
    retries: int = 1
    retried: frozenset[Trouble] = frozenset({"ct"})


def parse(url: str) -> Overrides:
    """The overrides in a URL's fragment."""
    given = dict(parse_qsl(url.partition("#")[2], max_num_fields=None))
    return Overrides(
        connect_seconds=_number(given.get("ct"), low=100, high=10_000, default=5_000) / 1000,
        read_seconds=_number(given.get("rt"), low=100, high=15_000, default=15_000) / 1000,
        total_seconds=_number(given.get("tt"), low=100, high=15_000, default=15_000) / 1000,
        retries=_number(given.get("rc"), low=0, high=5, default=1),
        retried=_policy(given.get("rp")),
    )


def _number(text: str | None, *, low: int, high: int, default: int) -> int:
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 6:
        return default
    return int(text) if low <= int(text) <= high else default


def _policy(text: str | None) -> frozenset[Trouble]:
    if text is None:
        return frozenset({"ct"})
    named = set(text.split(","))
    chosen = ALL if "all" in named else frozenset(trouble for trouble in ALL if trouble in named)
    return chosen or frozenset({"ct"})
