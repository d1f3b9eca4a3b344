"""Play histories by hand, of the product as it is or with a bug in it.

    python -m tests.property.machine --seed 7 --histories 500 --steps 40
    python -m tests.property.machine --mutant "messages leave in any order"

Ends with 1 where an invariant breaks, and shows the shortest history that breaks it.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.property.machine import mutate
from tests.property.machine.breach import BreachError
from tests.property.machine.mutants import MUTANTS


def main() -> int:
    """Play."""
    asked = argparse.ArgumentParser(prog="python -m tests.property.machine", description="Play histories.")
    asked.add_argument("--mutant", choices=[one.name for one in MUTANTS], help="the bug to put in")
    asked.add_argument("--database", help="the URL of an empty database; an SQLite file of its own unless given")
    asked.add_argument("--histories", type=int, default=100, help="how many")
    asked.add_argument("--steps", type=int, default=30, help="of each, at most")
    asked.add_argument("--seed", type=int, default=0, help="the same seed draws the same histories")
    asked.add_argument("--only", help="what may happen, by the names in machine.py with a comma between; else drawn")
    asked.add_argument("--as-found", action="store_true", help="do not shorten what breaks an invariant")
    given = asked.parse_args()
    only = None if given.only is None else frozenset(given.only.split(","))
    if given.mutant is not None:
        mutant = next(one for one in MUTANTS if one.name == given.mutant)
        mutate.install(mutant)
        only = only or mutant.needs

    from overture import log  # from here on the product is imported, with the bug in it
    from tests.property.machine.playing import play

    log.configure("critical", "json")
    with tempfile.TemporaryDirectory() as folder:
        try:
            play(
                given.database or f"sqlite:///{Path(folder) / 'overture.db'}",
                histories=given.histories,
                steps=given.steps,
                seed=given.seed,
                only=only,
                shorten=not given.as_found,
            )
        except BreachError as breach:
            _say(str(breach), *getattr(breach, "__notes__", ()))
            return 1
    _say(f"{given.histories} histories of up to {given.steps} steps, seed {given.seed}: every invariant holds.")
    return 0


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
