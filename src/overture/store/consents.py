"""The stored consent ledger: who agreed to what, who took it back, and how that is known. Lines are only ever added."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.consent_rule import Known, Said
from overture.store import opt_outs
from overture.store.engine import Reading, instant, instant_or_none, stored
from overture.store.statement import Query, Row, RowsQuery

_COLUMNS: Final = """
    consent.id, consent.contact_id, contact.address, consent.channel, consent.purpose, consent.change, consent.source,
    consent.evidence, consent.at, coalesce(consent.recorded_at, consent.at), consent.recorded_by, sender.address
"""
_FROM: Final = """
    FROM consent
    LEFT JOIN contact ON contact.id = consent.contact_id AND contact.alias_of IS NULL
    LEFT JOIN sender ON sender.id = consent.sender_id
"""
_LIST: Final = Query(
    f"""
    SELECT {_COLUMNS} {_FROM}
    WHERE consent.workspace_id = $1 AND consent.id > $2
        AND ($3 = '' OR consent.channel = $3) AND ($4 = '' OR consent.change = $4)
        AND consent.at >= CAST($5 AS bigint)
    ORDER BY consent.id LIMIT $6
    """
)
_LIST_OF_CONTACT: Final = Query(
    f"""
    SELECT {_COLUMNS} {_FROM}
    WHERE consent.workspace_id = $1 AND consent.contact_id = $7 AND consent.id > $2
        AND ($3 = '' OR consent.channel = $3) AND ($4 = '' OR consent.change = $4)
        AND consent.at >= CAST($5 AS bigint)
    ORDER BY consent.id LIMIT $6
    """
)
_SAID: Final = RowsQuery(
    {"workspace_id": "text", "contact_id": "text"},
    """
    SELECT rows.workspace_id, rows.contact_id, consent.change, consent.channel, consent.purpose, consent.at
    FROM rows
    JOIN consent ON consent.workspace_id = rows.workspace_id AND consent.contact_id = rows.contact_id
    WHERE consent.change IN ('grant', 'revoke', 'opt_in')
    """,
)
_HEARD: Final = RowsQuery(
    {"workspace_id": "text", "contact_id": "text"},
    """
    SELECT rows.workspace_id, rows.contact_id, thread.channel, thread.last_inbound_at
    FROM rows
    JOIN thread ON thread.contact_id = rows.contact_id AND thread.workspace_id = rows.workspace_id
        AND thread.merged_into IS NULL
    WHERE thread.last_inbound_at IS NOT NULL
    """,
)
_FIND_KEYS: Final = RowsQuery(
    {"workspace_id": "text", "row_key": "text"},
    """
    SELECT consent.row_key FROM rows
    JOIN consent ON consent.workspace_id = rows.workspace_id AND consent.row_key = rows.row_key
    """,
)
_STOOD: Final = RowsQuery(
    {"workspace_id": "text", "address": "text"},
    """
    SELECT rows.workspace_id, rows.address, contact.opted_out_at, contact.opted_out_of,
        (SELECT max(consent.at) FROM consent
         WHERE consent.workspace_id = contact.workspace_id AND consent.contact_id = contact.id
             AND consent.change = 'opt_in')
    FROM rows
    JOIN contact AS alias ON alias.workspace_id = rows.workspace_id AND alias.address = rows.address
    JOIN contact ON contact.workspace_id = alias.workspace_id
        AND contact.address = coalesce(alias.alias_of, alias.address)
    """,
)


class Line(Struct, frozen=True, kw_only=True):
    """A line of the ledger as it is told; `address` is the contact's first one."""

    id: str
    contact_id: str
    address: str | None
    channel: str
    purpose: str
    change: str
    source: str
    evidence: str
    at: datetime
    recorded_at: datetime
    recorded_by: str | None
    sender_address: str | None


class Stood(Struct, frozen=True, kw_only=True):
    """How a contact stands: its opt-outs, of the workspace and narrower, and when it last opted in."""

    opted_out_at: datetime | None
    opted_out_of: Mapping[str, datetime]
    opted_in_at: datetime | None


class Wanted(Struct, frozen=True, kw_only=True):
    """Which lines to list; an empty word means any."""

    contact_id: str | None = None
    channel: str = ""
    change: str = ""
    since: datetime | None = None


async def list_after(tx: Reading, workspace_id: str, wanted: Wanted, after: str, limit: int) -> list[Line]:
    """Lines in the order in which they were written down, after one."""
    since = 0 if wanted.since is None else stored(wanted.since)
    values = (workspace_id, after, wanted.channel, wanted.change, since, limit)
    if wanted.contact_id is None:
        return [_line(row) for row in await tx.all(_LIST, *values)]
    return [_line(row) for row in await tx.all(_LIST_OF_CONTACT, *values, wanted.contact_id)]


async def find_known(tx: Reading, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Known]:
    """What (workspace, contact) said of consent, and when they last wrote on each channel."""
    keys = sorted(set(asked))
    said: dict[tuple[str, str], list[Said]] = {}
    for row in await tx.all_of(_SAID, keys):
        one = Said(change=row[2], channel=row[3], purpose=row[4], at=instant(row[5]))
        said.setdefault((row[0], row[1]), []).append(one)
    heard: dict[tuple[str, str], dict[str, datetime]] = {}
    for row in await tx.all_of(_HEARD, keys):
        by_channel = heard.setdefault((row[0], row[1]), {})
        by_channel[row[2]] = max(instant(row[3]), by_channel.get(row[2], instant(row[3])))
    nothing: Mapping[str, datetime] = {}
    return {key: Known(said=tuple(said.get(key, ())), heard=heard.get(key, nothing)) for key in keys}


async def find_row_keys(tx: Reading, workspace_id: str, row_keys: Sequence[str]) -> set[str]:
    """Those of some keys that a row was taken by before."""
    return {row[0] for row in await tx.all_of(_FIND_KEYS, [(workspace_id, key) for key in sorted(set(row_keys))])}


async def find_standings(tx: Reading, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Stood]:
    """How contacts stand, by (workspace, any of their addresses)."""
    return {
        (row[0], row[1]): Stood(
            opted_out_at=instant_or_none(row[2]),
            opted_out_of=opt_outs.read(row[3]),
            opted_in_at=instant_or_none(row[4]),
        )
        for row in await tx.all_of(_STOOD, sorted(set(asked)))
    }


def _line(row: Row) -> Line:
    return Line(
        id=row[0],
        contact_id=row[1],
        address=row[2],
        channel=row[3],
        purpose=row[4],
        change=row[5],
        source=row[6],
        evidence=row[7],
        at=instant(row[8]),
        recorded_at=instant(row[9]),
        recorded_by=row[10],
        sender_address=row[11],
    )
