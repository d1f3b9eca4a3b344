"""The benchmarks of turns do at a tiny size what they do at a large one."""

import os
from pathlib import Path

import pytest

from benchmarks import flow, turns
from benchmarks.roads import Plan

CONVERSATIONS, LINES = 12, 30


def test_every_step_of_a_flow_that_is_measured_says_something() -> None:
    assert all(one.value > 0 for one in flow.steps(count=1, rounds=1))


@pytest.mark.parametrize("kind", ["flow", "prompt"])
def test_each_line_is_answered_once_and_in_order(tmp_path: Path, kind: str) -> None:
    cores = sorted(os.sched_getaffinity(0))
    plan = Plan(
        folder=tmp_path,
        server_core=cores[0],
        other_core=cores[-1],
        rounds=1,
        seconds=1,
        warm_up_seconds=0,
        connections=4,
    )
    measured = turns.measure_one(
        plan, engine="SQLite", kind=kind, conversations=CONVERSATIONS, lines=LINES, at_once=CONVERSATIONS // 2
    )
    assert measured[0].faults == []
    assert measured[0].turns == LINES
    assert 0 < measured[1].p50_milliseconds <= measured[1].p95_milliseconds <= measured[1].p99_milliseconds
