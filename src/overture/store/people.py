"""Stored conversations that people carry: taken over, written into, given back, and who of the contacts waits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.channel import Channel
from overture.domain.conversation import Mode
from overture.domain.message import Body
from overture.domain.writing import Correspondents
from overture.store import messages
from overture.store.engine import Reading, Writing, instant, instant_or_none, stored, stored_or_none
from overture.store.statement import Command, Query, Row

_TAKE_OVER: Final = Command(
    """
    UPDATE conversation SET mode = 'human', mode_note = $4, taken_by = $3, taken_at = $5, waits_since = NULL,
        epoch = epoch + 1, fence = fence + 1, turn_leased = FALSE, turn_due_at = NULL, reply_due_at = NULL,
        first_pending_at = NULL, handled_seq = in_seq
    WHERE workspace_id = $1 AND id = $2
    """
)
_HAND_BACK: Final = Command(
    """
    UPDATE conversation SET mode = 'bot', mode_note = NULL, taken_by = NULL, taken_at = NULL, waits_since = NULL,
        epoch = epoch + 1, fence = fence + 1, tries = 0, turn_leased = FALSE, handled_seq = $3,
        turn_due_at = $4, reply_due_at = $4, first_pending_at = $4
    WHERE workspace_id = $1 AND id = $2
    """
)
_ANSWERED: Final = Command(
    "UPDATE conversation SET waits_since = NULL WHERE workspace_id = $1 AND id = $2 AND waits_since IS NOT NULL"
)
_CARRY_OVER: Final = Command(
    """
    UPDATE outbox SET epoch = $4
    WHERE thread_id = $1 AND workspace_id = $2 AND conversation_id = $3 AND EXISTS (
        SELECT 1 FROM message m WHERE m.workspace_id = outbox.workspace_id
            AND m.conversation_id = outbox.conversation_id AND m.seq = outbox.seq AND m.author = 'operator'
    )
    """
)
_CARRY_BACK: Final = Command(
    """
    UPDATE outbox SET epoch = $5
    WHERE thread_id = $1 AND workspace_id = $2 AND conversation_id = $3 AND epoch = $4
    """
)
_LEAVING: Final = Query(
    """
    SELECT o.message_id FROM outbox o
    JOIN message m ON m.workspace_id = o.workspace_id AND m.conversation_id = o.conversation_id AND m.seq = o.seq
    WHERE o.thread_id = $1 AND o.workspace_id = $2 AND o.conversation_id = $3 AND o.state IN ('sending', 'uncertain')
        AND m.author <> 'operator'
    ORDER BY o.seq
    """
)
_ANSWERED_TO: Final = Query(
    """
    SELECT
        (SELECT max(seq) FROM message WHERE workspace_id = $1 AND conversation_id = $2 AND author = 'operator'
            AND coalesce(reason, '') <> 'cancelled'),
        (SELECT max(to_seq) FROM turn WHERE workspace_id = $1 AND conversation_id = $2)
    """
)
_UNSAID: Final = Query(
    """
    SELECT body FROM message
    WHERE workspace_id = $1 AND conversation_id = $2 AND author = 'agent' AND reason = 'cancelled' AND seq > (
        SELECT coalesce(max(m.seq), 0) FROM message m
        WHERE m.workspace_id = $1 AND m.conversation_id = $2 AND m.direction = 'out'
            AND coalesce(m.reason, '') <> 'cancelled'
    ) AND NOT EXISTS (
        SELECT 1 FROM turn WHERE turn.id = message.turn_id AND turn.shard = message.shard AND turn.trigger = 'follow_up'
    )
    GROUP BY body ORDER BY max(seq) LIMIT 20
    """
)
_TAKER: Final = Query("SELECT taken_by FROM conversation WHERE workspace_id = $1 AND id = $2")
_CORRESPONDENTS: Final = Query(
    """
    SELECT t.sender_id, s.account_sid, s.removed_at, t.contact_address, t.last_inbound_at, c.opted_out_at
    FROM thread t JOIN sender s ON s.id = t.sender_id JOIN contact c ON c.id = t.contact_id AND c.alias_of IS NULL
    WHERE t.id = $1 AND t.workspace_id = $2
    """
)
_FIND_KEY: Final = Query(
    "SELECT digest, conversation_id, first_seq, last_seq FROM idempotency WHERE workspace_id = $1 AND key = $2"
)
_KEEP_KEY: Final = Command(
    """
    INSERT INTO idempotency (workspace_id, key, digest, conversation_id, first_seq, last_seq, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING key
    """
)
_SINCE: Final = "coalesce(v.waits_since, v.last_activity_at)"
_SHOWN: Final = f"""
    SELECT v.id, v.agent_id, v.channel, v.mode, v.mode_note, v.taken_by, v.taken_at,
        CASE WHEN v.mode IN ('human', 'paused') AND (v.taken_at IS NULL OR v.waits_since IS NOT NULL) THEN {_SINCE} END,
        v.created_at, v.last_activity_at, v.end_reason, t.contact_address, s.address, c.name, v.last_seq,
        CASE WHEN v.mode = 'bot' AND v.follow_up_epoch = v.epoch THEN v.follow_up_next_at END, v.follow_up_waits
    FROM conversation v LEFT JOIN thread t ON t.id = v.thread_id
    LEFT JOIN sender s ON s.id = t.sender_id
    LEFT JOIN contact c ON c.id = t.contact_id AND c.alias_of IS NULL
"""
_WAITING: Final = Query(
    f"""
    {_SHOWN}
    WHERE v.workspace_id = $1 AND v.mode IN ('human', 'paused') AND v.deleted_at IS NULL
        AND (v.taken_at IS NULL OR v.waits_since IS NOT NULL) AND ({_SINCE}, v.id) > ($2, $3)
    ORDER BY {_SINCE}, v.id LIMIT $4
    """
)
_WITH_PEOPLE: Final = Query(
    f"""
    {_SHOWN}
    WHERE v.workspace_id = $1 AND v.mode IN ('human', 'paused') AND (CAST($5 AS text) IS NULL OR v.mode = $5)
        AND v.deleted_at IS NULL AND (v.created_at, v.id) < ($2, $3)
    ORDER BY v.created_at DESC, v.id DESC LIMIT $4
    """
)
_NEWEST: Final = Query(
    f"""
    {_SHOWN}
    WHERE v.workspace_id = $1 AND (CAST($5 AS text) IS NULL OR v.mode = $5)
        AND (CAST($6 AS text) IS NULL OR v.mode <> $6)
        AND v.deleted_at IS NULL AND (v.created_at, v.id) < ($2, $3)
    ORDER BY v.created_at DESC, v.id DESC LIMIT $4
    """
)
_ONE: Final = Query(f"{_SHOWN} WHERE v.workspace_id = $1 AND v.id = $2 AND v.deleted_at IS NULL")


class Shown(Struct, frozen=True, kw_only=True):
    """A conversation as people see it; `waits_since` where its contact waits for one of them.

    `note` says why the agent let go of it, `taken_by` who has it. `follow_up_at` is when its agent speaks up if nobody
    writes, `follow_up_waits` the reason for which that was put off.
    """

    id: str
    agent_id: str
    channel: Channel
    mode: Mode
    note: str | None
    taken_by: str | None
    taken_at: datetime | None
    waits_since: datetime | None
    created_at: datetime
    last_activity_at: datetime
    end_reason: str | None
    contact_number: str | None
    sender_number: str | None
    contact_name: str | None
    last_seq: int
    follow_up_at: datetime | None = None
    follow_up_waits: str | None = None


class KeptKey(Struct, frozen=True, kw_only=True):
    """An idempotency key that was used; the lines are None where it brought a conversation."""

    digest: str
    conversation_id: str
    first_seq: int | None
    last_seq: int | None


async def take_over(
    tx: Writing, workspace_id: str, conversation_id: str, by: str, note: str | None, at: datetime
) -> None:
    """Give a conversation to people: whatever its agent was about to do is fenced off. The caller holds the row."""
    await tx.run(_TAKE_OVER, workspace_id, conversation_id, by, note, stored(at))


async def hand_back(
    tx: Writing, workspace_id: str, conversation_id: str, handled_seq: int, due_at: datetime | None
) -> None:
    """Give a conversation back to its agent, which has answered up to a line. The caller holds the row."""
    await tx.run(_HAND_BACK, workspace_id, conversation_id, handled_seq, stored_or_none(due_at))


async def mark_answered(tx: Writing, workspace_id: str, conversation_id: str) -> None:
    """The contact waits for nobody: a person wrote."""
    await tx.run(_ANSWERED, workspace_id, conversation_id)


async def carry_over(tx: Writing, thread_id: str, workspace_id: str, conversation_id: str, epoch: int) -> None:
    """Let what people wrote, and has not left, live on in a newer epoch: it is not the agent's."""
    await tx.run(_CARRY_OVER, thread_id, workspace_id, conversation_id, epoch)


async def carry_back(
    tx: Writing, thread_id: str, workspace_id: str, conversation_id: str, was: int, epoch: int
) -> None:
    """Let everything that may still leave live on in a newer epoch: an agent's last words before it let go as well."""
    await tx.run(_CARRY_BACK, thread_id, workspace_id, conversation_id, was, epoch)


async def list_leaving(tx: Reading, thread_id: str, workspace_id: str, conversation_id: str) -> list[str]:
    """The messages, people's apart, that were handed to the provider before anybody could stop them."""
    return [row[0] for row in await tx.all(_LEAVING, thread_id, workspace_id, conversation_id)]


async def find_answered(tx: Reading, workspace_id: str, conversation_id: str) -> tuple[int, int]:
    """The last line that a person wrote, and the last one that a turn has seen; 0 where there is none."""
    row = await tx.one(_ANSWERED_TO, workspace_id, conversation_id)
    return (0, 0) if row is None else (row[0] or 0, row[1] or 0)


async def list_unsaid(tx: Reading, workspace_id: str, conversation_id: str) -> list[Body]:
    """What the agent has said since anybody's words last left, and was taken back: oldest first, nothing twice.

    A follow-up is not among it: nobody waits for one, and what came between has made it stale.
    """
    return [messages.decode_body(row[0]) for row in await tx.all(_UNSAID, workspace_id, conversation_id)]


async def find_taker(tx: Reading, workspace_id: str, conversation_id: str) -> str | None:
    """Who of the people has a conversation."""
    row = await tx.one(_TAKER, workspace_id, conversation_id)
    return None if row is None else row[0]


async def find_correspondents(tx: Reading, workspace_id: str, thread_id: str) -> Correspondents | None:
    """Who writes to whom in a thread, and what decides over a message there."""
    row = await tx.one(_CORRESPONDENTS, thread_id, workspace_id)
    if row is None:
        return None
    return Correspondents(
        sender_id=row[0],
        account_sid=row[1],
        sender_active=row[2] is None,
        contact_number=row[3],
        last_inbound_at=instant_or_none(row[4]),
        opted_out_at=instant_or_none(row[5]),
    )


async def find_key(tx: Reading, workspace_id: str, key: str) -> KeptKey | None:
    """What an idempotency key was used for."""
    row = await tx.one(_FIND_KEY, workspace_id, key)
    if row is None:
        return None
    return KeptKey(digest=row[0], conversation_id=row[1], first_seq=row[2], last_seq=row[3])


async def keep_key(tx: Writing, workspace_id: str, key: str, kept: KeptKey, now: datetime) -> bool:
    """Keep what a key was used for; whether nobody used it meanwhile."""
    rows = await tx.run(
        _KEEP_KEY, workspace_id, key, kept.digest, kept.conversation_id, kept.first_seq, kept.last_seq, stored(now)
    )
    return bool(rows)


async def list_waiting(
    tx: Reading, workspace_id: str, *, after: tuple[datetime, str] | None, limit: int
) -> list[Shown]:
    """Conversations whose contact waits for a person, the one that has waited longest first, from after a place."""
    at, an_id = (0, "") if after is None else (stored(after[0]), after[1])
    return [_shown(row) for row in await tx.all(_WAITING, workspace_id, at, an_id, limit)]


async def list_page(
    tx: Reading,
    workspace_id: str,
    *,
    mode: Mode | None,
    is_live: bool,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Shown]:
    """Conversations, newest first, from before a (created_at, id): of a mode, or all that have not ended, or all."""
    at, an_id = (_NEVER, "") if before is None else (stored(before[0]), before[1])
    wanted = None if mode is None else mode.value
    if mode in (Mode.HUMAN, Mode.PAUSED):
        rows: Sequence[Row] = await tx.all(_WITH_PEOPLE, workspace_id, at, an_id, limit, wanted)
    else:
        ended = Mode.ENDED.value if is_live else None
        rows = await tx.all(_NEWEST, workspace_id, at, an_id, limit, wanted, ended)
    return [_shown(row) for row in rows]


async def find(tx: Reading, workspace_id: str, conversation_id: str) -> Shown | None:
    """One conversation, unless it was deleted."""
    row = await tx.one(_ONE, workspace_id, conversation_id)
    return None if row is None else _shown(row)


_NEVER: Final = 2**62


def _shown(row: Row) -> Shown:
    return Shown(
        id=row[0],
        agent_id=row[1],
        channel=Channel(row[2]),
        mode=Mode(row[3]),
        note=row[4],
        taken_by=row[5],
        taken_at=instant_or_none(row[6]),
        waits_since=instant_or_none(row[7]),
        created_at=instant(row[8]),
        last_activity_at=instant(row[9]),
        end_reason=row[10],
        contact_number=row[11],
        sender_number=row[12],
        contact_name=row[13],
        last_seq=row[14],
        follow_up_at=instant_or_none(row[15]),
        follow_up_waits=None if row[15] is None else row[16],
    )
