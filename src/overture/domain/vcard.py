"""Contact cards: the name and the numbers of who is in one, for people to read.

Source: RFC 6350 (vCard 4.0) and what phones write of 3.0 and 2.1. Nothing else of a card is read.
"""

import re
import unicodedata
from typing import Final

CONTENT_TYPES: Final = frozenset({"text/vcard", "text/x-vcard", "text/directory"})
_LONGEST: Final = 64 * 1024  # bytes; what is beyond is a photograph
_FOLD: Final = re.compile(r"\r?\n[ \t]")
_LINE: Final = re.compile(r"(?:[A-Za-z0-9-]+\.)?(FN|N|TEL)((?:;[^:\r\n]{0,200})?):([^\r\n]{0,300})", re.IGNORECASE)
_ESCAPED: Final = re.compile(r"\\([,;\\])")
_NUMBERS: Final = 3
_LONGEST_NAME: Final = 100


def read(body: bytes) -> str | None:
    """Who is in a card: "Ada Lovelace, +1 555 0100", None where it tells neither a name nor a number."""
    text = _FOLD.sub("", body[:_LONGEST].decode("utf-8", "replace"))
    name, structured, numbers = "", "", list[str]()
    for line in re.split(r"\r?\n", text):
        match = _LINE.fullmatch(line.strip())
        if match is None:
            continue
        kind, value = match[1].upper(), match[3]
        if kind == "FN":
            name = name or _plain(value)
        elif kind == "N":
            structured = structured or _plain(" ".join(reversed(value.split(";")[:2])))
        elif number := _plain(value.removeprefix("tel:"))[:30]:
            numbers.append(number)
    told = [one for one in (name or structured, *dict.fromkeys(numbers[:_NUMBERS])) if one]
    return ", ".join(told) or None


def _plain(value: str) -> str:
    """A value on one line, unable to end the brackets that it stands in."""
    text = _ESCAPED.sub(r"\1", value)
    kept = "".join(" " if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") else char for char in text)
    return " ".join(kept.replace("[", "(").replace("]", ")").split())[:_LONGEST_NAME].rstrip()
