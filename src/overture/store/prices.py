"""Stored prices: a workspace's table. Tables never change under their revision, so those in use are kept in memory."""

from collections.abc import Iterable
from typing import Final

from overture.domain.channel import Channel
from overture.domain.errors import Unknown
from overture.domain.price_list import PriceList
from overture.domain.prices import Category, Price, PriceTable
from overture.store.engine import Reading, Writing
from overture.store.statement import Command, Query, Row, insert

_MOST_KEPT: Final = 16  # tables in memory; the largest there can be takes some forty megabytes

_OF_WORKSPACE: Final = Query(
    """
    SELECT p.revision, p.currency, p.channel, p.prefix, p.category, p.micros
    FROM workspace w JOIN price p ON p.workspace_id = w.id AND p.revision = w.prices_revision
    WHERE w.id = $1
    """
)
_REVISION: Final = Query("SELECT prices_revision FROM workspace WHERE id = $1")
_SET_REVISION: Final = Command("UPDATE workspace SET prices_revision = $2 WHERE id = $1 RETURNING id")
_DELETE: Final = Command("DELETE FROM price WHERE workspace_id = $1")
_INSERT: Final = insert(
    "price",
    {"channel": "text", "prefix": "text", "category": "text", "micros": "bigint"},
    same={"workspace_id": "$1", "revision": "$2", "currency": "$3"},
)

_kept: Final[dict[str, PriceTable]] = {}


async def replace(tx: Writing, workspace_id: str, revision: str, given: PriceList) -> PriceTable:
    """Let these be a workspace's prices, in place of all that were. Raises Unknown where there is no workspace."""
    held = await tx.run(_SET_REVISION, workspace_id, revision)  # of two at once the later one counts
    if not held:
        raise Unknown("workspace_unknown", "There is no such workspace.")
    await tx.run(_DELETE, workspace_id)
    rows = [(row.channel.value, row.prefix, row.category.value, row.micros) for row in given.rows]
    await tx.run_rows(_INSERT, rows, workspace_id, revision, given.currency)
    return PriceTable(revision=revision, currency=given.currency, rows=given.rows)


async def clear(tx: Writing, workspace_id: str) -> None:
    """Let a workspace have no prices."""
    await tx.run(_SET_REVISION, workspace_id, None)
    await tx.run(_DELETE, workspace_id)


async def find(tx: Reading, workspace_id: str) -> PriceTable | None:
    """A workspace's table, whoever knows its revision or not."""
    row = await tx.one(_REVISION, workspace_id)
    return None if row is None or row[0] is None else await find_in_force(tx, workspace_id, row[0])


async def find_in_force(tx: Reading, workspace_id: str, revision: str | None) -> PriceTable | None:
    """A workspace's table, of which a revision was just seen; one that is known costs no query, nor does None."""
    if revision is None:
        return None
    if (table := _kept.get(revision)) is not None:
        return table
    rows = await tx.all(_OF_WORKSPACE, workspace_id)  # of a later revision where it was replaced since
    if not rows:
        return None
    table = PriceTable(revision=rows[0][0], currency=rows[0][1], rows=map(_price, rows))
    while len(_kept) >= _MOST_KEPT:
        _kept.pop(next(iter(_kept)), None)
    _kept[table.revision] = table
    return table


async def find_all_in_force(tx: Reading, seen: Iterable[tuple[str, str | None]]) -> dict[str, PriceTable]:
    """The tables of workspaces, each with the revision that was just seen of it."""
    found = {}
    for workspace_id, revision in {pair for pair in seen if pair[1] is not None}:
        if (table := await find_in_force(tx, workspace_id, revision)) is not None:
            found[workspace_id] = table
    return found


def _price(row: Row) -> Price:
    return Price(channel=_CHANNELS[row[2]], prefix=row[3], category=_CATEGORIES[row[4]], micros=row[5])


_CHANNELS: Final = {channel.value: channel for channel in Channel}
_CATEGORIES: Final = {category.value: category for category in Category}
