"""Smart encoding: characters that only look like those of GSM 03.38 are sent as those, and the text stays one SMS.

Twilio names 270 such characters; here are the ones that people and models write.
"""

from typing import Final

QUOTES: Final = "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u275d\u275e\uff02"
APOSTROPHES: Final = "\u2018\u2019\u201a\u201b\u2032\u02bc\u02c8\u00b4`\u275b\u275c\uff07\uff40"
DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\u23af\ufe58\uff0d"
BLANKS: Final = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
DOTS: Final = "\u2022\u00b7\u2219\u2027"
NOTHING: Final = "\u200b\u200c\u2060\ufeff"
FULL_WIDTH: Final = "".join(map(chr, range(0xFF01, 0xFF5F)))  # each 0xFEE0 above the character it looks like
PAIRS: Final[dict[str, str]] = {
    **{character: chr(ord(character) - 0xFEE0) for character in FULL_WIDTH},
    **dict.fromkeys(QUOTES, '"'),
    **dict.fromkeys(APOSTROPHES, "'"),
    **dict.fromkeys(DASHES, "-"),
    **dict.fromkeys(BLANKS, " "),
    **dict.fromkeys(DOTS, "."),
    **dict.fromkeys(NOTHING, ""),
    "\u2026": "...",
    "\u2039": "<",
    "\u203a": ">",
    "\u2044": "/",
    "\u00bc": "1/4",
    "\u00bd": "1/2",
    "\u00be": "3/4",
    "\u2028": "\n",
    "\u2029": "\n",
}
ALIKE: Final = str.maketrans(PAIRS)


def smart(text: str) -> str:
    """The text as it is sent."""
    return text.translate(ALIKE)
