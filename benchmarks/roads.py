"""The roads that are measured side by side, round by round."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from benchmarks import databases, load, processes, webhooks
from benchmarks.load import Round
from benchmarks.processes import Served
from benchmarks.served import AGENT, SENDER, Wanted

WITH_RULES: Final = " with every rule"
_FASTEST: Final = 15_000  # webhooks a second that no server of ours reaches on one core: so many are prepared


class Plan(Struct, frozen=True, kw_only=True):
    """How a run is made. `server_core` is the server's alone; everything else shares the other one."""

    folder: Path
    server_core: int
    other_core: int
    rounds: int
    seconds: int
    warm_up_seconds: int
    connections: int

    @property
    def all_seconds(self) -> int:
        """How long one road is under load."""
        return self.warm_up_seconds + self.rounds * self.seconds


class Road(Struct, frozen=True, kw_only=True):
    """A road under load. `kept` counts what it has on disk, None where it keeps nothing."""

    name: str
    served: Served
    script: str
    arguments: Callable[[int], Sequence[str]]
    kept: Callable[[], int] | None = None
    database_pid: int | None = None


class Measured(Struct, frozen=True, kw_only=True):
    """The rounds of a road, and what is wrong with them."""

    name: str
    rounds: list[Round]
    faults: list[str]

    @property
    def middle(self) -> Round:
        """The round in the middle by its rate."""
        return load.median(self.rounds, lambda one: one.per_second)


def measure(roads: Sequence[Road], plan: Plan) -> list[Measured]:
    """Warm every road up, then load one after the other, round by round, so that a bad minute hits all alike."""
    answered = {road.name: 0 for road in roads}
    rounds: dict[str, list[Round]] = {road.name: [] for road in roads}
    first = {road.name: 0 for road in roads}
    for number in range(plan.rounds + 1):
        for road in roads:
            seconds = plan.seconds if number else plan.warm_up_seconds
            seen = load.run(
                road.served,
                script=road.script,
                arguments=road.arguments(first[road.name]),
                seconds=seconds,
                connections=plan.connections,
                database_pid=road.database_pid,
            )
            first[road.name] += seen.requests + plan.connections + 1
            answered[road.name] += seen.requests - seen.refused
            if number:
                rounds[road.name].append(seen)
    return [
        Measured(
            name=road.name, rounds=rounds[road.name], faults=_faults(road, rounds[road.name], answered[road.name], plan)
        )
        for road in roads
    ]


def _faults(road: Road, rounds: Sequence[Round], answered: int, plan: Plan) -> list[str]:
    faults = []
    if refused := sum(one.refused for one in rounds):
        faults.append(f"{refused} answers were no 2xx")
    if broken := sum(one.broken for one in rounds):
        faults.append(f"{broken} requests broke")
    if (busy := min(one.busy for one in rounds)) < load.LEAST_BUSY:
        faults.append(f"its core was only {busy:.0%} busy: something else set the pace")
    if road.kept is not None:
        kept, in_flight = road.kept(), plan.connections * (plan.rounds + 1)
        if not answered <= kept <= answered + in_flight:
            faults.append(f"{kept} rows for {answered} answers (and at most {in_flight} in flight)")
    return faults


@contextmanager
def opened(plan: Plan, *, accepts: bool, intake: bool, rules: bool) -> Iterator[list[Road]]:
    """The roads, each with a server and a database of its own. The echo comes first.

    With `rules` each accept is beside one that asks every rule.
    """
    with ExitStack() as stack:
        echo = stack.enter_context(processes.serving(Wanted(core=plan.server_core)))
        roads = [_calls("echo", echo)]
        if accepts or rules:
            roads += [_in_sqlite(stack, plan, rules=False), *([_in_sqlite(stack, plan, rules=True)] if rules else [])]
            roads.append(_in_postgresql(stack, plan, rules=False))
            roads += [_in_postgresql(stack, plan, rules=True)] if rules else []
        if intake:
            roads += [_webhooks(stack, plan, roads=False)]
        yield roads


def _in_sqlite(stack: ExitStack, plan: Plan, *, rules: bool) -> Road:
    data = plan.folder / f"accepts-{rules}"
    served = stack.enter_context(processes.serving(Wanted(core=plan.server_core, data=str(data), rules=rules)))
    return _calls(f"accept{WITH_RULES * rules}, SQLite", served, kept=_in_file(data, "conversation"))


def _in_postgresql(stack: ExitStack, plan: Plan, *, rules: bool) -> Road:
    cluster = stack.enter_context(databases.postgresql())
    data = str(plan.folder / f"postgresql-{rules}")
    wanted = Wanted(core=plan.server_core, data=data, database_url=cluster.url, rules=rules)
    served = stack.enter_context(processes.serving(wanted))

    def kept() -> int:
        return asyncio.run(databases.count_in_postgresql(cluster.url, "conversation"))

    return _calls(f"accept{WITH_RULES * rules}, PostgreSQL", served, kept=kept, database_pid=cluster.pid)


def _calls(
    name: str, served: Served, *, kept: Callable[[], int] | None = None, database_pid: int | None = None
) -> Road:
    def arguments(first: int) -> list[str]:
        return [served.key or "none", AGENT, SENDER, str(first)]

    return Road(
        name=name, served=served, script="outbound.lua", arguments=arguments, kept=kept, database_pid=database_pid
    )


def _webhooks(stack: ExitStack, plan: Plan, *, roads: bool) -> Road:
    lines = plan.folder / "webhooks"
    if not lines.exists():
        webhooks.write(lines, _FASTEST * plan.all_seconds)
    data = plan.folder / f"intake-{roads}"
    served = stack.enter_context(processes.serving(Wanted(core=plan.server_core, data=str(data), roads=roads)))
    name = "webhook intake, SQLite"
    return Road(
        name=f"{name}, turns and sends running" if roads else name,
        served=served,
        script="webhook.lua",
        arguments=lambda first: [str(lines), str(first)],
        kept=_in_file(data, "inbox"),
    )


def _in_file(data: Path, table: str) -> Callable[[], int]:
    return lambda: databases.count_in_sqlite(data / "overture.db", table)
