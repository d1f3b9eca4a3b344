"""Reserve what openings take of the caps they fall under, in the very transaction that accepts them.

The caps of a round are held in the order of their names, then counted on in memory, call by call, so that each sees
those before it. Where no cap applies, nothing is read or written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain import caps, variants
from overture.domain.caps import Line, Tally, Told, Wanted
from overture.domain.cost import Carried
from overture.domain.errors import Refusal
from overture.domain.event import Event, EventKind
from overture.domain.ports import Ids
from overture.domain.rules import Cap, Measure
from overture.domain.sending import Facts, Replay, Start, Verdict
from overture.store import caps as counted
from overture.store import events, takings
from overture.store.caps import Asked, Held, Key
from overture.store.engine import Reading, Writing
from overture.store.takings import Reservation, Take, Taking

Carrier = tuple[str, int]
"""What carries an opening: the (message, shard); where the agent composes it first, its (conversation, shard)."""

_FORGOTTEN: Final = 2  # for each row that is written: what is old goes faster than what is new comes


class _Taken(Struct, frozen=True, kw_only=True):
    """An opening that fits: what each of its messages takes, under these caps."""

    workspace_id: str
    contact: str
    wanted: tuple[Wanted, ...]
    together: Wanted
    lines: tuple[Line, ...]


class Ledger:
    """The caps of one round of openings, counted on as they are decided; `lines` are those of each call, by number."""

    def __init__(self, held: Held, lines: Mapping[int, tuple[Line, ...]], now: datetime) -> None:
        self._held: Final = held
        self._lines: Final = lines
        self._tallies: Final = held.tallies()
        self._taken: Final[dict[int, _Taken]] = {}
        self._now: Final = now

    def decide(self, n: int, start: Start, facts: Facts, verdict: Verdict, carried: Sequence[Carried]) -> Verdict:
        """The verdict over a call, or a refusal where it goes over a cap."""
        if not (found := self._lines.get(n)) or isinstance(verdict, Refusal | Replay):
            return verdict
        contact, wanted = contact_of(start, facts), wanted_of(carried)
        together = caps.together(wanted)
        under = [(line, self._tallies[start.workspace_id, line.name]) for line in found]
        for line, tallies in under:
            for tally in tallies:
                if tally.cap == line.cap and (refused := caps.refuse(line, tally, together, contact)) is not None:
                    return refused
        taken = _Taken(workspace_id=start.workspace_id, contact=contact, wanted=wanted, together=together, lines=found)
        _count(self._tallies, taken)
        self._taken[n] = taken
        return verdict

    async def write(
        self, tx: Writing, carriers_of: Callable[[int], Sequence[Carrier]], lost: set[int], ids: Ids
    ) -> None:
        """Write what was taken, but for the calls that another process overtook."""
        taken = {n: one for n, one in self._taken.items() if n not in lost}
        if not taken and not self._held.took_in:
            return
        tallies = self._tallies
        if len(taken) < len(self._taken):
            tallies = self._held.tallies()
            for one in taken.values():
                _count(tallies, one)
        pages, reservations = _Pages(self._now), list[Reservation]()
        for n, one in taken.items():
            carriers = carriers_of(n)
            pages.note(one, carriers)
            reservations += _recipients(one, carriers, self._now)
        await takings.keep(tx, pages.kept, reservations)
        await self._save(tx, tallies, taken.values(), ids)
        workspaces = {one.workspace_id for one in taken.values()}
        await counted.forget(tx, workspaces, self._now, _FORGOTTEN * (len(pages.kept) + len(reservations)))

    async def _save(self, tx: Writing, tallies: Mapping[Key, list[Tally]], taken: Iterable[_Taken], ids: Ids) -> None:
        lines: dict[Key, set[Line]] = {}
        for one in taken:
            for line in one.lines:
                lines.setdefault((one.workspace_id, line.name), set()).add(line)
        saved: list[tuple[Key, Tally, Told]] = []
        news: list[Event] = []
        at = int(self._now.timestamp())
        for key, found in tallies.items():
            near_at, reached_at = found[0].told.near_at, found[0].told.reached_at
            for line in sorted(lines.get(key, ()), key=lambda line: line.cap.at_most):
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


def _count(tallies: Mapping[Key, list[Tally]], taken: _Taken) -> None:
    for name in dict.fromkeys(line.name for line in taken.lines):
        for tally in tallies[taken.workspace_id, name]:
            tally.add(taken.together, taken.contact)


async def hold_caps(tx: Writing, asked: Sequence[tuple[int, Start, Facts]], now: datetime) -> Ledger:
    """The caps that calls, with their numbers, fall under, held until the commit."""
    lines, wanted = _asked(asked)
    return Ledger(await counted.hold(tx, wanted, now) if wanted else Held(now=now), lines, now)


async def look_at_caps(tx: Reading, asked: Sequence[tuple[int, Start, Facts]], now: datetime) -> Ledger:
    """The caps that calls, with their numbers, fall under, only looked at."""
    lines, wanted = _asked(asked)
    return Ledger(await counted.look(tx, wanted, now) if wanted else Held(now=now), lines, now)


async def count_again(tx: Writing, start: Start, facts: Facts, carriers: Sequence[Carrier], now: datetime) -> None:
    """Count what opens a conversation after all, once it was given back; no cap is held, and none refuses it.

    It was found to fit once, and the next opening finds it counted. What it spends is counted as it leaves.
    """
    if not carriers or not (found := lines_of(start, facts)):
        return
    wanted = (Wanted(segments=0),) * len(carriers)
    taken = _Taken(
        workspace_id=start.workspace_id,
        contact=contact_of(start, facts),
        wanted=wanted,
        together=caps.together(wanted),
        lines=found,
    )
    pages = _Pages(now)
    pages.note(taken, carriers)
    await takings.keep_more(tx, pages.kept)
    await takings.keep(tx, [], _recipients(taken, carriers, now))


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


def wanted_of(carried: Sequence[Carried]) -> tuple[Wanted, ...]:
    """What each message of an opening takes. One that is yet to be composed is a message; the rest is not known."""
    if not carried:
        return (Wanted(segments=0),)
    return tuple(
        Wanted(segments=one.segments, cost_micros=None if (cost := one.counted.cost) is None else cost.micros)
        for one in carried
    )


def _asked(asked: Sequence[tuple[int, Start, Facts]]) -> tuple[dict[int, tuple[Line, ...]], list[Asked]]:
    lines = {n: lines_of(start, facts) for n, start, facts in asked}
    return lines, [
        Asked(workspace_id=start.workspace_id, line=line, contact=contact_of(start, facts))
        for n, start, facts in asked
        for line in lines[n]
    ]


class _Pages:
    """What messages take, a row each."""

    def __init__(self, now: datetime) -> None:
        self.kept: Final[list[Taking]] = []
        self._now: Final = now
        self._times: Final[dict[int, tuple[int, int]]] = {}

    def note(self, taken: _Taken, carriers: Sequence[Carrier]) -> None:
        """Note what each message of an opening takes."""
        under = {line.name: line.cap for line in taken.lines if line.cap.count is not Measure.RECIPIENTS}
        if not under:
            return
        places = [(name, cap, *self._place(cap)) for name, cap in under.items()]
        until = max(place[3] for place in places)
        for (message_id, shard), wanted in zip(carriers, taken.wanted, strict=True):
            takes = tuple(
                Take(name, start, caps.amount(cap, wanted))
                for name, cap, start, _ in places
                if wanted.segments or cap.count is Measure.MESSAGES  # the rest is counted once it is composed
            )
            self.kept.append(
                Taking(message_id=message_id, shard=shard, workspace_id=taken.workspace_id, takes=takes, until=until)
            )

    def _place(self, cap: Cap) -> tuple[int, int]:
        """The bucket that a cap counts in now, and until when it does."""
        known = self._times.get(cap.within_seconds)
        if known is None:
            start = caps.bucket(cap, self._now)
            known = self._times[cap.within_seconds] = start, caps.until(cap, start)
        return known


def _recipients(taken: _Taken, carriers: Sequence[Carrier], now: datetime) -> list[Reservation]:
    under = {line.name: line.cap for line in taken.lines if line.cap.count is Measure.RECIPIENTS}
    return [
        Reservation(
            message_id=message_id,
            cap=name,
            shard=shard,
            workspace_id=taken.workspace_id,
            contact=taken.contact,
            bucket=caps.bucket(cap, now),
            until=caps.until(cap, caps.bucket(cap, now)),
        )
        for name, cap in under.items()
        for message_id, shard in carriers
    ]


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
