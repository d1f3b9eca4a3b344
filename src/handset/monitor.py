"""The Monitor API's alerts: Twilio's debugger, where a developer reads which of their webhooks failed, and why.

One alert a webhook that failed, after the "Monitor: Alerts" reference; Twilio writes some of messages and calls as
well, which do not come here. Newest first, ISO dates, absolute URLs. On the same port as everything.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import md5
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handset import asking
from handset.api import door, meta
from handset.api.refusals import TwilioError
from handset.carrier import reasons
from handset.config import Config
from handset.state.nouns import Webhook
from handset.state.store import Store

LARGEST_PAGE: Final = 1000
WARNINGS: Final = frozenset({12200})  # codes that Twilio logs as warnings; all others here are errors
LEVELS: Final = frozenset({"error", "warning", "notice", "debug"})


class Monitor:
    """Alerts, as Twilio's Monitor API shows them and as Handset's own does."""

    def __init__(self, *, config: Config, store: Store) -> None:
        self._config = config
        self._store = store

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            Route("/v1/Alerts", door.refusing(self.list_alerts), methods=["GET"]),
            Route("/v1/Alerts/{sid}", door.refusing(self.fetch), methods=["GET"]),
            asking.route("/handset/v1/debugger", "GET", self.list_failures),
        ]

    async def list_alerts(self, request: Request) -> Response:
        """List alerts, newest first; of one `LogLevel`, between `StartDate` and `EndDate`, if given."""
        account = door.authenticate(request, self._config)
        query = request.query_params
        level, start, end = query.get("LogLevel"), _date(query.get("StartDate")), _date(query.get("EndDate"))
        if level is not None and level not in LEVELS:
            raise TwilioError(20001, f"LogLevel {level}")
        rows = [
            webhook
            for webhook in reversed(self._failed())
            if webhook.account_sid == account.sid
            and level in {None, _level(webhook)}
            and (start is None or webhook.created_at >= start)
            and (end is None or webhook.created_at <= end)
        ]
        page, size = meta.window(request, largest=LARGEST_PAGE)
        shown = rows[page * size : (page + 1) * size]
        paging = meta.of(request, page=page, size=size, total=len(rows), key="alerts")
        return JSONResponse({"alerts": [_alert(row, meta.base_url(request)) for row in shown], "meta": paging})

    async def fetch(self, request: Request) -> Response:
        """Fetch one alert, with what was asked."""
        account = door.authenticate(request, self._config)
        for webhook in self._failed():
            if _sid(webhook) == request.path_params["sid"] and webhook.account_sid == account.sid:
                # the headers and the body of the answer are not kept
                asked = {"request_variables": urlencode(webhook.params, errors="replace"), "request_headers": None}
                answered = {"response_headers": None, "response_body": None}
                return JSONResponse(dict(_alert(webhook, meta.base_url(request))) | asked | answered)
        raise TwilioError(20404, request.url.path)

    async def list_failures(self, request: Request) -> Response:
        """Every alert, oldest first, with its webhook and all its attempts: no password, no pages."""
        base = meta.base_url(request)
        return asking.json({"alerts": [{**_alert(one, base), "webhook": one} for one in self._failed()]})

    def _failed(self) -> list[Webhook]:
        return [webhook for webhook in self._store.webhooks() if webhook.finished and webhook.error_code is not None]


def _alert(webhook: Webhook, base: str) -> Mapping[str, Any]:
    last = webhook.attempts[-1].at if webhook.attempts else webhook.created_at
    told = {"ErrorCode": str(webhook.error_code), "Msg": webhook.error or "", "url": webhook.url}
    return {
        "account_sid": webhook.account_sid,
        "alert_text": urlencode(told | {"text": reasons.text_of(webhook.error_code) or ""}),
        "api_version": "2010-04-01",
        "date_created": _iso(webhook.created_at),
        "date_generated": _iso(last),
        "date_updated": _iso(last),
        "error_code": str(webhook.error_code),
        "log_level": _level(webhook),
        "more_info": f"https://www.twilio.com/docs/errors/{webhook.error_code}",
        "request_method": "POST",
        "request_url": webhook.url,
        "resource_sid": webhook.message_sid,
        "service_sid": webhook.params.get("MessagingServiceSid"),
        "sid": _sid(webhook),
        "url": f"{base}/v1/Alerts/{_sid(webhook)}",
    }


def _sid(webhook: Webhook) -> str:
    return f"NO{md5(webhook.id.encode(), usedforsecurity=False).hexdigest()}"


def _level(webhook: Webhook) -> str:
    return "warning" if webhook.error_code in WARNINGS else "error"


def _iso(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise TwilioError(20001, f"date {text}") from None
