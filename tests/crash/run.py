"""A run: which cases are played, several side by side, and what is kept of each.

How many boundaries a plan has on a database is counted first, by one case in which nobody dies. Then every boundary
is a case, or a sample of them that a seed draws.
"""

import asyncio
import contextlib
import random
import shutil
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from tests import databases
from tests.crash import history, plans
from tests.crash.history import Finding
from tests.crash.plans import Plan
from tests.crash.record import Case, Record
from tests.crash.slots import Result, Slot
from tests.databases import Databases

Told = Callable[[Record, Sequence[Finding]], None]


class Wish(Struct, frozen=True, kw_only=True):
    """What somebody wants to have played.

    `kill` and `of` are those of a case. `kill` None: every boundary of the clean plan and every `every`-th of each
    other, another part of them with each seed, so that as many seeds go through all; or `sample` of them, of each plan
    on each database. `within`: draw the sample from so many first ones, without counting how many there are. `bug`: one
    that is put into the server on purpose.
    """

    plan_names: tuple[str, ...] = tuple(plans.BY_NAME)
    databases: tuple[str, ...] = plans.DATABASES
    kill: int | None = None
    of: str | None = None
    again: int | None = None
    every: int = 8
    sample: int | None = None
    within: int | None = None
    seed: int = 1
    jobs: int = 3
    bug: str | None = None

    def pairs(self) -> list[tuple[Plan, str]]:
        """Each plan with each database that it makes sense on."""
        named = [plans.BY_NAME[name] for name in self.plan_names]
        return [(plan, one) for plan in named for one in self.databases if one in plans.databases_of(plan)]


class Keeps(Protocol):
    """Where records and the folders of failed cases go."""

    def keep(self, record: Record, findings: Sequence[Finding]) -> None: ...

    def folder_of(self, case: Case) -> Path: ...


class Run:
    """Plays what is wished. `steps` counts: `planned` grows when the boundaries of a plan are known."""

    def __init__(self, wish: Wish, keeps: Keeps) -> None:
        self._wish: Final = wish
        self._keeps: Final = keeps
        self._free: Final[asyncio.Queue[Slot]] = asyncio.Queue()
        self._fragile: Final[asyncio.Queue[Slot]] = asyncio.Queue()
        self.planned = 0
        self.played = 0

    async def play(self) -> None:
        """Play everything."""
        async with self._slots(), asyncio.TaskGroup() as group:
            for plan, database in self._wish.pairs():
                self.planned += 1
                group.create_task(self._play_plan(plan, database))

    @contextlib.asynccontextmanager
    async def _slots(self) -> AsyncIterator[None]:
        """Places to play at. Where the database itself is to go down it is one that nobody else uses."""
        pairs = self._wish.pairs()
        with (
            _server(any(database == "postgresql" and not plan.restarts_database for plan, database in pairs)) as shared,
            _server(any(plan.restarts_database for plan, _ in pairs)) as own,
            contextlib.ExitStack() as closing,
        ):
            for _ in range(self._wish.jobs):
                slot = Slot(None if shared is None else shared.url)
                closing.callback(slot.close)
                self._free.put_nowait(slot)
            slot = Slot(None if own is None else own.url)
            closing.callback(slot.close)
            self._fragile.put_nowait(slot)
            yield

    async def _play_plan(self, plan: Plan, database: str) -> None:
        case = Case(plan=plan.name, database=database, bug=self._wish.bug)
        if self._wish.kill is not None:
            await self._play_case(replace(case, kill=self._wish.kill, of=self._wish.of, again=self._wish.again))
            return
        within = self._wish.within
        if within is None:
            within = len((await self._play_case(case)).boundaries)
            self.planned += 1
        cases = list(self.cases(case, plan, within))
        self.planned += len(cases) - 1
        async with asyncio.TaskGroup() as group:
            for one in cases:
                group.create_task(self._play_case(one))

    def cases(self, case: Case, plan: Plan, boundaries: int) -> Iterator[Case]:
        """The cases of a plan that has so many boundaries on a database."""
        chance = random.Random(f"{self._wish.seed} {case.plan} {case.database}")
        every = 1 if plan.name == plans.CLEAN else self._wish.every
        first = (zlib.crc32(case.plan.encode()) + self._wish.seed) % every
        kills: Sequence[int] = range(1 + first, boundaries + 1, every)
        if self._wish.sample is not None:
            kills = sorted(chance.sample(range(1, boundaries + 1), min(self._wish.sample, boundaries)))
        for kill in kills:
            yield replace(case, kill=kill, again=chance.randint(1, max(boundaries // 2, 1)) if plan.twice else None)

    async def _play_case(self, case: Case) -> Record:
        slots = self._fragile if plans.BY_NAME[case.plan].restarts_database else self._free
        slot = await slots.get()
        try:
            result = await slot.play(case)
        finally:
            slots.put_nowait(slot)
        self.played += 1
        await asyncio.to_thread(self._settle, result)
        return result.record

    def _settle(self, result: Result) -> None:
        findings = history.check(result.record)
        self._keeps.keep(result.record, findings)
        if findings:
            kept = self._keeps.folder_of(result.record.case)
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(result.folder, kept, ignore=shutil.ignore_patterns("*.sock"))
        shutil.rmtree(result.folder, ignore_errors=True)


@contextlib.contextmanager
def _server(is_needed: bool) -> Iterator[Databases | None]:
    if not is_needed:
        yield None
        return
    with databases.server(None) as server:
        yield server
