"""Stored identities: the addresses that a contact is known by, and contacts that turn out to be one.

A contact is its first address's row; further addresses are rows with its id that say `alias_of`. Who changes which
rows are whose has locked all of them; who writes about a contact holds it (`contacts.hold`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.conversation import Mode
from overture.domain.identity import Address, Joined, Person, Thread
from overture.store import conversations, opt_outs
from overture.store.engine import Reading, Writing, instant, instant_or_none, stored, stored_or_none
from overture.store.statement import Command, Query, Row, RowsQuery

_COLUMNS: Final = """
    a.workspace_id, a.id, a.shard, a.address, a.alias_of, a.name, a.opted_out_at, a.met_by, a.created_at,
    a.opted_out_of
"""
_OF_ADDRESSES: Final = RowsQuery(
    {"workspace_id": "text", "address": "text"},
    f"""
    SELECT rows.address, {_COLUMNS} FROM rows
    JOIN contact k ON k.workspace_id = rows.workspace_id AND k.address = rows.address
    JOIN contact a ON a.id = k.id
    """,
)
_OF_ID: Final = Query(f"SELECT a.id, {_COLUMNS} FROM contact a WHERE a.id = $2 AND a.workspace_id = $1")
_LOCK: Final = RowsQuery(
    {"workspace_id": "text", "id": "text"},
    """
    SELECT a.address FROM rows JOIN contact a ON a.id = rows.id AND a.workspace_id = rows.workspace_id
    ORDER BY a.address /*pg: FOR UPDATE OF a */
    """,
)
_ADD: Final = Command(
    """
    INSERT INTO contact (workspace_id, address, id, shard, alias_of, name, opted_out_at, met_by, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING address
    """
)
_MET_AT: Final = Command(
    "UPDATE contact SET met_by = $3 WHERE workspace_id = $1 AND address = $2 AND met_by IS NULL RETURNING address"
)
_MOVE_ALL: Final = Command(
    """
    UPDATE contact SET id = $3, shard = $4, alias_of = $5, opted_out_at = NULL, opted_out_of = NULL
    WHERE id = $2 AND workspace_id = $1
    """
)
_MOVE_ONE: Final = Command(
    """
    UPDATE contact SET id = $3, shard = $4, alias_of = $5, opted_out_at = $6, name = NULL, met_by = NULL,
        created_at = $7, opted_out_of = $8, revision = revision + 1
    WHERE workspace_id = $1 AND address = $2
    """
)
_PUT_FIRST: Final = Command(
    """
    UPDATE contact SET alias_of = CASE WHEN address = $3 THEN NULL ELSE $3 END,
        opted_out_at = CASE WHEN address = $3 THEN CAST($4 AS bigint) END,
        opted_out_of = CASE WHEN address = $3 THEN $6 END,
        name = CASE WHEN address = $3 THEN $5 ELSE name END, revision = revision + 1
    WHERE id = $2 AND workspace_id = $1
    """
)
_NEXT_REVISION: Final = Command(
    """
    UPDATE contact SET revision = revision + 1, name = coalesce(name, $3) WHERE workspace_id = $1 AND address = $2
    """
)
_LEDGER: Final = Command("UPDATE consent SET contact_id = $3 WHERE workspace_id = $1 AND contact_id = $2")
_THREAD: Final = """
    SELECT t.id, t.shard, t.sender_id, t.contact_id, t.contact_address, t.last_inbound_at, t.last_conversation_id,
        v.id, v.mode, v.epoch, t.channel, s.address
    FROM thread t JOIN sender s ON s.id = t.sender_id
    LEFT JOIN conversation v ON v.thread_id = t.id AND v.mode <> 'ended'
    WHERE t.contact_id = $2 AND t.workspace_id = $1 AND t.merged_into IS NULL ORDER BY t.id
"""
_THREADS: Final = Query(_THREAD)
_LOCK_THREADS: Final = Query(
    """
    SELECT t.id FROM thread t WHERE t.contact_id = $2 AND t.workspace_id = $1 AND t.merged_into IS NULL
    ORDER BY t.id /*pg: FOR UPDATE */
    """
)
_HAND_TO: Final = Command("UPDATE thread SET contact_id = $3 WHERE id = $2 AND workspace_id = $1")
_HAND_JOINED_TO: Final = Command(
    "UPDATE thread SET contact_id = $3 WHERE contact_id = $2 AND workspace_id = $1 AND merged_into IS NOT NULL"
)
_GIVE_UP: Final = Command("UPDATE thread SET contact_id = $3, merged_into = $4 WHERE id = $2 AND workspace_id = $1")
_SET_THREAD: Final = Command(
    """
    UPDATE thread SET contact_id = $3, contact_address = $4, last_inbound_at = $5, last_conversation_id = $6
    WHERE id = $2 AND workspace_id = $1
    """
)


class Contact(Struct, frozen=True, kw_only=True):
    """A contact as it is on record, with all of its addresses, the first one in front."""

    workspace_id: str
    person: Person
    shard: int
    name: str | None
    opted_out_at: datetime | None
    opted_out_of: Mapping[str, datetime] = {}

    @property
    def id(self) -> str:
        """Its id."""
        return self.person.id

    @property
    def address(self) -> str:
        """The address it was first known by: the key of its row."""
        return self.person.addresses[0].key

    @property
    def met_at(self) -> datetime:
        """When it was first known by any of its addresses."""
        return min(one.met_at for one in self.person.addresses)


class ThreadOf(Struct, frozen=True, kw_only=True):
    """A thread of a contact, with the channel and the address of ours."""

    thread: Thread
    channel: str
    sender_address: str


async def find_by_addresses(tx: Reading, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Contact]:
    """Contacts by (workspace, key of any of their addresses)."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in await tx.all_of(_OF_ADDRESSES, sorted(set(asked))):
        found.setdefault((row[1], row[0]), []).append(row)
    return {key: _contact(rows) for key, rows in found.items()}


async def find(tx: Reading, workspace_id: str, contact_id: str) -> Contact | None:
    """One contact by its id."""
    rows = await tx.all(_OF_ID, workspace_id, contact_id)
    return _contact(rows) if rows else None


async def lock(tx: Writing, workspace_id: str, contact_ids: Sequence[str]) -> None:
    """Hold contacts with all of their addresses until the commit: who writes about one of them has to wait."""
    await tx.all_of(_LOCK, [(workspace_id, an_id) for an_id in sorted(set(contact_ids))])


async def add(tx: Writing, to: Contact, key: str, *, met_by: str | None, at: datetime) -> bool:
    """Let a contact be known by a further address; False where somebody has it."""
    values = (to.workspace_id, key, to.id, to.shard, to.address, None, None, met_by, stored(at))
    return bool(await tx.run(_ADD, *values))


async def note_meeting(tx: Writing, workspace_id: str, key: str, sender_id: str) -> None:
    """Remember at which sender an address was met, where that is not known."""
    await tx.run(_MET_AT, workspace_id, key, sender_id)


async def merge(tx: Writing, stays: Contact, goes: Contact) -> None:
    """Make one contact the aliases of another, with its ledger. Its consent and its threads are the caller's."""
    workspace = stays.workspace_id
    await tx.run(_MOVE_ALL, workspace, goes.id, stays.id, stays.shard, stays.address)
    await tx.run(_NEXT_REVISION, workspace, stays.address, goes.name)
    await tx.run(_LEDGER, workspace, goes.id, stays.id)
    await tx.run(_HAND_JOINED_TO, workspace, goes.id, stays.id)


async def move(tx: Writing, of: Contact, key: str, to: Contact, *, at: datetime, met_by: str | None = None) -> None:
    """Move one address, of several, from a contact to another: one on record, or a new one that it is the first of."""
    alias_of = None if to.address == key else to.address
    opted_out_at = stored_or_none(to.opted_out_at) if alias_of is None else None
    narrow = opt_outs.encode(to.opted_out_of) if alias_of is None else None
    await tx.run(_MOVE_ONE, of.workspace_id, key, to.id, to.shard, alias_of, opted_out_at, stored(at), narrow)
    first = next(one.key for one in of.person.addresses if one.key != key)
    kept = stored_or_none(of.opted_out_at), of.name, opt_outs.encode(of.opted_out_of)
    await tx.run(_PUT_FIRST, of.workspace_id, of.id, first, *kept)
    if met_by is not None:
        await tx.run(_MET_AT, of.workspace_id, key, met_by)


async def list_threads(tx: Reading, workspace_id: str, contact_id: str) -> list[ThreadOf]:
    """A contact's threads, the oldest first, without those that were joined with another."""
    return [_thread(row) for row in await tx.all(_THREADS, workspace_id, contact_id)]


async def lock_threads(tx: Writing, workspace_id: str, contact_id: str) -> list[ThreadOf]:
    """A contact's threads, held until the commit, and with them the conversations that are live."""
    await tx.all(_LOCK_THREADS, workspace_id, contact_id)
    found = await list_threads(tx, workspace_id, contact_id)
    live = [(workspace_id, one.thread.live) for one in found if one.thread.live is not None]
    if not live:
        return found
    await conversations.lock_all(tx, live)
    return await list_threads(tx, workspace_id, contact_id)


async def hand_thread_to(tx: Writing, workspace_id: str, thread_id: str, contact_id: str) -> None:
    """Make a thread another contact's."""
    await tx.run(_HAND_TO, workspace_id, thread_id, contact_id)


async def join_threads(tx: Writing, workspace_id: str, joined: Joined, contact_id: str) -> None:
    """Make of two threads one, of a contact."""
    kept = joined.kept
    await tx.run(_GIVE_UP, workspace_id, joined.given_up.id, contact_id, kept.id)
    await set_thread(
        tx,
        workspace_id,
        Thread(
            id=kept.id,
            shard=kept.shard,
            sender_id=kept.sender_id,
            contact_id=contact_id,
            contact_address=kept.contact_address,
            last_inbound_at=kept.last_inbound_at,
            last_conversation_id=kept.last_conversation_id,
        ),
    )


async def set_thread(tx: Writing, workspace_id: str, thread: Thread) -> None:
    """Write what is known of a thread: whose it is, the form to write to, its window and its last conversation."""
    await tx.run(
        _SET_THREAD,
        workspace_id,
        thread.id,
        thread.contact_id,
        thread.contact_address,
        stored_or_none(thread.last_inbound_at),
        thread.last_conversation_id,
    )


def _contact(rows: Sequence[Row]) -> Contact:
    rows = sorted(rows, key=lambda row: (row[5] is not None, row[9], row[4]))
    first = rows[0]
    return Contact(
        workspace_id=first[1],
        person=Person(
            id=first[2],
            addresses=tuple(Address(key=row[4], met_at=instant(row[9]), met_by=row[8]) for row in rows),
        ),
        shard=first[3],
        name=first[6],
        opted_out_at=instant_or_none(first[7]),
        opted_out_of=opt_outs.read(first[10]),
    )


def _thread(row: Row) -> ThreadOf:
    return ThreadOf(
        thread=Thread(
            id=row[0],
            shard=row[1],
            sender_id=row[2],
            contact_id=row[3],
            contact_address=row[4],
            last_inbound_at=instant_or_none(row[5]),
            last_conversation_id=row[6],
            live=row[7],
            mode=None if row[8] is None else Mode(row[8]),
            epoch=row[9] or 0,
        ),
        channel=row[10],
        sender_address=row[11],
    )
