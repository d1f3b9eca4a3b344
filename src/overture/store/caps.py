"""What caps have counted.

A cap's row holds the sums. Only who accepts openings under a cap writes it, and holds it until the commit. Everybody
else notes beside it what is to be counted in or out (`takings`), and waits for nobody: the next opening under that cap
takes that in. Recipients are counted from the messages themselves.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from overture.domain.caps import Line, Tally, Told, horizon, until
from overture.domain.rules import Cap, Measure
from overture.store import takings
from overture.store.engine import Reading, Writing
from overture.store.statement import Command, Query, Row, RowsCommand, RowsQuery, insert

Key = tuple[str, str]
"""A workspace and the name of one of its caps."""

_KEPT: Final = (
    86_400  # seconds past their end: a clock that jumped ahead and comes back must still find what it counted
)
_NAMED: Final = {"workspace_id": "text", "name": "text"}
_HOLD: Final = RowsCommand(
    _NAMED,
    """
    /*pg: INSERT INTO cap (workspace_id, name, buckets, until) SELECT workspace_id, name, '[]', $1 FROM rows
    ON CONFLICT (workspace_id, name) DO UPDATE SET name = excluded.name
    RETURNING workspace_id, name, buckets, near_at, reached_at */
    /*sqlite: SELECT c.workspace_id, c.name, c.buckets, c.near_at, c.reached_at
    FROM rows JOIN cap c ON c.workspace_id = rows.workspace_id AND c.name = rows.name */
    """,
)
_LOOK: Final = RowsQuery(
    _NAMED,
    """
    SELECT c.workspace_id, c.name, c.buckets, c.near_at, c.reached_at
    FROM rows JOIN cap c ON c.workspace_id = rows.workspace_id AND c.name = rows.name
    """,
)
_SAVE: Final = insert(
    "cap",
    {**_NAMED, "buckets": "text", "near_at": "bigint", "reached_at": "bigint", "until": "bigint"},
    """ON CONFLICT (workspace_id, name) DO UPDATE SET
    buckets = excluded.buckets, near_at = excluded.near_at, reached_at = excluded.reached_at, until = excluded.until""",
)
_CHANGES: Final = RowsQuery(
    _NAMED,
    """
    SELECT c.workspace_id, c.cap, c.bucket, c.amount
    FROM rows JOIN cap_change c ON c.workspace_id = rows.workspace_id AND c.cap = rows.name
    """,
)
_TAKE_CHANGES: Final = RowsCommand(
    _NAMED,
    """
    DELETE FROM cap_change WHERE entry IN (
        SELECT c.entry FROM rows JOIN cap_change c ON c.workspace_id = rows.workspace_id AND c.cap = rows.name)
    RETURNING workspace_id, cap, bucket, amount
    """,
)
_RECIPIENTS: Final = RowsQuery(
    {**_NAMED, "horizon": "bigint"},
    """
    SELECT last.workspace_id, last.cap, last.bucket, count(*) FROM (
        SELECT r.workspace_id AS workspace_id, r.cap AS cap, r.contact AS contact, max(r.bucket) AS bucket
        FROM rows JOIN reservation r ON r.workspace_id = rows.workspace_id AND r.cap = rows.name
        WHERE r.bucket > rows.horizon AND r.amount > 0
        GROUP BY r.workspace_id, r.cap, r.contact
    ) AS last GROUP BY last.workspace_id, last.cap, last.bucket
    """,
)
_MET: Final = RowsQuery(
    {**_NAMED, "contact": "text"},
    """
    SELECT r.workspace_id, r.cap, r.contact, max(r.bucket)
    FROM rows JOIN reservation r
        ON r.workspace_id = rows.workspace_id AND r.cap = rows.name AND r.contact = rows.contact
    WHERE r.amount > 0 GROUP BY r.workspace_id, r.cap, r.contact
    """,
)
_FORGET_CAPS: Final = Command(
    """
    DELETE FROM cap WHERE (workspace_id, name) IN (
        SELECT workspace_id, name FROM cap WHERE workspace_id = $1 AND until < $2
        ORDER BY until LIMIT $3 /*pg: FOR UPDATE SKIP LOCKED */)
    """
)
_WAITING: Final = Query("SELECT count(*) FROM outbox WHERE sender_id = $2 AND workspace_id = $1 AND state = 'queued'")

_read_buckets: Final = msgspec.json.Decoder(list[tuple[int, int]]).decode


_NEVER: Final = Told()


class Asked(Struct, frozen=True, kw_only=True):
    """A cap that an opening is counted under, and the contact that the opening is for."""

    workspace_id: str
    line: Line
    contact: str

    @property
    def key(self) -> Key:
        """What its row is found by."""
        return self.workspace_id, self.line.name


class Held(Struct, frozen=True, kw_only=True):
    """What caps have counted. Caps of one name differ in their limits only: there is a tally for each.

    `took_in` where that holds what stood beside their rows: then the rows must be saved, whatever else is.
    """

    now: datetime
    limits: tuple[tuple[Key, Cap], ...] = ()
    sums: dict[Key, dict[int, int]] = {}
    told: dict[Key, Told] = {}
    met: dict[Key, dict[str, int]] = {}
    took_in: bool = False

    def tallies(self) -> dict[Key, list[Tally]]:
        """A tally for each cap, to be counted on; made anew each time."""
        made: dict[Key, list[Tally]] = {}
        for key, cap in self.limits:
            tally = Tally(cap, self.sums[key], self.told.get(key, _NEVER), self.met.get(key, {}), self.now)
            made.setdefault(key, []).append(tally)
        return made


async def hold(tx: Writing, asked: Sequence[Asked], now: datetime) -> Held:
    """What caps have counted, held until the commit; what stood beside their rows is taken in."""
    keys = sorted({one.key for one in asked})
    found = await tx.run_rows(_HOLD, keys, int(now.timestamp()))
    changes = await tx.run_rows(_TAKE_CHANGES, keys)
    return await _held(tx, asked, found, changes, now)


async def look(tx: Reading, asked: Sequence[Asked], now: datetime) -> Held:
    """What caps have counted, only looked at."""
    keys = sorted({one.key for one in asked})
    found, changes = await tx.all_of(_LOOK, keys), await tx.all_of(_CHANGES, keys)
    return await _held(tx, asked, found, changes, now)


async def _held(
    tx: Reading, asked: Sequence[Asked], found: Sequence[Row], changes: Sequence[Row], now: datetime
) -> Held:
    sums: dict[Key, dict[int, int]] = {one.key: {} for one in asked}
    told: dict[Key, Told] = {}
    for row in found:
        sums[row[0], row[1]] = dict(_read_buckets(row[2]))
        told[row[0], row[1]] = Told(near_at=row[3], reached_at=row[4])
    for row in changes:
        of = sums[row[0], row[1]]
        of[row[2]] = of.get(row[2], 0) + row[3]
    people = [one for one in asked if one.line.cap.count is Measure.RECIPIENTS]
    met: dict[Key, dict[str, int]] = {}
    if people:
        for one in people:
            sums[one.key] = {}
        horizons = sorted({(*one.key, horizon(one.line.cap, now)) for one in people})
        for row in await tx.all_of(_RECIPIENTS, horizons):
            sums[row[0], row[1]][row[2]] = row[3]
        for row in await tx.all_of(_MET, sorted({(*one.key, one.contact) for one in people})):
            met.setdefault((row[0], row[1]), {})[row[2]] = row[3]
    limits = tuple(dict.fromkeys((one.key, one.line.cap) for one in asked))
    return Held(now=now, limits=limits, sums=sums, told=told, met=met, took_in=bool(changes))


async def save(tx: Writing, counted: Iterable[tuple[Key, Tally, Told]], now: datetime) -> None:
    """Keep what caps have counted and told; the caller holds them."""
    at = int(now.timestamp())
    rows = [
        (
            *key,
            msgspec.json.encode(sorted(tally.buckets.items())).decode(),
            told.near_at,
            told.reached_at,
            max((until(tally.cap, start) for start in tally.buckets), default=at),
        )
        for key, tally, told in counted
    ]
    await tx.run_rows(_SAVE, sorted(rows))


async def forget(tx: Writing, workspace_ids: Iterable[str], now: datetime, at_most: int) -> None:
    """Delete some of what no cap asks for any more."""
    before = int(now.timestamp()) - _KEPT
    for workspace_id in sorted(workspace_ids):
        await tx.run(_FORGET_CAPS, workspace_id, before, at_most)
    await takings.forget(tx, workspace_ids, before, at_most)


async def count_waiting(tx: Reading, workspace_id: str, sender_id: str) -> int:
    """How many messages wait to leave from a sender."""
    row = await tx.one(_WAITING, workspace_id, sender_id)
    return 0 if row is None else int(row[0])
