"""Reserve what openings take of the caps they fall under, in the very transaction that accepts them.

The caps of a round are held in the order of their names, then counted on in memory, call by call, so that each sees
those before it. Where no cap applies, nothing is read or written.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain import caps, cost, variants
from overture.domain.caps import Line, Tally, Told, Wanted
from overture.domain.cost import Carried
from overture.domain.errors import Limited, Refusal
from overture.domain.event import Event, EventKind
from overture.domain.ports import Ids
from overture.domain.rules import Measure, Scope
from overture.domain.sending import Facts, Replay, Start, Verdict
from overture.store import caps as counted
from overture.store import events, takings
from overture.store.caps import Asked, Counted, Held, Key, Person, key_of
from overture.store.engine import Reading, Writing
from overture.store.takings import NOBODY, Reservation, Takes, Taking

Carrier = tuple[str, int]
"""What carries an opening: the (message, shard); where the agent composes it first, its (conversation, shard)."""


class _Group(Struct, frozen=True, kw_only=True):
    """The caps (`lines`) that many calls fall under: what counts them all, and those that count each contact apart."""

    workspace_id: str
    lines: tuple[Line, ...]
    shared: tuple[tuple[Line, Tally], ...] = ()
    own: tuple[Line, ...] = ()
    counts_recipients: bool = False


class _Alike(Struct, kw_only=True):
    """Openings of a round that take the same of one group's caps: each of their messages `takes` as much.

    Who is met with one has `first` for its row, or is refused by its own caps. `count` of them fit, of which the
    tallies know nothing yet, and `left` more do.
    """

    group: _Group
    together: Wanted
    takes: tuple[Takes, ...]
    first: str | Limited | None = None
    left: int = 0
    count: int = 0

    def begin(self) -> None:
        """Ask the tallies how many fit: these are counted as one, for as long as nothing else is asked."""
        if not self.group.counts_recipients:
            self.left = min((tally.room(self.together) for _, tally in self.group.shared), default=0)

    def settle(self) -> None:
        """Let the tallies know."""
        if self.count:
            for _, tally in self.group.shared:
                tally.add_alike(self.together, self.count)
        self.left = self.count = 0


class _Taken(Struct, frozen=True, kw_only=True):
    """An opening that fits. `own` is what counts its contact apart; whom it is the first for has `first` in its row."""

    alike: _Alike
    contact: str
    own: tuple[tuple[Line, Tally], ...] = ()
    first: str | None = None

    @property
    def group(self) -> _Group:
        """The caps that it falls under."""
        return self.alike.group


class Ledger:
    """The caps of one round of openings, counted on as they are decided; `lines` are those of each call, by number."""

    def __init__(self, held: Held, lines: Mapping[int, tuple[Line, ...]], now: datetime) -> None:
        self._held: Final = held
        self._lines: Final = lines
        self._groups: Final[dict[tuple[str, int], _Group]] = {}
        self._tallies: Final[dict[tuple[Key, int], Tally]] = {}
        self._alikes: Final[dict[tuple[str, int, tuple[cost.Counted, ...]], _Alike]] = {}
        self._taken: Final[dict[int, _Taken]] = {}
        self._present: _Alike | None = None
        self._now: Final = now

    def decide(self, n: int, start: Start, facts: Facts, verdict: Verdict, carried: Sequence[Carried]) -> Verdict:
        """The verdict over a call, or a refusal where it goes over a cap."""
        if not (found := self._lines.get(n)) or isinstance(verdict, Refusal | Replay):
            return verdict
        contact = contact_of(start, facts)
        said = tuple([one.counted for one in carried])
        if (alike := self._alikes.get((start.workspace_id, id(found), said))) is None:
            alike = self._alikes[start.workspace_id, id(found), said] = self._alike(start, found, carried, contact)
        own: tuple[tuple[Line, Tally], ...] = ()
        first: str | None = None
        if facts.contact is not None:
            own = self._own(start.workspace_id, alike.group.own, contact)
        elif isinstance(alike.first, Limited):
            return alike.first
        else:
            first = alike.first
        if alike is not self._present:
            self._settle()
            self._present = alike
            alike.begin()
        elif not alike.left:
            alike.settle()
        asked = own if alike.left else (*alike.group.shared, *own)
        for line, tally in asked:
            if (refused := caps.refuse(line, tally, alike.together, contact)) is not None:
                return refused
        for _, tally in asked:
            tally.add(alike.together, contact)
        if alike.left:
            alike.left -= 1
            alike.count += 1
        self._taken[n] = _Taken(alike=alike, contact=contact, own=own, first=first)
        return verdict

    def written_for(self, n: int) -> str | None:
        """What the caps of a contact of its own count that is met with a call for the first time; None without any."""
        return None if (taken := self._taken.get(n)) is None else taken.first

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
        self._settle()
        taken = {n: one for n, one in self._taken.items() if n not in lost}
        if len(taken) < len(self._taken):
            self._count_again(taken.values())
        kept, reservations = list[Taking](), list[Reservation]()
        for n, one in taken.items():
            carriers = carriers_of(n)
            kept += _kept(one, carriers)
            if one.group.counts_recipients:
                reservations += _recipients(one, carriers, self._now)
        await takings.keep(tx, kept, reservations)
        await self._save(tx, taken.values(), ids)
        await self._save_people(tx, taken.values(), [self._taken[n] for n in self._taken if n in lost and n in made])

    def _group(self, workspace_id: str, lines: tuple[Line, ...]) -> _Group:
        known = self._groups.get((workspace_id, id(lines)))
        if known is None:
            known = self._groups[workspace_id, id(lines)] = _Group(
                workspace_id=workspace_id,
                lines=lines,
                shared=tuple((line, self._shared(workspace_id, line)) for line in lines if line.cap.per is None),
                own=tuple(line for line in lines if line.cap.per is not None),
                counts_recipients=any(line.cap.count is Measure.RECIPIENTS for line in lines),
            )
        return known

    def _alike(self, start: Start, lines: tuple[Line, ...], carried: Sequence[Carried], contact: str) -> _Alike:
        group, wanted = self._group(start.workspace_id, lines), wanted_of(carried)
        together = caps.together(wanted)
        return _Alike(
            group=group,
            together=together,
            takes=takings.takes_of(lines, wanted, self._now),
            first=self._first(group.own, together, contact),
        )

    def _settle(self) -> None:
        if self._present is not None:
            self._present.settle()
            self._present = None

    def _own(self, workspace_id: str, lines: Iterable[Line], contact: str) -> tuple[tuple[Line, Tally], ...]:
        return tuple((line, self._held.tally(key_of(workspace_id, line, contact), line.cap)) for line in lines)

    def _shared(self, workspace_id: str, line: Line) -> Tally:
        """One tally for all groups that a cap counts: what one of them takes, the others find taken."""
        key = key_of(workspace_id, line, NOBODY)
        limited = (key, line.cap.at_most)
        if (tally := self._tallies.get(limited)) is None:
            tally = self._tallies[limited] = self._held.tally(key, line.cap)
        return tally

    def _first(self, own: Sequence[Line], together: Wanted, contact: str) -> str | Limited | None:
        """What their own caps count of contacts who are met with an opening, or why these refuse it."""
        if not own:
            return None
        tallies = self._own("", own, contact)
        for line, tally in tallies:
            if (refused := caps.refuse(line, tally, together, contact)) is not None:
                return refused
            tally.add(together, contact)
        return counted.written_for({}, ((line.name, tally) for line, tally in tallies), self._now)

    def _count_again(self, taken: Iterable[_Taken]) -> None:
        """Count anew, without the calls that were lost. What contacts count apart is theirs alone."""
        self._groups.clear()
        self._tallies.clear()
        for one in taken:
            for _, tally in self._group(one.group.workspace_id, one.group.lines).shared:
                tally.add(one.alike.together, one.contact)

    async def _save(self, tx: Writing, taken: Iterable[_Taken], ids: Ids) -> None:
        """Keep what caps count for all together, and tell of those that are nearly, or wholly, used up."""
        groups = {(group.workspace_id, id(group.lines)): group.lines for group in (one.group for one in taken)}
        changed = (key for key in self._held.changed if key[2] == NOBODY)
        saved = {key: Counted(self._held.sums[key], self._held.told_of(key)) for key in changed}
        news: list[Event] = []
        at = int(self._now.timestamp())
        shared = {
            (key_of(group[0], line, NOBODY), line.cap.at_most): (line, tally)
            for group, lines in groups.items()
            for line, tally in self._group(group[0], lines).shared
        }
        for (key, _), (line, tally) in sorted(shared.items(), key=lambda one: one[0]):
            told = saved[key].told if key in saved else self._held.told_of(key)
            near, reached = tally.news()
            if reached:
                news.append(_told(EventKind.CAP_REACHED, key[0], line, tally, self._now, ids))
            elif near:
                news.append(_told(EventKind.CAP_NEARLY_REACHED, key[0], line, tally, self._now, ids))
            told = Told(near_at=at if near else told.near_at, reached_at=at if reached else told.reached_at)
            saved[key] = Counted(tally.buckets, told)
        await counted.save(tx, saved, self._now)
        await events.insert_all(tx, news, self._now)

    async def _save_people(self, tx: Writing, taken: Iterable[_Taken], unmade: Iterable[_Taken]) -> None:
        """Keep what contacts' own caps count, of those who were known before."""
        people = self._held.people
        changed = {(key[0], key[2]) for key in self._held.changed if key[2] != NOBODY}
        texts: dict[Person, str | None] = {
            person: counted.written_for(people[person], (), self._now) for person in changed
        }
        for one in taken:
            if one.own:
                person = (one.group.workspace_id, one.contact)
                own = ((line.name, tally) for line, tally in one.own)
                texts[person] = counted.written_for(people.get(person, {}), own, self._now)
        texts |= {(one.group.workspace_id, one.contact): None for one in unmade if one.first is not None}
        await counted.save_people(tx, texts)


def _counts_only_apart(lines: Iterable[Line]) -> bool:
    """Whether contacts are counted apart, and no cap of the whole workspace makes their openings wait in line."""
    return any(line.cap.per is not None for line in lines) and not any(
        line.cap.per is None and line.scope is Scope.WORKSPACE for line in lines
    )


async def hold_caps(tx: Writing, asked: Sequence[tuple[int, Start, Facts]], now: datetime) -> Ledger:
    """The caps that calls, with their numbers, fall under, held until the commit."""
    lines, wanted = _asked(asked)
    apart = {an_id for an_id, found in {id(one): one for one in lines.values()}.items() if _counts_only_apart(found)}
    alone = {(start.workspace_id, contact_of(start, facts)) for n, start, facts in asked if id(lines[n]) in apart}
    if not wanted and not alone:
        return Ledger(Held(now=now), lines, now)
    return Ledger(await counted.hold(tx, wanted, alone, now), lines, now)


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
    alike = _Alike(
        group=_Group(workspace_id=start.workspace_id, lines=found),
        together=caps.together(wanted),
        takes=takings.takes_of(found, wanted, now),
    )
    taken = _Taken(alike=alike, contact=contact_of(start, facts))
    await takings.keep_more(tx, _kept(taken, carriers))
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
    costs = [(one.segments, one.counted.cost) for one in carried]
    return tuple([Wanted(segments=n, cost_micros=None if c is None else c.micros) for n, c in costs])


def _asked(asked: Sequence[tuple[int, Start, Facts]]) -> tuple[dict[int, tuple[Line, ...]], list[Asked]]:
    """The caps of each call, and what is to be asked of them: of contacts who are new nothing is counted yet."""
    groups: dict[tuple[int, str, str | None], tuple[tuple[Line, ...], list[Line], list[Line]]] = {}
    lines: dict[int, tuple[Line, ...]] = {}
    wanted: list[Asked] = []
    for n, start, facts in asked:
        group = (id(facts.rules), "" if facts.agent is None else facts.agent.id, facts.sender_id)
        if (known := groups.get(group)) is None:
            found = lines_of(facts)
            of_new = [line for line in found if line.cap.count is Measure.RECIPIENTS]
            of_known = [line for line in found if line.cap.count is Measure.RECIPIENTS or line.cap.per is not None]
            known = groups[group] = found, of_new, of_known
            for_all = (line for line in found if line.cap.per is None)
            wanted += [Asked(workspace_id=start.workspace_id, line=line, contact=NOBODY) for line in for_all]
        lines[n], of_new, of_known = known
        for line in of_new if facts.contact is None else of_known:
            wanted.append(Asked(workspace_id=start.workspace_id, line=line, contact=contact_of(start, facts)))
    return lines, wanted


def _kept(taken: _Taken, carriers: Sequence[Carrier]) -> list[Taking]:
    """What each message of an opening takes, where any cap counts something else than recipients."""
    if not (takes := taken.alike.takes):
        return []
    return [
        Taking(
            message_id=message_id,
            shard=shard,
            workspace_id=taken.group.workspace_id,
            contact=taken.contact,
            takes=each,
            until=until,
        )
        for (message_id, shard), (each, until) in zip(carriers, takes, strict=True)
    ]


def _recipients(taken: _Taken, carriers: Sequence[Carrier], now: datetime) -> list[Reservation]:
    under = {line.name: line.cap for line in taken.group.lines if line.cap.count is Measure.RECIPIENTS}
    return [
        Reservation(
            message_id=message_id,
            cap=name,
            shard=shard,
            workspace_id=taken.group.workspace_id,
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
