"""What a request to the REST API is about, as far as the rules of faults ask."""

import re
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from handset.asking import RequestError, decode
from handset.faults import rules
from handset.faults.kinds import NATURES, Traffic
from handset.faults.plan import Passing
from handset.faults.rules import Rule

TWILIO_PATHS: Final = ("/2010-04-01/", "/v1/", "/v2/", "/v3/")
HEADER: Final = "Handset-Fault"
READ_LIMIT: Final = 1_048_577  # bytes; one more than the REST API takes, so that it still sees what is too large

_LIST: Final = re.compile(r"/2010-04-01/Accounts/[^/]+/Messages\.json")
_ONE: Final = re.compile(r"/2010-04-01/Accounts/[^/]+/Messages/[^/]+\.json")


def traffic_of(method: str, path: str) -> Traffic | None:
    """The kind of request; None for what is not the REST API's."""
    if not path.startswith(TWILIO_PATHS):
        return None
    if _LIST.fullmatch(path):
        return "send" if method == "POST" else "list" if method == "GET" else "other"
    return "fetch" if method == "GET" and _ONE.fullmatch(path) else "other"


def passing_of(traffic: Traffic, scope: Scope, body: bytes) -> Passing:
    """What rules look at in a request: the form of a send, the query of a list."""
    text = body.decode("utf-8", "replace") if traffic == "send" else scope["query_string"].decode("latin-1")
    try:
        form = parse_qs(text, keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        form = {}  # the API will refuse it
    one = {name: values[-1] for name, values in form.items()}
    return Passing(
        traffic=traffic, to_address=one.get("To"), from_address=one.get("From"), body=one.get("Body") or None
    )


def rule_of(scope: Scope, traffic: Traffic) -> Rule | None:
    """The rule that came with the request; raises RequestError for one that makes no sense."""
    text = Headers(scope=scope).get(HEADER)
    if text is None:
        return None
    hint = f"send {HEADER}: 500_landed, {HEADER}: refused:21610, or a rule as JSON"
    if text.lstrip().startswith("{"):
        rule = decode(text.encode("latin-1"), Rule, hint=hint)
    else:
        try:
            rule = rules.named(text)
        except ValueError as error:
            raise RequestError(400, f"{HEADER}: {error}", hint) from None
    if traffic not in rule.traffic and not (traffic == "send" and NATURES[rule.kind].is_of_webhooks):
        raise RequestError(400, f"{HEADER}: {rule.kind} cannot happen on this request ({traffic})", hint)
    return rule


async def read_body(receive: Receive) -> tuple[bytes, bool]:
    """The body as far as it is read here, and whether that is all of it."""
    body = b""
    while len(body) < READ_LIMIT:
        message = await receive()
        if message["type"] != "http.request":
            return body, False
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body, True
    return body, False
