"""What the contact has not read: words of ours that WhatsApp's closed window kept from them, or what they wrote then.

A follow-up that was withdrawn whole was never said, and its agent does not see it. Of all others the last ones, said
since the contact wrote, wait to be said again; those before were said again already, and are not shown to the agent as
if they had been read.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from overture.domain.closed_window import unread
from overture.domain.delivery import FAILED
from overture.domain.message import Author, Direction, Text
from overture.domain.reasons import Reason
from overture.store.messages import Message


class Before(Struct, frozen=True, kw_only=True):
    """The lines before a turn as its agent is to see them, and the texts among the last of them that wait."""

    lines: tuple[Message, ...]
    waiting: tuple[str, ...]


def look_back(history: Sequence[Message], conversation_id: str) -> Before:
    """What an agent is to see of the lines before its turn."""
    last_heard = max((n for n, line in enumerate(history) if line.direction is Direction.IN), default=-1)
    lines, waiting = [], []
    for n, line in enumerate(history):
        if line.status in FAILED and line.reason == Reason.CONTACT_WROTE:
            continue
        text = _unread(line)
        if text is None:
            lines.append(line)
        elif n > last_heard and line.conversation_id == conversation_id and line.author is Author.AGENT:
            lines.append(replace(line, body=Text(text=text)))
            waiting.append(text)
        elif not isinstance(line.body, Text):
            lines.append(line)  # its reader has read the template
    return Before(lines=tuple(lines), waiting=tuple(waiting))


def _unread(line: Message) -> str | None:
    if line.direction is Direction.IN:
        return None
    return unread(line.body, line.status, line.reason, by_turn=line.place is not None)
