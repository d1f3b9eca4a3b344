"""One route as an ASGI application: admit the caller, read the request, call the function, answer.

Nothing stands between the server and this: no middleware, no request object. On the hot roads the time between the
socket and the action is what a route costs, so whatever can be prepared is prepared here once.
"""

import re
from collections.abc import AsyncIterator, Mapping
from itertools import count
from secrets import token_hex
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from overture import log
from overture.domain.errors import Problem, Refusal
from overture.web import answers, auth, errors, metrics
from overture.web.auth import Doorkeeper
from overture.web.errors import TooLarge
from overture.web.parts import Parts
from overture.web.reading import BodyReader, QueryReader
from overture.web.routes import Answer, Call, Route

_log: Final = log.get(__name__)

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PROCESS: Final = token_hex(6)
_numbers: Final = count(1)
_NO_PARAMETERS: Final[Mapping[str, str]] = {}


class GoneError(Exception):
    """The caller hung up before the request was read."""


def request_id(headers: Mapping[bytes, bytes]) -> bytes:
    """The caller's own id for the request where it sends a sane one, else a new one."""
    given = headers.get(b"x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return f"{_PROCESS}-{next(_numbers):x}".encode()


class Endpoint:
    """A route, ready to be called by the server."""

    def __init__(self, route: Route, parts: Parts, doorkeeper: Doorkeeper) -> None:
        self.route: Final = route
        self._parts: Final = parts
        self._doorkeeper: Final = doorkeeper
        self._handler: Final = route.handler
        self._body: Final = None if route.takes in {None, bytes} else BodyReader(route.takes)
        self._query: Final = None if route.asks is None else QueryReader(route.asks)
        self._reads_body: Final = route.takes is not None
        self._plain: Final = route.status == 200
        self._counted: Final = metrics.requests(route.method, route.paths[0], 200)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        an_id = request_id(headers)
        try:
            given = await self._handler(await self._call(scope, receive, headers))
            if isinstance(given, Refusal):
                raise given
        except GoneError:
            return
        except Problem as problem:
            await self._tell(problem, scope, send, an_id)
        except Exception as wrong:  # noqa: BLE001 - the caller gets a 500 with an id, the log the traceback
            _log.exception("request_failed", request_id=an_id.decode(), route=self.route.paths[0])
            await self._tell(wrong, scope, send, an_id)
        else:
            if self._plain and not isinstance(given, Answer):
                self._counted.inc()
                await answers.send_json(send, given, an_id)
            else:
                await self._send(given, send, an_id)

    async def _call(self, scope: Scope, receive: Receive, headers: dict[bytes, bytes]) -> Call[Any, Any]:
        now = self._parts.store.now()
        query: bytes = scope["query_string"]
        if query:
            auth.refuse_key_in(query)
        principal = await self._doorkeeper.admit(self.route.may, headers, scope.get("client"), now)
        raw = await self._read(receive, headers) if self._reads_body else b""
        target: bytes = scope.get("raw_path") or scope["path"].encode()
        if query:
            target = target + b"?" + query
        return Call(
            parts=self._parts,
            principal=principal,
            body=raw if self._body is None else self._body.read(raw),
            query=None if self._query is None else self._query.read(query),
            path=scope.get("path_params", _NO_PARAMETERS),
            headers=headers,
            target=target.decode("latin-1"),
            raw=raw,
            now=now,
            doorkeeper=self._doorkeeper,
            client=scope.get("client"),
        )

    async def _read(self, receive: Receive, headers: Mapping[bytes, bytes]) -> bytes:
        limit = self.route.body_limit
        told = headers.get(b"content-length", b"0")
        if len(told) > 18 or (told.isdigit() and int(told) > limit):
            raise _too_large(limit)
        message = await receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body", False):
            pieces, length = [body], len(body)
            while message.get("more_body", False):
                message = await receive()
                pieces.append(message.get("body", b""))
                length += len(pieces[-1])
                if length > limit:
                    raise _too_large(limit)
            body = b"".join(pieces)
        if message["type"] == "http.disconnect":
            raise GoneError
        if len(body) > limit:
            raise _too_large(limit)
        return body

    async def _send(self, given: Any, send: Send, an_id: bytes) -> None:
        answer = given if isinstance(given, Answer) else Answer(body=given, status=self.route.status)
        self._count(answer.status)
        body = answer.body
        if not isinstance(body, bytes):
            if isinstance(body, AsyncIterator):
                content_type = answer.content_type or b""
                await answers.send_pieces(send, body, content_type=content_type, request_id=an_id, extra=answer.headers)
                return
            body = answers.encode(body)
        await answers.send_bytes(
            send,
            status=answer.status,
            body=b"" if answer.status == 204 else body,
            content_type=answer.content_type,
            request_id=an_id,
            extra=answer.headers,
            policy=answer.policy,
        )

    def _count(self, status: int) -> None:
        (self._counted if status == 200 else metrics.requests(self.route.method, self.route.paths[0], status)).inc()

    async def _tell(self, problem: Exception, scope: Scope, send: Send, an_id: bytes) -> None:
        told = errors.tell(
            problem,
            path=scope["path"],
            in_path=scope.get("path_params", _NO_PARAMETERS),
            request_id=an_id.decode(),
            now=self._parts.store.now(),
        )
        self._count(told.status)
        await answers.send_bytes(
            send,
            status=told.status,
            body=told.body,
            content_type=told.content_type,
            request_id=an_id,
            extra=told.headers,
        )


def _too_large(limit: int) -> TooLarge:
    return TooLarge("body_too_large", f"The body is longer than {limit // 1024} KiB.", hint="Send less at once.")
