"""Stored conversations: one row is the actor. Who may change it, and from which epoch, is part of every statement."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct

from overture.domain.agent import EndReason, Json
from overture.domain.channel import Channel
from overture.domain.conversation import Mode
from overture.store.engine import Reading, Writing, instant, instant_or_none, stored, stored_or_none
from overture.store.statement import Command, Query, Row, RowsCommand, RowsQuery, insert

_INSERT: Final = insert(
    "conversation",
    {
        "id": "text",
        "shard": "int",
        "workspace_id": "text",
        "thread_id": "text",
        "channel": "text",
        "agent_id": "text",
        "agent_version": "int",
        "last_seq": "int",
        "in_seq": "int",
        "turn_due_at": "bigint",
        "reply_due_at": "bigint",
        "variables": "text",
        "metadata": "text",
        "start_digest": "text",
        "previous_conversation_id": "text",
        "first_pending_at": "bigint",
    },
    "ON CONFLICT DO NOTHING RETURNING id",
    same={
        "created_at": "$1",
        "last_activity_at": "$1",
        "asked_at": "$1",
        "mode": "'bot'",
        "epoch": "0",
        "fence": "0",
        "handled_seq": "0",
        "turns": "0",
        "tries": "0",
        "turn_leased": "FALSE",
    },
)
_COLUMNS: Final = """
    id, shard, workspace_id, thread_id, channel, agent_id, agent_version, mode, end_reason, mode_note, epoch, fence,
    last_seq, in_seq, handled_seq, turns, tries, turn_due_at, reply_due_at, first_pending_at, state, place, expects,
    variables, metadata, start_digest, previous_conversation_id, created_at, last_activity_at, ended_at, deleted_at
"""
_GET: Final = Query(f"SELECT {_COLUMNS} FROM conversation WHERE workspace_id = $1 AND id = $2")
_OF_ROWS: Final = f"""
    SELECT {", ".join("c." + name.strip() for name in _COLUMNS.split(","))} FROM rows
    JOIN conversation c ON c.workspace_id = rows.workspace_id AND c.id = rows.id
"""
_FIND_ALL: Final = RowsQuery({"workspace_id": "text", "id": "text"}, _OF_ROWS)
_LOCK_ALL: Final = RowsQuery(
    {"workspace_id": "text", "id": "text"}, f"{_OF_ROWS} ORDER BY c.workspace_id, c.id /*pg: FOR UPDATE OF c */"
)
_LOCK: Final = Query(f"SELECT {_COLUMNS} FROM conversation WHERE workspace_id = $1 AND id = $2 /*pg: FOR UPDATE */")
_PAGE: Final = """
    SELECT id, agent_id, channel, mode, end_reason, created_at FROM conversation
    WHERE workspace_id = $1 AND deleted_at IS NULL AND (created_at, id) < ($2, $3)
"""
_LIST: Final = Query(f"{_PAGE} ORDER BY created_at DESC, id DESC LIMIT $4")
_LIST_OF_AGENT: Final = Query(f"{_PAGE} AND agent_id = $5 ORDER BY created_at DESC, id DESC LIMIT $4")
_END: Final = RowsCommand(
    {"workspace_id": "text", "id": "text", "epoch": "int", "reason": "text"},
    """
    UPDATE conversation SET mode = 'ended', end_reason = rows.reason, epoch = conversation.epoch + 1, ended_at = $1,
        turn_due_at = NULL, turn_leased = FALSE, reply_due_at = NULL, first_pending_at = NULL,
        handled_seq = conversation.in_seq
    FROM rows
    WHERE conversation.workspace_id = rows.workspace_id AND conversation.id = rows.id
        AND conversation.epoch = rows.epoch AND conversation.mode <> 'ended'
    RETURNING conversation.workspace_id, conversation.id
    """,
)
_MARK_DELETED: Final = Command("UPDATE conversation SET deleted_at = $3 WHERE workspace_id = $1 AND id = $2")
_NEXT_SEQ: Final = RowsCommand(
    {"workspace_id": "text", "id": "text", "count": "int"},
    """
    UPDATE conversation SET last_seq = conversation.last_seq + rows.count, last_activity_at = $1 FROM rows
    WHERE conversation.workspace_id = rows.workspace_id AND conversation.id = rows.id AND conversation.mode <> 'ended'
    RETURNING conversation.workspace_id, conversation.id, conversation.last_seq, conversation.epoch
    """,
)
_ASK_AGAIN: Final = RowsCommand(
    {"workspace_id": "text", "id": "text", "digest": "text"},
    """
    UPDATE conversation SET start_digest = rows.digest, asked_at = $1 FROM rows
    WHERE conversation.workspace_id = rows.workspace_id AND conversation.id = rows.id
    """,
)
_HEAR: Final = RowsCommand(
    {"workspace_id": "text", "id": "text", "quiet": "bigint", "drafts_early": "boolean"},
    """
    UPDATE conversation SET
        last_seq = conversation.last_seq + 1,
        in_seq = conversation.last_seq + 1,
        last_activity_at = $1, follow_up_due_at = NULL, follow_up_next_at = NULL, follow_ups = 0,
        first_pending_at = CASE WHEN conversation.mode = 'bot' THEN coalesce(conversation.first_pending_at, $1) END,
        reply_due_at = CASE
            WHEN conversation.mode <> 'bot' THEN NULL
            WHEN coalesce(conversation.first_pending_at, $1) + $2 < $1 + rows.quiet
                THEN coalesce(conversation.first_pending_at, $1) + $2
            ELSE $1 + rows.quiet
        END,
        turn_due_at = CASE
            WHEN conversation.mode <> 'bot' THEN NULL
            WHEN conversation.turn_leased AND conversation.turn_due_at > $1 THEN conversation.turn_due_at
            WHEN rows.drafts_early THEN $1
            WHEN coalesce(conversation.first_pending_at, $1) + $2 < $1 + rows.quiet
                THEN coalesce(conversation.first_pending_at, $1) + $2
            ELSE $1 + rows.quiet
        END,
        waits_since = CASE WHEN conversation.mode <> 'bot' THEN coalesce(conversation.waits_since,
            CASE WHEN conversation.taken_at IS NULL THEN conversation.last_activity_at END, $1) END
    FROM rows
    WHERE conversation.workspace_id = rows.workspace_id AND conversation.id = rows.id AND conversation.mode <> 'ended'
    RETURNING conversation.workspace_id, conversation.id, conversation.last_seq, conversation.epoch, conversation.mode
    """,
)
_NOTE: Final = RowsCommand(
    {"workspace_id": "text", "id": "text"},
    """
    UPDATE conversation SET last_seq = conversation.last_seq + 1, last_activity_at = $1,
        in_seq = CASE WHEN conversation.handled_seq < conversation.in_seq
                      THEN conversation.in_seq ELSE conversation.last_seq + 1 END,
        handled_seq = CASE WHEN conversation.handled_seq < conversation.in_seq
                           THEN conversation.handled_seq ELSE conversation.last_seq + 1 END
    FROM rows WHERE conversation.workspace_id = rows.workspace_id AND conversation.id = rows.id
    RETURNING conversation.workspace_id, conversation.id, conversation.last_seq, conversation.epoch
    """,
)

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_MICROSECOND: Final = timedelta(microseconds=1)
NEVER: Final = 2**62  # later than any instant
_Key = tuple[str, str]


class Conversation(Struct, frozen=True, kw_only=True):
    """A conversation as it is on record.

    `last_seq` is the number of its last message, `in_seq` that of the last inbound one, `handled_seq` the last inbound
    one that was answered (or deliberately not).
    """

    id: str
    shard: int
    workspace_id: str
    thread_id: str | None
    channel: Channel
    agent_id: str
    agent_version: int
    mode: Mode
    end_reason: EndReason | None
    mode_note: str | None
    epoch: int
    fence: int
    last_seq: int
    in_seq: int
    handled_seq: int
    turns: int
    tries: int
    turn_due_at: datetime | None
    reply_due_at: datetime | None
    first_pending_at: datetime | None
    state: str | None
    place: str | None
    expects: str | None
    variables: dict[str, Json]
    metadata: dict[str, Json]
    start_digest: str
    previous_conversation_id: str | None
    created_at: datetime
    last_activity_at: datetime
    ended_at: datetime | None
    deleted_at: datetime | None


class NewConversation(Struct, frozen=True, kw_only=True):
    """A conversation to be kept."""

    id: str
    shard: int
    workspace_id: str
    channel: Channel
    agent_id: str
    agent_version: int
    thread_id: str | None = None
    last_seq: int = 0
    in_seq: int = 0
    turn_due_at: datetime | None = None
    reply_due_at: datetime | None = None
    first_pending_at: datetime | None = None
    variables: dict[str, Json] = {}
    metadata: dict[str, Json] = {}
    start_digest: str = ""
    previous_conversation_id: str | None = None


class Listed(Struct, frozen=True, kw_only=True):
    """A conversation in a list."""

    id: str
    agent_id: str
    channel: Channel
    mode: Mode
    end_reason: EndReason | None
    created_at: datetime


class Hearing(Struct, frozen=True, kw_only=True):
    """An inbound message on its conversation.

    The reply is due after `quiet`, but not later than a burst may last; `drafts_early` where the turn may begin before.
    """

    workspace_id: str
    id: str
    quiet: timedelta
    drafts_early: bool


class Heard(Struct, frozen=True, kw_only=True):
    """What an inbound message became: its sequence number, and who carries the conversation."""

    seq: int
    epoch: int
    mode: Mode


async def insert_where_free(tx: Writing, new: Sequence[NewConversation], now: datetime) -> set[str]:
    """Keep conversations; the ids of those whose thread was free (and whose id was)."""
    rows = [
        (
            c.id,
            c.shard,
            c.workspace_id,
            c.thread_id,
            c.channel.value,
            c.agent_id,
            c.agent_version,
            c.last_seq,
            c.in_seq,
            stored_or_none(c.turn_due_at),
            stored_or_none(c.reply_due_at),
            _encode(c.variables).decode() if c.variables else "{}",
            _encode(c.metadata).decode() if c.metadata else "{}",
            c.start_digest,
            c.previous_conversation_id,
            stored_or_none(c.first_pending_at),
        )
        for c in new
    ]
    return {row[0] for row in await tx.run_rows(_INSERT, rows, stored(now))}


async def find(tx: Reading, workspace_id: str, conversation_id: str) -> Conversation | None:
    """One conversation."""
    return _conversation_or_none(await tx.one(_GET, workspace_id, conversation_id))


async def find_all(tx: Reading, wanted: Sequence[_Key], *, unread: bool = False) -> dict[_Key, Conversation]:
    """Conversations by (workspace, id); `unread` without what their callers gave, which may be unreadable."""
    found = (conversation(row, unread=unread) for row in await tx.all_of(_FIND_ALL, sorted(set(wanted))))
    return {(one.workspace_id, one.id): one for one in found}


async def lock_all(tx: Writing, wanted: Sequence[_Key], *, unread: bool = False) -> dict[_Key, Conversation]:
    """As `find_all`, held until the commit."""
    found = (conversation(row, unread=unread) for row in await tx.all_of(_LOCK_ALL, sorted(set(wanted))))
    return {(one.workspace_id, one.id): one for one in found}


async def find_locked(tx: Writing, workspace_id: str, an_id: str, *, unread: bool = False) -> Conversation | None:
    """One conversation, held until the commit."""
    return _conversation_or_none(await tx.one(_LOCK, workspace_id, an_id), unread=unread)


async def list_page(
    tx: Reading, workspace_id: str, *, agent_id: str | None, before: tuple[datetime, str] | None, limit: int
) -> list[Listed]:
    """Conversations, newest first, from before a (created_at, id)."""
    at, an_id = (NEVER, "") if before is None else (stored(before[0]), before[1])
    rows = (
        await tx.all(_LIST, workspace_id, at, an_id, limit)
        if agent_id is None
        else await tx.all(_LIST_OF_AGENT, workspace_id, at, an_id, limit, agent_id)
    )
    return [
        Listed(
            id=row[0],
            agent_id=row[1],
            channel=Channel(row[2]),
            mode=Mode(row[3]),
            end_reason=None if row[4] is None else EndReason(row[4]),
            created_at=instant(row[5]),
        )
        for row in rows
    ]


async def end_all(tx: Writing, ends: Sequence[tuple[str, str, int, EndReason]], now: datetime) -> set[tuple[str, str]]:
    """End (workspace, conversation, epoch, reason); those that were at that epoch and had not ended."""
    rows = sorted((workspace, an_id, epoch, reason.value) for workspace, an_id, epoch, reason in ends)
    return {(row[0], row[1]) for row in await tx.run_rows(_END, rows, stored(now))}


async def mark_deleted(tx: Writing, workspace_id: str, conversation_id: str, now: datetime) -> None:
    """Hide a conversation from the API; its record stays."""
    await tx.run(_MARK_DELETED, workspace_id, conversation_id, stored(now))


async def ask_again(tx: Writing, asked: Sequence[tuple[str, str, str]], now: datetime) -> None:
    """Remember the last call for each (workspace, conversation) by its digest, so that its repetition is known."""
    await tx.run_rows(_ASK_AGAIN, sorted(asked), stored(now))


async def take_seqs(
    tx: Writing, wanted: Sequence[tuple[str, str, int]], now: datetime
) -> dict[tuple[str, str], tuple[int, int]]:
    """Reserve so many sequence numbers on each (workspace, conversation, count) that has not ended.

    Gives the first of them and the conversation's epoch, by (workspace, conversation).
    """
    counts = {(workspace, an_id): count for workspace, an_id, count in wanted}
    rows = await tx.run_rows(_NEXT_SEQ, sorted(wanted), stored(now))
    return {(row[0], row[1]): (row[2] - counts[row[0], row[1]] + 1, row[3]) for row in rows}


async def hear(
    tx: Writing, hearings: Sequence[Hearing], now: datetime, *, longest: timedelta
) -> dict[tuple[str, str], Heard]:
    """Record inbound messages, at most one a conversation; by (workspace, conversation), where it has not ended.

    A reply is due at most `longest` after the first message that waits for it. The due time of a turn that runs is
    its lease and is left alone: its commit finds what is new.
    """
    rows = [(h.workspace_id, h.id, h.quiet // _MICROSECOND, h.drafts_early) for h in hearings]
    found = await tx.run_rows(_HEAR, sorted(rows), stored(now), longest // _MICROSECOND)
    return {(row[0], row[1]): Heard(seq=row[2], epoch=row[3], mode=Mode(row[4])) for row in found}


async def note(tx: Writing, keys: Sequence[tuple[str, str]], now: datetime) -> dict[tuple[str, str], tuple[int, int]]:
    """Reserve a number for a message that nobody answers: (seq, epoch) by (workspace, conversation).

    A line before it that waits for its answer goes on waiting.
    """
    rows = await tx.run_rows(_NOTE, sorted(set(keys)), stored(now))
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


def conversation(row: Row, *, unread: bool = False) -> Conversation:
    """A row in the order of the columns, as a conversation."""
    return Conversation(
        id=row[0],
        shard=row[1],
        workspace_id=row[2],
        thread_id=row[3],
        channel=Channel(row[4]),
        agent_id=row[5],
        agent_version=row[6],
        mode=Mode(row[7]),
        end_reason=None if row[8] is None else EndReason(row[8]),
        mode_note=row[9],
        epoch=row[10],
        fence=row[11],
        last_seq=row[12],
        in_seq=row[13],
        handled_seq=row[14],
        turns=row[15],
        tries=row[16],
        turn_due_at=instant_or_none(row[17]),
        reply_due_at=instant_or_none(row[18]),
        first_pending_at=instant_or_none(row[19]),
        state=row[20],
        place=row[21],
        expects=row[22],
        variables={} if unread else _decode(row[23]),
        metadata={} if unread else _decode(row[24]),
        start_digest=row[25],
        previous_conversation_id=row[26],
        created_at=instant(row[27]),
        last_activity_at=instant(row[28]),
        ended_at=instant_or_none(row[29]),
        deleted_at=instant_or_none(row[30]),
    )


def _conversation_or_none(row: Row | None, *, unread: bool = False) -> Conversation | None:
    return None if row is None else conversation(row, unread=unread)
