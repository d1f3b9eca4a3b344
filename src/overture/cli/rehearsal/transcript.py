"""What was said in a rehearsal and what happened behind it, as people read it."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.cli.rehearsal.stand_ins import Arrived, SetClock
from overture.domain.message import Template, Text

_WIDTH: Final = 7  # of the longest name: contact
_NOTE: Final = ""


class Entry(Struct, frozen=True, kw_only=True):
    """One line; what has no author is a note."""

    at: datetime
    who: str
    text: str
    offers: tuple[str, ...] = ()


class Transcript:
    """The entries in their order. `by_people` are the texts that people wrote, which the agent did not say."""

    def __init__(self, clock: SetClock) -> None:
        self.clock = clock
        self.entries: Final[list[Entry]] = []
        self.by_people: Final[list[str]] = []
        self.unread: Final[list[Arrived]] = []

    def note(self, text: str) -> None:
        """Something happened."""
        self.entries.append(Entry(at=self.clock.at, who=_NOTE, text=text))

    def contact(self, text: str) -> None:
        """The contact wrote."""
        self.entries.append(Entry(at=self.clock.at, who="contact", text=text))

    def arrived(self, one: Arrived) -> None:
        """A message arrived: of a person of the operator's, or of the agent, and then it is unread."""
        offered = isinstance(one.body, Text) and one.text == one.body.text  # elsewhere the text numbers them
        offers = one.body.options if isinstance(one.body, Text) and offered else ()
        if one.text in self.by_people:
            self.by_people.remove(one.text)
            self.entries.append(Entry(at=one.at, who="person", text=one.text))
            return
        text = f"[template {one.body.content_sid}] {one.text}" if isinstance(one.body, Template) else one.text
        self.entries.append(Entry(at=one.at, who="agent", text=text, offers=offers))
        self.unread.append(one)

    def lines(self, since: int = 0) -> list[str]:
        """The entries from one on, each with its time; the date where it is another than the one before."""
        told: list[str] = []
        before = self.entries[since - 1].at if since else None
        for entry in self.entries[since:]:
            if before is not None and entry.at.date() != before.date():
                told.append(f"{'':10}{'':{_WIDTH}}  -- {entry.at:%A %-d %B %Y} --")
            before = entry.at
            told += _told(entry)
        return told


def _told(entry: Entry) -> list[str]:
    first, *more = entry.text.splitlines() or [""]
    head = f"{entry.at:%H:%M:%S}  {entry.who:{_WIDTH}}  "
    lines = [head + (f"({first})" if entry.who == _NOTE else first)]
    lines += [" " * len(head) + line for line in more]
    if entry.offers:
        lines.append(" " * len(head) + " ".join(f"[{offer}]" for offer in entry.offers))
    return [line.rstrip() for line in lines]
