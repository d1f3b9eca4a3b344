"""The machine finds bugs: each safeguard is taken out of the source, and an invariant breaks.

Each in a process of its own, which imports the product with that bug in it.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import overture
from tests.property.machine import mutate
from tests.property.machine.breach import INVARIANTS
from tests.property.machine.mutants import MUTANTS, Edit, Mutant
from tests.sizes import FULL

ROOT: Final = Path(__file__).resolve().parents[3]
SOURCE: Final = Path(overture.__file__).resolve().parents[1]
_HISTORIES: Final = 300  # the slowest takes some sixty of them
_STEPS: Final = 12
_SEEDS: Final = (1, 2, 3) if FULL else (1,)


@pytest.mark.parametrize("seed", _SEEDS)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_bug_is_found(mutant: Mutant, seed: int, tmp_path: Path) -> None:
    memory = Path("/dev/shm")
    asked = ["--histories", str(_HISTORIES), "--steps", str(_STEPS), "--seed", str(seed), "--as-found"]
    played = subprocess.run(
        [sys.executable, "-m", "tests.property.machine", "--mutant", mutant.name, *asked],
        env={
            **os.environ,
            "PYTHONPATH": f"{SOURCE}{os.pathsep}{ROOT}",
            "TMPDIR": str(memory if memory.is_dir() else tmp_path),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert played.returncode == 1, f"nothing was found: {played.stdout}{played.stderr}"
    broken = played.stdout.partition(":")[0]
    assert broken in mutant.breaks, played.stdout + played.stderr


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_bug_can_be_put_in(mutant: Mutant) -> None:
    """Quicker than a history, and with a better word where a safeguard was moved."""
    for edit in mutant.edits:
        path = SOURCE / f"{edit.module.replace('.', '/')}.py"
        compile(mutate.rewritten(path.read_text(encoding="utf-8"), [edit]), str(path), "exec")


def test_every_invariant_is_broken_by_some_bug() -> None:
    assert {an_id for mutant in MUTANTS for an_id in mutant.breaks} == set(INVARIANTS)
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_a_text_that_stands_nowhere_or_twice_is_refused() -> None:
    for source in ("y = 1", "x = 1; x = 1"):
        with pytest.raises(ValueError, match="where once is meant"):
            mutate.rewritten(source, [Edit("overture.actions.nothing", "x = 1", "x = 2")])
