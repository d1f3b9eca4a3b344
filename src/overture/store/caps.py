"""What caps have counted, and what each message takes of them.

A cap's row holds the sums. Only who accepts openings under a cap writes it, and holds it until the commit. Everybody
else writes what a message takes (`amount`) beside what the row holds of it (`counted`), and waits for nobody: the next
opening under that cap takes the difference in. Recipients are counted from the messages themselves.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from overture.domain.caps import Line, Tally, Told, horizon, until
from overture.domain.rules import Measure
from overture.store.engine import Reading, Writing
from overture.store.statement import Command, Query, Row, RowsCommand, RowsQuery, insert

Key = tuple[str, str]
"""A workspace and the name of one of its caps."""

_KEPT: Final = (
    86_400  # seconds past their end: a clock that jumped ahead and comes back must still find what it counted
)
_NAMED: Final = {"workspace_id": "text", "name": "text"}

_HOLD: Final = insert(
    "cap",
    _NAMED,
    "ON CONFLICT (workspace_id, name) DO UPDATE SET name = excluded.name"
    " RETURNING workspace_id, name, buckets, near_at, reached_at",
    same={"buckets": "'[]'", "until": "$1"},
)
_LOOK: Final = RowsQuery(
    _NAMED,
    """
    SELECT c.workspace_id, c.name, c.buckets, c.near_at, c.reached_at
    FROM rows JOIN cap c ON c.workspace_id = rows.workspace_id AND c.name = rows.name
    """,
)
_SAVE: Final = RowsCommand(
    {**_NAMED, "buckets": "text", "near_at": "bigint", "reached_at": "bigint", "until": "bigint"},
    """
    UPDATE cap SET buckets = rows.buckets, near_at = rows.near_at, reached_at = rows.reached_at, until = rows.until
    FROM rows WHERE cap.workspace_id = rows.workspace_id AND cap.name = rows.name
    """,
)
_DIFFERENCES: Final = """
    SELECT r.workspace_id, r.cap, r.bucket, r.amount, r.counted, r.message_id, r.shard
    FROM rows JOIN reservation r ON r.workspace_id = rows.workspace_id AND r.cap = rows.name
    WHERE r.amount <> r.counted
"""
_UNCOUNTED: Final = RowsQuery(_NAMED, _DIFFERENCES)
_LOCK_UNCOUNTED: Final = RowsQuery(_NAMED, f"{_DIFFERENCES} /*pg: FOR UPDATE OF r SKIP LOCKED */")
_MARK_COUNTED: Final = RowsCommand(
    {"message_id": "text", "cap": "text", "shard": "int", "amount": "bigint"},
    """
    UPDATE reservation SET counted = rows.amount FROM rows
    WHERE reservation.message_id = rows.message_id AND reservation.cap = rows.cap AND reservation.shard = rows.shard
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
_RESERVE: Final = insert(
    "reservation",
    {
        "message_id": "text",
        "cap": "text",
        "shard": "int",
        "workspace_id": "text",
        "contact": "text",
        "bucket": "bigint",
        "amount": "bigint",
        "counted": "bigint",
        "until": "bigint",
    },
    "ON CONFLICT (message_id, cap, shard) DO UPDATE SET amount = excluded.amount",
)
_FIND_RESERVED: Final = RowsQuery(
    {"message_id": "text", "cap": "text", "shard": "int"},
    """
    SELECT r.message_id, r.cap FROM rows
    JOIN reservation r ON r.message_id = rows.message_id AND r.cap = rows.cap AND r.shard = rows.shard
    """,
)
_GIVE_BACK: Final = RowsCommand(
    {"message_id": "text", "shard": "int"},
    """
    UPDATE reservation SET amount = 0 FROM rows
    WHERE reservation.message_id = rows.message_id AND reservation.shard = rows.shard AND reservation.amount <> 0
        AND NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.message_id = reservation.message_id
                        AND attempt.shard = reservation.shard AND attempt.state <> 'rejected')
    """,
)
_HAND_ON: Final = Command("UPDATE reservation SET message_id = $3 WHERE message_id = $1 AND shard = $2 AND amount > 0")
_RESIZE: Final = RowsCommand(
    {"message_id": "text", "shard": "int", "ours": "bigint", "theirs": "bigint"},
    """
    UPDATE reservation SET amount = amount * rows.theirs / rows.ours FROM rows
    WHERE reservation.message_id = rows.message_id AND reservation.shard = rows.shard
        AND (reservation.cap LIKE 'segments %' OR reservation.cap LIKE 'money %')
    """,
)
_REPRICE: Final = RowsCommand(
    {"message_id": "text", "shard": "int", "micros": "bigint"},
    """
    UPDATE reservation SET amount = rows.micros FROM rows
    WHERE reservation.message_id = rows.message_id AND reservation.shard = rows.shard
        AND reservation.cap LIKE 'money %'
    """,
)
_FORGET: Final = Command(
    """
    DELETE FROM reservation WHERE (message_id, cap, shard) IN (
        SELECT message_id, cap, shard FROM reservation WHERE workspace_id = $1 AND until < $2
        ORDER BY until LIMIT $3 /*pg: FOR UPDATE SKIP LOCKED */)
    """
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


class Reservation(Struct, frozen=True, kw_only=True):
    """What a message takes of a cap. `counted` is what the cap's row holds of it already."""

    message_id: str
    cap: str
    shard: int
    workspace_id: str
    contact: str
    bucket: int
    amount: int
    counted: int
    until: int


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
    """What caps have counted; `beside` is what their tallies hold that stands beside their rows as yet.

    Caps of one name differ in their limits only: there is a tally for each.
    """

    tallies: dict[Key, list[Tally]] = {}
    beside: tuple[Row, ...] = ()


async def hold(tx: Writing, asked: Sequence[Asked], now: datetime) -> Held:
    """What caps have counted, held until the commit."""
    keys = sorted({one.key for one in asked})
    found = await tx.run_rows(_HOLD, keys, int(now.timestamp()))
    beside = await tx.all_of(_UNCOUNTED, keys)
    return Held(tallies=await _tallies(tx, asked, found, beside, now), beside=tuple(beside))


async def count_in(tx: Writing, tallies: dict[Key, list[Tally]], beside: Sequence[Row]) -> None:
    """Let the rows of caps that are held, and are saved next, take in what stands beside them; what others hold stays.

    It comes last of all that waits for anybody: who holds a contact or a conversation may want these reservations.
    """
    locked = await tx.all_of(_LOCK_UNCOUNTED, sorted(tallies))
    for sign, rows in ((-1, beside), (1, locked)):
        for row in rows:
            for tally in tallies[row[0], row[1]]:
                if tally.cap.count is not Measure.RECIPIENTS:
                    tally.change(row[2], sign * (row[3] - row[4]))
    await tx.run_rows(_MARK_COUNTED, sorted((row[5], row[1], row[6], row[3]) for row in locked))


async def look(tx: Reading, asked: Sequence[Asked], now: datetime) -> dict[Key, list[Tally]]:
    """What caps have counted, only looked at."""
    keys = sorted({one.key for one in asked})
    found, beside = await tx.all_of(_LOOK, keys), await tx.all_of(_UNCOUNTED, keys)
    return await _tallies(tx, asked, found, beside, now)


async def _tallies(
    tx: Reading, asked: Sequence[Asked], found: Sequence[Row], differences: Sequence[Row], now: datetime
) -> dict[Key, list[Tally]]:
    sums: dict[Key, dict[int, int]] = {one.key: {} for one in asked}
    told: dict[Key, Told] = {}
    for row in found:
        sums[row[0], row[1]] = dict(_read_buckets(row[2]))
        told[row[0], row[1]] = Told(near_at=row[3], reached_at=row[4])
    for row in differences:
        of = sums[row[0], row[1]]
        of[row[2]] = of.get(row[2], 0) + row[3] - row[4]
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
    limits = {(one.key, one.line.cap): None for one in asked}
    tallies: dict[Key, list[Tally]] = {}
    for key, cap in limits:
        tally = Tally(cap, sums[key], told.get(key, Told()), met.get(key, {}), now)
        tallies.setdefault(key, []).append(tally)
    return tallies


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


async def reserve(tx: Writing, reservations: Sequence[Reservation]) -> None:
    """Keep what messages take; of one that is kept already, the amount."""
    rows = [msgspec.structs.astuple(one) for one in reservations]
    await tx.run_rows(_RESERVE, sorted(rows))


async def reserve_new(tx: Writing, reservations: Sequence[Reservation]) -> None:
    """Keep what messages take that are not kept yet: rows that are there are another's to hold, and not waited for."""
    keys = sorted((one.message_id, one.cap, one.shard) for one in reservations)
    known = {(row[0], row[1]) for row in await tx.all_of(_FIND_RESERVED, keys)}
    await reserve(tx, [one for one in reservations if (one.message_id, one.cap) not in known])


async def give_back(tx: Writing, keys: Sequence[tuple[str, int]]) -> None:
    """Let (message, shard) take nothing any more, unless the provider took one of its tries, or may have."""
    await tx.run_rows(_GIVE_BACK, sorted(set(keys)))


async def hand_on(tx: Writing, conversation_id: str, shard: int, message_id: str) -> None:
    """Let a message take what its conversation took until the message was composed."""
    await tx.run(_HAND_ON, conversation_id, shard, message_id)


async def resize(tx: Writing, counts: Sequence[tuple[str, int, int, int]]) -> None:
    """Count messages by their segments: (message, shard, how many we had counted, how many the provider has)."""
    await tx.run_rows(_RESIZE, sorted(counts))


async def reprice(tx: Writing, costs: Sequence[tuple[str, int, int]]) -> None:
    """Count messages by what they cost now: (message, shard, millionths)."""
    await tx.run_rows(_REPRICE, sorted(costs))


async def forget(tx: Writing, workspace_id: str, now: datetime, at_most: int) -> None:
    """Delete some of what no cap asks for any more."""
    before = int(now.timestamp()) - _KEPT
    await tx.run(_FORGET, workspace_id, before, at_most)
    await tx.run(_FORGET_CAPS, workspace_id, before, at_most)


async def count_waiting(tx: Reading, workspace_id: str, sender_id: str) -> int:
    """How many messages wait to leave from a sender."""
    row = await tx.one(_WAITING, workspace_id, sender_id)
    return 0 if row is None else int(row[0])
