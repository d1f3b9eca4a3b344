"""Replies of a model: from what it wrote to what a phone shows.

Models write markdown, typographic extravagance and far too much; a message is plain text of a few lines. Markers that
steer the conversation are taken out here, whole or broken, so that none is ever read by a contact.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import Final, Literal

from msgspec import Struct

from overture.agents.variables import BIDI, without_placeholders


class Marked(Struct, frozen=True, kw_only=True):
    """What a model wrote without its markers, and what the last of them asks for, with its reason."""

    text: str
    asks: Literal["end", "hand_over"] | None = None
    reason: str = ""


# `[[end: reason]]`, and what weaker models make of it: one bracket, other case, a missing end.
_MARKER: Final = re.compile(r"\[{1,2} ?(end|hand[ _-]?over)\b ?:?([^\[\]\n]{0,300})\]{0,2}", re.IGNORECASE)
_BRACKETED: Final = re.compile(r"\[\[[^\[\]\n]{0,300}(?:\]\]?|$)", re.MULTILINE)


def take_markers(text: str) -> Marked:
    """Split a model's answer into what is to be said and what its last marker asks for."""
    last = None
    for match in _MARKER.finditer(text):
        last = match
    spoken = _BRACKETED.sub("", _MARKER.sub("", text))
    if last is None:
        return Marked(text=spoken)
    asks: Literal["end", "hand_over"] = "end" if last[1].lower() == "end" else "hand_over"
    return Marked(text=spoken, asks=asks, reason=last[2].strip(" .:"))


_PLAIN: Final = (
    (re.compile(r"^```[^\n]*$", re.MULTILINE), ""),  # fences, their content stays
    (re.compile(r"!?\[([^\[\]\n]{1,300})\]\((https?://[^\s()]{1,500})\)"), r"\1 (\2)"),
    (re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+", re.MULTILINE), ""),
    (re.compile(r"^[ \t]{0,3}>[ \t]?", re.MULTILINE), ""),
    (re.compile(r"^[ \t]{0,8}[*+•][ \t]+", re.MULTILINE), "- "),
    (re.compile(r"^[ \t]{0,3}(?:[-*_][ \t]*){3,}$", re.MULTILINE), ""),
    (re.compile(r"(\*\*\*|\*\*|__)(?=\S)([^\n*]{1,500}?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]{1,500}?)(?<=\S)\*(?![\w*])"), r"\1"),
    (re.compile(r"(?<![\w_])_(?=\S)([^_\n]{1,500}?)(?<=\S)_(?![\w_])"), r"\1"),
    (re.compile(r"`([^`\n]{1,500})`"), r"\1"),
)


# Characters that nobody sees. They hide texts in texts, and links from whoever looks for links; those that join letters
# and emoji stay where they do, and so do the tags that make a black flag the flag of England.
_UNSEEN: Final = re.compile(
    "(\U0001f3f4[\U000e0030-\U000e007a]{1,6}\U000e007f)"
    "|[\u00ad\u180e\u200b\u2060-\u2064\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
    "|(?<=[ -~])[\u200c\u200d]+(?=[ -~])"
)
_OTHER_DOT: Final = re.compile(r"(?<=[A-Za-z0-9])[\u3002\uff0e\uff61](?=[A-Za-z0-9])")  # browsers read them as dots


def plain(text: str) -> str:
    """A model's text without markdown, control, direction and unseen characters, and surplus white space."""
    text = re.sub("\r\n?|[\u2028\u2029]", "\n", text)
    text = _OTHER_DOT.sub(".", _UNSEEN.sub(r"\1", text))
    for pattern, with_what in _PLAIN:
        text = pattern.sub(with_what, text)
    kept = "".join(c for c in text if c in "\n\t" or (c not in BIDI and unicodedata.category(c) not in {"Cc", "Cs"}))
    lines = [re.sub(r"[ \t\u00a0]+", " ", line).strip() for line in kept.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def without_markers(text: str) -> str:
    """A stranger's text, unable to show a model a marker that it might repeat."""
    return re.sub(r"\[(?=\[)", "[ ", text)


def without_rests(text: str) -> str:
    """A text without what is left of broken markers, once everything else was taken out from between their brackets."""
    return re.sub(r"\[{2,}", "[", text)


# A link as a phone makes one of it: with its scheme or without, as soon as it looks like a host.
_LINK: Final = re.compile(
    r"(?:[a-z][a-z0-9+.-]{1,20}://)?(?:[^\s/@]{1,100}@)?((?:[^\W_](?:[\w-]{0,62})\.){1,10}[^\W\d_]{2,24})"
    r"(?::\d{1,5})?(?:[/?#](?:[^\s<>\"']*[^\s<>\"'.,;:!?)])?)?|[a-z][a-z0-9+.-]{1,20}://[^\s<>\"']+",
    re.IGNORECASE,
)


def with_links_to(text: str, hosts: Iterable[str] | None) -> str:
    """A text without links to other hosts than these and their subdomains; None lets all of them stand.

    A model repeats what it read, and what it read may come from a stranger.
    """
    if hosts is None:
        return text
    allowed = tuple(host.casefold() for host in hosts)

    def kept(match: re.Match[str]) -> str:
        host = (match[1] or "").casefold()
        stands = host in allowed or host.endswith(tuple(f".{one}" for one in allowed))
        return match[0] if stands and "@" not in match[0] else ""

    return (
        re.sub(r"[ \t]+(?=[.,;!?)]|$)", "", re.sub(r"[ \t]{2,}", " ", _LINK.sub(kept, text))).replace("()", "").strip()
    )


def spoken(marked: Marked, known: Collection[str], hosts: Iterable[str] | None) -> str:
    """What a contact may read of a model's answer: plain, without placeholders of `known` names and foreign links."""
    return without_rests(without_placeholders(with_links_to(plain(marked.text), hosts), known))


_SENTENCE_END: Final = re.compile(r"(?:[.!?…。！？]+[\"')\]]*(?=\s)|\n)")


def parts(text: str, limit: int, most: int) -> tuple[str, ...]:
    """The text in at most `most` messages of at most `limit` characters, cut at sentences; the rest is dropped."""
    made: list[str] = []
    rest = text.strip()
    while rest and len(made) < most:
        if len(rest) <= limit:
            made.append(rest)
            break
        at = _cut(rest, limit)
        made.append(rest[:at].strip())
        rest = rest[at:].strip()
    return tuple(made)


def _cut(text: str, limit: int) -> int:
    """Where to end a message: after the last sentence that fits, else before the last word, else at the limit."""
    window = text[: limit + 1]
    ends = [match.end() for match in _SENTENCE_END.finditer(window) if match.end() <= limit]
    # A sentence that fills less than a third of the message leaves too much unsaid: a word is the better place then.
    if ends and ends[-1] * 3 >= limit:
        return ends[-1]
    space = window.rfind(" ", 1)
    return space if space > 0 else limit
