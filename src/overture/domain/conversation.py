"""A conversation: an agent (or a person) and a contact, from its opening to its end.

`bot <-> human -> ended`, and `paused` (a human is wanted, none has taken it). Ended is terminal. `epoch` moves on
takeover, opt-out and end, and whatever carries an older epoch is fenced off.
"""

from enum import StrEnum
from typing import Final

from overture.domain.agent import EndReason


class Mode(StrEnum):
    """Who carries the conversation."""

    BOT = "bot"
    HUMAN = "human"
    PAUSED = "paused"
    ENDED = "ended"


class ChatStatus(StrEnum):
    """A conversation's state as the chat API tells it."""

    ONGOING = "ongoing"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


_COMPLETED: Final = frozenset(
    {EndReason.COMPLETED, EndReason.INACTIVITY_TIMEOUT, EndReason.MAX_TURNS, EndReason.HANDED_OVER}
)


def chat_status(mode: Mode, reason: EndReason | None) -> ChatStatus:
    """The chat API's word for a mode and the reason of an end."""
    if mode is not Mode.ENDED:
        return ChatStatus.ONGOING
    return ChatStatus.COMPLETED if reason in _COMPLETED else ChatStatus.CANCELLED
