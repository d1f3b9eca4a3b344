"""Numbers and addresses as people and programs write them.

A number is read when it is E.164 and *possible*: its length is one that its country calling code has
(`number_lengths.py`). Possible and never "valid": numbering plans change faster than tables, and only the network
knows who answers. A `+` is never guessed: the same digits are different numbers in different countries.

WhatsApp also knows people by a business-scoped user id (BSUID), two letters of a country, a dot and letters and
digits; it stands where a number would.
"""

import re
from typing import Final

from overture.domain.channel import WHATSAPP_PREFIX, Channel
from overture.domain.number_lengths import LENGTHS
from overture.domain.variants import canonical

_E164: Final = re.compile(r"\+[1-9][0-9]{4,14}")  # fifteen digits at most, by the recommendation itself
_BSUID: Final = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
_PUNCTUATION: Final = re.compile(r"[\s().\-/\u2010-\u2015\u2212\u2060\u200b\u200e\u200f\u202a-\u202e]+")
_TRUNK_ZERO: Final = re.compile(r"\(\s*0\s*\)")
_LONGEST_WRITTEN: Final = 64  # a number with all the punctuation people put in; longer text is no number


def _by_first_digits() -> dict[str, int]:
    """For every first three digits a bit mask of the lengths that a whole number, `+` included, may have.

    One look-up then answers for codes of one, two and three digits alike.
    """
    masks: dict[str, int] = {}
    for code, lengths in LENGTHS.items():
        mask = sum(1 << (1 + len(str(code)) + length) for length in lengths)
        spare = 3 - len(str(code))
        for rest in range(10**spare):
            masks[f"{code}{rest:0{spare}d}" if spare else str(code)] = mask
    return masks


_POSSIBLE: Final = _by_first_digits()


def is_possible(number: str) -> bool:
    """Whether an E.164 number (with its `+`) has a length that its country calling code knows."""
    return _E164.fullmatch(number) is not None and bool(_POSSIBLE.get(number[1:4], 0) >> len(number) & 1)


def is_bsuid(text: str) -> bool:
    """Whether a text has the form of WhatsApp's business-scoped user id."""
    return _BSUID.fullmatch(text) is not None


def read_number(text: str) -> str | None:
    """The E.164 number that a text writes, or None.

    A `whatsapp:` prefix, spaces and punctuation are dropped. `+44 (0)20…` is refused: whether the zero in brackets
    belongs to the number differs by country.
    """
    if _E164.fullmatch(text) is None:
        if len(text) > _LONGEST_WRITTEN or _TRUNK_ZERO.search(text):
            return None
        bare = text.strip()
        if bare[: len(WHATSAPP_PREFIX)].lower() == WHATSAPP_PREFIX:
            bare = bare[len(WHATSAPP_PREFIX) :]
        text = _PUNCTUATION.sub("", bare)
        if _E164.fullmatch(text) is None:
            return None
    if _POSSIBLE.get(text[1:4], 0) >> len(text) & 1:
        return text
    return text if is_possible(canonical(text)) else None  # +521… is a Mexican's in WhatsApp, whatever the plan says


def read_address(channel: Channel, text: str) -> str | None:
    """Whom a text names on a channel: a number, or on WhatsApp also a BSUID; None where it names nobody."""
    number = read_number(text)
    if number is None and channel is Channel.WHATSAPP and is_bsuid(bare := text.strip().removeprefix(WHATSAPP_PREFIX)):
        return bare
    return number
