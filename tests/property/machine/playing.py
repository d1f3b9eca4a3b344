"""Play many histories on one database."""

from contextlib import closing
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.property.machine.machine import machine_on
from tests.property.machine.stage import Stage


def play(
    url: str, *, histories: int, steps: int, seed: int, only: frozenset[str] | None = None, shorten: bool = True
) -> Stage:
    """Play so many histories of so many steps. Raises BreachError for one that breaks an invariant.

    `only` this may happen in them; what may is drawn for each unless it is given.
    """
    phases = [Phase.generate, Phase.shrink] if shorten else [Phase.generate]
    chosen: Any = settings(
        max_examples=histories,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    with closing(Stage(url)) as stage:
        run_state_machine_as_test(hypothesis.seed(seed)(machine_on(stage, only)), settings=chosen)
    return stage
