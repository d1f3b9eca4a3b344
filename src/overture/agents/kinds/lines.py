"""Lines of a conversation as a model is shown them.

What strangers wrote stands in the user's role, whoever chose to show it, and never among the instructions.
"""

from collections.abc import Iterable
from typing import Final, assert_never

from overture.agents import replies
from overture.domain.channel import Channel
from overture.domain.turn import Author, Line, Speech

LONGEST: Final = 4000  # characters of one line; a longer one is a paste, and its beginning says what it is
CHANNELS: Final = {Channel.SMS: "SMS", Channel.WHATSAPP: "WhatsApp", Channel.API: "a chat"}


def speech(line: Line) -> Speech:
    """A line of the conversation, on its writer's side."""
    match line.author:
        case Author.CONTACT:
            return Speech(role="user", text=unmarked(line.text))
        case Author.AGENT | Author.OPERATOR:
            return Speech(role="assistant", text=line.text[:LONGEST])
        case _ as never:
            assert_never(never)


def unmarked(text: str) -> str:
    """A contact's text, unable to show the model a marker that it might repeat."""
    return replies.without_markers(text[:LONGEST])


def merged(said: Iterable[Speech]) -> tuple[Speech, ...]:
    """Lines of one side that follow each other as one: several model servers insist on turns."""
    merged: list[Speech] = []
    for line in said:
        if merged and merged[-1].role == line.role:
            merged[-1] = Speech(role=line.role, text=f"{merged[-1].text}\n{line.text}")
        else:
            merged.append(line)
    return tuple(merged)
