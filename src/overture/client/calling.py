"""How the client calls: one request, and its answer or the problem that the server had."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from msgspec import Struct

from overture.domain.errors import (
    Conflict,
    Failure,
    Forbidden,
    Invalid,
    Limited,
    NotAllowed,
    OutcomeUnknown,
    Problem,
    Transient,
    Unauthenticated,
    Unavailable,
    Unknown,
    WrongMode,
)

T = TypeVar("T")

_PATIENCE_SECONDS: Final = 30.0  # a chat's reply may take fifteen
_REFUSALS: Final[dict[str, type[Problem]]] = {
    "invalid_request": Invalid,
    "not_found": Unknown,
    "not_allowed": NotAllowed,
    "conflict": Conflict,
    "authentication": Unauthenticated,
    "permission": Forbidden,
    "unavailable": Unavailable,
}


class _Told(Struct, kw_only=True):
    category: str = ""
    code: str = "unreadable_answer"
    description: str = ""
    detail: Any = None
    field: str | None = None
    hint: str | None = None


class Caller:
    """Calls one server; use it as an asynchronous context."""

    def __init__(
        self,
        *,
        base_url: str | None = None,
        key: str | None = None,
        socket: Path | None = None,
        patience_seconds: float = _PATIENCE_SECONDS,
        connections: int = 100,
    ) -> None:
        if (base_url is None) == (socket is None):
            raise ValueError("give either base_url or socket")
        self._base: Final = "http://overture" if base_url is None else base_url.rstrip("/")
        self._where: Final = str(socket) if base_url is None else self._base
        self._socket: Final = socket
        self._headers: Final = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._patience: Final = aiohttp.ClientTimeout(total=patience_seconds)
        self._connections: Final = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        limit = self._connections
        connector: aiohttp.BaseConnector = (
            aiohttp.TCPConnector(limit=limit)
            if self._socket is None
            else aiohttp.UnixConnector(str(self._socket), limit=limit)
        )
        self._session = aiohttp.ClientSession(connector=connector, headers=self._headers, timeout=self._patience)
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _wrong: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _get(
        self,
        kind: type[T],
        path: str,
        body: Any = None,
        *,
        method: str = "GET",
        query: Mapping[str, str] | None = None,
    ) -> T:
        raw, _ = await self._call(method, path, body, query=query)
        return read(raw, kind)

    async def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        csv: bytes | None = None,
        accepts: frozenset[int] | set[int] = frozenset(),
    ) -> tuple[bytes, Mapping[str, str]]:
        session = self._opened()
        data = csv if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
        kind = (
            "text/csv"
            if body is None
            else "application/octet-stream"
            if isinstance(body, bytes)
            else "application/json"
        )
        sent = {**(headers or {}), **({} if data is None else {"Content-Type": kind})}
        with self._telling():
            async with session.request(method, self._base + path, data=data, params=query, headers=sent) as answer:
                raw = await answer.read()
                if answer.status >= 400 and answer.status not in accepts:
                    raise _problem(answer.status, raw, answer.headers)
                return raw, answer.headers

    async def _stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """An answer's body in pieces, as they come; however long it takes, as long as they do."""
        patience = aiohttp.ClientTimeout(total=None, sock_read=self._patience.total)
        with self._telling():
            async with self._opened().get(self._base + path, params=query, timeout=patience) as answer:
                if answer.status >= 400:
                    raise _problem(answer.status, await answer.read(), answer.headers)
                async for piece in answer.content.iter_any():
                    yield piece

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use the client as an asynchronous context")
        return self._session

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn what goes wrong on the way into a problem."""
        try:
            yield
        except aiohttp.ClientConnectorError as away:
            raise Unavailable(
                "server_away", f"No server answers at {self._where}.", hint="Start it with `overture serve`."
            ) from away
        except (aiohttp.ClientError, TimeoutError) as broken:
            raise OutcomeUnknown(
                "no_answer",
                f"The server at {self._where} took the call but did not answer ({type(broken).__name__}).",
                hint="It may have been done: look before you repeat it.",
            ) from broken


def quoted(an_id: str) -> str:
    """An id as a part of a path."""
    return quote(an_id, safe="")


def read(raw: bytes, kind: type[T]) -> T:
    """An answer's body as a type. Raises Failure."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise Failure(
            "unreadable_answer",
            f"The answer is not what this version expects: {wrong}",
            hint="Is it an Overture server, of this version?",
        ) from wrong


def _problem(status: int, raw: bytes, headers: Mapping[str, str]) -> Problem:
    """What the server had, from either of its error shapes."""
    told = _told(raw)
    said = told.description or f"The server answered {status}."
    wait = headers.get("Retry-After", "")
    if status == 429:
        return Limited(told.code, said, retry_after_seconds=int(wait) if wait.isdigit() else 60, hint=told.hint)
    if status == 504:
        return Transient(told.code, said)
    kind = WrongMode if status == 409 else _REFUSALS.get(told.category, Failure)
    return kind(told.code, said, field=told.field, hint=told.hint)


def _told(raw: bytes) -> _Told:
    try:
        whole = msgspec.json.decode(raw, type=_Told)
        if isinstance(whole.detail, dict):
            return msgspec.convert(whole.detail, _Told)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Told()
    whole.description = whole.detail if isinstance(whole.detail, str) else ""
    return whole
