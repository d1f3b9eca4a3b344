"""Stored follow-ups: the one that a conversation's agent has pending, in the conversation's own row.

What the contact writes takes it away, in the very statement that gives the message its number (`conversations.hear`).
"""

from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.follow_up import FollowUp
from overture.store.engine import Reading, Writing, instant, instant_or_none, stored
from overture.store.statement import Command, Query

_FIND: Final = Query(
    """
    SELECT follow_up_due_at, follow_up_next_at, follow_up_about, follow_up_epoch, follow_up_after_seq, follow_up_waits,
        follow_ups
    FROM conversation WHERE workspace_id = $1 AND id = $2 AND follow_up_due_at IS NOT NULL
    """
)
_SET: Final = Command(
    """
    UPDATE conversation SET follow_up_due_at = $3, follow_up_next_at = $3, follow_up_about = $4, follow_up_epoch = $5,
        follow_up_after_seq = $6, follow_up_waits = NULL
    WHERE workspace_id = $1 AND id = $2
    """
)
_PUT_OFF: Final = Command(
    "UPDATE conversation SET follow_up_next_at = $3, follow_up_waits = $4 WHERE workspace_id = $1 AND id = $2"
)
_BEGIN: Final = Command(
    """
    UPDATE conversation SET turn_due_at = $3, follow_up_next_at = NULL, follow_up_waits = NULL
    WHERE workspace_id = $1 AND id = $2
    """
)
_CLEAR: Final = Command(
    """
    UPDATE conversation SET follow_up_due_at = NULL, follow_up_next_at = NULL, follow_up_about = NULL,
        follow_up_waits = NULL, follow_ups = follow_ups + $3
    WHERE workspace_id = $1 AND id = $2
    """
)


class Pending(Struct, frozen=True, kw_only=True):
    """A follow-up that was asked for and has not happened. `next_at` is None once its turn is due.

    `waits` is the code of the reason for which it was put off, `in_a_row` how many there were since the contact wrote.
    """

    asked: FollowUp
    about: str
    next_at: datetime | None
    waits: str | None
    in_a_row: int


async def find(tx: Reading, workspace_id: str, conversation_id: str) -> Pending | None:
    """What a conversation's agent has pending."""
    row = await tx.one(_FIND, workspace_id, conversation_id)
    if row is None:
        return None
    return Pending(
        asked=FollowUp(due_at=instant(row[0]), epoch=row[3], after_seq=row[4]),
        about=row[2],
        next_at=instant_or_none(row[1]),
        waits=row[5],
        in_a_row=row[6],
    )


async def set_one(tx: Writing, key: tuple[str, str], asked: FollowUp, about: str) -> None:
    """Let this be what is pending in a (workspace, conversation), in place of any other."""
    await tx.run(_SET, *key, stored(asked.due_at), about, asked.epoch, asked.after_seq)


async def put_off(tx: Writing, key: tuple[str, str], until: datetime, reason: str) -> None:
    """Look at it again at an instant. The caller holds the row."""
    await tx.run(_PUT_OFF, *key, stored(until), reason)


async def begin(tx: Writing, key: tuple[str, str], now: datetime) -> None:
    """Its turn is due. The caller holds the row."""
    await tx.run(_BEGIN, *key, stored(now))


async def clear(tx: Writing, key: tuple[str, str], *, spoke: bool) -> None:
    """Nothing is pending any more; `spoke` where the contact was written to. The caller holds the row."""
    await tx.run(_CLEAR, *key, int(spoke))
