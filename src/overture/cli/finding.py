"""One line of the doctor's report."""

from enum import StrEnum

from msgspec import Struct


class Verdict(StrEnum):
    """How it stands. A note is worth knowing and keeps nothing from working."""

    GOOD = "good"
    NOTE = "note"
    WRONG = "wrong"


class Finding(Struct, frozen=True, kw_only=True):
    """What was found, in a sentence, and what to do about it."""

    verdict: Verdict
    sentence: str
    hint: str | None = None


def good(sentence: str) -> Finding:
    """It is as it should be."""
    return Finding(verdict=Verdict.GOOD, sentence=sentence)


def note(sentence: str, hint: str | None = None) -> Finding:
    """It works, and something about it is worth knowing."""
    return Finding(verdict=Verdict.NOTE, sentence=sentence, hint=hint)


def wrong(sentence: str, hint: str | None = None) -> Finding:
    """It does not work, or will not for long."""
    return Finding(verdict=Verdict.WRONG, sentence=sentence, hint=hint)
