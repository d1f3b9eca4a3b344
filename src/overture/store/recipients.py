"""Stored recipients: whom the senders of a pool wrote to first of late, for pools that have a limit of people.

Whoever counts holds the pool's row. A row is its contact's: the hour of the last message counts, and where that
turns out not to have left, the hour of the one before it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain import portfolio
from overture.domain.portfolio import Portfolio
from overture.store.engine import Reading, Writing
from overture.store.statement import Command, Query, RowsCommand, RowsQuery, insert

_REACHED: Final = RowsQuery(
    {"pool_id": "text", "contact_id": "text"},
    """
    SELECT r.pool_id, r.contact_id FROM rows
    JOIN recipient r ON r.pool_id = rows.pool_id AND r.contact_id = rows.contact_id
    WHERE r.bucket >= $1
    """,
)
_HOURS: Final = RowsQuery(
    {"pool_id": "text"},
    """
    SELECT r.pool_id, r.bucket, count(*) FROM rows JOIN recipient r ON r.pool_id = rows.pool_id
    WHERE r.bucket >= $1 GROUP BY r.pool_id, r.bucket
    """,
)
_KEEP: Final = insert(
    "recipient",
    {"pool_id": "text", "contact_id": "text", "shard": "int", "bucket": "bigint", "message_id": "text"},
    """
    ON CONFLICT (pool_id, contact_id, shard) DO UPDATE SET
        earlier = CASE WHEN recipient.message_id = excluded.message_id THEN recipient.earlier ELSE recipient.bucket END,
        bucket = excluded.bucket, message_id = excluded.message_id
    """,
)
_HOLD: Final = RowsQuery(
    {"message_id": "text", "shard": "int"},
    """
    SELECT r.pool_id, r.contact_id, r.shard, r.message_id, r.earlier FROM rows
    JOIN recipient r ON r.message_id = rows.message_id
    WHERE NOT EXISTS (SELECT 1 FROM attempt a
                      WHERE a.message_id = rows.message_id AND a.shard = rows.shard AND a.state <> 'rejected')
    ORDER BY r.pool_id, r.contact_id /*pg: FOR UPDATE OF r */
    """,
)
_STEP_BACK: Final = RowsCommand(
    {"pool_id": "text", "contact_id": "text", "shard": "int", "message_id": "text", "earlier": "bigint"},
    """
    UPDATE recipient SET bucket = rows.earlier, earlier = NULL FROM rows
    WHERE recipient.pool_id = rows.pool_id AND recipient.contact_id = rows.contact_id
        AND recipient.shard = rows.shard AND recipient.message_id = rows.message_id
    """,
)
_DROP: Final = RowsCommand(
    {"pool_id": "text", "contact_id": "text", "shard": "int", "message_id": "text"},
    """
    DELETE FROM recipient WHERE (pool_id, contact_id, shard, message_id) IN (
        SELECT pool_id, contact_id, shard, message_id FROM rows)
    """,
)
_FORGET: Final = Command(
    """
    DELETE FROM recipient WHERE (pool_id, contact_id, shard) IN (
        SELECT pool_id, contact_id, shard FROM recipient WHERE pool_id = $1 AND bucket < $2
        ORDER BY bucket LIMIT $3 /*pg: FOR UPDATE SKIP LOCKED */)
    """
)
_FORGET_ALL: Final = Command("DELETE FROM recipient WHERE pool_id = $1")
_LIMITS: Final = Query(
    "SELECT id, recipients_a_day FROM pool WHERE workspace_id = $1 AND recipients_a_day IS NOT NULL ORDER BY id"
)
_OF_SENDERS: Final = Query(
    """
    SELECT m.sender_id, p.id FROM pool p JOIN pool_member m ON m.pool_id = p.id
    WHERE p.workspace_id = $1 AND p.recipients_a_day IS NOT NULL ORDER BY m.sender_id, p.id
    """
)


class Recipient(Struct, frozen=True, kw_only=True):
    """A contact that a pool's sender writes to with this message."""

    pool_id: str
    contact_id: str
    shard: int
    message_id: str


async def find_reached(tx: Reading, keys: Iterable[tuple[str, str]], now: datetime) -> set[tuple[str, str]]:
    """Those of (pool, contact) that count already."""
    asked = sorted(set(keys))
    return {(row[0], row[1]) for row in await tx.all_of(_REACHED, asked, _oldest(now))}


async def find_portfolios(tx: Reading, limits: Mapping[str, int], now: datetime) -> dict[str, Portfolio]:
    """Pools, by their limits, with whom they wrote to as it counts now."""
    hours: dict[str, dict[int, int]] = {an_id: {} for an_id in limits}
    for pool_id, hour, count in await tx.all_of(_HOURS, [(an_id,) for an_id in sorted(limits)], _oldest(now)):
        hours[pool_id][hour] = count
    return {an_id: Portfolio(pool_id=an_id, at_most=limits[an_id], hours=hours[an_id]) for an_id in sorted(limits)}


async def keep(tx: Writing, recipients: Sequence[Recipient], now: datetime) -> None:
    """Count these from now on."""
    hour = portfolio.hour_of(now)
    rows = [(one.pool_id, one.contact_id, one.shard, hour, one.message_id) for one in recipients]
    await tx.run_rows(_KEEP, sorted(rows))


async def give_back(tx: Writing, keys: Sequence[tuple[str, int]]) -> None:
    """Let (message, shard) count no more, unless the provider took one of its tries, or may have."""
    held = await tx.all_of(_HOLD, sorted(set(keys)))
    if held:
        await tx.run_rows(_STEP_BACK, [tuple(row) for row in held if row[4] is not None])
        await tx.run_rows(_DROP, [tuple(row[:4]) for row in held if row[4] is None])


async def forget(tx: Writing, pool_ids: Collection[str], now: datetime, at_most: int) -> None:
    """Delete some of what counts no more."""
    for an_id in sorted(pool_ids):
        await tx.run(_FORGET, an_id, _oldest(now), at_most)


async def forget_all(tx: Writing, pool_id: str) -> None:
    """Forget whom a pool wrote to: it has no limit any more."""
    await tx.run(_FORGET_ALL, pool_id)


async def list_portfolios(tx: Reading, workspace_id: str, now: datetime) -> dict[str, Portfolio]:
    """The pools of a workspace that have a limit, by id."""
    limits = {row[0]: row[1] for row in await tx.all(_LIMITS, workspace_id)}
    return await find_portfolios(tx, limits, now) if limits else {}


async def list_of_senders(tx: Reading, workspace_id: str, now: datetime) -> dict[str, tuple[Portfolio, ...]]:
    """The pools with a limit that senders are in, by sender."""
    found = await list_portfolios(tx, workspace_id, now)
    of_senders: dict[str, tuple[Portfolio, ...]] = {}
    for sender_id, pool_id in await tx.all(_OF_SENDERS, workspace_id) if found else ():
        of_senders[sender_id] = (*of_senders.get(sender_id, ()), found[pool_id])
    return of_senders


def _oldest(now: datetime) -> int:
    return portfolio.oldest_hour(now)
