"""The Content API: templates and their WhatsApp approvals, in a dialect of its own.

ISO dates and absolute URLs, where the REST API of 2010-04-01 has RFC 2822 dates and relative ones; `meta` where that
has its paging beside the rows. Read-only: templates come from the configuration. On the same port as everything.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handset.api import door, meta
from handset.api.refusals import TwilioError
from handset.config import Config, Template

CREATED: Final = "2026-01-01T00:00:00Z"
LARGEST_PAGE: Final = 500


class Content:
    """Templates, as Twilio's Content API shows them."""

    def __init__(self, *, config: Config) -> None:
        self._config = config

    def routes(self) -> list[Route]:
        """The routes of v1."""
        return [
            Route("/v1/Content", door.refusing(self.list_contents), methods=["GET"]),
            Route("/v1/ContentAndApprovals", door.refusing(self.list_with_approvals), methods=["GET"]),
            Route("/v1/Content/{sid}", door.refusing(self.fetch), methods=["GET"]),
            Route("/v1/Content/{sid}/ApprovalRequests", door.refusing(self.fetch_approval), methods=["GET"]),
        ]

    async def list_contents(self, request: Request) -> Response:
        """List templates."""
        return self._page(request, lambda template, sid: _content(template, sid, meta.base_url(request)))

    async def list_with_approvals(self, request: Request) -> Response:
        """List templates with their approvals."""

        def row(template: Template, account_sid: str) -> Mapping[str, Any]:
            content = _content(template, account_sid, meta.base_url(request))
            plain = {name: value for name, value in content.items() if name not in {"url", "links"}}
            return {**plain, "approval_requests": _approval(template)}

        return self._page(request, row)

    async def fetch(self, request: Request) -> Response:
        """Fetch one template."""
        template, account_sid = self._get(request)
        return JSONResponse(_content(template, account_sid, meta.base_url(request)))

    async def fetch_approval(self, request: Request) -> Response:
        """Fetch the state of one template's approval."""
        template, account_sid = self._get(request)
        url = f"{meta.base_url(request)}/v1/Content/{template.sid}/ApprovalRequests"
        body = {"sid": template.sid, "account_sid": account_sid, "whatsapp": _approval(template), "url": url}
        return JSONResponse(body)

    def _get(self, request: Request) -> tuple[Template, str]:
        account = door.authenticate(request, self._config)
        for template in self._config.templates:
            if template.sid == request.path_params["sid"] and self._config.account_of(template.account) == account:
                return template, account.sid
        raise TwilioError(20404, request.url.path)

    def _page(self, request: Request, row: Callable[[Template, str], Mapping[str, Any]]) -> Response:
        account = door.authenticate(request, self._config)
        page, size = meta.window(request, largest=LARGEST_PAGE)
        own = [t for t in self._config.templates if self._config.account_of(t.account) == account]
        rows = [row(template, account.sid) for template in own[page * size : (page + 1) * size]]
        paging = meta.of(request, page=page, size=size, total=len(own), key="contents")
        return JSONResponse({"contents": rows, "meta": paging})


def _content(template: Template, account_sid: str, base: str) -> Mapping[str, Any]:
    own = f"{base}/v1/Content/{template.sid}"
    return {
        "sid": template.sid,
        "account_sid": account_sid,
        "friendly_name": template.name,
        "language": template.language,
        "variables": template.variables,
        "types": {"twilio/text": {"body": template.body}},
        "url": own,
        "date_created": CREATED,
        "date_updated": CREATED,
        "links": {
            "approval_create": f"{own}/ApprovalRequests/whatsapp",
            "approval_fetch": f"{own}/ApprovalRequests",
        },
    }


def _approval(template: Template) -> Mapping[str, Any]:
    return {
        "type": "whatsapp",
        "name": template.name,
        "category": template.category,
        "content_type": "twilio/text",
        "status": template.approval,
        "rejection_reason": "",
        "allow_category_change": True,
    }
