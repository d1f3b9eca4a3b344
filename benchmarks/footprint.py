"""What the server holds and how soon it is there: memory with ten thousand messages queued, and the demo's start."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

import apsw
from msgspec import Struct

from benchmarks import databases, load, processes
from benchmarks.roads import Plan
from benchmarks.served import AGENT, SENDER, Wanted

QUEUED: Final = 10_000
MOST_MEBIBYTES: Final = 256
MOST_SECONDS: Final = 5.0
_PATIENCE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05


class Footprint(Struct, frozen=True, kw_only=True):
    """A figure beside the one it must not exceed."""

    name: str
    value: float
    limit: float
    unit: str


def memory(plan: Plan) -> Footprint:
    """The server's memory with all its workers, on SQLite, and a provider that cannot be reached."""
    data = plan.folder / "memory"
    with processes.serving(Wanted(core=plan.server_core, data=str(data), roads=True)) as served:
        queued = first = 0
        while queued < QUEUED:
            seen = load.run(
                served,
                script="outbound.lua",
                arguments=[served.key, AGENT, SENDER, str(first)],
                seconds=1,
                connections=plan.connections,
            )
            first += seen.requests + plan.connections + 1
            queued = _queued(data)
        value = processes.resident_mebibytes(served.pid)
    return Footprint(name=f"memory with {queued:,} messages queued", value=value, limit=MOST_MEBIBYTES, unit="MiB")


def demo(plan: Plan) -> Footprint:
    """From the command to the first answer of both, Overture's readiness and Handset's page."""
    ours, theirs = processes.free_port(), processes.free_port()
    command = [str(Path(sys.executable).with_name("overture")), "demo", "--data", str(plan.folder / "demo")]
    began = time.monotonic()
    process = subprocess.Popen(
        [*command, "--port", str(ours), "--handset-port", str(theirs)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for url in (f"http://127.0.0.1:{ours}/readyz", f"http://127.0.0.1:{theirs}/"):
            _await_answer(url, began + _PATIENCE_SECONDS)
        taken = time.monotonic() - began
    finally:
        process.terminate()
        process.wait()
    return Footprint(name="the demo is ready", value=taken, limit=MOST_SECONDS, unit="s")


def _queued(data: Path) -> int:
    try:
        return databases.count_in_sqlite(data / "overture.db", "outbox")
    except apsw.BusyError:
        return 0  # its writer holds the file for this instant


def _await_answer(url: str, until: float) -> None:
    while time.monotonic() < until:
        try:
            with urlopen(url, timeout=5):
                return
        except (URLError, OSError):
            time.sleep(_LOOK_SECONDS)
    raise TimeoutError(url)
