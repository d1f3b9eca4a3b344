"""What caps have counted.

A cap's row holds the sums, and a contact's row those of the caps that count each contact apart. Only who accepts
openings under a cap writes them, and holds the row until the commit. Everybody else notes beside it what is to be
counted in or out (`takings`), and waits for nobody: the next opening under that cap takes that in. Recipients are
counted from the messages themselves.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from overture.domain.caps import Line, Tally, Told, end_of, horizon, still_counting
from overture.domain.rules import Cap, Measure
from overture.store import takings
from overture.store.engine import Reading, Writing
from overture.store.statement import Command, Query, Row, RowsCommand, RowsQuery, insert
from overture.store.takings import NOBODY

Key = tuple[str, str, str]
"""A workspace, the name of one of its caps, and the contact (by its first address) that it counts apart, or nobody."""
Person = tuple[str, str]
"""A workspace, and a contact by its first address."""

_KEPT: Final = (
    86_400  # seconds past their end: a clock that jumped ahead and comes back must still find what it counted
)
_NAMED: Final = {"workspace_id": "text", "name": "text"}
_APART: Final = {**_NAMED, "contact": "text"}
_IS_CHANGED: Final = """
    EXISTS (SELECT 1 FROM cap_change c
            WHERE c.workspace_id = {of}.workspace_id AND c.cap = {of}.name AND c.contact = '')
"""
_FOUND: Final = f"""
    SELECT rows.workspace_id, rows.name, coalesce(cap.buckets, '[]'), cap.near_at, cap.reached_at,
        {_IS_CHANGED.format(of="rows")}
    FROM rows LEFT JOIN cap ON cap.workspace_id = rows.workspace_id AND cap.name = rows.name
"""
_HOLD: Final = RowsCommand(
    _NAMED,
    f"""
    /*pg: INSERT INTO cap (workspace_id, name, buckets, until) SELECT workspace_id, name, '[]', $1 FROM rows
    ON CONFLICT (workspace_id, name) DO UPDATE SET name = excluded.name
    RETURNING workspace_id, name, buckets, near_at, reached_at, {_IS_CHANGED.format(of="cap")} */
    /*sqlite: {_FOUND} */
    """,
)
_LOOK: Final = RowsQuery(_NAMED, _FOUND)
_SAVE: Final = insert(
    "cap",
    {**_NAMED, "buckets": "text", "near_at": "bigint", "reached_at": "bigint", "until": "bigint"},
    """ON CONFLICT (workspace_id, name) DO UPDATE SET
    buckets = excluded.buckets, near_at = excluded.near_at, reached_at = excluded.reached_at, until = excluded.until""",
)
_PEOPLE: Final = """
    SELECT c.workspace_id, c.address, c.counted
    FROM rows JOIN contact c ON c.workspace_id = rows.workspace_id AND c.address = rows.contact
"""
_MEET: Final = RowsQuery(
    {"workspace_id": "text", "contact": "text"},
    """
    SELECT /*pg: pg_advisory_xact_lock(hashtextextended(rows.workspace_id || ' ' || rows.contact, 26)) */ /*sqlite: 1 */
    FROM rows
    """,
)
_LOOK_AT_PEOPLE: Final = RowsQuery({"workspace_id": "text", "contact": "text"}, _PEOPLE)
_HOLD_PEOPLE: Final = RowsQuery(
    {"workspace_id": "text", "contact": "text"},
    f"{_PEOPLE} ORDER BY c.workspace_id, c.address /*pg: FOR NO KEY UPDATE OF c */",
)
_SAVE_PEOPLE: Final = RowsCommand(
    {"workspace_id": "text", "contact": "text", "counted": "text"},
    """
    UPDATE contact SET counted = rows.counted FROM rows
    WHERE contact.workspace_id = rows.workspace_id AND contact.address = rows.contact
    """,
)
_CHANGES: Final = RowsQuery(
    _APART,
    """
    SELECT c.workspace_id, c.cap, c.contact, c.bucket, c.amount
    FROM rows JOIN cap_change c
        ON c.workspace_id = rows.workspace_id AND c.cap = rows.name AND c.contact = rows.contact
    """,
)
_TAKE_CHANGES: Final = RowsCommand(
    _APART,
    """
    DELETE FROM cap_change WHERE entry IN (
        SELECT c.entry FROM rows JOIN cap_change c
            ON c.workspace_id = rows.workspace_id AND c.cap = rows.name AND c.contact = rows.contact)
    RETURNING workspace_id, cap, contact, bucket, amount
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
    _APART,
    """
    SELECT r.workspace_id, r.cap, r.contact, max(r.bucket)
    FROM rows JOIN reservation r
        ON r.workspace_id = rows.workspace_id AND r.cap = rows.name AND r.contact = rows.contact
    WHERE r.amount > 0 GROUP BY r.workspace_id, r.cap, r.contact
    """,
)
_HAND_CHANGES_ON: Final = Command("UPDATE cap_change SET contact = $3 WHERE workspace_id = $1 AND contact = $2")
_WAITING: Final = Query("SELECT count(*) FROM outbox WHERE sender_id = $2 AND workspace_id = $1 AND state = 'queued'")

_read_buckets: Final = msgspec.json.Decoder(list[tuple[int, int]]).decode
_read_counted: Final = msgspec.json.Decoder(dict[str, list[tuple[int, int]]]).decode

_NEVER: Final = Told()


class Asked(Struct, frozen=True, kw_only=True):
    """A cap that an opening is counted under, and the contact that the opening is for."""

    workspace_id: str
    line: Line
    contact: str

    @property
    def key(self) -> Key:
        """What it is counted by."""
        return key_of(self.workspace_id, self.line, self.contact)


def key_of(workspace_id: str, line: Line, contact: str) -> Key:
    """What an opening to a contact is counted by under a cap."""
    return workspace_id, line.name, NOBODY if line.cap.per is None else contact


class Counted(NamedTuple):
    """What a cap has counted, and when it was told how full it is."""

    buckets: Mapping[int, int]
    told: Told


class Held(Struct, frozen=True, kw_only=True):
    """What caps have counted. Caps of one name differ in their limits only.

    `people` holds all that contacts' own caps have counted, by their names; `changed` are those into which what stood
    beside them was taken: they must be saved, whatever else is.
    """

    now: datetime
    sums: dict[Key, dict[int, int]] = {}
    told: dict[Key, Told] = {}
    met: dict[Key, dict[str, int]] = {}
    people: dict[Person, dict[str, dict[int, int]]] = {}
    changed: frozenset[Key] = frozenset()

    def told_of(self, key: Key) -> Told:
        """When it was last told how full a cap is."""
        return self.told.get(key, _NEVER)

    def tally(self, key: Key, cap: Cap) -> Tally:
        """What a cap has counted, to be counted on; made anew each time."""
        return Tally(cap, self.sums.get(key, {}), self.told_of(key), self.met.get(key, {}), self.now)


async def hold(tx: Writing, asked: Sequence[Asked], alone: Collection[Person], now: datetime) -> Held:
    """What caps have counted, held until the commit; what stood beside their rows is taken in.

    `alone` are contacts, known or new, whom no cap for all makes wait: they are met by one transaction at a time, so
    that who makes a contact and who counts on one do not wait for each other in a circle.
    """
    shared, apart = _sorted_out(asked)
    await tx.all_of(_MEET, sorted(alone))
    found = await tx.run_rows(_HOLD, shared, int(now.timestamp()))
    own = await tx.all_of(_HOLD_PEOPLE, _people(apart))
    return await _held(tx, asked, found, own, await tx.run_rows(_TAKE_CHANGES, [*_changed(found), *apart]), now)


async def look(tx: Reading, asked: Sequence[Asked], now: datetime) -> Held:
    """What caps have counted, only looked at."""
    shared, apart = _sorted_out(asked)
    found, own = await tx.all_of(_LOOK, shared), await tx.all_of(_LOOK_AT_PEOPLE, _people(apart))
    return await _held(tx, asked, found, own, await tx.all_of(_CHANGES, [*_changed(found), *apart]), now)


def _sorted_out(asked: Iterable[Asked]) -> tuple[list[tuple[str, str]], list[Key]]:
    """The caps that count for all together, and those that count their contacts apart."""
    keys = sorted({one.key for one in asked})
    return [key[:2] for key in keys if key[2] == NOBODY], [key for key in keys if key[2] != NOBODY]


def _people(apart: Iterable[Key]) -> list[Person]:
    return sorted({(key[0], key[2]) for key in apart})


def _changed(found: Iterable[Row]) -> list[Key]:
    """Of caps that count for all together, those beside which something stands."""
    return [(row[0], row[1], NOBODY) for row in found if row[5]]


async def _held(
    tx: Reading,
    asked: Sequence[Asked],
    found: Sequence[Row],
    own: Sequence[Row],
    changes: Sequence[Row],
    now: datetime,
) -> Held:
    sums: dict[Key, dict[int, int]] = {}
    told: dict[Key, Told] = {}
    people: dict[Person, dict[str, dict[int, int]]] = {}
    for row in found:
        key = (row[0], row[1], NOBODY)
        sums[key] = dict(_read_buckets(row[2]))
        told[key] = Told(near_at=row[3], reached_at=row[4])
    for row in own:
        counted = {} if row[2] is None else {name: dict(told) for name, told in _read_counted(row[2]).items()}
        people[row[0], row[1]] = counted
    for row in changes:
        workspace_id, name, contact, start, amount = row
        if contact == NOBODY:
            of = sums.setdefault((workspace_id, name, NOBODY), {})
        else:
            of = people.setdefault((workspace_id, contact), {}).setdefault(name, {})
        of[start] = of.get(start, 0) + amount
    for (workspace_id, contact), counted in people.items():
        sums |= {(workspace_id, name, contact): buckets for name, buckets in counted.items()}
    recipients = [one for one in asked if one.line.cap.count is Measure.RECIPIENTS]
    met: dict[Key, dict[str, int]] = {}
    if recipients:
        for one in recipients:
            sums[one.key] = {}
        horizons = sorted({(*one.key[:2], horizon(one.line.cap, now)) for one in recipients})
        for row in await tx.all_of(_RECIPIENTS, horizons):
            sums[row[0], row[1], NOBODY][row[2]] = row[3]
        for row in await tx.all_of(_MET, sorted({(*one.key[:2], one.contact) for one in recipients})):
            met.setdefault((row[0], row[1], NOBODY), {})[row[2]] = row[3]
    changed = frozenset((row[0], row[1], row[2]) for row in changes)
    return Held(now=now, sums=sums, told=told, met=met, people=people, changed=changed)


async def save(tx: Writing, counted: Mapping[Key, Counted], now: datetime) -> None:
    """Keep what caps have counted for all together, and told; the caller holds them."""
    at = int(now.timestamp())
    rows = [
        (
            *key[:2],
            msgspec.json.encode(sorted(one.buckets.items())).decode(),
            one.told.near_at,
            one.told.reached_at,
            max((end_of(key[1], start) for start in one.buckets), default=at),
        )
        for key, one in counted.items()
    ]
    await tx.put(_SAVE, sorted(rows))


async def save_people(tx: Writing, counted: Mapping[Person, str | None]) -> None:
    """Keep what contacts' own caps have counted, as `written_for` them; the caller holds the contacts."""
    await tx.put(_SAVE_PEOPLE, sorted((*person, text) for person, text in counted.items()))


def written_for(before: Mapping[str, Mapping[int, int]], tallies: Iterable[tuple[str, Tally]], now: datetime) -> str:
    """What a contact's own caps have counted, by their names, for its row; what counts no longer is left out."""
    since = int(now.timestamp()) - _KEPT
    counted = {name: still_counting(name, buckets, since) for name, buckets in before.items()}
    counted |= {name: tally.buckets for name, tally in tallies}
    return msgspec.json.encode({name: sorted(buckets.items()) for name, buckets in counted.items() if buckets}).decode()


async def merge_people(tx: Writing, workspace_id: str, stays: str, goes: str) -> None:
    """Let a contact's own caps count what those of another one counted, both by their first addresses and held."""
    for row in await tx.all_of(_LOOK_AT_PEOPLE, [(workspace_id, goes)]):
        counted = {} if row[2] is None else _read_counted(row[2])
        await takings.note(
            tx,
            [
                takings.Change(workspace_id, name, stays, start, count, end_of(name, start))
                for name, buckets in counted.items()
                for start, count in buckets
            ],
        )
    await save_people(tx, {(workspace_id, goes): None})
    await tx.run(_HAND_CHANGES_ON, workspace_id, goes, stays)


async def forget(tx: Writing, now: datetime, at_most: int) -> int:
    """Delete some of what no cap asks for any more: so many rows of each table at most; how many of the fullest."""
    return await takings.forget_before(tx, int(now.timestamp()) - _KEPT, at_most)


async def count_waiting(tx: Reading, workspace_id: str, sender_id: str) -> int:
    """How many messages wait to leave from a sender."""
    row = await tx.one(_WAITING, workspace_id, sender_id)
    return 0 if row is None else int(row[0])
