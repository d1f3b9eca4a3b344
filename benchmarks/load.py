"""Load by wrk from the other core: one round is one run of wrk against one server."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from benchmarks import processes
from benchmarks.processes import Served

WRK: Final = "wrk"
HERE: Final = Path(__file__).parent
LEAST_BUSY: Final = 0.9  # below it something else than the server set the pace


class Round(Struct, frozen=True, kw_only=True):
    """What one run of wrk saw, and what it cost."""

    requests: int
    seconds: float
    refused: int
    broken: int
    p50_milliseconds: float
    p99_milliseconds: float
    cpu_seconds: float
    database_cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds

    @property
    def busy(self) -> float:
        """The part of its core that the server used."""
        return self.cpu_seconds / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        """The server's processor time for one answer."""
        return 1e6 * self.cpu_seconds / max(self.requests, 1)

    @property
    def database_cpu_microseconds(self) -> float:
        """The database server's processor time for one answer."""
        return 1e6 * self.database_cpu_seconds / max(self.requests, 1)


class _Told(Struct):
    requests: int
    microseconds: int
    refused: int
    broken: int
    p50: int
    p99: int


def run(
    served: Served,
    *,
    script: str,
    arguments: Sequence[str],
    seconds: int,
    connections: int,
    database_pid: int | None = None,
) -> Round:
    """Load a server for some seconds. wrk inherits the core of this process."""

    def used() -> tuple[float, float]:
        return processes.cpu_seconds(served.pid), processes.family_cpu_seconds(database_pid) if database_pid else 0.0

    url = f"http://127.0.0.1:{served.port}"
    command = [WRK, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", script, url, "--"]
    before = used()
    finished = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True, cwd=HERE)
    after = used()
    told = msgspec.json.decode(finished.stdout.splitlines()[-1], type=_Told)
    return Round(
        requests=told.requests,
        seconds=told.microseconds / 1e6,
        refused=told.refused,
        broken=told.broken,
        p50_milliseconds=told.p50 / 1000,
        p99_milliseconds=told.p99 / 1000,
        cpu_seconds=after[0] - before[0],
        database_cpu_seconds=after[1] - before[1],
    )


def median(rounds: Sequence[Round], figure: Callable[[Round], float]) -> Round:
    """The round in the middle by a figure."""
    return sorted(rounds, key=figure)[len(rounds) // 2]
