"""Routes: what a door is called, who may pass, what it takes and gives.

A route is declared where its function stands. Everything else follows from the declaration: dispatch, the permission
check, reading the request, the OpenAPI document, the documentation page, and the test that walks all routes.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import ModuleType
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from msgspec import Struct

from overture.domain.access import Principal, Scope
from overture.web import answers
from overture.web.answers import Headers
from overture.web.parts import Parts

BodyT = TypeVar("BodyT")
QueryT = TypeVar("QueryT")

API_BODY: Final = 64 * 1024  # bytes; the longest call anybody has reason to make is a tenth of it
SPEC_BODY: Final = 1024 * 1024  # an agent's specification: 200,000 characters, some of four bytes, as JSON
FORM: Final = "application/x-www-form-urlencoded"
WEBHOOK_BODY: Final = 256 * 1024  # a provider's form with media and a long text stays under 20 KiB


class Door(StrEnum):
    """Who passes without a key: anyone, the provider by its signature, or a person who has signed in with one."""

    ANYONE = "anyone"
    PROVIDER = "provider"
    SESSION = "session"


class Admits(Protocol):
    """Knows callers by their keys."""

    async def admit(
        self, may: Scope | Door, headers: Mapping[bytes, bytes], client: tuple[str, int] | None, now: datetime
    ) -> Principal:
        """The caller. Raises Unauthenticated, Forbidden or Limited."""
        ...

    async def recall(self, kid: str, now: datetime) -> tuple[bytes, Principal] | None:
        """A secret of ours about a key that is still good, and who has it."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Call(Generic[BodyT, QueryT]):
    """One request, admitted and read. `target` (the path with its query) and `raw` (the body) are as they came.

    `doorkeeper` knows by their keys who signs in, `client` is the address that the request came from.
    """

    parts: Parts
    principal: Principal
    body: BodyT
    query: QueryT
    path: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    target: str
    raw: bytes
    now: datetime
    doorkeeper: Admits | None = None
    client: tuple[str, int] | None = None

    @property
    def workspace_id(self) -> str:
        """The workspace that the caller's key belongs to."""
        return self.principal.workspace_id


class Answer(Struct, frozen=True, kw_only=True):
    """An answer that is more than a body with status 200.

    `body` is bytes as they are, an iterator of pieces that are sent as they come, or a value for JSON.
    """

    body: Any = b""
    status: int = 200
    content_type: bytes | None = b"application/json"
    headers: Headers = ()
    policy: Headers = answers.NO_STORE


Handler: TypeAlias = Callable[[Call[Any, Any]], Awaitable[Any]]


@dataclass(frozen=True, kw_only=True)
class Route:
    """A door. `paths` are its names, the first one its own; `takes` is the body's type (bytes: as it came, as
    `takes_media`), `asks` the query's, `gives` the answer's, which travels as `media`; `accepts` are headers with what
    they are for.
    """

    method: str
    paths: tuple[str, ...]
    may: Scope | Door
    takes: Any
    asks: Any
    gives: Any
    status: int
    tag: str
    body_limit: int
    handler: Handler
    operation_id: str
    example: Any = None
    refusals: tuple[int, ...] = ()
    media: str = "application/json"
    accepts: tuple[tuple[str, str], ...] = ()
    takes_media: str = FORM

    @property
    def summary(self) -> str:
        """What it does, in one line."""
        return (self.handler.__doc__ or "").strip().partition("\n")[0]

    @property
    def description(self) -> str:
        """All that its declaration says of it."""
        lines = (self.handler.__doc__ or "").strip().splitlines()
        return "\n".join(line.strip() for line in lines)


def declare(
    method: str,
    *paths: str,
    may: Scope | Door,
    takes: Any = None,
    asks: Any = None,
    gives: Any = None,
    status: int = 200,
    tag: str = "",
    body_limit: int = API_BODY,
    example: Any = None,
    refusals: tuple[int, ...] = (),
    media: str = "application/json",
    accepts: tuple[tuple[str, str], ...] = (),
    takes_media: str = FORM,
) -> Callable[[Handler], Route]:
    """Make a function the route of a method and paths."""

    def route(handler: Handler) -> Route:
        return Route(
            method=method,
            paths=paths,
            may=may,
            takes=takes,
            asks=asks,
            gives=gives,
            status=status,
            tag=tag,
            body_limit=body_limit,
            handler=handler,
            operation_id=handler.__name__.replace("_", "-"),
            example=example,
            refusals=refusals,
            media=media,
            accepts=accepts,
            takes_media=takes_media,
        )

    return route


def get(*paths: str, **declared: Any) -> Callable[[Handler], Route]:
    """As `declare`, for GET."""
    return declare("GET", *paths, **declared)


def post(*paths: str, **declared: Any) -> Callable[[Handler], Route]:
    """As `declare`, for POST."""
    return declare("POST", *paths, **declared)


def put(*paths: str, **declared: Any) -> Callable[[Handler], Route]:
    """As `declare`, for PUT."""
    return declare("PUT", *paths, **declared)


def patch(*paths: str, **declared: Any) -> Callable[[Handler], Route]:
    """As `declare`, for PATCH."""
    return declare("PATCH", *paths, **declared)


def delete(*paths: str, **declared: Any) -> Callable[[Handler], Route]:
    """As `declare`, for DELETE."""
    return declare("DELETE", *paths, **declared)


def routes_of(*modules: ModuleType) -> tuple[Route, ...]:
    """The routes that modules declare, in their order."""
    return tuple(value for module in modules for value in vars(module).values() if isinstance(value, Route))
