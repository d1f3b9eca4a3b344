"""Stored threads: a (sender, contact) pair, its window, and the conversation that is going on in it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain import variants
from overture.domain.channel import Channel
from overture.domain.conversation import Mode
from overture.domain.sending import KnownContact, KnownKey, KnownThread, LiveConversation, Start
from overture.store import opt_outs
from overture.store.engine import Reading, Writing, instant, instant_or_none, stored
from overture.store.statement import Row, RowsCommand, RowsQuery, insert

_PAIR: Final = """
    contact.id, contact.shard, contact.address, contact.opted_out_at, contact.revision,
    thread.id, thread.shard, thread.last_inbound_at, thread.last_conversation_id,
    conversation.id, conversation.mode, conversation.epoch, conversation.start_digest, conversation.asked_at,
    contact.opted_out_of
"""
_FROM_PAIR: Final = """
    FROM rows
    LEFT JOIN contact AS alias ON alias.workspace_id = rows.workspace_id AND alias.address = rows.address
    LEFT JOIN contact ON contact.workspace_id = alias.workspace_id
        AND contact.address = coalesce(alias.alias_of, alias.address)
    LEFT JOIN thread ON thread.contact_id = contact.id AND thread.sender_id = rows.sender_id
        AND thread.merged_into IS NULL
    LEFT JOIN conversation ON conversation.thread_id = thread.id AND conversation.mode <> 'ended'
"""
_FACTS: Final = RowsQuery(
    {"n": "int", "workspace_id": "text", "address": "text", "sender_id": "text", "key": "text"},
    f"""
    SELECT rows.n, idempotency.digest, idempotency.conversation_id, {_PAIR} {_FROM_PAIR}
    LEFT JOIN idempotency ON idempotency.workspace_id = rows.workspace_id AND idempotency.key = rows.key
    """,
)
_LIVE_OF_CONTACTS: Final = RowsQuery(
    {"workspace_id": "text", "contact_id": "text"},
    """
    SELECT rows.workspace_id, rows.contact_id, thread.id, conversation.id, conversation.epoch, thread.sender_id,
        sender.messaging_service_sid
    FROM rows
    JOIN thread ON thread.contact_id = rows.contact_id AND thread.workspace_id = rows.workspace_id
        AND thread.merged_into IS NULL
    JOIN conversation ON conversation.thread_id = thread.id AND conversation.mode <> 'ended'
    JOIN sender ON sender.id = thread.sender_id
    """,
)
_NUMBERS: Final = RowsQuery(
    {"thread_id": "text"},
    """
    SELECT thread.id, thread.contact_address, sender.address, sender.account_sid FROM rows
    JOIN thread ON thread.id = rows.thread_id JOIN sender ON sender.id = thread.sender_id
    """,
)
_OF_CONVERSATIONS: Final = RowsQuery(
    {"workspace_id": "text", "conversation_id": "text"},
    """
    SELECT rows.workspace_id, rows.conversation_id, thread.id, thread.channel, thread.sender_id, contact.id,
        contact.address, thread.last_inbound_at, thread.contact_address,
        (SELECT workspace.prices_revision FROM workspace WHERE workspace.id = rows.workspace_id),
        sender.messaging_service_sid
    FROM rows
    JOIN conversation v ON v.workspace_id = rows.workspace_id AND v.id = rows.conversation_id
    JOIN thread ON thread.id = v.thread_id
    JOIN contact ON contact.id = thread.contact_id AND contact.alias_of IS NULL
    JOIN sender ON sender.id = thread.sender_id
    """,
)
_INSERT: Final = insert(
    "thread",
    {
        "id": "text",
        "shard": "int",
        "workspace_id": "text",
        "channel": "text",
        "sender_id": "text",
        "contact_id": "text",
        "contact_address": "text",
        "last_conversation_id": "text",
    },
    "ON CONFLICT DO NOTHING RETURNING id",
    same={"created_at": "$1"},
)
_HEARD: Final = RowsCommand(
    {"id": "text", "shard": "int", "last_inbound_at": "bigint", "contact_address": "text"},
    """
    UPDATE thread SET
        contact_address = CASE WHEN coalesce(thread.last_inbound_at, 0) > rows.last_inbound_at
                               THEN thread.contact_address ELSE rows.contact_address END,
        last_inbound_at = CASE WHEN coalesce(thread.last_inbound_at, 0) > rows.last_inbound_at
                               THEN thread.last_inbound_at ELSE rows.last_inbound_at END
    FROM rows WHERE thread.id = rows.id AND thread.shard = rows.shard
    """,
)
_SET_LAST: Final = RowsCommand(
    {"id": "text", "shard": "int", "last_conversation_id": "text"},
    """
    UPDATE thread SET last_conversation_id = rows.last_conversation_id FROM rows
    WHERE thread.id = rows.id AND thread.shard = rows.shard
    """,
)
_CLOSE_WINDOW: Final = RowsCommand(
    {"id": "text", "shard": "int", "before": "bigint"},
    """
    UPDATE thread SET last_inbound_at = NULL FROM rows
    WHERE thread.id = rows.id AND thread.shard = rows.shard AND thread.last_inbound_at < rows.before
    """,
)


class PairFacts(Struct, frozen=True, kw_only=True):
    """What is on record for one start, or one inbound message."""

    contact: KnownContact | None
    thread: KnownThread | None
    live: LiveConversation | None
    key: KnownKey | None


class NewThread(Struct, frozen=True, kw_only=True):
    """A pair that meets for the first time; `contact_address` is the form to write to."""

    id: str
    shard: int
    workspace_id: str
    channel: str
    sender_id: str
    contact_id: str
    contact_address: str
    last_conversation_id: str | None


class Live(Struct, frozen=True, kw_only=True):
    """A conversation that is going on with a contact, and from which sender."""

    workspace_id: str
    contact_id: str
    thread_id: str
    conversation_id: str
    epoch: int
    sender_id: str
    service_sid: str | None


class Pair(Struct, frozen=True, kw_only=True):
    """Who a conversation is between. `contact_address` is the form to write to."""

    thread_id: str
    channel: Channel
    sender_id: str
    contact_id: str
    contact_key: str
    last_inbound_at: datetime | None = None
    contact_address: str = ""
    prices_revision: str | None = None
    service_sid: str | None = None


async def find_of_conversations(tx: Reading, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Pair]:
    """The pairs behind (workspace, conversation)."""
    return {
        (row[0], row[1]): Pair(
            thread_id=row[2],
            channel=Channel(row[3]),
            sender_id=row[4],
            contact_id=row[5],
            contact_key=row[6],
            last_inbound_at=instant_or_none(row[7]),
            contact_address=row[8],
            prices_revision=row[9],
            service_sid=row[10],
        )
        for row in await tx.all_of(_OF_CONVERSATIONS, sorted(set(asked)))
    }


async def find_numbers(tx: Reading, thread_ids: Sequence[str]) -> dict[str, tuple[str, str, str]]:
    """The contact's and the sender's number, and the sender's provider account, by thread."""
    rows = await tx.all_of(_NUMBERS, [(an_id,) for an_id in sorted(set(thread_ids))])
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


async def read_facts(tx: Reading, asked: Sequence[tuple[Start, str]]) -> list[PairFacts]:
    """The facts of starts (each with its sender's id), in their order."""
    rows = [
        (n, start.workspace_id, variants.canonical(start.to_number), sender_id, start.idempotency_key or "")
        for n, (start, sender_id) in enumerate(asked)
    ]
    return await _facts(tx, rows)


async def read_pairs(tx: Reading, pairs: Sequence[tuple[str, str, str]]) -> list[PairFacts]:
    """The facts of (workspace, contact's address, sender) triples, in their order."""
    return await _facts(tx, [(n, *pair, "") for n, pair in enumerate(pairs)])


async def find_live_of_contacts(tx: Reading, contacts: Sequence[tuple[str, str]]) -> list[Live]:
    """What is going on with (workspace, contact)."""
    return [
        Live(
            workspace_id=row[0],
            contact_id=row[1],
            thread_id=row[2],
            conversation_id=row[3],
            epoch=row[4],
            sender_id=row[5],
            service_sid=row[6],
        )
        for row in await tx.all_of(_LIVE_OF_CONTACTS, sorted(set(contacts)))
    ]


async def insert_new(tx: Writing, threads: Sequence[NewThread], now: datetime) -> set[str]:
    """Keep new threads; the ids of those that nobody else made meanwhile."""
    rows = [
        (
            t.id,
            t.shard,
            t.workspace_id,
            t.channel,
            t.sender_id,
            t.contact_id,
            t.contact_address,
            t.last_conversation_id,
        )
        for t in threads
    ]
    return {row[0] for row in await tx.run_rows(_INSERT, sorted(rows, key=lambda row: row[0]), stored(now))}


async def hear(tx: Writing, heard: Sequence[tuple[str, int, datetime, str]]) -> None:
    """Move windows on: (thread, shard, when the contact wrote, the form of its address that did).

    What was written before the last message that is known changes nothing.
    """
    await tx.put(_HEARD, sorted((an_id, shard, stored(at), address) for an_id, shard, at, address in heard))


async def set_last_conversations(tx: Writing, opened: Sequence[tuple[str, int, str]]) -> None:
    """Record the conversation that was opened last: (thread, shard, conversation)."""
    await tx.put(_SET_LAST, sorted(opened))


async def close_windows(tx: Writing, closed: Sequence[tuple[str, int, datetime]]) -> None:
    """Forget windows that the provider says are closed, unless the contact wrote since: (thread, shard, since)."""
    await tx.put(_CLOSE_WINDOW, sorted((an_id, shard, stored(at)) for an_id, shard, at in closed))


async def _facts(tx: Reading, rows: Sequence[Row]) -> list[PairFacts]:
    facts: list[PairFacts] = [_NOTHING] * len(rows)
    for row in await tx.all_of(_FACTS, rows):
        facts[row[0]] = _pair(row)
    return facts


_NOTHING: Final = PairFacts(contact=None, thread=None, live=None, key=None)


def _pair(row: Row) -> PairFacts:
    return PairFacts(
        key=None if row[1] is None else KnownKey(digest=row[1], conversation_id=row[2]),
        contact=None
        if row[3] is None
        else KnownContact(
            id=row[3],
            shard=row[4],
            address=row[5],
            opted_out_at=instant_or_none(row[6]),
            revision=row[7],
            opted_out_of=opt_outs.read(row[17]),
        ),
        thread=None
        if row[8] is None
        else KnownThread(
            id=row[8], shard=row[9], last_inbound_at=instant_or_none(row[10]), last_conversation_id=row[11]
        ),
        live=None
        if row[12] is None
        else LiveConversation(id=row[12], mode=Mode(row[13]), epoch=row[14], digest=row[15], asked_at=instant(row[16])),
    )
