"""The Content API: templates and their WhatsApp approvals, in a dialect of its own.

ISO dates and absolute URLs, where the REST API of 2010-04-01 has RFC 2822 dates and relative ones; `meta` where that
has its paging beside the rows; JSON bodies where that has forms. On the same port as everything.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handset import shapes
from handset.api import door, meta
from handset.api.refusals import TwilioError
from handset.carrier import templates
from handset.carrier.carrier import Carrier
from handset.config import Config, ConfigError
from handset.state import nouns

CREATED: Final = datetime(2026, 1, 1, tzinfo=UTC)  # when the configured templates are said to have been made
LARGEST_PAGE: Final = 500


class Content:
    """Templates, as Twilio's Content API shows and takes them."""

    def __init__(self, *, config: Config, carrier: Carrier) -> None:
        self._config = config
        self._carrier = carrier
        for template in config.templates:
            try:
                shapes.check_types(template.types)
            except TwilioError as error:
                raise ConfigError(f"template {template.sid}: {error}") from error

    def routes(self) -> list[Route]:
        """The routes of v1."""
        one = "/v1/Content/{sid}"
        return [
            Route("/v1/Content", door.refusing(self.list_contents), methods=["GET"]),
            Route("/v1/Content", door.refusing(self.create), methods=["POST"]),
            Route("/v1/ContentAndApprovals", door.refusing(self.list_with_approvals), methods=["GET"]),
            Route(one, door.refusing(self.fetch), methods=["GET"]),
            Route(one, door.refusing(self.update), methods=["PUT"]),
            Route(one, door.refusing(self.delete), methods=["DELETE"]),
            Route(f"{one}/ApprovalRequests", door.refusing(self.fetch_approval), methods=["GET"]),
            Route(f"{one}/ApprovalRequests/whatsapp", door.refusing(self.submit), methods=["POST"]),
        ]

    async def list_contents(self, request: Request) -> Response:
        """List templates."""
        return self._page(request, lambda content, sid: _content(content, sid, meta.base_url(request)))

    async def list_with_approvals(self, request: Request) -> Response:
        """List templates with their approvals."""

        def row(content: nouns.Content, account_sid: str) -> Mapping[str, Any]:
            shown = _content(content, account_sid, meta.base_url(request))
            plain = {name: value for name, value in shown.items() if name not in {"url", "links"}}
            return {**plain, "approval_requests": _approval(content)}

        return self._page(request, row)

    async def create(self, request: Request) -> Response:
        """Make a template; it is in no state of approval until it is submitted."""
        account = door.authenticate(request, self._config)
        asked = await door.read_json(request, shapes.Asked)
        made = shapes.template(asked, sid=self._carrier.store.new_sid("HX"), account_sid=account.sid)
        now = self._carrier.clock.now()
        content = nouns.Content(template=made, created_at=now, updated_at=now)
        self._carrier.store.put_content(content)
        return JSONResponse(_content(content, account.sid, meta.base_url(request)), status_code=201)

    async def update(self, request: Request) -> Response:
        """Change a template that was not submitted; what is not given stays."""
        content, account_sid = self._get(request)
        old = content.template
        if old.approval != "unsubmitted":
            raise TwilioError(20001, "a template that was submitted for approval cannot be changed")
        given = await door.read_json(request, shapes.Asked)
        whole = shapes.Asked(
            friendly_name=given.friendly_name or old.name,
            language=given.language or old.language,
            variables=given.variables or old.variables,
            types=given.types or dict(old.shapes),
        )
        changed = self._put(content, shapes.template(whole, sid=old.sid, account_sid=account_sid))
        return JSONResponse(_content(changed, account_sid, meta.base_url(request)))

    async def delete(self, request: Request) -> Response:
        """Delete a template; what was sent with it stays."""
        content, _ = self._get(request)
        deleted = msgspec.structs.replace(content, deleted=True, updated_at=self._carrier.clock.now())
        self._carrier.store.put_content(deleted)
        return Response(status_code=204)

    async def fetch(self, request: Request) -> Response:
        """Fetch one template."""
        content, account_sid = self._get(request)
        return JSONResponse(_content(content, account_sid, meta.base_url(request)))

    async def fetch_approval(self, request: Request) -> Response:
        """Fetch the state of one template's approval."""
        content, account_sid = self._get(request)
        sid = content.template.sid
        url = f"{meta.base_url(request)}/v1/Content/{sid}/ApprovalRequests"
        body = {"sid": sid, "account_sid": account_sid, "whatsapp": _approval(content), "url": url}
        return JSONResponse(body)

    async def submit(self, request: Request) -> Response:
        """Ask WhatsApp for its approval: it is `received`, and an operator of Handset decides."""
        content, _ = self._get(request)
        asked = await door.read_json(request, shapes.Submitted)
        old = content.template
        if not shapes.NAME.fullmatch(asked.name):
            raise TwilioError(20001, "name must be of lowercase letters, digits and underscores")
        if asked.category not in {"UTILITY", "MARKETING", "AUTHENTICATION"}:
            raise TwilioError(20001, "category must be UTILITY, MARKETING or AUTHENTICATION")
        if templates.kind_of(old, whatsapp=True) in templates.IN_SESSION_ALONE:
            raise TwilioError(20001, "this content type cannot be submitted for approval")
        if old.approval not in {"unsubmitted", "rejected"}:
            raise TwilioError(20001, "the template was submitted already")
        named = msgspec.structs.replace(
            old, name=old.name or asked.name, category=asked.category, approval="received", rejection_reason=""
        )
        approval = dict(_approval(self._put(content, named))) | {"name": asked.name}
        return JSONResponse(approval, status_code=201)

    def _put(self, content: nouns.Content, template: Any) -> nouns.Content:
        changed = msgspec.structs.replace(content, template=template, updated_at=self._carrier.clock.now())
        self._carrier.store.put_content(changed)
        return changed

    def _own(self, account_sid: str) -> list[nouns.Content]:
        made = self._carrier.store.contents()
        configured = [
            nouns.Content(template=template, created_at=CREATED, updated_at=CREATED)
            for template in self._config.templates
            if template.sid not in made
        ]
        return [
            content
            for content in (*configured, *made.values())
            if not content.deleted and self._config.account_of(content.template.account).sid == account_sid
        ]

    def _get(self, request: Request) -> tuple[nouns.Content, str]:
        account = door.authenticate(request, self._config)
        for content in self._own(account.sid):
            if content.template.sid == request.path_params["sid"]:
                return content, account.sid
        raise TwilioError(20404, request.url.path)

    def _page(self, request: Request, row: Callable[[nouns.Content, str], Mapping[str, Any]]) -> Response:
        account = door.authenticate(request, self._config)
        page, size = meta.window(request, largest=LARGEST_PAGE)
        own = self._own(account.sid)
        rows = [row(content, account.sid) for content in own[page * size : (page + 1) * size]]
        paging = meta.of(request, page=page, size=size, total=len(own), key="contents")
        return JSONResponse({"contents": rows, "meta": paging})


def _content(content: nouns.Content, account_sid: str, base: str) -> Mapping[str, Any]:
    template = content.template
    own = f"{base}/v1/Content/{template.sid}"
    return {
        "sid": template.sid,
        "account_sid": account_sid,
        "friendly_name": template.name,
        "language": template.language,
        "variables": template.variables,
        "types": template.shapes,
        "url": own,
        "date_created": _iso(content.created_at),
        "date_updated": _iso(content.updated_at),
        "links": {
            "approval_create": f"{own}/ApprovalRequests/whatsapp",
            "approval_fetch": f"{own}/ApprovalRequests",
        },
    }


def _approval(content: nouns.Content) -> Mapping[str, Any]:
    template = content.template
    return {
        "type": "whatsapp",
        "name": template.name,
        "category": template.category,
        "content_type": templates.kind_of(template, whatsapp=True),
        "status": template.approval,
        "rejection_reason": template.rejection_reason,
        "allow_category_change": True,
    }


def _iso(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
