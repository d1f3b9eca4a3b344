"""The twelve invariants of conversation and turn, in histories that a machine makes up (docs/invariants.md).

The same histories every time in the everyday suite; `make property` draws new ones.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from tests.property.machine.playing import play
from tests.property.machine.process import SENDER_LABELS, TURN_LABELS
from tests.sizes import FULL, size

SHORT: Final = 8  # steps: what the next line of the contact would cure is seen at the end of a short history alone
LONG: Final = 40
_SEED: Final = random.SystemRandom().randrange(2**32) if FULL else 4


@pytest.fixture
def in_memory_url() -> Iterator[str]:
    """A database file in memory where the system has a place for one: a power cut is not what is tried here."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield f"sqlite:///{Path(folder) / 'overture.db'}"


@pytest.mark.parametrize(
    ("steps", "histories"), [(SHORT, size(small=120, full=6000)), (LONG, size(small=30, full=1500))]
)
def test_every_invariant_holds_in_every_history(in_memory_url: str, steps: int, histories: int) -> None:
    stage = play(in_memory_url, histories=histories, steps=steps, seed=_SEED)
    never = {*TURN_LABELS, *SENDER_LABELS} - stage.reached
    assert not never, "workers are told to stop where none comes by: tests/property/machine/process.py names the points"


@pytest.mark.parametrize(("steps", "histories"), [(SHORT, size(small=10, full=500)), (LONG, size(small=3, full=200))])
def test_every_invariant_holds_on_postgresql_too(postgresql_url: str, steps: int, histories: int) -> None:
    play(postgresql_url, histories=histories, steps=steps, seed=_SEED)
