"""The application: every route behind one ASGI callable.

Paths without parameters are found in a table, the others by Starlette's router; both lead to the same endpoints. What
matches nothing is refused in the shape of its neighbours.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from starlette.routing import BaseRoute, Router
from starlette.routing import Route as PathRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overture.domain.errors import Problem
from overture.web import answers, errors
from overture.web.api import (
    accounts,
    agents,
    assistants,
    backups,
    chat,
    consents,
    contacts,
    conversations,
    deliveries,
    inbox,
    instance,
    keys,
    knowledge,
    media,
    models,
    outbound,
    people,
    pools,
    prices,
    probes,
    queues,
    rules,
    senders,
    spend,
    templates,
    wirings,
)
from overture.web.auth import Doorkeeper
from overture.web.console import inbox as console
from overture.web.endpoint import Endpoint, request_id
from overture.web.errors import NoSuchRoute, WrongMethod
from overture.web.inbound import twilio
from overture.web.pages import make_pages
from overture.web.parts import Parts
from overture.web.routes import Route, routes_of

_API: Final = routes_of(
    *(
        outbound,
        chat,
        assistants,
        agents,
        people,
        conversations,
        contacts,
        consents,
        templates,
        deliveries,
        inbox,
        media,
    ),
    *(knowledge, prices, spend, models),
    *(accounts, senders, pools, queues, rules, keys, backups, instance, wirings, twilio, probes, console),
)

ROUTES: Final[tuple[Route, ...]] = (*_API, *make_pages(_API))
"""Every route there is."""


def make_app(parts: Parts, *, trusted: bool = False, beside: Sequence[BaseRoute] = ()) -> ASGIApp:
    """The ASGI application of these parts.

    `trusted` is for the socket that only the machine's owner can open: no key is asked for, and the caller is the
    operator. `beside` are further doors (pages), tried after the API's own.
    """
    doorkeeper = Doorkeeper(parts.store, parts.keys, parts.vault, trusted=trusted)
    by_path: defaultdict[str, dict[str, Endpoint]] = defaultdict(dict)
    for route in ROUTES:
        endpoint = Endpoint(route, parts, doorkeeper)
        for path in route.paths:
            by_path[path][route.method] = endpoint
    return App(parts, {path: Resource(parts, methods) for path, methods in by_path.items()}, beside)


class App:
    """Finds the resource of a path."""

    def __init__(self, parts: Parts, resources: "dict[str, Resource]", beside: Sequence[BaseRoute]) -> None:
        self._exact: Final = {path: resource for path, resource in resources.items() if "{" not in path}
        templates = [PathRoute(path, resource) for path, resource in resources.items() if "{" in path]
        self._nothing: Final = _Nothing(parts)
        self._router: Final = Router([*templates, *beside], redirect_slashes=False, default=self._nothing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        resource = self._exact.get(scope["path"]) if scope["type"] == "http" else None
        if resource is not None:
            await resource(scope, receive, send)
        elif "\x00" in scope.get("path", ""):
            await self._nothing(scope, receive, send)  # no id holds it, and PostgreSQL cannot be asked for it
        else:
            await self._router(scope, receive, send)


class Resource:
    """What stands at one path: an endpoint a method."""

    def __init__(self, parts: Parts, methods: dict[str, Endpoint]) -> None:
        self._parts: Final = parts
        self._methods: Final = methods
        allowed = {"OPTIONS", *methods, *(("HEAD",) if "GET" in methods else ())}
        self._allowed: Final = ", ".join(sorted(allowed))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the request's method."""
        method: str = scope["method"]
        endpoint = self._methods.get(method)
        if endpoint is not None:
            await endpoint(scope, receive, send)
        elif method == "HEAD" and (endpoint := self._methods.get("GET")) is not None:
            await endpoint(scope, receive, _without_body(send))
        elif method == "OPTIONS":
            await answers.send_bytes(
                send,
                status=204,
                body=b"",
                content_type=None,
                request_id=request_id(dict(scope["headers"])),
                extra=((b"allow", self._allowed.encode()),),
            )
        else:
            await _refuse(self._parts, WrongMethod(self._allowed), scope, send)


class _Nothing:
    """What stands everywhere else."""

    def __init__(self, parts: Parts) -> None:
        self._parts: Final = parts

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        problem = NoSuchRoute("route_unknown", "Not Found", hint="See /docs for every route.")
        await _refuse(self._parts, problem, scope, send)


async def _refuse(parts: Parts, problem: Problem, scope: Scope, send: Send) -> None:
    an_id = request_id(dict(scope["headers"]))
    told = errors.tell(problem, path=scope["path"], in_path=(), request_id=an_id.decode(), now=parts.store.now())
    await answers.send_bytes(
        send,
        status=told.status,
        body=b"" if scope["method"] == "HEAD" else told.body,
        content_type=told.content_type,
        request_id=an_id,
        extra=told.headers,
    )


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            rest: dict[str, Any] = {"type": "http.response.body", "body": b""}
            await send(rest)
        else:
            await send(message)

    return send_head
