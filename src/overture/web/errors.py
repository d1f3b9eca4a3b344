"""What refusals and failures look like over HTTP: the one place that maps them.

Routes of the chat API answer in the hosted platform's shape, `{"detail": {...}}`; those of `/overture/v1` as
problem details (RFC 9457). Both carry the same code, field, hint and request id.
"""

from collections.abc import Collection
from datetime import datetime
from math import ceil
from typing import Final

import msgspec
from msgspec import Struct

from overture.actions.save_agent import Unsound
from overture.agents.lint import Finding
from overture.domain.errors import (
    Conflict,
    Failure,
    Forbidden,
    Invalid,
    Limited,
    Misconfigured,
    NotAllowed,
    Problem,
    Transient,
    Unauthenticated,
    Unavailable,
    Unknown,
    WrongMode,
)
from overture.web.answers import Headers

NATIVE: Final = "/overture/"
_RETRY_AFTER: Final = 2  # seconds: a database that restarts is back within five


class TooLarge(Invalid):
    """The body is longer than the route reads."""


class NoSuchRoute(Unknown):
    """No door has that name."""


class WrongMethod(Invalid):
    """The door exists, but not for this method."""

    def __init__(self, allowed: str) -> None:
        super().__init__("method_not_allowed", f"This path takes {allowed} only.", hint="See /docs for every route.")
        self.allowed: Final = allowed


class ReplyPending(Failure):
    """The message is on disk, its reply is not there yet."""


class Detail(Struct, frozen=True, kw_only=True):
    """Why a call was refused. `code` is stable and for machines, `description` for people."""

    status: str
    description: str
    timestamp: datetime
    request_id: str
    category: str
    code: str
    field: str | None = None
    hint: str | None = None
    errors: list[Finding] | msgspec.UnsetType = msgspec.UNSET


class ChatError(Struct, frozen=True, kw_only=True):
    """The error answer of the chat API."""

    detail: Detail


class ProblemDetails(Struct, frozen=True, kw_only=True):
    """The error answer of `/overture/v1`: problem details of RFC 9457."""

    title: str
    status: int
    detail: str
    category: str
    code: str
    request_id: str
    timestamp: datetime
    field: str | None = None
    hint: str | None = None
    type: str = "about:blank"
    errors: list[Finding] | msgspec.UnsetType = msgspec.UNSET


class Told(Struct, frozen=True, kw_only=True):
    """A problem as an HTTP answer."""

    status: int
    body: bytes
    content_type: bytes
    headers: Headers


# First match wins. What stands in the path and is not there is 404; what a body names and is not there is 400.
_STATUS: Final[tuple[tuple[type[Problem], int, str], ...]] = (
    (TooLarge, 413, "invalid_request"),
    (WrongMethod, 405, "invalid_request"),
    (Invalid, 400, "invalid_request"),
    (Unknown, 400, "not_found"),
    (NotAllowed, 400, "not_allowed"),
    (WrongMode, 409, "conflict"),
    (Conflict, 400, "conflict"),
    (Unauthenticated, 401, "authentication"),
    (Forbidden, 403, "permission"),
    (Limited, 429, "rate_limit"),
    (ReplyPending, 504, "timeout"),
    (Unavailable, 503, "unavailable"),
    (Transient, 503, "unavailable"),
    (Misconfigured, 500, "internal"),
)
_TITLES: Final = {
    "invalid_request": "The request is not valid",
    "not_found": "There is no such thing",
    "not_allowed": "A rule forbids it",
    "conflict": "It contradicts what is there",
    "authentication": "No valid key was given",
    "permission": "The key may not do this",
    "rate_limit": "Too much for now",
    "timeout": "It takes longer",
    "unavailable": "A part of the server is away",
    "internal": "Something went wrong on our side",
}


def tell(problem: Exception, *, path: str, in_path: Collection[str], request_id: str, now: datetime) -> Told:
    """A problem as the answer of the route at `path`, whose parameters are named by `in_path`.

    What is no Problem of ours becomes a 500 that says nothing but its request id.
    """
    known = problem if isinstance(problem, Problem) else _unexpected()
    status, category = _status(known, in_path)
    errors = list(known.findings) if isinstance(known, Unsound) else msgspec.UNSET
    if path.startswith(NATIVE):
        body = msgspec.json.encode(
            ProblemDetails(
                title=_TITLES[category],
                status=status,
                detail=known.description,
                category=category,
                code=known.code,
                request_id=request_id,
                timestamp=now,
                field=known.field,
                hint=known.hint,
                errors=errors,
            )
        )
        kind = b"application/problem+json"
    else:
        body = msgspec.json.encode(
            ChatError(
                detail=Detail(
                    status="error",
                    description=known.description,
                    timestamp=now,
                    request_id=request_id,
                    category=category,
                    code=known.code,
                    field=known.field,
                    hint=known.hint,
                    errors=errors,
                )
            )
        )
        kind = b"application/json"
    return Told(status=status, body=body, content_type=kind, headers=_headers(known, status))


def _status(problem: Problem, in_path: Collection[str]) -> tuple[int, str]:
    if isinstance(problem, Unknown) and (problem.field is None or problem.field in in_path):
        return 404, "not_found"
    if isinstance(problem, Conflict) and problem.code == "idempotency_key_reused":
        return 422, "conflict"
    return next(
        ((status, category) for kind, status, category in _STATUS if isinstance(problem, kind)), (500, "internal")
    )


def _headers(problem: Problem, status: int) -> Headers:
    if isinstance(problem, WrongMethod):
        return ((b"allow", problem.allowed.encode()),)
    if status == 401:
        return ((b"www-authenticate", b'Bearer realm="overture"'),)
    if isinstance(problem, Limited):
        return ((b"retry-after", str(problem.retry_after_seconds).encode()),)
    if isinstance(problem, Transient) and problem.retry_after_seconds is not None:
        return ((b"retry-after", str(ceil(problem.retry_after_seconds)).encode()),)
    return ((b"retry-after", str(_RETRY_AFTER).encode()),) if status == 503 else ()


def _unexpected() -> Failure:
    return Failure(
        "internal_error",
        "Something went wrong on our side; nothing was acknowledged.",
        hint="Tell the operator the request_id: the log says more.",
    )
