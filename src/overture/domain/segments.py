"""What a text costs as SMS, and how it is cut and folded to cost less.

A segment has 1120 bits: 160 characters of GSM-7 or 70 UTF-16 units of UCS-2; in a longer message each segment gives
six bytes to its header (153 and 67). One character outside GSM-7 turns the whole message into UCS-2, so a single
typographic apostrophe more than doubles the price. Source: 3GPP TS 23.038; the counting agrees with Twilio's own
calculator. WhatsApp has no segments.
"""

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from overture.domain.channel import BODY_LIMIT, Channel

_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION: Final = "|^€{}[]~\\\f"
"""Two septets each, an escape and the character; the two are never parted by a segment's end."""

_GSM_7: Final = re.compile(f"[{re.escape(_BASIC + _EXTENSION)}]*")
_EXTENDED: Final = re.compile(f"[{re.escape(_EXTENSION)}]")


class Encoding(StrEnum):
    """How an SMS travels."""

    GSM_7 = "gsm-7"
    UCS_2 = "ucs-2"


def encoding_of(text: str) -> Encoding:
    """The encoding that a text needs."""
    return Encoding.GSM_7 if _GSM_7.fullmatch(text) else Encoding.UCS_2


def count(text: str) -> int:
    """How many segments a text takes as SMS; an empty one takes one."""
    if encoding_of(text) is Encoding.GSM_7:
        extended = len(_EXTENDED.findall(text))
        if len(text) + extended <= 160:
            return 1
        if not extended:
            return -(-len(text) // 153)
        return _fill((2 if char in _EXTENSION else 1 for char in text), 153)
    if utf16_units(text) <= 70:
        return 1
    return _fill((2 if char > "\uffff" else 1 for char in text), 67)


def _fill(units: Iterable[int], room: int) -> int:
    segments, used = 1, 0
    for unit in units:
        if used + unit > room:
            segments, used = segments + 1, 0
        used += unit
    return segments


def utf16_units(text: str) -> int:
    """The length of a text as UCS-2 counts it: a character beyond the basic plane is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


_REPLACEMENTS: Final[dict[str, str | None]] = {
    **dict.fromkeys("“”„‟«»″˝〝〞＂", '"'),
    **dict.fromkeys("‘’‚‛′´`ˋˊʼʹ＇", "'"),
    **dict.fromkeys("‹", "<"),
    **dict.fromkeys("›", ">"),
    **dict.fromkeys("‐‑‒–—―−⁃﹣－", "-"),
    **dict.fromkeys("•·∙‣", "-"),
    "…": "...",
    "⁄": "/",
    "∕": "/",
    "¼": "1/4",
    "½": "1/2",
    "¾": "3/4",
    "×": "x",
    "™": "(TM)",
    "©": "(C)",
    "®": "(R)",
    "\t": " ",
    "\u2028": "\n",
    "\u2029": "\n",
    **dict.fromkeys(
        "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "
    ),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufe0f\ufeff", None),
    **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if chr(code) not in "＂＇－"},
}
"""Characters that word processors and language models write, and what a phone's keyboard would have typed. Letters
with accents are not here: to lose them changes names."""

_LOOKALIKES: Final = str.maketrans(_REPLACEMENTS)


def fold(text: str) -> str:
    """The text with typographic characters replaced by lookalikes of GSM-7, if that makes all of it GSM-7.

    A text that stays UCS-2 anyway (an emoji, another script) is left as its author wrote it: folding would save
    nothing.
    """
    if _GSM_7.fullmatch(text):
        return text
    folded = text.translate(_LOOKALIKES)
    return folded if _GSM_7.fullmatch(folded) else text


def unadorned(text: str) -> str:
    """A text as it reads whatever a provider's encoding made of it: lookalikes as one, every space the same.

    Only for comparing: unlike `fold` it does not ask whether that makes the text GSM-7.
    """
    return " ".join(unicodedata.normalize("NFKC", text.translate(_LOOKALIKES)).split())


_BREAKS: Final = (
    re.compile(r"\n\s*\n\s*"),  # a paragraph's end
    re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|\n+\s*"),  # a sentence's or a line's end
    re.compile(r"\s+"),
)
_JOINER: Final = "\u200d"


def split_body(text: str, channel: Channel) -> tuple[str, ...]:
    """The parts in which a text is sent on a channel, in order: one where it fits, none for an empty text.

    Cut at the last paragraph of what fits, else at the last sentence, else at the last word, each only if it leaves
    a part at least half full; a word longer than a message is cut between its characters. The limit is counted in
    UTF-16 units, the stricter reading of the provider's "characters".
    """
    limit = BODY_LIMIT[channel]
    rest, parts = text.strip(), []
    while utf16_units(rest) > limit:
        here = _cut(rest, limit)
        parts.append(rest[:here].rstrip())
        rest = rest[here:].lstrip()
    if rest:
        parts.append(rest)
    return tuple(parts)


def _cut(text: str, limit: int) -> int:
    """Where to cut a text that is longer than a message: after what separates, so that nothing starts with it."""
    fits = _longest_prefix(text, limit)
    for separator in _BREAKS:
        ends = [
            found.end() for found in separator.finditer(text, 0, fits + 1) if len(text[: found.end()].rstrip()) <= fits
        ]
        if ends and ends[-1] * 2 >= fits:
            return ends[-1]
    words = [found.end() for found in _BREAKS[-1].finditer(text, 0, fits)]
    if words and words[-1] > 0:
        return words[-1]
    here = fits
    while here > 1 and _clings(text, here):
        here -= 1
    return here if here > 1 else fits


def _longest_prefix(text: str, limit: int) -> int:
    """How many characters fit into so many UTF-16 units."""
    fits = min(len(text), limit)
    while (over := utf16_units(text[:fits]) - limit) > 0:
        fits -= (over + 1) // 2
    return fits


def _clings(text: str, at: int) -> bool:
    """Whether the character at a place belongs to the one before: an accent, a skin tone, a joined emoji."""
    char = text[at]
    return (
        unicodedata.category(char) in ("Mn", "Mc", "Me")
        or char == _JOINER
        or text[at - 1] == _JOINER
        or "\U0001f3fb" <= char <= "\U0001f3ff"
    )
