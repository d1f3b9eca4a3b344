"""Recovered messages in the inbox: what the provider's list has and no webhook brought.

Each has its webhook's unique key, and an id of the instant that the provider gave it, so that it is handled before
what the same contact wrote later. A list is read from its newest end: what is found is held until all of it is known.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.ports import RawEvent
from overture.store.engine import Reading, Writing, stored
from overture.store.statement import Command, Query, RowsCommand, RowsQuery, insert

KIND: Final = "recovered"

_KNOWN: Final = RowsQuery(
    {"account_sid": "text", "unique_key": "text"},
    """
    SELECT rows.unique_key FROM rows
    JOIN inbox ON inbox.account_sid = rows.account_sid AND inbox.unique_key = rows.unique_key
    """,
)
_HOLD: Final = insert(
    "inbox",
    {
        "id": "text",
        "shard": "int",
        "account_sid": "text",
        "unique_key": "text",
        "ordering_key": "text",
        "body": "bytea",
        "received_at": "bigint",
    },
    "ON CONFLICT DO NOTHING RETURNING unique_key",
    same={"kind": f"'{KIND}'", "query": "''", "state": "'new'", "tries": "0", "due_at": "$1"},
)
_RELEASE: Final = Command(
    f"""
    UPDATE inbox SET due_at = $2
    WHERE due_at > $2 AND account_sid = $1 AND kind = '{KIND}' AND tries = 0
    """
)
_ENRICH: Final = RowsCommand(
    {"account_sid": "text", "unique_key": "text", "kind": "text", "query": "text", "body": "bytea"},
    f"""
    UPDATE inbox SET kind = rows.kind, query = rows.query, body = rows.body FROM rows
    WHERE inbox.account_sid = rows.account_sid AND inbox.unique_key = rows.unique_key
        AND inbox.kind = '{KIND}' AND inbox.due_at IS NOT NULL
    """,
)
_WAITING: Final = Query(
    f"""
    SELECT 1 FROM inbox i
    WHERE i.due_at IS NOT NULL AND i.account_sid = $1 AND i.tries = 0
        AND (i.kind = '{KIND}' OR (i.kind = 'inbound' AND i.received_at <= $2))
        AND NOT EXISTS (
            SELECT 1 FROM inbox e
            WHERE e.ordering_key = i.ordering_key AND e.due_at IS NOT NULL AND e.id < i.id AND e.tries > 0
        )
    LIMIT 1
    """
)


class Recovered(Struct, frozen=True, kw_only=True):
    """A message to be kept; `received_at` is when the provider had it."""

    id: str
    shard: int
    event: RawEvent
    received_at: datetime


async def find_known(tx: Reading, account_sid: str, unique_keys: Sequence[str]) -> set[str]:
    """Which of an account's events were kept before, by a webhook or a sweep."""
    rows = await tx.all_of(_KNOWN, sorted({(account_sid, key) for key in unique_keys}))
    return {row[0] for row in rows}


async def hold(tx: Writing, found: Sequence[Recovered], until: datetime) -> int:
    """Keep messages that are handled when they are released, or at an instant; how many were new."""
    rows = [
        (one.id, one.shard, one.event.account_sid, one.event.unique_key, one.event.ordering_key, one.event.body,
         stored(one.received_at))
        for one in found
    ]  # fmt: skip
    return len(await tx.run_rows(_HOLD, rows, stored(until)))


async def release(tx: Writing, account_sid: str, now: datetime) -> None:
    """Let an account's messages be handled: nothing older will be found."""
    await tx.run(_RELEASE, account_sid, stored(now))


async def enrich(tx: Writing, webhooks: Sequence[RawEvent]) -> None:
    """Put a webhook in the place of the record that was found before it came: it says more. Too late once handled."""
    rows = [(one.account_sid, one.unique_key, one.kind, one.query, one.body) for one in webhooks]
    await tx.run_rows(_ENRICH, sorted(rows, key=lambda row: row[:2]))


async def are_waiting(tx: Reading, account_sid: str, kept_by: datetime) -> bool:
    """Whether messages wait to be handled that were recovered, or kept at an instant or before.

    What failed once, and what must wait for that, does not count: it would keep everybody waiting.
    """
    return await tx.one(_WAITING, account_sid, stored(kept_by)) is not None
