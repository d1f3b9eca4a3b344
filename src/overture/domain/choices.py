"""Choices that a message offers: buttons where a channel has them, numbers where it has not.

WhatsApp's limits, by Twilio's Content API inside the window: three quick replies of 20 characters, or a list of ten
rows of 24, under a text of 1,024. What does not fit is numbered, as on SMS.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

_BUTTONS: Final = 3
_BUTTON_LENGTH: Final = 20
_ROWS: Final = 10
_ROW_LENGTH: Final = 24
_TEXT_LENGTH: Final = 1024
_PLACEHOLDER: Final = "{{"  # Twilio would take what stands in it for a variable of a template
_WORD: Final = re.compile(r"\w+")


class Picker(StrEnum):
    """How WhatsApp offers choices."""

    QUICK_REPLY = "quick-reply"
    LIST = "list-picker"


def picker(text: str, options: Sequence[str]) -> Picker | None:
    """What can offer these choices under a text, None where nothing can."""
    shown = [option.strip() for option in options]
    if len(shown) < 2 or not all(shown) or len({option.casefold() for option in shown}) < len(shown):
        return None
    if not text.strip() or len(text) > _TEXT_LENGTH or _PLACEHOLDER in "\n".join((text, *shown)):
        return None
    longest = max(map(len, shown))
    if len(shown) <= _BUTTONS and longest <= _BUTTON_LENGTH:
        return Picker.QUICK_REPLY
    return Picker.LIST if len(shown) <= _ROWS and longest <= _ROW_LENGTH else None


def numbered(text: str, options: Sequence[str]) -> str:
    """A text with the choices that it offers, one a line behind its number, unless it names or numbers them itself."""
    if len(options) < 2 or _offers(text, options):
        return text
    mark = ")" if any(option[:1].isdigit() for option in options) else ""  # "1) 2 people" and not "1 2 people"
    return "\n".join([text, *(f"{n}{mark} {option}" for n, option in enumerate(options, 1))])


def _offers(text: str, options: Sequence[str]) -> bool:
    """Whether a text names all its choices, or all their numbers in order: "Answer 1 to confirm or 2 to move it"."""
    words = _WORD.findall(text.casefold())
    spoken = f" {' '.join(words)} "
    left = iter(words)
    if all(str(n) in left for n in range(1, len(options) + 1)):  # each is looked for behind the one before
        return True
    return all(f" {' '.join(_WORD.findall(option.casefold()))} " in spoken for option in options)
