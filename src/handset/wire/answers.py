"""The answers that faults give in place of the REST API's own."""

from typing import Final

from starlette.responses import HTMLResponse, JSONResponse, Response

from handset.api import refusals
from handset.carrier import reasons
from handset.faults.rules import Rule

PAGE: Final = """<html>
<head><title>503 Service Temporarily Unavailable</title></head>
<body>
<center><h1>503 Service Temporarily Unavailable</h1></center>
</body>
</html>
"""
STATUSES: Final = {
    20005: 403,
    20403: 403,
    20429: 429,
    20500: 500,
    20503: 503,
}  # of codes that the API itself never gives
TEXTS: Final = {
    20005: "Account not active",
    20403: "Forbidden",
    20429: "Too Many Requests",
    20500: "Internal Server Error",
    20503: "Service Unavailable",
}


def too_many(rule: Rule) -> Response:
    """429, with Retry-After if the rule names its seconds."""
    response = refused(20429)
    if rule.retry_after is not None:
        response.headers["Retry-After"] = str(rule.retry_after)
    return response


def page() -> Response:
    """What a load balancer says when there is nobody behind it."""
    return HTMLResponse(PAGE, status_code=503)


def refused(code: int) -> Response:
    """An error in Twilio's form; a status of 400 where the code has none of its own."""
    status, text = refusals.TEXTS.get(code, (STATUSES.get(code, 400), TEXTS.get(code) or reasons.text_of(code) or ""))
    body = {
        "code": code,
        "message": text.format(what="given") if "{what}" in text else text,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return JSONResponse(body, status_code=status)
