"""The plans: what goes wrong at the provider and on the wires, beside the deaths of the server.

Each is a list of Handset's own fault rules. Where a request's outcome is in doubt, callbacks usually settle it before
anybody has to look; so half of such plans lose the callbacks as well, and what is left is the provider's list.
"""

import signal
from typing import Any, Final

from msgspec import Struct

Rule = dict[str, Any]

_NO_CALLBACKS: Final[Rule] = {"kind": "lost", "on": "status"}
_SOME_CALLBACKS: Final[Rule] = {"kind": "lost", "on": "status", "every": 2}


class Plan(Struct, frozen=True, kw_only=True):
    """One plan. `stop_by` is what the server sends itself at the boundary.

    `may_repeat` where the provider accepts later than the settle time, which no client can tell from never.
    `rests_seconds`: how long all must be at rest, in shown time, where the provider may have something up its sleeve.
    `twice`: the second life dies as well. `restarts_database`: it goes down in place of the server, and comes back.
    """

    name: str
    says: str
    rules: tuple[Rule, ...] = ()
    stop_by: int = signal.SIGKILL
    may_repeat: bool = False
    twice: bool = False
    restarts_database: bool = False
    rests_seconds: float = 0.0


CLEAN: Final = "clean"
PLANS: Final = (
    Plan(name=CLEAN, says="nothing else goes wrong"),
    Plan(name="429", says="every third send is refused as one too many", rules=({"kind": "429", "every": 3},)),
    Plan(name="500", says="every third send fails and was not taken", rules=({"kind": "500", "every": 3},)),
    Plan(
        name="500-landed",
        says="every third send fails although it was taken; every other callback is lost",
        rules=({"kind": "500_landed", "every": 3}, _SOME_CALLBACKS),
    ),
    Plan(name="timeout", says="every fourth send is never answered", rules=({"kind": "timeout", "every": 4},)),
    Plan(
        name="timeout-landed",
        says="every fourth send is taken and never answered; no callback comes",
        rules=({"kind": "timeout_landed", "every": 4}, _NO_CALLBACKS),
    ),
    Plan(name="reset", says="every third connection breaks before the send", rules=({"kind": "reset", "every": 3},)),
    Plan(
        name="reset-landed",
        says="every third connection breaks after the send; no callback comes",
        rules=({"kind": "reset_landed", "every": 3}, _NO_CALLBACKS),
    ),
    Plan(
        name="truncated",
        says="every third 201 breaks off; every other callback is lost",
        rules=({"kind": "truncated", "every": 3}, _SOME_CALLBACKS),
    ),
    Plan(name="html", says="every third send meets a load balancer's 503", rules=({"kind": "html", "every": 3},)),
    Plan(
        name="slow",
        says="every third answer drips for longer than anybody waits; no callback comes",
        rules=({"kind": "slow", "every": 3, "seconds": 2.0}, _NO_CALLBACKS),
    ),
    Plan(
        name="list-lag",
        says="lists show a message a minute late, every third answer is lost, no callback comes",
        rules=(
            {"kind": "list_lag", "on": "send", "seconds": 60.0},
            {"kind": "reset_landed", "every": 3},
            _NO_CALLBACKS,
        ),
    ),
    Plan(name="lost-callbacks", says="no callback comes", rules=(_NO_CALLBACKS,)),
    Plan(
        name="shuffled-callbacks",
        says="webhooks come twice, late and in any order",
        rules=(
            {"kind": "duplicated", "every": 2},
            {"kind": "late", "on": "status", "every": 3, "seconds": 20.0},
            {"kind": "shuffled", "on": "status", "seconds": 5.0},
        ),
        rests_seconds=20.0,
    ),
    Plan(
        name="callback-first",
        says="every other callback comes before its 201",
        rules=({"kind": "before_201", "every": 2, "seconds": 2.0},),
    ),
    Plan(
        name="lost-inbound",
        says="every other inbound webhook never comes",
        rules=({"kind": "lost", "on": "inbound", "every": 2},),
    ),
    Plan(
        name="late-within",
        says="every third send breaks off and is taken a minute later, within the settle time",
        rules=({"kind": "late_acceptance", "every": 3, "seconds": 60.0},),
        rests_seconds=60.0,
    ),
    Plan(
        name="late-beyond",
        says="every third send breaks off and is taken five minutes later, beyond the settle time",
        rules=({"kind": "late_acceptance", "every": 3, "next": 2, "seconds": 300.0},),
        may_repeat=True,
        rests_seconds=300.0,
    ),
    Plan(name="second-kill", says="the life after the death dies as well", twice=True),
    Plan(name="sigterm", says="SIGTERM in place of SIGKILL", stop_by=signal.SIGTERM),
    Plan(
        name="database-restart",
        says="PostgreSQL is restarted, immediately, in place of the server's death",
        restarts_database=True,
    ),
)
BY_NAME: Final = {plan.name: plan for plan in PLANS}
DATABASES: Final = ("sqlite", "postgresql")


def databases_of(plan: Plan) -> tuple[str, ...]:
    """The databases that a plan makes sense on: a file cannot be restarted."""
    return ("postgresql",) if plan.restarts_database else DATABASES
