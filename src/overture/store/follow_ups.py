"""Stored follow-ups: the one that a conversation's agent has pending, in the conversation's own row; and those it said.

What the contact writes takes what is pending away, in the very statement that gives the message its number
(`conversations.hear`). What was said already waits in the outbox: it is a message that a turn of its own has written.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from overture.domain.conversation import Mode
from overture.domain.follow_up import FollowUp
from overture.domain.sending import Priority
from overture.store.engine import Reading, Writing, instant, instant_or_none, stored
from overture.store.statement import Command, Query, RowsCommand, RowsQuery
from overture.store.turns import Standpoint

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
_WITHDRAW: Final = RowsCommand(
    {"thread_id": "text"},
    """
    DELETE FROM outbox
    WHERE thread_id IN (SELECT thread_id FROM rows) AND state <> 'needs_review' AND state = 'queued' AND priority = $1
        AND NOT resent AND EXISTS (
            SELECT 1 FROM message m JOIN turn t ON t.id = m.turn_id AND t.shard = m.shard AND t.trigger = 'follow_up'
            WHERE m.workspace_id = outbox.workspace_id AND m.conversation_id = outbox.conversation_id
                AND m.seq = outbox.seq)
    RETURNING workspace_id, conversation_id, seq
    """,
)
_SAID: Final = RowsQuery(
    {"workspace_id": "text", "conversation_id": "text", "seq": "int"},
    """
    SELECT m.workspace_id, m.conversation_id, m.seq, m.id, m.shard, t.id, t.went_on_from, b.seq, c.mode,
        c.epoch = t.epoch
    FROM rows
    JOIN message m ON m.workspace_id = rows.workspace_id AND m.conversation_id = rows.conversation_id
        AND m.seq = rows.seq
    JOIN turn t ON t.id = m.turn_id AND t.shard = m.shard AND t.trigger = 'follow_up'
    JOIN conversation c ON c.workspace_id = m.workspace_id AND c.id = m.conversation_id
    LEFT JOIN message b ON b.workspace_id = m.workspace_id AND b.conversation_id = m.conversation_id
        AND b.seq = m.seq - 1 AND b.turn_id = m.turn_id
    """,
)
_GO_BACK: Final = RowsCommand(
    {"workspace_id": "text", "id": "text", "state": "text", "place": "text", "expects": "text"},
    """
    UPDATE conversation SET state = rows.state, place = rows.place, expects = rows.expects,
        fence = conversation.fence + CASE WHEN conversation.turn_leased THEN 1 ELSE 0 END,
        turn_due_at = CASE WHEN conversation.turn_leased THEN conversation.reply_due_at
                           ELSE conversation.turn_due_at END,
        turn_leased = FALSE
    FROM rows WHERE conversation.workspace_id = rows.workspace_id AND conversation.id = rows.id
    """,
)

_decode: Final = msgspec.json.Decoder(Standpoint).decode


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


class Said(Struct, frozen=True, kw_only=True):
    """A message of a follow-up; `is_begun` where another of the same turn stands before it.

    `is_with_agent` where the agent has the conversation still, in the epoch in which it said this; `went_on_from` is
    where it stood before, if it can go back there.
    """

    workspace_id: str
    conversation_id: str
    seq: int
    message_id: str
    shard: int
    turn_id: str
    went_on_from: Standpoint | None
    is_begun: bool
    is_with_agent: bool


async def withdraw(tx: Writing, thread_ids: Collection[str]) -> list[Said]:
    """Take what follow-ups have in the outbox of these threads out of it, in order; not what may have left already."""
    rows = await tx.run_rows(_WITHDRAW, sorted((an_id,) for an_id in thread_ids), int(Priority.OPENING))
    return await find_said(tx, [(row[0], row[1], row[2]) for row in rows])


async def find_said(tx: Reading, keys: Sequence[tuple[str, str, int]]) -> list[Said]:
    """Of messages as (workspace, conversation, seq) those that a follow-up said, in their order."""
    if not keys:
        return []
    return [
        Said(
            workspace_id=row[0],
            conversation_id=row[1],
            seq=row[2],
            message_id=row[3],
            shard=row[4],
            turn_id=row[5],
            went_on_from=None if row[6] is None else _decode(row[6]),
            is_begun=row[7] is not None,
            is_with_agent=row[8] == Mode.BOT and bool(row[9]),
        )
        for row in sorted(await tx.all_of(_SAID, sorted(keys)), key=lambda row: row[:3])
    ]


async def go_back(tx: Writing, places: Sequence[tuple[str, str, Standpoint]]) -> None:
    """Let agents of (workspace, conversation) stand where they stood; a turn that runs began elsewhere, and is lost."""
    await tx.run_rows(_GO_BACK, sorted((ws, an_id, at.state, at.place, at.expects) for ws, an_id, at in places))
