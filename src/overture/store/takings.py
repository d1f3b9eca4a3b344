"""What each message takes of the caps it falls under: all of them in one row, and recipients in rows of their own.

Who gives back, recounts or prices anew holds no cap's row: what changes is noted beside it, for the next who does.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Struct

from overture.domain import caps
from overture.domain.caps import SPENT, Line, Wanted, is_apart, measure_of
from overture.domain.rules import Measure
from overture.store.engine import Writing
from overture.store.statement import Command, Row, RowsCommand, RowsQuery, insert

_CARRIED: Final = {"message_id": "text", "shard": "int"}
_NEVER_LEFT: Final = """NOT EXISTS (
            SELECT 1 FROM attempt WHERE attempt.message_id = {0}.message_id
            AND attempt.shard = {0}.shard AND attempt.state <> 'rejected')"""

_NOTE: Final = insert(
    "cap_change",
    {
        "workspace_id": "text",
        "cap": "text",
        "contact": "text",
        "bucket": "bigint",
        "amount": "bigint",
        "until": "bigint",
    },
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
        "until": "bigint",
    },
    "ON CONFLICT DO NOTHING",
    same={"amount": "1", "counted": "1"},
)
_GIVE_BACK: Final = RowsCommand(
    _CARRIED,
    f"""
    UPDATE reservation SET amount = 0 FROM rows
    WHERE reservation.message_id = rows.message_id AND reservation.shard = rows.shard AND reservation.amount <> 0
        AND {_NEVER_LEFT.format("reservation")}
    """,
)
_SAVE_TAKINGS: Final = insert(
    "taking",
    {**_CARRIED, "workspace_id": "text", "contact": "text", "takes": "text", "until": "bigint"},
    "ON CONFLICT (message_id, shard) DO UPDATE SET takes = excluded.takes, until = excluded.until",
)
_HOLD_TAKINGS: Final = RowsQuery(
    _CARRIED,
    """
    SELECT t.message_id, t.shard, t.workspace_id, t.contact, t.takes, t.until
    FROM rows JOIN taking t ON t.message_id = rows.message_id AND t.shard = rows.shard
    ORDER BY t.message_id, t.shard /*pg: FOR UPDATE OF t */
    """,
)
_DROP_TAKINGS: Final = RowsCommand(
    _CARRIED,
    f"""
    DELETE FROM taking WHERE (message_id, shard) IN (
        SELECT t.message_id, t.shard FROM rows
        JOIN taking t ON t.message_id = rows.message_id AND t.shard = rows.shard
        WHERE {_NEVER_LEFT.format("t")})
    RETURNING message_id, shard, workspace_id, contact, takes, until
    """,
)
_HAND_ON: Final = tuple(
    Command(f"UPDATE {table} SET message_id = $3 WHERE message_id = $1 AND shard = $2")
    for table in ("taking", "reservation")
)
_FORGET: Final = (
    Command(
        """
        DELETE FROM reservation WHERE (message_id, cap, shard) IN (
            SELECT message_id, cap, shard FROM reservation WHERE until < $1
            ORDER BY until LIMIT $2 /*pg: FOR UPDATE SKIP LOCKED */)
        RETURNING 1
        """
    ),
    Command(
        """
        DELETE FROM taking WHERE (message_id, shard) IN (
            SELECT message_id, shard FROM (
                SELECT message_id, shard, until FROM taking ORDER BY message_id, shard
                LIMIT $2 /*pg: FOR UPDATE SKIP LOCKED */) AS oldest
            WHERE until < $1)
        RETURNING 1
        """
    ),
    Command(
        """
        DELETE FROM cap_change WHERE entry IN (
            SELECT entry FROM (
                SELECT entry, until FROM cap_change ORDER BY entry LIMIT $2 /*pg: FOR UPDATE SKIP LOCKED */) AS oldest
            WHERE until < $1)
        RETURNING 1
        """
    ),
    Command(
        """
        DELETE FROM cap WHERE (workspace_id, name) IN (
            SELECT workspace_id, name FROM cap WHERE until < $1 LIMIT $2 /*pg: FOR UPDATE SKIP LOCKED */)
        RETURNING 1
        """
    ),
)
NOBODY: Final = ""
"""The contact of what is counted for all together."""


class Take(Struct, frozen=True, array_like=True):
    """What a message takes of one cap, and the bucket in which it is counted."""

    cap: str
    bucket: int
    amount: int


Takes: TypeAlias = tuple[tuple[Take, ...], int]
"""What a message takes, and the second from which on no cap asks for it."""


class Change(NamedTuple):
    """What a cap is to count in, or out where it is less than zero; it is forgotten from the second `until` on."""

    workspace_id: str
    cap: str
    contact: str
    bucket: int
    amount: int
    until: int


class Taking(Struct, frozen=True, kw_only=True):
    """What a message to a contact takes of all its caps; from the second `until` on no cap asks for it any more."""

    message_id: str
    shard: int
    workspace_id: str
    contact: str
    takes: tuple[Take, ...]
    until: int


class Reservation(Struct, frozen=True, kw_only=True):
    """A recipient that a cap counts, by the message that is for it."""

    message_id: str
    cap: str
    shard: int
    workspace_id: str
    contact: str
    bucket: int
    until: int


_read_takes: Final = msgspec.json.Decoder(tuple[Take, ...]).decode


def takes_of(lines: Iterable[Line], wanted: Sequence[Wanted], now: datetime) -> tuple[Takes, ...]:
    """What messages take of caps; nothing where none of these counts anything but recipients."""
    under = {line.name: (line.cap, caps.bucket(line.cap, now)) for line in lines}
    counting = {name: one for name, one in under.items() if one[0].count is not Measure.RECIPIENTS}
    if not counting:
        return ()
    until = max(caps.until(cap, start) for cap, start in counting.values())
    return tuple(
        (
            tuple(
                Take(name, start, caps.amount(cap, one))
                for name, (cap, start) in counting.items()
                if one.segments or cap.count is Measure.MESSAGES  # the rest is counted once it is composed
            ),
            until,
        )
        for one in wanted
    )


async def keep(tx: Writing, takings: Sequence[Taking], reservations: Sequence[Reservation]) -> None:
    """Keep what messages take: of caps that are held, and of those that count recipients."""
    texts: dict[int, str] = {}  # messages of one length take the same
    rows = []
    for one in takings:
        if (text := texts.get(id(one.takes))) is None:
            text = texts[id(one.takes)] = msgspec.json.encode(one.takes).decode()
        rows.append((one.message_id, one.shard, one.workspace_id, one.contact, text, one.until))
    await tx.put(_SAVE_TAKINGS, sorted(rows))
    await tx.put(_RESERVE, sorted(msgspec.structs.astuple(one) for one in reservations))


async def keep_more(tx: Writing, takings: Sequence[Taking]) -> None:
    """Keep what messages take besides, and note it for caps that nobody holds; what they take already stays."""
    known = {one.message_id: one for one in await _hold_takings(tx, [(one.message_id, one.shard) for one in takings])}
    await _change(tx, [(known.get(one.message_id), _with_more(known.get(one.message_id), one)) for one in takings])


async def give_back(tx: Writing, keys: Sequence[tuple[str, int]]) -> None:
    """Let (message, shard) take nothing any more, unless the provider took one of its tries, or may have."""
    dropped = await tx.run_rows(_DROP_TAKINGS, sorted(set(keys)))
    await _note(tx, [(_taking(row), -1) for row in dropped])
    await tx.run_rows(_GIVE_BACK, sorted(set(keys)))


async def hand_on(tx: Writing, conversation_id: str, shard: int, message_id: str) -> None:
    """Let a message take what its conversation took until the message was composed."""
    for command in _HAND_ON:
        await tx.run(command, conversation_id, shard, message_id)


async def resize(tx: Writing, counts: Sequence[tuple[str, int, int, int]]) -> None:
    """Count messages by their segments: (message, shard, how many we had counted, how many the provider has)."""
    by_id = {an_id: (ours, theirs) for an_id, _, ours, theirs in counts}
    held = await _hold_takings(tx, [count[:2] for count in counts])
    await _change(tx, [(one, _resized(one, *by_id[one.message_id])) for one in held])


async def reprice(tx: Writing, costs: Sequence[tuple[str, int, int]]) -> None:
    """Count messages by what they cost now: (message, shard, millionths)."""
    by_id = {an_id: micros for an_id, _, micros in costs}
    held = await _hold_takings(tx, [cost[:2] for cost in costs])
    await _change(tx, [(one, _repriced(one, by_id[one.message_id])) for one in held])


def _with_more(known: Taking | None, more: Taking) -> Taking:
    if known is None:
        return more
    names = {take.cap for take in known.takes}
    takes = (*known.takes, *(take for take in more.takes if take.cap not in names))
    return msgspec.structs.replace(known, takes=takes, until=max(known.until, more.until))


def _resized(one: Taking, ours: int, theirs: int) -> Taking:
    return msgspec.structs.replace(
        one,
        takes=tuple(
            Take(take.cap, take.bucket, take.amount * theirs // ours) if measure_of(take.cap) in SPENT else take
            for take in one.takes
        ),
    )


def _repriced(one: Taking, micros: int) -> Taking:
    return msgspec.structs.replace(
        one,
        takes=tuple(
            Take(take.cap, take.bucket, micros) if measure_of(take.cap) is Measure.MONEY else take for take in one.takes
        ),
    )


async def _hold_takings(tx: Writing, keys: Sequence[tuple[str, int]]) -> list[Taking]:
    return [_taking(row) for row in await tx.all_of(_HOLD_TAKINGS, sorted(set(keys)))]


async def _change(tx: Writing, changed: Sequence[tuple[Taking | None, Taking]]) -> None:
    """Let messages take something else than they did, and note the difference for their caps."""
    new = [(before, after) for before, after in changed if before != after]
    await keep(tx, [after for _, after in new], [])
    await _note(tx, [(before, -1) for before, _ in new if before is not None] + [(after, 1) for _, after in new])


async def _note(tx: Writing, takings: Sequence[tuple[Taking, int]]) -> None:
    """Note what is to be counted in (1) or out (-1) by the next who holds the caps."""
    sums: dict[tuple[str, str, str, int], int] = {}
    until: dict[tuple[str, str, str, int], int] = {}
    for one, sign in takings:
        for take in one.takes:
            contact = one.contact if is_apart(take.cap) else NOBODY
            key = (one.workspace_id, take.cap, contact, take.bucket)
            sums[key] = sums.get(key, 0) + sign * take.amount
            until[key] = max(until.get(key, 0), one.until)
    await note(tx, [Change(*key, amount, until[key]) for key, amount in sums.items() if amount])


async def note(tx: Writing, changes: Iterable[Change]) -> None:
    """Note beside caps what the next who holds them is to take in."""
    await tx.put(_NOTE, sorted(changes))


def _taking(row: Row) -> Taking:
    return Taking(
        message_id=row[0],
        shard=row[1],
        workspace_id=row[2],
        contact=row[3],
        takes=_read_takes(row[4]),
        until=row[5],
    )


async def forget_before(tx: Writing, at: int, at_most: int) -> int:
    """Delete so many rows at most that no cap asked for since a second, the oldest of each table; how many went."""
    return max([len(await tx.run(command, at, at_most)) for command in _FORGET])
