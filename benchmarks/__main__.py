"""`python -m benchmarks`: the ratios of one run, on this machine.

The server has one core to itself and must use it; wrk, PostgreSQL and this program share the other. A run in which
something else set the pace is invalid and says so (exit status 1); a ratio below its target is only marked.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks import deliveries, flow, footprint, load, pace, report, roads, turns
from benchmarks.roads import Measured, Plan

_PARTS: Final = ("accepts", "rules", "intake", "deliveries", "claims", "pace", "flow", "turns", "memory", "demo")
_PACED_SECONDS: Final = 10  # a shorter round tells little of a sender that sends every other second


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"which: {', '.join(_PARTS)} (all)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of one round (5)")
    parser.add_argument("--connections", type=int, default=128, help="that wrk holds (128)")
    parser.add_argument("--senders", type=int, default=100, help="that have a pace (100)")
    parser.add_argument("--queued", type=int, default=5_000, help="messages that wait for one (5,000)")
    return parser.parse_args()


def main() -> int:
    """Measure, print, and tell by the exit status whether the run is valid."""
    asked = _asked()
    if unknown := set(asked.parts) - set(_PARTS):
        print(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(_PARTS)}.")
        return 2
    parts = set(asked.parts or _PARTS)
    cores = sorted(os.sched_getaffinity(0))
    if shutil.which(load.WRK) is None:
        print("There is no wrk here. It makes the load; Debian has it as the package wrk.")
        return 2
    if len(cores) < 2:
        print("One core is not enough: the server needs one to itself, what loads it another.")
        return 2
    os.sched_setaffinity(0, {cores[1]})
    with tempfile.TemporaryDirectory(prefix="overture-bench-") as folder:
        plan = Plan(
            folder=Path(folder),
            server_core=cores[0],
            other_core=cores[1],
            rounds=asked.rounds,
            seconds=asked.seconds,
            warm_up_seconds=2,
            connections=asked.connections,
        )
        measured: list[Measured] = []
        turned: list[turns.Turned] = []
        if parts & {"accepts", "rules", "intake"}:
            wanted = {part: part in parts for part in ("accepts", "rules", "intake")}
            with roads.opened(plan, **wanted) as opened:
                measured = roads.measure(opened, plan)
            report.show_rates(measured)
            report.show_rules(measured)
        if "deliveries" in parts:
            report.show_deliveries([*deliveries.rates(plan, handset=False), *deliveries.rates(plan, handset=True)])
        if "claims" in parts:
            report.show_footprints(deliveries.claims(plan))
        if "pace" in parts:
            seconds = max(asked.seconds, _PACED_SECONDS)
            report.show_paces(pace.measure(plan, count=asked.senders, queued=asked.queued, seconds=seconds))
        if "flow" in parts:
            report.show_footprints(flow.steps())
        if "turns" in parts:
            turned, replied = turns.measure(plan)
            report.show_turns(turned, replied)
        if "memory" in parts:
            report.show_footprints([footprint.memory(plan)])
        if "demo" in parts:
            report.show_footprints([footprint.demo(plan)])
    faults = [fault for one in measured for fault in one.faults] + [fault for one in turned for fault in one.faults]
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
