"""Stored turns: the claim on a conversation, the journal of its steps, and what a turn came to.

A claim is the conversation's own due time moved forward, with a fence that counts claims: whoever holds an older fence
can write nothing more.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from overture.domain.agent import EndReason
from overture.domain.conversation import Mode
from overture.store import conversations
from overture.store.conversations import Conversation
from overture.store.engine import Reading, Writing, instant, stored, stored_or_none
from overture.store.statement import Command, Query, RowsCommand, insert

_IS_DUE: Final = """
    c.turn_due_at IS NOT NULL AND c.turn_due_at <= $1 AND c.mode = 'bot' AND NOT EXISTS (
        SELECT 1 FROM thread t JOIN sender s ON s.id = t.sender_id
        WHERE t.id = c.thread_id AND s.restored_from IS NOT NULL
    )
"""
_DUE: Final = f"SELECT c.workspace_id, c.id FROM conversation c WHERE {_IS_DUE} ORDER BY c.turn_due_at LIMIT $2"
_LIST_DUE: Final = Query(_DUE)
_LOCK_DUE: Final = Query(f"{_DUE} /*pg: FOR UPDATE OF c SKIP LOCKED */")
_LOCK_ONE: Final = Query(
    f"""
    SELECT c.tries FROM conversation c WHERE {_IS_DUE} AND c.workspace_id = $2 AND c.id = $3
    /*pg: FOR UPDATE OF c SKIP LOCKED */
    """
)
_CLAIM: Final = RowsCommand(
    {"workspace_id": "text", "id": "text"},
    """
    UPDATE conversation SET turn_due_at = $1, turn_leased = TRUE, fence = conversation.fence + 1,
        tries = conversation.tries + 1
    FROM rows WHERE conversation.workspace_id = rows.workspace_id AND conversation.id = rows.id
    """,
)
_RENEW: Final = Command(
    """
    UPDATE conversation SET turn_due_at = $4
    WHERE workspace_id = $1 AND id = $2 AND fence = $3 AND turn_leased RETURNING id
    """
)
_RELEASE: Final = Command(
    """
    UPDATE conversation SET turn_due_at = $4, turn_leased = FALSE
    WHERE workspace_id = $1 AND id = $2 AND fence = $3 AND turn_leased
    """
)
_FINISH: Final = RowsCommand(
    {
        "workspace_id": "text",
        "id": "text",
        "mode": "text",
        "end_reason": "text",
        "mode_note": "text",
        "epoch": "int",
        "last_seq": "int",
        "handled_seq": "int",
        "due_at": "bigint",
        "state": "text",
        "place": "text",
        "expects": "text",
        "ended_at": "bigint",
    },
    """
    UPDATE conversation SET mode = rows.mode, end_reason = rows.end_reason, mode_note = rows.mode_note,
        epoch = rows.epoch, last_seq = rows.last_seq, handled_seq = rows.handled_seq,
        fence = conversation.fence + 1, turns = conversation.turns + 1, tries = 0, turn_leased = FALSE,
        turn_due_at = rows.due_at, reply_due_at = rows.due_at, first_pending_at = rows.due_at,
        state = rows.state, place = rows.place, expects = rows.expects, last_activity_at = $1, ended_at = rows.ended_at
    FROM rows WHERE conversation.workspace_id = rows.workspace_id AND conversation.id = rows.id
    """,
)
_PUT_OFF: Final = Command(
    """
    UPDATE conversation SET turn_due_at = $3, turn_leased = FALSE, fence = fence + 1, tries = tries + 1
    WHERE workspace_id = $1 AND id = $2
    """
)
_PARK: Final = Command(
    """
    UPDATE conversation SET mode = 'paused', mode_note = $3, epoch = epoch + 1, fence = fence + 1, turn_leased = FALSE,
        turn_due_at = NULL, reply_due_at = NULL, first_pending_at = NULL
    WHERE workspace_id = $1 AND id = $2
    """
)
_INSERT: Final = insert(
    "turn",
    {
        "id": "text",
        "shard": "int",
        "workspace_id": "text",
        "conversation_id": "text",
        "trigger": "text",
        "from_seq": "int",
        "to_seq": "int",
        "epoch": "int",
        "fence": "int",
        "redrafts": "int",
        "outcome": "text",
        "note": "text",
        "path": "text",
        "started_at": "bigint",
        "went_on_from": "text",
    },
    same={"finished_at": "$1"},
)
_LIST: Final = Query(
    """
    SELECT id, trigger, from_seq, to_seq, outcome, note, path, redrafts, started_at, finished_at FROM turn
    WHERE workspace_id = $1 AND conversation_id = $2 ORDER BY started_at, id
    """
)
_COUNT_REPLIES: Final = Query(
    """
    SELECT count(*) FROM turn
    WHERE workspace_id = $1 AND conversation_id = $2 AND started_at >= $3 AND outcome = 'replied'
    """
)
_NEXT_DUE: Final = Query("SELECT min(turn_due_at) FROM conversation WHERE turn_due_at IS NOT NULL AND turn_due_at > $1")

_decode_path: Final = msgspec.json.Decoder(tuple[str, ...]).decode


class TurnRecord(Struct, frozen=True, kw_only=True):
    """A turn that came to an end. `path` holds every place it passed."""

    id: str
    trigger: str
    from_seq: int
    to_seq: int
    outcome: str
    note: str | None
    path: tuple[str, ...]
    redrafts: int
    started_at: datetime
    finished_at: datetime


class Standpoint(Struct, frozen=True, kw_only=True):
    """Where an agent stands in a conversation, with its encoded state."""

    state: str
    place: str
    expects: str


class NewTurn(Struct, frozen=True, kw_only=True):
    """A turn to be kept, with the fence and epoch under which it ran.

    `went_on_from` is where a follow-up's agent stood before, if it can go back there.
    """

    id: str
    shard: int
    workspace_id: str
    conversation_id: str
    trigger: str
    from_seq: int
    to_seq: int
    epoch: int
    fence: int
    redrafts: int
    outcome: str
    note: str | None
    path: tuple[str, ...]
    started_at: datetime
    went_on_from: Standpoint | None = None


class After(Struct, frozen=True, kw_only=True):
    """A conversation as a turn leaves it."""

    mode: Mode
    end_reason: EndReason | None
    mode_note: str | None
    epoch: int
    last_seq: int
    handled_seq: int
    due_at: datetime | None
    state: str
    place: str
    expects: str


async def claim_due(tx: Writing, now: datetime, until: datetime, limit: int) -> list[Conversation]:
    """Claim conversations whose turn is due, until an instant; as they are then."""
    keys = [(row[0], row[1]) for row in await tx.all(_LOCK_DUE, stored(now), limit)]
    await tx.run_rows(_CLAIM, sorted(keys), stored(until))
    found = await conversations.find_all(tx, keys)
    return [found[key] for key in keys]


async def list_due(tx: Reading, now: datetime, limit: int) -> list[tuple[str, str]]:
    """The (workspace, conversation) of turns that are due, unread."""
    return [(row[0], row[1]) for row in await tx.all(_LIST_DUE, stored(now), limit)]


async def claim_one(tx: Writing, key: tuple[str, str], now: datetime, until: datetime) -> Conversation | None:
    """Claim one conversation whose turn is due, until an instant; None where it is not, or another worker has it."""
    if await lock_tries(tx, key, now) is None:
        return None
    await tx.run_rows(_CLAIM, [key], stored(until))
    return (await conversations.find_all(tx, [key]))[key]


async def lock_tries(tx: Writing, key: tuple[str, str], now: datetime) -> int | None:
    """How often a turn that is due was tried, its conversation unread and held; None where another worker has it."""
    row = await tx.one(_LOCK_ONE, stored(now), *key)
    return None if row is None else int(row[0])


async def put_off(tx: Writing, key: tuple[str, str], until: datetime) -> None:
    """Leave a turn for later that could not be claimed. The caller holds the row."""
    await tx.run(_PUT_OFF, *key, stored(until))


async def park(tx: Writing, key: tuple[str, str], why: str) -> None:
    """Pause a conversation whose turn fails again and again; a person is to look at it. The caller holds the row."""
    await tx.run(_PARK, *key, why)


async def renew(tx: Writing, claimed: Conversation, until: datetime) -> bool:
    """Prolong a claim; whether it is still held."""
    rows = await tx.run(_RENEW, claimed.workspace_id, claimed.id, claimed.fence, stored(until))
    return bool(rows)


async def release(tx: Writing, claimed: Conversation, due_at: datetime) -> None:
    """Give a claim back; the turn is due again at an instant."""
    await tx.run(_RELEASE, claimed.workspace_id, claimed.id, claimed.fence, stored(due_at))


async def finish_all(tx: Writing, left: Sequence[tuple[Conversation, After]], now: datetime) -> None:
    """Leave conversations as their turns left them, the claims given back. The caller holds the rows and fences."""
    rows = [
        (
            claimed.workspace_id,
            claimed.id,
            after.mode.value,
            None if after.end_reason is None else after.end_reason.value,
            after.mode_note,
            after.epoch,
            after.last_seq,
            after.handled_seq,
            stored_or_none(after.due_at),
            after.state,
            after.place,
            after.expects,
            stored(now) if after.mode is Mode.ENDED else None,
        )
        for claimed, after in left
    ]
    await tx.put(_FINISH, sorted(rows, key=lambda row: row[:2]), stored(now))


async def insert_all(tx: Writing, ended: Sequence[NewTurn], now: datetime) -> None:
    """Keep turns that end now."""
    rows = [
        (
            *(turn.id, turn.shard, turn.workspace_id, turn.conversation_id, turn.trigger, turn.from_seq, turn.to_seq),
            *(turn.epoch, turn.fence, turn.redrafts, turn.outcome, turn.note),
            msgspec.json.encode(turn.path).decode(),
            stored(turn.started_at),
            None if turn.went_on_from is None else msgspec.json.encode(turn.went_on_from).decode(),
        )
        for turn in ended
    ]
    await tx.put(_INSERT, rows, stored(now))


async def list_of_conversation(tx: Reading, workspace_id: str, conversation_id: str) -> list[TurnRecord]:
    """The turns of a conversation, oldest first."""
    return [
        TurnRecord(
            id=row[0],
            trigger=row[1],
            from_seq=row[2],
            to_seq=row[3],
            outcome=row[4],
            note=row[5],
            path=_decode_path(row[6]),
            redrafts=row[7],
            started_at=instant(row[8]),
            finished_at=instant(row[9]),
        )
        for row in await tx.all(_LIST, workspace_id, conversation_id)
    ]


async def count_replies(tx: Reading, workspace_id: str, conversation_id: str, since: datetime) -> int:
    """How many turns of a conversation answered since an instant."""
    row = await tx.one(_COUNT_REPLIES, workspace_id, conversation_id, stored(since))
    return 0 if row is None else int(row[0])


async def find_next_due(tx: Reading, now: datetime) -> datetime | None:
    """When the next turn that waits for its time is due."""
    row = await tx.one(_NEXT_DUE, stored(now))
    return None if row is None or row[0] is None else instant(row[0])
