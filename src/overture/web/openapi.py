"""The OpenAPI 3.1 document, made of the route table: what is served is what is described."""

from collections.abc import Iterable, Sequence
from types import UnionType
from typing import Any, Final, get_args

import msgspec

from overture import __version__
from overture.domain.access import Scope
from overture.web.errors import NATIVE, ChatError, ProblemDetails
from overture.web.reading import needs_body
from overture.web.routes import FORM, Door, Route

_REF: Final = "#/components/schemas/{name}"
_WRONG: Final = {
    400: "The request is refused; `code`, `field` and `hint` say why and what to do.",
    401: "No key was given, or none that is known.",
    403: "The key may not do this, or the webhook is not the provider's.",
    404: "There is no such thing in this workspace.",
    413: "The body is too long.",
    409: "It stands otherwise: somebody else has it, or nobody any more",
    422: "The Idempotency-Key was used for another request.",
    429: "Too much for now; `Retry-After` says when to try again.",
    500: "Something went wrong on our side.",
    503: "A part of the server is away; nothing was acknowledged. `Retry-After` says when to try again.",
    504: "The reply takes longer than the server waits; the message is kept.",
}
_SECURITY: Final[dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `ovt_live_…`."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "overture_session",
        "description": "Whoever has signed in at `/inbox`.",
    },
    "userApiKey": {"type": "apiKey", "in": "header", "name": "X-User-Api-Key", "description": "The same key."},
    "twilioSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Twilio-Signature",
        "description": "The account's signature over the public URL and the form.",
    },
}
_DESCRIPTION: Final = (
    "One call opens an SMS or WhatsApp conversation with a person; an agent carries it on until it ends or a person "
    "takes it over. Send your key as `Authorization: Bearer …` or as `X-User-Api-Key`."
)
_TAGS: Final = {
    "Conversations": "Open a conversation with a person, and see what became of its messages.",
    "Contacts": "Who is known by which addresses, and what goes on with them.",
    "Consent": "Who agreed to what, who opted out: the ledger, recorded, imported and exported.",
    "Templates": "The provider's templates: what there is, what is wrong with one, and how it reads.",
    "Costs": "What messages will cost by your price table, what they cost, and both in sums.",
    "People": "Conversations that people carry: who waits for one, taking over, writing, handing back, ending.",
    "Inbox": "Pages for people: who waits for one, what was said, and a box to write in.",
    "Deliveries": "Messages on their way, and those that a person has to decide over.",
    "Chats": "Chats over the API, and every conversation as a chat: open, write, read, list, end.",
    "Assistants": "Agents in the words of the hosted platform.",
    "Agents": "Agents as specifications: flows and prompts, linted before they are kept.",
    "Accounts": "Provider accounts and their senders, set up and changed while the server runs.",
    "Rules": "What is allowed of messages that nobody waits for, and what that means for one recipient.",
    "Keys": "API keys and what they may do.",
    "Backups": "Backups of the database, made while the server runs; at the machine itself.",
    "Webhooks": "Where the provider brings messages and delivery statuses.",
    "Operations": "Whether the server lives, what it has counted, and its own documents.",
}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The OpenAPI document of these routes."""
    kinds = [one for route in routes for one in (route.takes, *_either(route.gives), route.asks) if _is_struct(one)]
    unique = list(dict.fromkeys([*kinds, ChatError, ProblemDetails]))
    schemas, components = msgspec.json.schema_components(unique, ref_template=_REF)
    shapes = dict(zip(unique, schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in routes:
        for number, path in enumerate(route.paths, 1):
            paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, number, shapes, components)
    asked = {one.__name__ for one in kinds if any(route.asks is one for route in routes)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Overture",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in asked},
            "securitySchemes": _SECURITY,
        },
    }


def _operation(
    route: Route, path: str, number: int, shapes: dict[Any, Any], components: dict[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation_id if number == 1 else f"{route.operation_id}-{number}",
        "summary": route.summary.rstrip("."),
        "description": route.description,
        "tags": [route.tag],
        "x-permission": route.may.value,
        "security": _security(route.may),
        "parameters": [*_in_path(path), *_in_query(route, components), *_in_headers(route)],
        "responses": {
            str(route.status): _success(route, shapes),
            **{str(status): _refusal(status, path, shapes) for status in refusal_statuses(route)},
        },
    }
    if number > 1:
        operation["x-alias-of"] = route.paths[0]
    if route.takes is bytes:
        shape = {"type": "object", "additionalProperties": True} if route.takes_media == FORM else {"type": "string"}
        operation["requestBody"] = {"required": True, "content": {route.takes_media: {"schema": shape}}}
    elif route.takes is not None:
        content: dict[str, Any] = {"schema": shapes[route.takes]}
        if route.example is not None:
            content["example"] = route.example
        operation["requestBody"] = {"required": needs_body(route.takes), "content": {"application/json": content}}
    return operation


def refusal_statuses(route: Route) -> list[int]:
    """The statuses with which a route may refuse."""
    statuses = set(route.refusals)
    if isinstance(route.may, Scope):
        statuses |= {401, 403, 429, 500, 503}
    if route.takes is not None:
        statuses |= {400, 413}
    return sorted(statuses)


def _security(may: Scope | Door) -> list[dict[str, list[str]]]:
    match may:
        case Scope():
            return [{"bearer": []}, {"userApiKey": []}]
        case Door.PROVIDER:
            return [{"twilioSignature": []}]
        case Door.SESSION:
            return [{"session": []}]
        case Door.ANYONE:
            return []


def _in_path(path: str) -> Iterable[dict[str, Any]]:
    for part in path.split("/"):
        if part.startswith("{"):
            yield {"name": part.strip("{}"), "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(route: Route, components: dict[str, Any]) -> Iterable[dict[str, Any]]:
    if route.asks is None:
        return
    shape = components[route.asks.__name__]
    for name, schema in shape["properties"].items():
        described = {key: value for key, value in schema.items() if key != "description"}
        yield {
            "name": name,
            "in": "query",
            "required": name in shape["required"],
            "description": _description_in(schema),
            "schema": described,
        }


def _in_headers(route: Route) -> Iterable[dict[str, Any]]:
    for name, text in route.accepts:
        yield {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}


def _success(route: Route, shapes: dict[Any, Any]) -> dict[str, Any]:
    if route.gives is None:
        return {"description": "Done."}
    first, *others = _either(route.gives)
    if not _is_struct(first):
        kind = "object" if first is dict else "string"
        return {"description": "Done.", "content": {route.media: {"schema": {"type": kind}}}}
    said = (first.__doc__ or "Done.").strip().partition("\n")[0]
    schema = {"anyOf": [shapes[one] for one in (first, *others)]} if others else shapes[first]
    return {"description": said, "content": {route.media: {"schema": schema}}}


def _either(kind: Any) -> tuple[Any, ...]:
    """The kinds that a route may give, the usual one first."""
    return get_args(kind) if isinstance(kind, UnionType) else (kind,)


def _refusal(status: int, path: str, shapes: dict[Any, Any]) -> dict[str, Any]:
    kind, media = (
        (ProblemDetails, "application/problem+json") if path.startswith(NATIVE) else (ChatError, "application/json")
    )
    return {"description": _WRONG[status], "content": {media: {"schema": shapes[kind]}}}


def _description_in(schema: dict[str, Any]) -> str:
    options = [schema, *schema.get("anyOf", ())]
    return next((one["description"] for one in options if "description" in one), "")


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
