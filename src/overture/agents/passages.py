"""Cut a text into passages: at its headings and paragraphs, and where these are too long, where a reader would pause.

Markdown and plain text are read alike: a plain text without headings is cut at its paragraphs alone. Paragraphs that
follow each other under one heading stay together as far as they fit, so that an answer stays with its question.
"""

import re
from collections.abc import Iterator
from typing import Final

from overture.domain.errors import Invalid
from overture.domain.knowledge import MOST_BYTES, MOST_PASSAGES, PASSAGE_LENGTH, TITLE_LENGTH, Passage

_HEADING: Final = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$")
_FENCE: Final = re.compile(r" {0,3}(```|~~~)")
_PARAGRAPH: Final = re.compile(r"\n[ \t]*\n")
_PAUSES: Final = ("\n", ". ", "! ", "? ", "。", "; ", ", ", " ")  # the earlier, the better to cut after


def read(raw: bytes) -> str:
    """A file's text, with line ends of one kind. Raises Invalid where it is too long, empty, or no text."""
    if len(raw) > MOST_BYTES:
        raise Invalid(
            "knowledge_too_long",
            f"The text has {len(raw):,} bytes, at most {MOST_BYTES:,} are kept.",
            hint="Split it into several knowledge bases.",
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise Invalid(
            "knowledge_unreadable", f"The text is not UTF-8 (byte {wrong.start:,}).", hint="Save it as UTF-8 text."
        ) from wrong
    if "\0" in text:
        raise Invalid(
            "knowledge_unreadable", "The text has a NUL character: it is no text.", hint="Send Markdown or plain text."
        )
    if not text.strip():
        raise Invalid("knowledge_empty", "The text is empty.", hint="DELETE takes a knowledge base away.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def cut(text: str) -> tuple[Passage, ...]:
    """The passages of a text in order. Raises Invalid where there are too many."""
    found: list[Passage] = []
    for title, body in _sections(text):
        for part in _packed(body):
            found.append(Passage(number=len(found) + 1, title=title, text=part))
            if len(found) > MOST_PASSAGES:
                raise Invalid(
                    "knowledge_too_many_passages",
                    f"The text falls into more than {MOST_PASSAGES:,} passages.",
                    hint="Split it into several knowledge bases, or use fewer headings.",
                )
    return tuple(found)


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """What stands under each heading, with the headings above it. A heading with nothing below stands for itself."""
    path: dict[int, str] = {}
    lines: list[str] = []
    pending = ""  # the last heading, while nothing stands below it
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark is not None and fence in {"", mark[1]}:
            fence = "" if fence else mark[1]
        heading = None if fence or mark else _HEADING.match(line)
        if heading is None:
            lines.append(line)
            continue
        level, named = len(heading[1]), _named(heading[2] or "")
        body = "\n".join(lines).strip()
        if body or (pending and level <= max(path)):
            yield _title(path), body or pending
        lines = []
        path = {depth: above for depth, above in path.items() if depth < level}
        if named:
            path[level] = named
        pending = named
    if body := "\n".join(lines).strip() or pending:
        yield _title(path), body


def _named(heading: str) -> str:
    """A heading's words, without the marks that may close it: `## Prices ##`."""
    words = heading.strip()
    bare = words.rstrip("#")
    return bare.rstrip() if not bare or bare[-1] in " \t" else words


def _title(path: dict[int, str]) -> str:
    """The headings from the outermost on; where they are too long together, the innermost count."""
    title = " > ".join(path[depth] for depth in sorted(path))
    return title if len(title) <= TITLE_LENGTH else f"…{title[1 - TITLE_LENGTH :]}"


def _packed(body: str) -> Iterator[str]:
    """Paragraphs together as far as they fit."""
    held: list[str] = []
    length = 0
    for paragraph in _PARAGRAPH.split(body):
        for part in _parts(paragraph.strip()):
            if held and length + 2 + len(part) > PASSAGE_LENGTH:
                yield "\n\n".join(held)
                held, length = [], 0
            length += len(part) + (2 if held else 0)
            held.append(part)
    if held:
        yield "\n\n".join(held)


def _parts(paragraph: str) -> Iterator[str]:
    """A paragraph in pieces that fit; positions move, nothing is copied twice: it may be one line of a whole book."""
    start = 0
    while len(paragraph) - start > PASSAGE_LENGTH:
        end = _pause(paragraph, start)
        if part := paragraph[start:end].strip():
            yield part
        start = end
    if part := paragraph[start:].strip():
        yield part


def _pause(paragraph: str, start: int) -> int:
    """Where to cut what begins at `start`: after the last good pause of the second half of what fits."""
    half, end = start + PASSAGE_LENGTH // 2, start + PASSAGE_LENGTH
    for pause in _PAUSES:
        if (at := paragraph.rfind(pause, half, end)) >= 0:
            return at + len(pause)
    return end
