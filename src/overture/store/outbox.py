"""The outbox: messages on their way to the provider.

A row leaves the table when the provider has taken its message or refused it for good. What may go when is asked by
`store/claims.py`.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from overture.domain.channel import Channel
from overture.domain.message import Body
from overture.domain.rules import NONE, Rules
from overture.domain.template import Known
from overture.store import messages, opt_outs, rules
from overture.store.engine import Writing, instant, instant_or_none, stored, stored_or_none
from overture.store.messages import NewMessage
from overture.store.statement import Command, RowsCommand, RowsQuery, insert

_INSERT: Final = insert(
    "outbox",
    {
        "message_id": "text",
        "shard": "int",
        "workspace_id": "text",
        "conversation_id": "text",
        "thread_id": "text",
        "sender_id": "text",
        "seq": "int",
        "epoch": "int",
    },
    same={
        "created_at": "$1",
        "due_at": "$1",
        "expires_at": "$2",
        "priority": "$3",
        "state": "'queued'",
        "attempt": "0",
        "tries": "0",
        "looks": "0",
        "resent": "FALSE",
        "confirms_opt_out": "$4",
    },
)
FACTS: Final = """
    o.message_id, o.shard, o.workspace_id, o.conversation_id, o.thread_id, o.sender_id, o.seq, o.epoch, o.attempt,
    o.tries, o.looks, o.resent, o.state, o.started_at, o.created_at, o.expires_at,
    s.account_sid, s.channel, s.address, s.messaging_service_sid, s.removed_at,
    t.contact_address, t.last_inbound_at, c.opted_out_at, c.id, c.address, v.epoch, o.confirms_opt_out, m.body,
    o.priority, o.sent_to, v.agent_id, v.agent_version, s.rules, w.rules, m.cost_micros, c.opted_out_of,
    v.in_seq
"""
JOINS: Final = """
    FROM outbox o
    JOIN sender s ON s.id = o.sender_id
    JOIN thread t ON t.id = o.thread_id
    JOIN conversation v ON v.workspace_id = o.workspace_id AND v.id = o.conversation_id
    JOIN message m ON m.workspace_id = o.workspace_id AND m.conversation_id = o.conversation_id AND m.seq = o.seq
    JOIN contact c ON c.id = t.contact_id AND c.alias_of IS NULL
    LEFT JOIN workspace w ON w.id = o.workspace_id
"""
_BY_MESSAGE: Final = RowsQuery(
    {"message_id": "text", "shard": "int"},
    f"""
    SELECT {FACTS} FROM rows JOIN outbox o ON o.message_id = rows.message_id AND o.shard = rows.shard
    {JOINS.removeprefix(chr(10) + "    FROM outbox o")} /*pg: FOR UPDATE OF o */
    """,
)
_UPDATE: Final = RowsCommand(
    {
        "message_id": "text",
        "shard": "int",
        "state": "text",
        "attempt": "int",
        "tries": "int",
        "due_at": "bigint",
        "started_at": "bigint",
        "looks": "int",
        "resent": "boolean",
        "waits_because": "text",
        "sent_to": "text",
    },
    """
    UPDATE outbox SET state = rows.state, attempt = rows.attempt, tries = rows.tries, due_at = rows.due_at,
        started_at = rows.started_at, looks = rows.looks, resent = rows.resent, waits_because = rows.waits_because,
        sent_to = coalesce(rows.sent_to, outbox.sent_to)
    FROM rows WHERE outbox.message_id = rows.message_id AND outbox.shard = rows.shard
    """,
)
_DELETE: Final = RowsCommand(
    {"message_id": "text", "shard": "int"},
    """
    DELETE FROM outbox WHERE (message_id, shard) IN (SELECT message_id, shard FROM rows) RETURNING thread_id
    """,
)
_CANCEL: Final = RowsCommand(
    {"thread_id": "text", "conversation_id": "text", "epoch": "int"},
    """
    DELETE FROM outbox WHERE state = 'queued' AND thread_id IN (SELECT thread_id FROM rows)
        AND epoch <= (SELECT max(rows.epoch) FROM rows WHERE rows.conversation_id = outbox.conversation_id)
    RETURNING workspace_id, conversation_id, seq, message_id
    """,
)
_CARRY_OVER: Final = Command(
    """
    UPDATE outbox SET epoch = $5
    WHERE thread_id = $1 AND workspace_id = $2 AND conversation_id = $3 AND epoch = $4 AND state <> 'needs_review'
        AND NOT (state = 'queued' AND due_at > $6 AND coalesce(waits_because, '') = 'quiet_hours')
    """
)


class OutboxState(StrEnum):
    """Where a message stands on its way to the provider."""

    QUEUED = "queued"
    SENDING = "sending"
    UNCERTAIN = "uncertain"
    NEEDS_REVIEW = "needs_review"


class NewSend(Struct, frozen=True, kw_only=True):
    """A message that is to leave."""

    message_id: str
    shard: int
    workspace_id: str
    conversation_id: str
    thread_id: str
    sender_id: str
    seq: int
    epoch: int


class Send(Struct, frozen=True, kw_only=True):
    """A row of the outbox with everything that decides over it.

    `agent` is the (workspace, agent, version) that carries its conversation.
    `contact_address` is the form to write to, `contact_key` the address the contact was first known by, `sent_to` the
    form that its last try went to, `template` the one that its body uses, for who has looked it up. `heard_seq` is the
    number of what its contact wrote last.
    """

    message_id: str
    shard: int
    workspace_id: str
    conversation_id: str
    thread_id: str
    sender_id: str
    seq: int
    epoch: int
    attempt: int
    tries: int
    looks: int
    resent: bool
    state: OutboxState
    started_at: datetime | None
    created_at: datetime
    expires_at: datetime
    account_sid: str
    channel: Channel
    sender_address: str
    messaging_service_sid: str | None
    sender_removed_at: datetime | None
    contact_address: str
    last_inbound_at: datetime | None
    opted_out_at: datetime | None
    contact_id: str
    contact_key: str
    conversation_epoch: int
    confirms_opt_out: bool
    priority: int
    body: Body
    agent: tuple[str, str, int]
    sender_rules: Rules
    workspace_rules: Rules
    sent_to: str | None = None
    cost_micros: int | None = None
    template: Known | None = None
    heard_seq: int = 0


class Change(Struct, frozen=True, kw_only=True):
    """What a row of the outbox becomes; `waits_because` is the code of the reason, where it is put back for one.

    `sent_to` is the form of the contact's address that it goes to now, None where that stays as it is.
    """

    message_id: str
    shard: int
    state: OutboxState
    attempt: int
    tries: int
    due_at: datetime
    started_at: datetime | None
    looks: int = 0
    resent: bool = False
    waits_because: str | None = None
    sent_to: str | None = None
    cost_micros: int | None = None


def send_of(message: NewMessage, *, thread_id: str, sender_id: str, epoch: int) -> NewSend:
    """The send that carries a message of ours over its thread."""
    return NewSend(
        message_id=message.id,
        shard=message.shard,
        workspace_id=message.workspace_id,
        conversation_id=message.conversation_id,
        thread_id=thread_id,
        sender_id=sender_id,
        seq=message.seq,
        epoch=epoch,
    )


async def insert_all(
    tx: Writing,
    sends: Sequence[NewSend],
    *,
    now: datetime,
    expires_at: datetime,
    priority: int,
    confirms_opt_out: bool = False,
) -> None:
    """Queue messages, due at once. Only the one confirmation of an opt-out may leave after it."""
    rows = [
        (s.message_id, s.shard, s.workspace_id, s.conversation_id, s.thread_id, s.sender_id, s.seq, s.epoch)
        for s in sends
    ]
    await tx.put(_INSERT, rows, stored(now), stored(expires_at), int(priority), confirms_opt_out)


async def lock_messages(tx: Writing, keys: Sequence[tuple[str, int]]) -> dict[str, Send]:
    """The rows of (message, shard), by message, held until the commit."""
    return {row[0]: read_send(row) for row in await tx.all_of(_BY_MESSAGE, sorted(set(keys)))}


async def update(tx: Writing, changes: Sequence[Change]) -> None:
    """Move rows to another state."""
    rows = [
        (
            c.message_id,
            c.shard,
            c.state.value,
            c.attempt,
            c.tries,
            stored(c.due_at),
            stored_or_none(c.started_at),
            c.looks,
            c.resent,
            c.waits_because,
            c.sent_to,
        )
        for c in changes
    ]
    await tx.put(_UPDATE, sorted(rows, key=lambda row: row[0]))


async def delete(tx: Writing, keys: Sequence[tuple[str, int]]) -> None:
    """Take (message, shard) out of the outbox: its fate is known."""
    await tx.run_rows(_DELETE, sorted(keys))


async def cancel_queued(tx: Writing, conversations: Sequence[tuple[str, str, int]]) -> list[tuple[str, str, int, str]]:
    """Take what waits for (thread, conversation, at most this epoch) out of the outbox.

    Gives what was taken as (workspace, conversation, seq, message).
    """
    rows = await tx.run_rows(_CANCEL, sorted(conversations))
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def carry_over(
    tx: Writing, thread_id: str, workspace_id: str, conversation_id: str, was: int, epoch: int, now: datetime
) -> None:
    """Let what is on its way for a conversation live on in a newer epoch: its agent said it before it left.

    What waits for its recipient's morning stays behind: the talk has passed it. So does what was taken back before, and
    is still with the provider for all anybody knows.
    """
    await tx.run(_CARRY_OVER, thread_id, workspace_id, conversation_id, was, epoch, stored(now))


def read_send(row: Any) -> Send:
    """A row of `FACTS`. Raises MsgspecError for a body that no version of ours wrote."""
    return Send(
        message_id=row[0],
        shard=row[1],
        workspace_id=row[2],
        conversation_id=row[3],
        thread_id=row[4],
        sender_id=row[5],
        seq=row[6],
        epoch=row[7],
        attempt=row[8],
        tries=row[9],
        looks=row[10],
        resent=bool(row[11]),
        state=OutboxState(row[12]),
        started_at=instant_or_none(row[13]),
        created_at=instant(row[14]),
        expires_at=instant(row[15]),
        account_sid=row[16],
        channel=Channel(row[17]),
        sender_address=row[18],
        messaging_service_sid=row[19],
        sender_removed_at=instant_or_none(row[20]),
        contact_address=row[21],
        last_inbound_at=instant_or_none(row[22]),
        opted_out_at=opt_outs.since(row[23], row[36], row[5], row[19]),
        contact_id=row[24],
        contact_key=row[25],
        conversation_epoch=row[26],
        confirms_opt_out=bool(row[27]),
        priority=row[29],
        sent_to=row[30],
        cost_micros=row[35],
        agent=(row[2], row[31], row[32]),
        sender_rules=rules.decode(row[33]),
        workspace_rules=NONE if row[34] is None else rules.decode(row[34]),
        body=messages.decode_body(row[28]),
        heard_seq=row[37],
    )
