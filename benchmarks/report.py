"""What a run says, as a table."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.roads import Measured

TARGET: Final = 0.25  # of the echo, for accepts on both engines


def show(measured: Sequence[Measured]) -> None:
    """Print every road beside the echo, and what is wrong with it."""
    console = Console(width=None)
    table = Table(title="Ratios of this run")
    for name in ("road", "of the echo", "a second", "CPU µs", "database CPU µs", "p50 ms", "p99 ms", "core busy"):
        table.add_column(name, justify="left" if name == "road" else "right", no_wrap=True)
    echo = measured[0].middle
    for one in measured:
        middle = one.middle
        ratio = middle.per_second / echo.per_second
        missed = one.name.startswith("accept") and ratio < TARGET
        table.add_row(
            one.name,
            "invalid" if one.faults else f"{ratio:.1%}" + (" (target 25 % missed)" if missed else ""),
            f"{middle.per_second:,.0f}",
            f"{middle.cpu_microseconds:.0f}",
            f"{middle.database_cpu_microseconds:.0f}" if middle.database_cpu_seconds else "",
            f"{middle.p50_milliseconds:.1f}",
            f"{middle.p99_milliseconds:.1f}",
            f"{middle.busy:.0%}",
        )
    console.print(table)
    for one in measured:
        for fault in one.faults:
            console.print(f"{one.name}: {fault}.")
