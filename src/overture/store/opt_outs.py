"""Stored opt-outs that reach less far than the workspace: a column of the contact's row, which is read with it anyway.

Hardly any contact has one, so the roads pay for a NULL. Who changes it has locked the row.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec

from overture.domain import opt_out
from overture.store.engine import Writing, instant, instant_or_none, stored
from overture.store.statement import RowsCommand, RowsQuery

_LOCK: Final = RowsQuery(
    {"workspace_id": "text", "address": "text"},
    """
    SELECT rows.workspace_id, rows.address, contact.opted_out_of
    FROM rows JOIN contact ON contact.workspace_id = rows.workspace_id AND contact.address = rows.address
    ORDER BY rows.workspace_id, rows.address /*pg: FOR NO KEY UPDATE OF contact */
    """,
)
_SET: Final = RowsCommand(
    {"workspace_id": "text", "address": "text", "opted_out_of": "text"},
    """
    UPDATE contact SET opted_out_of = rows.opted_out_of FROM rows
    WHERE contact.workspace_id = rows.workspace_id AND contact.address = rows.address
    """,
)

_decoder: Final = msgspec.json.Decoder(dict[str, int])


async def lock(tx: Writing, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, datetime]]:
    """The narrow opt-outs of contacts, by (workspace, first address), held until the commit."""
    return {(row[0], row[1]): dict(read(row[2])) for row in await tx.all_of(_LOCK, sorted(set(keys)))}


async def set_all(tx: Writing, of: Mapping[tuple[str, str], Mapping[str, datetime]]) -> None:
    """Let these be the narrow opt-outs of contacts, by (workspace, first address)."""
    await tx.run_rows(_SET, sorted((*key, encode(opted_out)) for key, opted_out in of.items()))


def since(
    opted_out_at: int | None, opted_out_of: str | None, sender_id: str, service_sid: str | None
) -> datetime | None:
    """Since when a contact may not be written to from a sender, of its row's columns."""
    at = instant_or_none(opted_out_at)
    return at if opted_out_of is None else opt_out.since(at, read(opted_out_of), sender_id, service_sid)


def encode(opted_out: Mapping[str, datetime]) -> str | None:
    """Narrow opt-outs as they are stored."""
    if not opted_out:
        return None
    return msgspec.json.encode({key: stored(at) for key, at in sorted(opted_out.items())}).decode()


def read(text: str | None) -> Mapping[str, datetime]:
    """Narrow opt-outs as they were stored."""
    return _NONE if text is None else _decoded(text)


_NONE: Final[Mapping[str, datetime]] = {}


@lru_cache(maxsize=1024)
def _decoded(text: str) -> Mapping[str, datetime]:
    found: dict[str, int] = _decoder.decode(text)
    return {key: instant(at) for key, at in found.items()}
