"""How many SMS a text is.

A segment carries 1,120 bits: 160 characters of GSM 03.38 (a few of them take two places) or 70 UTF-16 units; when a
text needs several, each loses 48 bits to a header, which leaves 153 and 67. A character is never cut in two.
"""

from typing import Final

BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED: Final = frozenset("|^€{}[]~\\\f")


def of(text: str, address: str) -> int:
    """The number of segments on the channel of that address; WhatsApp has none to count."""
    return 1 if address.startswith("whatsapp:") else count(text)


def count(text: str) -> int:
    """The number of segments; an empty text still takes one."""
    if all(character in BASIC or character in EXTENDED for character in text):
        units = [2 if character in EXTENDED else 1 for character in text]
        single, several = 160, 153
    else:
        units = [2 if ord(character) > 0xFFFF else 1 for character in text]
        single, several = 70, 67
    if sum(units) <= single:
        return 1
    segments, used = 1, 0
    for unit in units:
        if used + unit > several:
            segments, used = segments + 1, 0
        used += unit
    return segments
