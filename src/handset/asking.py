"""How Handset's own API is asked and answers: JSON in, JSON out, and a refusal that says what to send instead.

It has no password: Handset listens on the loopback by default, and knows no secrets that matter. A body must say that
it is JSON: a foreign web page cannot make a browser send that without asking first.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

T = TypeVar("T")

BODY_LIMIT: Final = 262_144  # bytes

Endpoint = Callable[[Request], Awaitable[Response]]


class RequestError(Exception):
    """A request that makes no sense here; the text says what to do instead."""

    def __init__(self, status: int, error: str, hint: str) -> None:
        super().__init__(error)
        self.status = status
        self.answer = {"error": error, "hint": hint}


def route(path: str, method: str, endpoint: Endpoint) -> Route:
    """A route whose refusals are answered with what to do instead."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except RequestError as wrong:
            return JSONResponse(wrong.answer, status_code=wrong.status)

    return Route(path, answer, methods=[method])


def json(body: object, *, status: int = 200) -> Response:
    """An answer."""
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


async def read(request: Request, kind: type[T], *, hint: str | None = None, limit: int = BODY_LIMIT) -> T:
    """The body, as that kind; raises RequestError, with the hint or the names of the fields."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestError(415, "the body is not said to be JSON", "send Content-Type: application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise RequestError(413, "the body is too large", f"send at most {limit} bytes")
    return decode(bytes(body), kind, hint=hint)


def decode(body: bytes, kind: type[T], *, hint: str | None = None) -> T:
    """JSON, as that kind; raises RequestError, with the hint or the names of the fields."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(400, str(error), hint or f"send a JSON object with the fields {_fields(kind)}") from error


def _fields(kind: Any) -> str:
    return ", ".join(field.encode_name for field in msgspec.structs.fields(kind))
