"""Turns through the whole road: a person's line comes in as a webhook, is answered by the agent, and leaves.

Ten thousand conversations are open. Quiet time is nothing, the provider answers at once and tells nothing back; the
prompt agent's model answers at once in the server's own process, so that what is measured is Overture's part.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from urllib.request import Request, urlopen

import msgspec
from msgspec import Struct

from benchmarks import databases, processes, queue
from benchmarks.people import Crowd, Going, Heard
from benchmarks.processes import Served
from benchmarks.roads import Plan
from benchmarks.served import Ready, Wanted

CONVERSATIONS: Final = 10_000
LINES: Final = 10_000
AT_ONCE: Final = 256  # lines that wait for their answers while the rate is measured
LEAST_PER_SECOND: Final = 400.0
AIM_PER_SECOND: Final = 1000.0
MOST_PER_SECOND: Final = 500.0  # of replies whose time is taken: half of the aim
MOST_P95_MILLISECONDS: Final = 150.0
MOST_MEBIBYTES: Final = 256
_LOOK_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 300.0
_LIBRARY: Final = "pydantic_core"  # what the model library loads from a shared object, and nothing else of ours does


class Turned(Struct, frozen=True, kw_only=True):
    """One agent's run on one engine. Processor milliseconds are those of a turn."""

    name: str
    turns: int
    per_second: float
    server_milliseconds: float
    database_milliseconds: float
    server_busy: float
    mebibytes: float
    faults: list[str]


class Replied(Struct, frozen=True, kw_only=True):
    """How long replies took at half of the rate that was reached: from a line's posting to its answer's arrival."""

    name: str
    per_second: float
    p50_milliseconds: float
    p95_milliseconds: float
    p99_milliseconds: float


class _Road(Struct, frozen=True, kw_only=True):
    """What runs while turns are measured."""

    name: str
    served: Served
    where: str
    wanted: Wanted
    database_pid: int | None

    def tell(self, going: Going) -> None:
        """Let the people write."""
        urlopen(Request(f"{self.where}/go", data=msgspec.json.encode(going)), timeout=30).close()

    def heard(self) -> Heard:
        """What came of it until now."""
        with urlopen(f"{self.where}/heard", timeout=30) as told:
            return msgspec.json.decode(told.read(), type=Heard)

    def database_seconds(self) -> float:
        """The database's processor time; SQLite's is the server's."""
        return 0.0 if self.database_pid is None else processes.family_cpu_seconds(self.database_pid)


def measure(plan: Plan) -> tuple[list[Turned], list[Replied]]:
    """Turns a second and the time of a reply at half of that, of both kinds of agents on both engines."""
    both = [
        measure_one(plan, engine=engine, kind=kind, conversations=CONVERSATIONS, lines=LINES, at_once=AT_ONCE)
        for kind in ("flow", "prompt")
        for engine in ("SQLite", "PostgreSQL")
    ]
    return [turned for turned, _ in both], [replied for _, replied in both]


def measure_one(
    plan: Plan, *, engine: str, kind: str, conversations: int, lines: int, at_once: int
) -> tuple[Turned, Replied]:
    """The same of one kind of agent on one engine."""
    with _opened(plan, engine, kind, conversations) as road:
        turned = _turns(road, lines, at_once)
        return turned, _replies(road, lines, min(turned.per_second / 2, MOST_PER_SECOND))


@contextmanager
def _opened(plan: Plan, engine: str, kind: str, conversations: int) -> Iterator[_Road]:
    """A server with so many open conversations, whose openings have left."""
    folder = plan.folder / f"turns-{engine}-{kind}"
    port = processes.free_port()
    crowd = msgspec.json.encode(Crowd(core=plan.other_core, people=conversations, port=port)).decode()
    with (
        _database(engine, folder) as (data, url, database_pid),
        processes.started([sys.executable, "-m", "benchmarks.people", crowd]) as (_, line),
    ):
        where = f"http://127.0.0.1:{msgspec.json.decode(line, type=Ready).port}"
        filled = Wanted(core=plan.server_core, data=str(data), database_url=url, provider=where, repeats=kind)
        queue.fill(filled, conversations=conversations, lines=1)
        wanted = msgspec.structs.replace(filled, roads=True, listens=port)
        with processes.serving(wanted) as served:
            name = f"{kind}, {engine}"
            road = _Road(name=name, served=served, where=where, wanted=wanted, database_pid=database_pid)
            _await(lambda: road.heard().openings >= conversations, f"{name}: the openings")
            yield road


@contextmanager
def _database(engine: str, folder: Path) -> Iterator[tuple[Path, str, int | None]]:
    folder.mkdir(parents=True)
    if engine == "SQLite":
        yield folder, "", None
    else:
        with databases.postgresql() as cluster:
            yield folder, cluster.url, cluster.pid


def _turns(road: _Road, lines: int, at_once: int) -> Turned:
    """So many lines, each written as soon as another one is answered."""
    before = road.heard().answered
    server, database, began = processes.cpu_seconds(road.served.pid), road.database_seconds(), time.monotonic()
    road.tell(Going(lines=lines, at_once=at_once))
    _await(lambda: road.heard().answered >= before + lines, f"{road.name}: the answers")
    took = time.monotonic() - began
    server, database = processes.cpu_seconds(road.served.pid) - server, road.database_seconds() - database
    mebibytes = processes.resident_mebibytes(road.served.pid)
    return Turned(
        name=road.name,
        turns=lines,
        per_second=lines / took,
        server_milliseconds=server / lines * 1e3,
        database_milliseconds=database / lines * 1e3,
        server_busy=server / took,
        mebibytes=mebibytes,
        faults=_faults(road, before + lines, mebibytes),
    )


def _replies(road: _Road, lines: int, per_second: float) -> Replied:
    before = road.heard().answered
    road.tell(Going(lines=lines // 2, per_second=per_second))
    _await(lambda: road.heard().answered >= before + lines // 2, f"{road.name}: the answers at half load")
    took = sorted(road.heard().seconds)

    def at(part: float) -> float:
        return took[min(len(took) - 1, int(len(took) * part))] * 1e3

    return Replied(
        name=road.name,
        per_second=per_second,
        p50_milliseconds=at(0.5),
        p95_milliseconds=at(0.95),
        p99_milliseconds=at(0.99),
    )


def _faults(road: _Road, lines: int, mebibytes: float) -> list[str]:
    """What is wrong with a run: every line has one answer, in order, and the store says the same."""
    faults, heard = [], road.heard()
    if heard.wrong:
        faults.append(f"{heard.wrong} answers came twice or out of order")
    if heard.refused:
        faults.append(f"{heard.refused} webhooks were refused")
    if heard.waiting:
        faults.append(f"{heard.waiting} lines were not answered")
    count = partial(_count, road.wanted)
    openings = heard.openings
    for what, kept, wanted in (
        ("lines and answers", count("message"), openings + 2 * lines),
        ("turns", count("turn"), lines),
    ):
        if kept != wanted:
            faults.append(f"{kept} {what} are in the store, not {wanted}")
    if road.wanted.repeats == "flow":
        if mebibytes > MOST_MEBIBYTES:
            faults.append(f"it holds {mebibytes:.0f} MiB")
        if _LIBRARY in Path(f"/proc/{road.served.pid}/maps").read_text():
            faults.append("the model library is loaded")
    return faults


def _count(wanted: Wanted, table: str) -> int:
    if wanted.database_url:
        return asyncio.run(databases.count_in_postgresql(wanted.database_url, table))
    return databases.count_in_sqlite(Path(wanted.data) / "overture.db", table)


def _await(is_so: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} did not come")
        time.sleep(_LOOK_SECONDS)
