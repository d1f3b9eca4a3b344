"""Stored contacts: addresses with aliases, and whether they may be written to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.store.engine import Reading, Writing, instant, stored
from overture.store.statement import Command, Query, RowsCommand, RowsQuery, insert

_INSERT: Final = insert(
    "contact",
    {
        "workspace_id": "text",
        "address": "text",
        "id": "text",
        "shard": "int",
        "name": "text",
        "met_by": "text",
        "counted": "text",
    },
    "ON CONFLICT DO NOTHING RETURNING workspace_id, address",
    same={"created_at": "$1"},
)
_SET_NAMES: Final = RowsCommand(
    {"workspace_id": "text", "address": "text", "name": "text"},
    """
    UPDATE contact SET name = rows.name FROM rows
    WHERE contact.workspace_id = rows.workspace_id AND contact.address = rows.address AND contact.name IS NULL
    """,
)
_SET_OPT_OUT: Final = RowsCommand(
    {"workspace_id": "text", "address": "text", "opted_out_at": "bigint"},
    """
    UPDATE contact SET opted_out_at = rows.opted_out_at FROM rows
    WHERE contact.workspace_id = rows.workspace_id AND contact.address = rows.address
    """,
)
_RECORD_CHANGE: Final = insert(
    "consent",
    {
        "id": "text",
        "shard": "int",
        "workspace_id": "text",
        "contact_id": "text",
        "sender_id": "text",
        "channel": "text",
        "change": "text",
        "source": "text",
        "evidence": "text",
        "at": "bigint",
        "purpose": "text",
        "recorded_by": "text",
        "row_key": "text",
    },
    "ON CONFLICT DO NOTHING",
    same={"recorded_at": "$1"},
)
_HOLD: Final = RowsQuery(
    {"workspace_id": "text", "address": "text"},
    """
    SELECT rows.workspace_id, rows.address, contact.id, contact.revision, contact.alias_of, contact.shard
    FROM rows JOIN contact ON contact.workspace_id = rows.workspace_id AND contact.address = rows.address
    ORDER BY rows.workspace_id, rows.address /*pg: FOR KEY SHARE OF contact */
    """,
)
_LAST_OPT_INS: Final = RowsQuery(
    {"workspace_id": "text", "contact_id": "text"},
    """
    SELECT rows.workspace_id, rows.contact_id, max(consent.at) FROM rows
    JOIN consent ON consent.workspace_id = rows.workspace_id AND consent.contact_id = rows.contact_id
    WHERE consent.change = 'opt_in' GROUP BY rows.workspace_id, rows.contact_id
    """,
)
_FIND: Final = Query("SELECT id, shard, opted_out_at FROM contact WHERE workspace_id = $1 AND address = $2")
_LIFT: Final = Command(
    """
    UPDATE contact SET opted_out_at = NULL, opted_out_of = NULL
    WHERE workspace_id = $1 AND address = $2 AND (opted_out_at IS NOT NULL OR opted_out_of IS NOT NULL) RETURNING id
    """
)


class NewContact(Struct, frozen=True, kw_only=True):
    """A contact that is met for the first time; `met_by` is the sender, where its address is the provider's alone.

    `counted` is what its own caps have counted (`store/caps.py`), where they have any.
    """

    workspace_id: str
    address: str
    id: str
    shard: int
    name: str | None = None
    met_by: str | None = None
    counted: str | None = None


class Held(Struct, frozen=True, kw_only=True):
    """A contact that nobody may merge now; `alias_of` where the address asked for is not the first one of it."""

    id: str
    shard: int
    revision: int
    alias_of: str | None


class ConsentChange(Struct, frozen=True, kw_only=True):
    """One line of the consent ledger: `change` is opt_in, opt_out or evidence; `evidence` is JSON or the very words.

    `recorded_by` is the id of the key that told us, or who else did; `row_key` what an imported row is known again by.
    """

    id: str
    shard: int
    workspace_id: str
    contact_id: str
    sender_id: str | None
    channel: str
    change: str
    source: str
    evidence: str
    at: datetime
    purpose: str = "any"
    recorded_by: str | None = None
    row_key: str | None = None


async def insert_new(tx: Writing, contacts: Sequence[NewContact], now: datetime) -> set[tuple[str, str]]:
    """Keep new contacts; the (workspace, address) of those that nobody else made meanwhile."""
    rows = [(c.workspace_id, c.address, c.id, c.shard, c.name, c.met_by, c.counted) for c in contacts]
    return {(row[0], row[1]) for row in await tx.run_rows(_INSERT, sorted(rows, key=lambda row: row[:2]), stored(now))}


async def hold(tx: Writing, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Held]:
    """The contacts of (workspace, address) as they stay until the commit: nobody merges or parts them meanwhile.

    Others may change them in other ways. By what was asked for.
    """
    rows = await tx.all_of(_HOLD, sorted(set(keys)))
    return {(row[0], row[1]): Held(id=row[2], revision=row[3], alias_of=row[4], shard=row[5]) for row in rows}


async def name_unnamed(tx: Writing, names: Sequence[tuple[str, str, str]]) -> None:
    """Give contacts, as (workspace, address, name), the names they go by, where none is known."""
    await tx.put(_SET_NAMES, sorted(names))


async def set_opt_out(tx: Writing, changes: Sequence[tuple[str, str, datetime | None]]) -> None:
    """Set or lift the opt-out of contacts, as (workspace, address, since when)."""
    rows = [(workspace, address, None if at is None else stored(at)) for workspace, address, at in changes]
    await tx.put(_SET_OPT_OUT, sorted(rows, key=lambda row: row[:2]))


async def record_changes(tx: Writing, changes: Sequence[ConsentChange], now: datetime) -> None:
    """Append to the consent ledger; a row that is in it already is not written twice."""
    await tx.put(
        _RECORD_CHANGE,
        [
            (
                c.id,
                c.shard,
                c.workspace_id,
                c.contact_id,
                c.sender_id,
                c.channel,
                c.change,
                c.source,
                c.evidence,
                stored(c.at),
                c.purpose,
                c.recorded_by,
                c.row_key,
            )
            for c in changes
        ],
        stored(now),
    )


async def find_last_opt_ins(tx: Reading, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
    """When (workspace, contact) last opted in, for those that ever did."""
    return {(row[0], row[1]): instant(row[2]) for row in await tx.all_of(_LAST_OPT_INS, sorted(set(asked)))}


async def find(tx: Reading, workspace_id: str, address: str) -> tuple[str, int, bool] | None:
    """A contact's id, shard and whether it has opted out."""
    row = await tx.one(_FIND, workspace_id, address)
    return None if row is None else (row[0], row[1], row[2] is not None)


async def lift_opt_out(tx: Writing, workspace_id: str, address: str) -> str | None:
    """Lift a contact's opt-out; its id where there was one to lift."""
    rows = await tx.run(_LIFT, workspace_id, address)
    return rows[0][0] if rows else None
