"""Patterns that authors write for answers: RE2, whose time grows with the text and never explodes."""

from functools import lru_cache
from typing import Final, Protocol

import re2

LONGEST: Final = 200  # characters of a pattern; a longer one is a program
_MOST_MEMORY: Final = 1 << 20  # bytes that a compiled pattern may take: `(a{1000}){1000}` is refused


class Match(Protocol):
    """A text that fits."""

    def group(self, number: int = 0) -> str:
        """What fits, or what its group of this number holds."""


class Pattern(Protocol):
    """A compiled pattern."""

    groups: int

    def fullmatch(self, text: str) -> Match | None:
        """The text, where all of it fits."""


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Pattern:
    """A pattern in any case of letters. Raises ValueError, telling what is wrong with it."""
    if len(pattern) > LONGEST:
        raise ValueError(f"it has more than {LONGEST} characters")
    options = re2.Options()
    options.max_mem = _MOST_MEMORY
    options.log_errors = False
    options.case_sensitive = False
    try:
        found: Pattern = re2.compile(pattern, options)
    except re2.error as wrong:
        said = wrong.args[0] if wrong.args else wrong
        raise ValueError(said.decode(errors="replace") if isinstance(said, bytes) else str(said)) from wrong
    return found


def fit(pattern: str, text: str) -> str | None:
    """The text without spaces around it where it fits, or what the pattern's first group holds; else None."""
    match = compiled(pattern).fullmatch(text.strip())
    if match is None:
        return None
    return match.group(1) if compiled(pattern).groups else match.group()
