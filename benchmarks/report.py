"""What a run says, as tables."""

from collections.abc import Sequence
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks import roads
from benchmarks.deliveries import LATENCY_SECONDS, LEAST_PER_SECOND, Delivered
from benchmarks.footprint import Footprint
from benchmarks.pace import TOLERANCE, Paced
from benchmarks.roads import Measured
from benchmarks.turns import AIM_PER_SECOND, MOST_P95_MILLISECONDS, Replied, Turned
from benchmarks.turns import LEAST_PER_SECOND as LEAST_TURNS

TARGET: Final = 0.25  # of the echo, for accepts on both engines
MOST_FOR_RULES: Final = 1.25  # times the processor time of an accept that asks no rule
_WIDTH: Final = 144  # the same table on a screen and in a file
_console: Final = Console(width=_WIDTH, highlight=False)


def show_rates(measured: Sequence[Measured]) -> None:
    """Print every road beside the echo, and what is wrong with it.

    "By CPU" is the ratio of processor times for one answer: it also holds where a neighbour took a part of the core.
    """
    table = Table(title="Rates of this run: the round in the middle", title_justify="left")
    table.add_column("road", no_wrap=True)
    for name in (
        "of the echo",
        "by CPU",
        "a second",
        "CPU µs",
        "database CPU µs",
        "p50 ms",
        "p99 ms",
        "core busy",
        "target",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    echo = measured[0].middle
    for one in measured:
        middle = one.middle
        ratio = middle.per_second / echo.per_second
        valid = not one.faults and not measured[0].faults
        table.add_row(
            one.name,
            f"{ratio:.1%}" if valid else f"invalid ({ratio:.1%})",
            f"{echo.cpu_microseconds / middle.cpu_microseconds:.0%}",
            f"{middle.per_second:,.0f}",
            f"{middle.cpu_microseconds:.0f}",
            f"{middle.database_cpu_microseconds:.0f}" if middle.database_cpu_seconds else "",
            f"{middle.p50_milliseconds:.1f}",
            f"{middle.p99_milliseconds:.1f}",
            f"{middle.busy:.0%}",
            _verdict(met=ratio >= TARGET, target=f"{TARGET:.0%}") if one.name.startswith("accept") else "",
        )
    _console.print(table)
    for one in measured:
        for fault in one.faults:
            _console.print(f"{one.name}: {fault}.")


def show_rules(measured: Sequence[Measured]) -> None:
    """Print what every rule costs, where it was measured: an accept with all of them beside one without.

    The two of a round are run one after the other: what slows the machine down slows both.
    """
    table = Table(title="Processor time of an accept with every rule, in times of one without", title_justify="left")
    for name in ("database", "the middle round", "of the database", "round by round", "target"):
        table.add_column(name, justify="left" if name == "database" else "right", no_wrap=True)
    without = {one.name: one for one in measured}
    for one in measured:
        beside = without.get(one.name.replace(roads.WITH_RULES, ""))
        if beside is None or beside is one:
            continue
        pairs = list(zip(one.rounds, beside.rounds, strict=True))
        times = [asking.cpu_microseconds / plain.cpu_microseconds for asking, plain in pairs]
        stored = [
            asking.database_cpu_microseconds / plain.database_cpu_microseconds
            for asking, plain in pairs
            if plain.database_cpu_seconds
        ]
        table.add_row(
            one.name.partition(", ")[2],
            f"{median(times):.2f}",
            f"{median(stored):.2f}" if stored else "",
            " ".join(f"{each:.2f}" for each in times),
            _verdict(met=median(times) <= MOST_FOR_RULES, target=f"at most {MOST_FOR_RULES:g}"),
        )
    if table.rows:
        _console.print(table)


def show_deliveries(delivered: Sequence[Delivered]) -> None:
    """Print how fast messages left, and whether any came out of order or twice."""
    table = Table(title=f"Messages handed over at {LATENCY_SECONDS * 1000:.0f} ms", title_justify="left")
    for name in ("run", "a second", "its core busy", "messages", "out of order", "twice", "target"):
        table.add_column(name, justify="left" if name == "run" else "right", no_wrap=True)
    for one in delivered:
        met = one.per_second >= LEAST_PER_SECOND and one.inversions == one.twice == 0
        table.add_row(
            one.name,
            f"{one.per_second:,.0f}",
            f"{one.worker_busy:.0%}",
            f"{one.messages:,}",
            str(one.inversions),
            str(one.twice),
            "" if one.told_back else _verdict(met=met, target=f"{LEAST_PER_SECOND:,.0f}"),
        )
    _console.print(table)


def show_paces(paced: Sequence[Paced]) -> None:
    """Print which part of what their paces allow left the senders."""
    table = Table(title="Messages that left, of those that the senders' paces allow", title_justify="left")
    for name in ("run", "senders", "queued", "of all", "of the least", "of a second's most", "target"):
        table.add_column(name, justify="left" if name == "run" else "right", no_wrap=True)
    for one in paced:
        met = one.of_allowed >= 1 - TOLERANCE and one.over <= 1
        table.add_row(
            one.name,
            f"{one.senders:,}",
            f"{one.queued:,}",
            f"{one.of_allowed:.1%}",
            f"{one.of_the_least:.1%}",
            f"{one.over:.0%}",
            _verdict(met=met, target=f"{1 - TOLERANCE:.0%}, at most 100%"),
        )
    _console.print(table)


def show_turns(turned: Sequence[Turned], replied: Sequence[Replied]) -> None:
    """Print how many turns a second went the whole road, what is wrong with that, and how long replies took."""
    table = Table(title="Turns through the whole road, with 10,000 conversations open", title_justify="left")
    for name in ("agent", "turns", "a second", "CPU ms", "database CPU ms", "core busy", "MiB", "target"):
        table.add_column(name, justify="left" if name == "agent" else "right", no_wrap=True)
    for one in turned:
        table.add_row(
            one.name,
            f"{one.turns:,}",
            f"{one.per_second:,.0f}",
            f"{one.server_milliseconds:.2f}",
            f"{one.database_milliseconds:.2f}" if one.database_milliseconds else "",
            f"{one.server_busy:.0%}",
            f"{one.mebibytes:.0f}",
            _verdict(met=one.per_second >= LEAST_TURNS, target=f"{LEAST_TURNS:,.0f}, aim {AIM_PER_SECOND:,.0f}"),
        )
    _console.print(table)
    for one in turned:
        for fault in one.faults:
            _console.print(f"{one.name}: {fault}.")
    table = Table(title="From a line's posting to its answer at the provider, at half that load", title_justify="left")
    for name in ("agent", "lines a second", "p50 ms", "p95 ms", "p99 ms", "target of p95"):
        table.add_column(name, justify="left" if name == "agent" else "right", no_wrap=True)
    for two in replied:
        table.add_row(
            two.name,
            f"{two.per_second:,.0f}",
            f"{two.p50_milliseconds:.1f}",
            f"{two.p95_milliseconds:.1f}",
            f"{two.p99_milliseconds:.1f}",
            _verdict(met=two.p95_milliseconds <= MOST_P95_MILLISECONDS, target=f"{MOST_P95_MILLISECONDS:g} ms"),
        )
    _console.print(table)


def show_footprints(footprints: Sequence[Footprint]) -> None:
    """Print what was measured beside its limit."""
    for one in footprints:
        verdict = _verdict(met=one.value <= one.limit, target=f"at most {one.limit:g} {one.unit}")
        _console.print(f"{one.name}: {one.value:.1f} {one.unit} ({verdict})")


def _verdict(*, met: bool, target: str) -> str:
    return f"{target}, met" if met else f"{target}, MISSED"
