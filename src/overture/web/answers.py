"""Answers on the wire: status, headers and body as ASGI messages.

Every answer carries the same few security headers; the lists are built once.
"""

from collections.abc import AsyncIterator
from typing import Any, Final, TypeAlias

import msgspec
from starlette.types import Send

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]

API_POLICY: Final = b"default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY: Final = (
    b"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
CONSOLE_POLICY: Final = (
    b"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    b"form-action 'self'; frame-ancestors 'none'"
)

_ALWAYS: Final[Headers] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
NO_STORE: Final[Headers] = (*_ALWAYS, (b"content-security-policy", API_POLICY), (b"cache-control", b"no-store"))
PAGE: Final[Headers] = (*_ALWAYS, (b"content-security-policy", PAGE_POLICY), (b"cache-control", b"no-cache"))
CONSOLE: Final[Headers] = (*_ALWAYS, (b"content-security-policy", CONSOLE_POLICY), (b"cache-control", b"no-store"))
FOR_EVER: Final[Headers] = (
    *_ALWAYS,
    (b"content-security-policy", API_POLICY),
    (b"cache-control", b"public, max-age=31536000, immutable"),  # its name holds the hash of what it is
)

_JSON: Final[Headers] = ((b"content-type", b"application/json"), *NO_STORE)

encode: Final = msgspec.json.Encoder().encode


async def send_json(send: Send, value: Any, request_id: bytes) -> None:
    """Answer 200 with a value as JSON."""
    body = encode(value)
    length = str(len(body)).encode()
    headers = [(b"content-length", length), (b"x-request-id", request_id), *_JSON]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_bytes(
    send: Send,
    *,
    status: int,
    body: bytes,
    content_type: bytes | None,
    request_id: bytes,
    extra: Headers = (),
    policy: Headers = NO_STORE,
) -> None:
    """Answer with bytes as they are."""
    headers = [(b"x-request-id", request_id), *policy, *extra]
    if status != 204:
        headers.append((b"content-length", str(len(body)).encode()))
    if content_type is not None and status != 204:
        headers.append((b"content-type", content_type))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_pieces(
    send: Send, pieces: AsyncIterator[bytes], *, content_type: bytes, request_id: bytes, extra: Headers = ()
) -> None:
    """Answer 200 with pieces as they come; what goes wrong before the first is told as any other failure is."""
    first = await anext(pieces, b"")
    headers = [(b"x-request-id", request_id), (b"content-type", content_type), *NO_STORE, *extra]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": first, "more_body": True})
    async for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
