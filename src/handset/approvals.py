"""WhatsApp's side of a template: here whoever uses Handset decides what becomes of it."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from handset import asking
from handset.asking import RequestError
from handset.carrier.carrier import Carrier
from handset.state.nouns import Content
from handset.template import Template

Approval = Literal["unsubmitted", "received", "pending", "approved", "rejected", "paused", "disabled"]


class Decision(msgspec.Struct, kw_only=True):
    """The state that a template's approval is to have; Meta may put it into another category on its own."""

    approval: Approval
    rejection_reason: str = ""
    category: Literal["UTILITY", "MARKETING", "AUTHENTICATION"] | None = None


class Approvals:
    """Decides."""

    def __init__(self, *, carrier: Carrier) -> None:
        self._carrier = carrier

    def routes(self) -> list[Route]:
        """The routes of v1."""
        return [
            asking.route("/handset/v1/templates", "GET", self.list_templates),
            asking.route("/handset/v1/templates/{sid}", "PUT", self.decide),
        ]

    async def list_templates(self, request: Request) -> Response:
        """Every template with its approval."""
        return asking.json({"templates": self._carrier.templates()})

    async def decide(self, request: Request) -> Response:
        """Move the approval of one."""
        decision = await asking.read(request, Decision)
        return asking.json(self.move(request.path_params["sid"], decision))

    def move(self, sid: str, decision: Decision) -> Template:
        """Put a template's approval into that state; raises RequestError if there is no such template."""
        template = self._carrier.find_template(sid)
        if template is None:
            raise RequestError(404, f"there is no template {sid!r}", "GET /handset/v1/templates lists all")
        moved = msgspec.structs.replace(
            template,
            approval=decision.approval,
            rejection_reason=decision.rejection_reason,
            category=decision.category or template.category,
        )
        now = self._carrier.clock.now()
        made = self._carrier.store.contents().get(sid)
        created_at = made.created_at if made else now
        self._carrier.store.put_content(Content(template=moved, created_at=created_at, updated_at=now))
        return moved
