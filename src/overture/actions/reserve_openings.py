"""Reserve what openings take of the caps they fall under, in the very transaction that accepts them.

The caps of a round are held in the order of their names, then counted on in memory, call by call, so that each sees
those before it. Where no cap applies, nothing is read or written.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
from overture.store.caps import Asked, Counted, Held, Key, key_of
from overture.store.engine import Reading, Writing
from overture.store.takings import NOBODY, Reservation, Take, Taking

Carrier = tuple[str, int]
"""What carries an opening: the (message, shard); where the agent composes it first, its (conversation, shard)."""


class _Taken(Struct, frozen=True, kw_only=True):
    """An opening that fits: what each of its messages takes, under these caps."""

    workspace_id: str
    contact: str
    is_met: bool
    wanted: tuple[Wanted, ...]
    together: Wanted
    lines: tuple[Line, ...]


class Ledger:
    """The caps of one round of openings, counted on as they are decided; `lines` are those of each call, by number."""

    def __init__(self, held: Held, lines: Mapping[int, tuple[Line, ...]], now: datetime) -> None:
        self._held: Final = held
        self._lines: Final = lines
        self._tallies: Final[dict[tuple[Key, int], Tally]] = {}
        self._shared: Final[dict[tuple[str, int], list[tuple[Line, Tally]]]] = {}
        self._taken: Final[dict[int, _Taken]] = {}
        self._now: Final = now

    def decide(self, n: int, start: Start, facts: Facts, verdict: Verdict, carried: Sequence[Carried]) -> Verdict:
        """The verdict over a call, or a refusal where it goes over a cap."""
        if not (found := self._lines.get(n)) or isinstance(verdict, Refusal | Replay):
            return verdict
        contact, wanted = contact_of(start, facts), wanted_of(carried)
        together = caps.together(wanted)
        under = self._under(start.workspace_id, found, contact)
        for line, tally in under:
            if (refused := caps.refuse(line, tally, together, contact)) is not None:
                return refused
        for _, tally in under:
            tally.add(together, contact)
        self._taken[n] = _Taken(
            workspace_id=start.workspace_id,
            contact=contact,
            is_met=facts.contact is not None,
            wanted=wanted,
            together=together,
            lines=found,
        )
        return verdict

    def written_for(self, n: int) -> str | None:
        """What the caps of a contact of its own count that is met with a call for the first time; None without any."""
        taken = self._taken.get(n)
        return None if taken is None or not _has_own(taken.lines) else self._written(taken, {})

    async def write(
        self,
        tx: Writing,
        carriers_of: Callable[[int], Sequence[Carrier]],
        ids: Ids,
        *,
        lost: Collection[int] = (),
        made: Collection[int] = (),
    ) -> None:
        """Write what was taken, but for the calls that were lost to another process.

        `made` are those whose contact is in the store as `written_for` it: of a lost one that is taken back.
        """
        if not self._taken and not self._held.changed:
            return
        taken = {n: one for n, one in self._taken.items() if n not in lost}
        if len(taken) < len(self._taken):
            self._count_again(taken.values())
        pages, reservations = _Pages(self._now), list[Reservation]()
        for n, one in taken.items():
            carriers = carriers_of(n)
            pages.note(one, carriers)
            reservations += _recipients(one, carriers, self._now)
        await takings.keep(tx, pages.kept, reservations)
        await self._save(tx, taken.values(), ids)
        unmade = [one for n, one in self._taken.items() if n in lost and n in made and _has_own(one.lines)]
        await self._save_people(tx, taken.values(), unmade)

    def _under(self, workspace_id: str, lines: tuple[Line, ...], contact: str) -> list[tuple[Line, Tally]]:
        """What counts an opening to a contact, cap by cap; what counts for all is found once for all."""
        group = (workspace_id, id(lines))
        if (shared := self._shared.get(group)) is None:
            shared = self._shared[group] = [
                (line, self._tally(key_of(workspace_id, line, NOBODY), line.cap))
                for line in lines
                if line.cap.per is None
            ]
        if len(shared) == len(lines):
            return shared
        own = [
            (line, self._tally(key_of(workspace_id, line, contact), line.cap))
            for line in lines
            if line.cap.per is not None
        ]
        return shared + own

    def _tally(self, key: Key, cap: Cap) -> Tally:
        limit = (key, cap.at_most)
        if (tally := self._tallies.get(limit)) is None:
            tally = self._tallies[limit] = self._held.tally(key, cap)
        return tally

    def _count_again(self, taken: Iterable[_Taken]) -> None:
        """Count anew, without the calls that were lost."""
        self._tallies.clear()
        self._shared.clear()
        for one in taken:
            for _, tally in self._under(one.workspace_id, one.lines, one.contact):
                tally.add(one.together, one.contact)

    async def _save(self, tx: Writing, taken: Iterable[_Taken], ids: Ids) -> None:
        """Keep what caps count for all together, and tell of those that are nearly, or wholly, used up."""
        groups = {(one.workspace_id, id(one.lines)): one.lines for one in taken}
        changed = (key for key in self._held.changed if key[2] == NOBODY)
        saved = {key: Counted(self._held.sums[key], self._held.told_of(key)) for key in changed}
        news: list[Event] = []
        at = int(self._now.timestamp())
        shared = {(of, line) for (of, _), lines in groups.items() for line in lines if line.cap.per is None}
        for workspace_id, line in sorted(shared, key=_by_limit):
            key = key_of(workspace_id, line, NOBODY)
            tally, told = self._tally(key, line.cap), saved[key].told if key in saved else self._held.told_of(key)
            near, reached = tally.news()
            if reached:
                news.append(_told(EventKind.CAP_REACHED, workspace_id, line, tally, self._now, ids))
            elif near:
                news.append(_told(EventKind.CAP_NEARLY_REACHED, workspace_id, line, tally, self._now, ids))
            told = Told(near_at=at if near else told.near_at, reached_at=at if reached else told.reached_at)
            saved[key] = Counted(tally.buckets, told)
        await counted.save(tx, saved, self._now)
        await events.insert_all(tx, news, self._now)

    async def _save_people(self, tx: Writing, taken: Iterable[_Taken], unmade: Iterable[_Taken]) -> None:
        """Keep what contacts' own caps count, of those who were known before."""
        changed = {(key[0], key[2]) for key in self._held.changed if key[2] != NOBODY}
        texts = {person: counted.written_for(self._held.people[person], (), self._now) for person in changed}
        for one in taken:
            if one.is_met and _has_own(one.lines):
                person = (one.workspace_id, one.contact)
                texts[person] = self._written(one, self._held.people.get(person, {}))
        await counted.save_people(tx, {**texts, **{(one.workspace_id, one.contact): None for one in unmade}})

    def _written(self, taken: _Taken, before: Mapping[str, Mapping[int, int]]) -> str:
        under = self._under(taken.workspace_id, taken.lines, taken.contact)
        own = [(line.name, tally) for line, tally in under if line.cap.per is not None]
        return counted.written_for(before, own, self._now)


def _by_limit(one: tuple[str, Line]) -> tuple[str, str, int]:
    return one[0], one[1].name, one[1].cap.at_most


def _has_own(lines: Iterable[Line]) -> bool:
    return any(line.cap.per is not None for line in lines)


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
    if not carriers or not (found := lines_of(facts)):
        return
    wanted = (Wanted(segments=0),) * len(carriers)
    taken = _Taken(
        workspace_id=start.workspace_id,
        contact=contact_of(start, facts),
        is_met=facts.contact is not None,
        wanted=wanted,
        together=caps.together(wanted),
        lines=found,
    )
    pages = _Pages(now)
    pages.note(taken, carriers)
    await takings.keep_more(tx, pages.kept)
    await takings.keep(tx, [], _recipients(taken, carriers, now))


def lines_of(facts: Facts) -> tuple[Line, ...]:
    """The caps that a call falls under, each once."""
    if not caps.are_set(facts.rules):
        return ()
    agent_id = None if facts.agent is None else facts.agent.id
    return tuple(dict.fromkeys(caps.lines(facts.rules, agent_id=agent_id, sender_id=facts.sender_id)))


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
    """The caps of each call, and what is to be asked of them: of contacts who are new nothing is counted yet."""
    groups: dict[tuple[int, str, str | None], tuple[Line, ...]] = {}
    lines: dict[int, tuple[Line, ...]] = {}
    wanted: list[Asked] = []
    for n, start, facts in asked:
        group = (id(facts.rules), "" if facts.agent is None else facts.agent.id, facts.sender_id)
        if (found := groups.get(group)) is None:
            found = groups[group] = lines_of(facts)
            wanted += [
                Asked(workspace_id=start.workspace_id, line=line, contact=NOBODY)
                for line in found
                if line.cap.per is None
            ]
        lines[n] = found
        wanted += [
            Asked(workspace_id=start.workspace_id, line=line, contact=contact_of(start, facts))
            for line in found
            if line.cap.count is Measure.RECIPIENTS or (line.cap.per is not None and facts.contact is not None)
        ]
    return lines, wanted


class _Pages:
    """What messages take, a row each."""

    def __init__(self, now: datetime) -> None:
        self.kept: Final[list[Taking]] = []
        self._now: Final = now
        self._known: Final[dict[tuple[int, Wanted], tuple[tuple[Take, ...], int] | None]] = {}

    def note(self, taken: _Taken, carriers: Sequence[Carrier]) -> None:
        """Note what each message of an opening takes."""
        for (message_id, shard), wanted in zip(carriers, taken.wanted, strict=True):
            if (takes := self._takes(taken.lines, wanted)) is None:
                return
            self.kept.append(
                Taking(
                    message_id=message_id,
                    shard=shard,
                    workspace_id=taken.workspace_id,
                    contact=taken.contact,
                    takes=takes[0],
                    until=takes[1],
                )
            )

    def _takes(self, lines: tuple[Line, ...], wanted: Wanted) -> tuple[tuple[Take, ...], int] | None:
        """What a message takes, and until when it is asked for: the same for all that want as much of these caps."""
        asked = (id(lines), wanted)
        if asked not in self._known:
            self._known[asked] = _takes(lines, wanted, self._now)
        return self._known[asked]


def _takes(lines: Iterable[Line], wanted: Wanted, now: datetime) -> tuple[tuple[Take, ...], int] | None:
    """None where no cap counts anything but recipients."""
    under = {line.name: (line.cap, caps.bucket(line.cap, now)) for line in lines}
    counting = {name: one for name, one in under.items() if one[0].count is not Measure.RECIPIENTS}
    if not counting:
        return None
    takes = tuple(
        Take(name, start, caps.amount(cap, wanted))
        for name, (cap, start) in counting.items()
        if wanted.segments or cap.count is Measure.MESSAGES  # the rest is counted once it is composed
    )
    return takes, max(caps.until(cap, start) for cap, start in counting.values())


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
