"""A notice: what an operator's server is told when a conversation goes to people, and nobody comes for it.

It may arrive twice, and in any order: its id tells one that was seen before, `at` which of two is the newer. It carries
no words of the contact; who is told asks for the conversation with a key of its own.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

LIFE: Final = timedelta(days=1)  # a hand-over that nobody heard of for a day is found in the inbox, or not at all
_FIRST: Final = timedelta(seconds=5)  # a server that is being restarted is back by then
_LONGEST: Final = timedelta(hours=1)
_GONE: Final = 410  # the one status that says: never again


class NoticeKind(StrEnum):
    """What is told of."""

    HANDED_OVER = "conversation.handed_over"
    PAUSED = "conversation.paused"
    UNATTENDED = "conversation.unattended"
    GIVEN_UP = "conversation.given_up"


class NoticeState(StrEnum):
    """What became of a notice."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class Notice(Struct, frozen=True, kw_only=True):
    """A notice that is to be delivered; `secret` names the secret that it is signed with, `tries` counts this one."""

    id: str
    shard: int
    workspace_id: str
    conversation_id: str
    kind: NoticeKind
    body: str
    url: str
    secret: str | None
    tries: int
    created_at: datetime


def server_of(url: str) -> str:
    """The server that a URL names, whatever its path: it is one that hangs, or is away."""
    return urlsplit(url).netloc


def again_at(notice: Notice, now: datetime) -> datetime | None:
    """When to try once more after a try that failed; None where its day is over."""
    pause = min(_LONGEST, _FIRST * 2 ** min(notice.tries - 1, 12))
    due_at = now + pause
    return due_at if due_at <= notice.created_at + LIFE else None


def objection(status: int) -> str | None:
    """Why a status is no delivery, None where it is one."""
    if 200 <= status < 300:
        return None
    moved = ", and wants to be asked elsewhere, which is not done" if 300 <= status < 400 else ""
    return f"The server answered {status}{moved}."


def is_final(status: int) -> bool:
    """Whether a status says that nothing more is wanted there."""
    return status == _GONE
