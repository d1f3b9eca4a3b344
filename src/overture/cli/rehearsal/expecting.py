"""Whether a message is the one that was expected, and where it differs."""

import json
import re
from datetime import timedelta
from typing import Any, Final

from overture.agents.script import Says
from overture.cli.rehearsal.stand_ins import Arrived
from overture.domain.message import Template, Text

_LONGEST: Final = 20_000  # characters that a pattern is tried on


class Missed(Exception):
    """The agent did otherwise than a step expects."""

    def __init__(self, sentence: str, *, detail: str = "", hint: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence: Final = sentence
        self.detail: Final = detail.rstrip()
        self.hint: Final = hint


def check_message(says: Says, arrived: Arrived) -> None:
    """Raise Missed where a message is not the expected one."""
    wrong: list[str] = []
    said = _plain(arrived.text)
    if missing := [part for part in says.parts if _plain(part) not in said]:
        wrong.append(f"  expected   a message that contains {' and '.join(map(repr, missing))}")
    if says.equals is not None and arrived.text.strip() != says.equals.strip():
        wrong += _side_by_side(says.equals.strip(), arrived.text.strip())
    if says.matches is not None and re.search(says.matches, arrived.text[:_LONGEST]) is None:
        wrong.append(f"  expected   a message that matches {says.matches!r}")
    options = list(arrived.body.options) if isinstance(arrived.body, Text) else []
    if says.options is not None and options != says.options:
        wrong.append(difference("options", says.options, options))
    if says.segments is not None and arrived.segments != says.segments:
        wrong.append(difference("segments", says.segments, arrived.segments))
    template = arrived.body.content_sid if isinstance(arrived.body, Template) else None
    if says.template is not None and template != says.template:
        wrong.append(difference("template", says.template, template))
    if wrong:
        told = wrong if says.equals is not None else [*wrong, f"  it says    {arrived.text!r}"]
        raise Missed("The agent says something else.", detail="\n".join(told))


def quoted(says: Says) -> str:
    """What was expected, in a few words."""
    if says.equals is not None:
        return repr(says.equals)
    if says.matches is not None:
        return f"a message that matches {says.matches!r}"
    return f"a message that contains {' and '.join(map(repr, says.parts))}" if says.parts else "a message"


def in_words(length: timedelta) -> str:
    """A length of time as a script writes it."""
    left, told = int(length.total_seconds()), ""
    for letter, seconds in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        told += f"{left // seconds}{letter}" if left >= seconds else ""
        left %= seconds
    return told or "0s"


def difference(name: str, expected: Any, found: Any) -> str:
    """One line of a difference."""
    return f"  {name}: expected {_shown(expected)}, found {_shown(found)}"


def _shown(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _side_by_side(expected: str, found: str) -> list[str]:
    """Both texts, and a mark under the first character in which they differ."""
    ours, theirs = repr(expected)[1:-1], repr(found)[1:-1]
    pairs = enumerate(zip(ours, theirs, strict=False))
    at = next((n for n, (a, b) in pairs if a != b), min(len(ours), len(theirs)))
    return [f"  expected   {ours}", f"  found      {theirs}", f"             {' ' * at}^"]


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
