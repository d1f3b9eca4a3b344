"""The faults' part of Handset's own API: make rules, see how they fare, lift them, read what acted."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from handset import asking
from handset.asking import RequestError
from handset.faults import rules
from handset.faults.kinds import NATURES
from handset.faults.plan import Plan
from handset.faults.rules import Rule
from handset.state.store import Store

HINT: Final = (
    'send {"kind": "500_landed", "next": 3, "to": "+15550100001"}, or a short name such as "refused:21610"; '
    "GET /handset/v1/faults/kinds lists the kinds"
)


class FaultsApi:
    """`/handset/v1/faults`."""

    def __init__(self, *, plan: Plan, store: Store) -> None:
        self._plan = plan
        self._store = store

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            asking.route("/handset/v1/faults", "POST", self.add),
            asking.route("/handset/v1/faults", "GET", self.list_rules),
            asking.route("/handset/v1/faults", "DELETE", self.lift_all),
            asking.route("/handset/v1/faults/kinds", "GET", self.list_kinds),
            asking.route("/handset/v1/faults/acts", "GET", self.list_acts),
            asking.route("/handset/v1/faults/{id}", "DELETE", self.lift),
        ]

    async def add(self, request: Request) -> Response:
        """Let a rule stand."""
        body = bytes(await asking.read(request, msgspec.Raw, hint=HINT))
        if not body.startswith(b'"'):
            return asking.json(self._plan.add(asking.decode(body, Rule, hint=HINT)).shown(), status=201)
        try:
            rule = rules.named(asking.decode(body, str, hint=HINT))
        except ValueError as error:
            raise RequestError(400, str(error), HINT) from None
        return asking.json(self._plan.add(rule).shown(), status=201)

    async def list_rules(self, request: Request) -> Response:
        """The rules that stand, oldest first, and how often each acted."""
        return asking.json({"faults": [standing.shown() for standing in self._plan.standing()]})

    async def list_kinds(self, request: Request) -> Response:
        """Every kind of fault, and what it can happen to."""
        kinds = [
            {"kind": kind, "means": nature.says, "on": nature.usual, "may_be_on": nature.may, "seconds": nature.seconds}
            for kind, nature in NATURES.items()
        ]
        return asking.json({"kinds": kinds})

    async def list_acts(self, request: Request) -> Response:
        """Every fault that acted, oldest first; of one `kind` or `rule` if given."""
        kind, rule = request.query_params.get("kind"), request.query_params.get("rule")
        acts = [act for act in self._store.acts() if kind in {None, act.kind} and rule in {None, act.rule}]
        return asking.json({"acts": acts})

    async def lift(self, request: Request) -> Response:
        """End one rule."""
        if not self._plan.lift(request.path_params["id"]):
            raise RequestError(
                404, f"no rule {request.path_params['id']!r} stands", "GET /handset/v1/faults lists those that do"
            )
        return Response(status_code=204)

    async def lift_all(self, request: Request) -> Response:
        """End every rule: nothing goes wrong on purpose any more."""
        self._plan.lift_all()
        return Response(status_code=204)
