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
from overture.store.takings import NOBODY, Reservation, Take, Taking

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
    """Openings that each take `together` of one group's caps: `count` of them fit, of which the tallies know nothing
    yet, and `left` more do.
    """

    group: _Group
    together: Wanted
    left: int
    count: int = 0

    def settle(self) -> None:
        """Let the tallies know."""
        if self.count:
            for _, tally in self.group.shared:
                tally.add_alike(self.together, self.count)
        self.left = self.count = 0


class _Taken(Struct, frozen=True, kw_only=True):
    """An opening that fits: what each of its messages takes of its group's caps.

    `own` is what counts its contact apart; of one that is met with this call it is `first` for its row.
    """

    group: _Group
    contact: str
    wanted: tuple[Wanted, ...]
    together: Wanted
    own: tuple[tuple[Line, Tally], ...] = ()
    first: str | None = None


class Ledger:
    """The caps of one round of openings, counted on as they are decided; `lines` are those of each call, by number."""

    def __init__(self, held: Held, lines: Mapping[int, tuple[Line, ...]], now: datetime) -> None:
        self._held: Final = held
        self._lines: Final = lines
        self._groups: Final[dict[tuple[str, int], _Group]] = {}
        self._tallies: Final[dict[tuple[Key, int], Tally]] = {}
        self._firsts: Final[dict[tuple[int, Wanted], str | Limited]] = {}
        self._taken: Final[dict[int, _Taken]] = {}
        self._wants: Final[dict[tuple[cost.Counted, ...], tuple[tuple[Wanted, ...], Wanted]]] = {}
        self._alike: _Alike | None = None
        self._now: Final = now

    def decide(self, n: int, start: Start, facts: Facts, verdict: Verdict, carried: Sequence[Carried]) -> Verdict:
        """The verdict over a call, or a refusal where it goes over a cap."""
        if not (found := self._lines.get(n)) or isinstance(verdict, Refusal | Replay):
            return verdict
        contact = contact_of(start, facts)
        wanted, together = self._wanted(carried)
        group = self._group(start.workspace_id, found)
        own = () if facts.contact is None else self._own(start.workspace_id, group.own, contact)
        first = self._first(found, group.own, together, contact) if facts.contact is None else None
        if isinstance(first, Limited):
            return first
        alike = self._alike_of(group, together)
        asked = own if alike.left else (*group.shared, *own)
        for line, tally in asked:
            if (refused := caps.refuse(line, tally, together, contact)) is not None:
                return refused
        for _, tally in asked:
            tally.add(together, contact)
        if alike.left:
            alike.left -= 1
            alike.count += 1
        self._taken[n] = _Taken(group=group, contact=contact, wanted=wanted, together=together, own=own, first=first)
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
        pages, reservations = _Pages(self._now), list[Reservation]()
        for n, one in taken.items():
            carriers = carriers_of(n)
            pages.note(one, carriers)
            if one.group.counts_recipients:
                reservations += _recipients(one, carriers, self._now)
        await takings.keep(tx, pages.kept, reservations)
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

    def _wanted(self, carried: Sequence[Carried]) -> tuple[tuple[Wanted, ...], Wanted]:
        """What each message of an opening takes, and all together: most openings of a round take the same.

        One that is yet to be composed is a message; the rest is not known.
        """
        said = tuple([one.counted for one in carried])
        if (known := self._wants.get(said)) is None:
            wanted: tuple[Wanted, ...] = (Wanted(segments=0),)
            if carried:
                costs = [(one.segments, one.counted.cost) for one in carried]
                wanted = tuple([Wanted(segments=n, cost_micros=None if c is None else c.micros) for n, c in costs])
            known = self._wants[said] = wanted, caps.together(wanted)
        return known

    def _alike_of(self, group: _Group, together: Wanted) -> _Alike:
        """What is counted of openings alike: many a round are, and caps are asked once how many more of them fit."""
        alike = self._alike
        if alike is None or alike.group is not group or alike.together != together:
            self._settle()
            left = 0 if group.counts_recipients else min((one.room(together) for _, one in group.shared), default=0)
            alike = self._alike = _Alike(group=group, together=together, left=left)
        elif not alike.left:
            alike.settle()
        return alike

    def _settle(self) -> None:
        if self._alike is not None:
            self._alike.settle()
            self._alike = None

    def _own(self, workspace_id: str, lines: Iterable[Line], contact: str) -> tuple[tuple[Line, Tally], ...]:
        return tuple((line, self._held.tally(key_of(workspace_id, line, contact), line.cap)) for line in lines)

    def _shared(self, workspace_id: str, line: Line) -> Tally:
        """One tally for all groups that a cap counts: what one of them takes, the others find taken."""
        key = key_of(workspace_id, line, NOBODY)
        limited = (key, line.cap.at_most)
        if (tally := self._tallies.get(limited)) is None:
            tally = self._tallies[limited] = self._held.tally(key, line.cap)
        return tally

    def _first(
        self, lines: tuple[Line, ...], own: Sequence[Line], together: Wanted, contact: str
    ) -> str | Limited | None:
        """What their own caps count of contacts who are met with an opening, or why these refuse it: alike for all."""
        if not own:
            return None
        if (known := self._firsts.get((id(lines), together))) is not None:
            return known
        first: str | Limited | None = None
        tallies = self._own("", own, contact)
        for line, tally in tallies:
            first = first or caps.refuse(line, tally, together, contact)
            tally.add(together, contact)
        first = first or counted.written_for({}, ((line.name, tally) for line, tally in tallies), self._now)
        self._firsts[id(lines), together] = first
        return first

    def _count_again(self, taken: Iterable[_Taken]) -> None:
        """Count anew, without the calls that were lost. What contacts count apart is theirs alone."""
        self._groups.clear()
        self._tallies.clear()
        for one in taken:
            for _, tally in self._group(one.group.workspace_id, one.group.lines).shared:
                tally.add(one.together, one.contact)

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
    taken = _Taken(
        group=_Group(workspace_id=start.workspace_id, lines=found),
        contact=contact_of(start, facts),
        wanted=wanted,
        together=caps.together(wanted),
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


class _Pages:
    """What messages take, a row each."""

    def __init__(self, now: datetime) -> None:
        self.kept: Final[list[Taking]] = []
        self._now: Final = now
        self._known: Final[dict[tuple[int, Wanted], tuple[tuple[Take, ...], int] | None]] = {}

    def note(self, taken: _Taken, carriers: Sequence[Carrier]) -> None:
        """Note what each message of an opening takes."""
        for (message_id, shard), wanted in zip(carriers, taken.wanted, strict=True):
            if (takes := self._takes(taken.group.lines, wanted)) is None:
                return
            self.kept.append(
                Taking(
                    message_id=message_id,
                    shard=shard,
                    workspace_id=taken.group.workspace_id,
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
