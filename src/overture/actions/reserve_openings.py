"""Reserve what openings take of the caps they fall under, in the very transaction that accepts them.

The caps of a round are held in the order of their names, then counted on in memory, call by call, so that each sees
those before it. Where no cap applies, nothing is read or written.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain import caps, cost, variants
from overture.domain.caps import Line, Tally, Told, Wanted
from overture.domain.errors import Refusal
from overture.domain.event import Event, EventKind
from overture.domain.ports import Ids
from overture.domain.sending import ByTurn, Facts, Join, Open, Replay, Start, Verdict, parts
from overture.store import caps as counted
from overture.store import events
from overture.store.caps import Asked, Held, Key, Reservation
from overture.store.engine import Reading, Writing

Carrier = tuple[str, int]
"""What carries an opening: the (message, shard); where the agent composes it first, its (conversation, shard)."""

_FORGOTTEN: Final = 2  # for each row that is written: what is old goes faster than what is new comes


class _Taken(Struct, frozen=True, kw_only=True):
    """An opening that fits: what each of its messages takes, under these caps."""

    workspace_id: str
    contact: str
    wanted: tuple[Wanted, ...]
    lines: tuple[Line, ...]


class Ledger:
    """The caps of one round of openings, counted on as they are decided."""

    def __init__(self, held: Held, now: datetime) -> None:
        self._held: Final = held
        self._tallies: Final = _copied(held)
        self._taken: Final[dict[int, _Taken]] = {}
        self._now: Final = now

    def decide(self, n: int, start: Start, facts: Facts, verdict: Verdict) -> Verdict:
        """The verdict over a call, or a refusal where it goes over a cap."""
        if not self._tallies or isinstance(verdict, Refusal | Replay):
            return verdict
        found, contact = lines_of(start, facts), contact_of(start, facts)
        wanted = wanted_of(start, facts, verdict, self._now)
        for line in found:
            for tally in self._tallies[start.workspace_id, line.name]:
                if tally.cap == line.cap and (refused := caps.refuse(line, tally, wanted, contact)) is not None:
                    return refused
        for name in {line.name for line in found}:
            for tally in self._tallies[start.workspace_id, name]:
                tally.add(wanted, contact)
        self._taken[n] = _Taken(workspace_id=start.workspace_id, contact=contact, wanted=wanted, lines=found)
        return verdict

    async def write(
        self, tx: Writing, carriers_of: Callable[[int], Sequence[Carrier]], lost: set[int], ids: Ids
    ) -> None:
        """Write what was taken, but for the calls that another process overtook; the last to wait for anybody."""
        taken = {n: one for n, one in self._taken.items() if n not in lost}
        if not taken and not self._held.beside:
            return
        reservations: list[Reservation] = []
        lines: dict[Key, list[Line]] = {}
        tallies = _copied(self._held)
        await counted.count_in(tx, tallies, self._held.beside)
        for n, one in taken.items():
            for name, line in {line.name: line for line in one.lines}.items():
                reservations += _reservations(one, line, carriers_of(n), self._now)
                for tally in tallies[one.workspace_id, name]:
                    tally.add(one.wanted, one.contact)
            for line in one.lines:
                lines.setdefault((one.workspace_id, line.name), []).append(line)
        await counted.reserve(tx, reservations)
        await self._save(tx, tallies, lines, ids)
        for workspace_id in sorted({one.workspace_id for one in taken.values()}):
            await counted.forget(tx, workspace_id, self._now, _FORGOTTEN * len(reservations))

    async def _save(
        self, tx: Writing, tallies: Mapping[Key, list[Tally]], lines: Mapping[Key, list[Line]], ids: Ids
    ) -> None:
        saved: list[tuple[Key, Tally, Told]] = []
        news: list[Event] = []
        at = int(self._now.timestamp())
        for key, found in tallies.items():
            near_at, reached_at = found[0].told.near_at, found[0].told.reached_at
            for line in {line.cap: line for line in lines.get(key, ())}.values():
                tally = next(one for one in found if one.cap == line.cap)
                near, reached = tally.news()
                near_at, reached_at = at if near else near_at, at if reached else reached_at
                if reached:
                    news.append(_told(EventKind.CAP_REACHED, key[0], line, tally, self._now, ids))
                elif near:
                    news.append(_told(EventKind.CAP_NEARLY_REACHED, key[0], line, tally, self._now, ids))
            saved.append((key, found[0], Told(near_at=near_at, reached_at=reached_at)))
        await counted.save(tx, saved, self._now)
        await events.insert_all(tx, news, self._now)


def _copied(held: Held) -> dict[Key, list[Tally]]:
    return {key: [one.copy() for one in found] for key, found in held.tallies.items()}


async def hold_caps(tx: Writing, asked: Sequence[tuple[Start, Facts]], now: datetime) -> Ledger:
    """The caps that calls fall under, held until the commit."""
    wanted = _asked(asked)
    return Ledger(await counted.hold(tx, wanted, now) if wanted else Held(), now)


async def look_at_caps(tx: Reading, asked: Sequence[tuple[Start, Facts]], now: datetime) -> Ledger:
    """The caps that calls fall under, only looked at."""
    wanted = _asked(asked)
    return Ledger(Held(tallies=await counted.look(tx, wanted, now)) if wanted else Held(), now)


def lines_of(start: Start, facts: Facts) -> tuple[Line, ...]:
    """The caps that a call falls under."""
    if not caps.are_set(facts.rules):
        return ()
    agent_id = None if facts.agent is None else facts.agent.id
    return caps.lines(
        facts.rules, caps.Whose(agent_id=agent_id, sender_id=facts.sender_id, contact=contact_of(start, facts))
    )


def contact_of(start: Start, facts: Facts) -> str:
    """Whom a call is counted for: whatever address of theirs it names, the first one that we knew."""
    return variants.canonical(start.to_number) if facts.contact is None else facts.contact.address


def wanted_of(start: Start, facts: Facts, opened: Open | Join, now: datetime) -> tuple[Wanted, ...]:
    """What each message of an opening takes. One that is yet to be composed is a message; the rest is not known."""
    if isinstance(opened.opening, ByTurn):
        return (Wanted(segments=0),)
    bodies = parts(opened.opening, start.channel)
    costs = [one.cost for one in cost.of_opening(start, facts, bodies, now)]
    return tuple(
        caps.wanted_of(body, start.channel, None if known is None else known.micros)
        for body, known in zip(bodies, costs, strict=True)
    )


def _asked(asked: Sequence[tuple[Start, Facts]]) -> list[Asked]:
    return [
        Asked(workspace_id=start.workspace_id, line=line, contact=contact_of(start, facts))
        for start, facts in asked
        for line in lines_of(start, facts)
    ]


def _reservations(taken: _Taken, line: Line, carriers: Sequence[Carrier], now: datetime) -> list[Reservation]:
    start = caps.bucket(line.cap, now)
    reservations = []
    for (message_id, shard), wanted in zip(carriers, taken.wanted, strict=True):
        amount = caps.amount(line.cap, wanted)
        reservations.append(
            Reservation(
                message_id=message_id,
                cap=line.name,
                shard=shard,
                workspace_id=taken.workspace_id,
                contact=taken.contact,
                bucket=start,
                amount=amount,
                counted=amount,
                until=caps.until(line.cap, start),
            )
        )
    return reservations


def _told(kind: EventKind, workspace_id: str, line: Line, tally: Tally, now: datetime, ids: Ids) -> Event:
    owner = {} if not line.owner else {f"{line.scope.value}_id": line.owner}
    return events.make(
        ids,
        kind,
        workspace_id,
        None,
        now,
        scope=line.scope.value,
        count=line.cap.count.value,
        used=tally.used,
        at_most=line.cap.at_most,
        within_seconds=line.cap.within_seconds,
        description=f"{caps.name(line)}: {caps.taken(tally)} is used.",
        **owner,
    )
