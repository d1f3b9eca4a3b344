"""Messages on their way out: how many a second one process hands over, and what a claim costs as the queue grows."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import msgspec
from msgspec import Struct

from benchmarks import databases, processes, queue
from benchmarks.footprint import Footprint
from benchmarks.provider import Asked, Seen
from benchmarks.roads import Plan
from benchmarks.served import ACCOUNT, SENDER, TOKEN, Ready, Wanted

LATENCY_SECONDS: Final = 0.05
LEAST_PER_SECOND: Final = 1500.0
CONVERSATIONS: Final = 8_000
LINES: Final = 3  # of each conversation, so that order has something to be wrong about
SHORT, LONG = 1_000, 100_000
MOST_GROWTH: Final = 1.5
_LOOK_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 180.0
_CLAIMED: Final = 100  # what a worker has room for


class Delivered(Struct, frozen=True, kw_only=True):
    """One engine's run. The rate is that between a tenth and nine tenths of the messages."""

    name: str
    per_second: float
    worker_busy: float
    messages: int
    inversions: int
    twice: int
    told_back: bool


def rates(plan: Plan, *, handset: bool) -> list[Delivered]:
    """Messages a second through one process with all its workers, pace lifted, on both engines.

    The provider takes each after 50 ms and tells nothing more of it; with `handset` it is Handset, with its callbacks.
    """
    found = []
    for engine in ("SQLite", "PostgreSQL"):
        with databases.of(engine, plan.folder / f"deliveries-{engine}-{handset}") as (data, url):
            if handset:
                found.append(_with_handset(engine, plan, data, url))
            else:
                found.append(_with_provider(engine, plan, data, url))
    return found


def claims(plan: Plan) -> list[Footprint]:
    """What a claim costs a message with 100,000 queued, against 1,000; and the server's memory then."""
    found = []
    for engine in ("SQLite", "PostgreSQL"):
        costs = {}
        for queued in (SHORT, LONG):
            with databases.of(engine, plan.folder / f"claims-{engine}-{queued}") as (data, url):
                wanted = Wanted(core=plan.server_core, data=str(data), database_url=url)
                queue.fill(wanted, conversations=queued, lines=1)
                costs[queued] = queue.claim_microseconds(wanted, rounds=9, limit=_CLAIMED)
                if (engine, queued) == ("SQLite", LONG):
                    found.append(_memory(wanted))
        both = f"{costs[LONG]:.0f} µs with {LONG:,} queued, {costs[SHORT]:.0f} with {SHORT:,}"
        name = f"claim of a message, {engine}: {both}"
        found.append(Footprint(name=name, value=costs[LONG] / costs[SHORT], limit=MOST_GROWTH, unit="times"))
    return found


def _memory(wanted: Wanted) -> Footprint:
    running = Wanted(core=wanted.core, data=wanted.data, database_url=wanted.database_url, roads=True)
    with processes.serving(running) as served:
        until, most = time.monotonic() + 15, 0.0
        while time.monotonic() < until:
            most = max(most, processes.resident_mebibytes(served.pid))
            time.sleep(_LOOK_SECONDS)
    return Footprint(name=f"memory with {LONG:,} messages queued", value=most, limit=256, unit="MiB")


def _with_provider(engine: str, plan: Plan, data: Path, url: str) -> Delivered:
    asked = msgspec.json.encode(Asked(core=plan.other_core, latency_seconds=LATENCY_SECONDS)).decode()
    with processes.started([sys.executable, "-m", "benchmarks.provider", asked]) as (_, line):
        where = f"http://127.0.0.1:{msgspec.json.decode(line, type=Ready).port}"

        def look() -> Seen:
            with urlopen(f"{where}/seen", timeout=10) as answer:
                return msgspec.json.decode(answer.read(), type=Seen)

        wanted = Wanted(core=plan.server_core, data=str(data), database_url=url, provider=where)
        return _drained(f"{engine}, bare provider", wanted, look)


def _with_handset(engine: str, plan: Plan, data: Path, url: str) -> Delivered:
    config = data / "handset.json"
    config.write_text(
        json.dumps(
            {
                "accounts": [{"sid": ACCOUNT, "auth_token": TOKEN}],
                "numbers": [{"address": SENDER}],
                "delays": {"sent": 0.1, "delivered": 0.1, "read": None, "answer": LATENCY_SECONDS},
            }
        )
    )
    command = ["taskset", "-c", str(plan.other_core), sys.executable, "-m", "handset", "--port", "0"]
    with processes.started([*command, "--config", str(config)]) as (_, line):
        where = line.decode().removeprefix("Handset listens on ").strip()

        def look() -> Seen:
            with urlopen(f"{where}/handset/v1/tally", timeout=30) as answer:
                tally = json.loads(answer.read())
            return Seen(taken=tally["waiting"] + tally["reached"], inversions=0, twice=tally["twice"])

        port = processes.free_port()
        wanted = Wanted(core=plan.server_core, data=str(data), database_url=url, provider=where, port=port)
        return _drained(f"{engine}, Handset with callbacks", wanted, look)


def _drained(name: str, wanted: Wanted, look: Callable[[], Seen]) -> Delivered:
    """Fill a queue, let a server empty it, and say how fast it was in between."""
    total = CONVERSATIONS * LINES
    queue.fill(wanted, conversations=CONVERSATIONS, lines=LINES)
    with processes.serving(msgspec.structs.replace(wanted, roads=True)) as served:
        marks: list[tuple[float, int, float]] = []
        until = time.monotonic() + _PATIENCE_SECONDS
        while (seen := look()).taken < total:
            if time.monotonic() > until:
                raise TimeoutError(f"{name}: {seen.taken} of {total} messages left")
            if total * 0.1 <= seen.taken <= total * 0.9:
                marks.append((time.monotonic(), seen.taken, processes.cpu_seconds(served.pid)))
            time.sleep(_LOOK_SECONDS)
    (began, first, cpu_before), (ended, last, cpu_after) = marks[0], marks[-1]
    return Delivered(
        name=name,
        per_second=(last - first) / (ended - began),
        worker_busy=(cpu_after - cpu_before) / (ended - began),
        messages=total,
        inversions=seen.inversions,
        twice=seen.twice,
        told_back=wanted.port != 0,
    )
