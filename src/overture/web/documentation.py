"""The documentation page's content: the OpenAPI document, laid out for people.

Everything on the page comes from the document that machines read; an example is made where none was written.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

_DEEPEST: Final = 4  # levels of an example; what lies deeper is empty
_SAMPLES: Final[dict[str, Any]] = {
    "agent_id": "2a886b7d-d52d-4f8b-8ea0-19d3edc79214",
    "model_id": "2a886b7d-d52d-4f8b-8ea0-19d3edc79214",
    "chat_id": "7d0c4a52-5b0e-4c4e-9f55-0d6c3b5f6c11",
    "conversation_id": "01a20461-c96f-704b-8004-34926322f248",
    "message_id": "01a20461-c96f-704b-8004-5b1e6f0c2d77",
    "inbox_id": "01a20461-c96f-704b-8004-9c2f4c1d7a10",
    "contact_number": "+15559876543",
    "sender_number": "+15551234567",
    "reason_description": "Sending to this country is switched off.",
    "waits_because": None,
    "waits_description": None,
    "age_seconds": 90,
    "changed": True,
    "id": "01a20461-c96f-704b-8004-34926322f248",
    "message": "Tuesday would suit me.",
    "agent_message": "Tuesday at ten, then. See you!",
    "current_state": "main_state",
    "turn_number": 3,
    "transcript": "Agent: Hi there!\nUser: Tuesday would suit me.",
    "next_cursor": "",
    "account_sid": "AC00000000000000000000000000000001",
    "sender_id": "01a20461-c96f-704b-8004-7a1c33d0e5f2",
    "kid": "4fQzR8mK1x",
    "key": "ovt_live_4fQzR8mK1x_…",
    "name": "Salon",
    "text": "Hi there!",
    "seq": 1,
    "version": 1,
    "total": 1,
    "total_records": 1,
    "limit": 20,
    "offset": 0,
    "provider_sid": "SM0123456789abcdef0123456789abcdef",
    "segments": 1,
    "answer": "Assistant 2a886b7d-d52d-4f8b-8ea0-19d3edc79214 was deleted.",
    "unique_key": "SM0123456789abcdef0123456789abcdef",
    "fsm_log": None,
    "possible_duplicate": False,
    "has_more": False,
    "created": True,
    "verdict": "open",
    "where": "greeting",
    "sentence": "The text has 340 characters.",
    "hint": "Keep to 320: longer messages are not read.",
    "opening": "Hi there!",
    "outcome": "no sender of ours has this number",
    "content_sid": "HX0123456789abcdef0123456789abcdef",
    "estimated": "0.0079",
    "charged": "0.0079",
    "price": "0.0079",
    "amount": "0.0079",
    "currency": "USD",
    "charged_currency": None,
    "prefix": "+1",
}


class Field(Struct, frozen=True, kw_only=True):
    """One field of a request, by its path."""

    name: str
    kind: str
    required: bool
    description: str


class Response(Struct, frozen=True, kw_only=True):
    """One way in which a call ends."""

    status: str
    description: str


class Operation(Struct, frozen=True, kw_only=True):
    """One operation, as the page shows it."""

    id: str
    method: str
    path: str
    aliases: list[str]
    summary: str
    paragraphs: list[str]
    permission: str
    parameters: list[Field]
    fields: list[Field]
    curl: str
    example: str
    responses: list[Response]


class Group(Struct, frozen=True, kw_only=True):
    """The operations of one subject."""

    name: str
    description: str
    operations: list[Operation]


def groups(document: dict[str, Any]) -> list[Group]:
    """The document's operations by subject, in its order."""
    by_tag: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "x-alias-of" not in operation:
                shown = _operation(document, path, method, operation)
                by_tag.setdefault(operation["tags"][0], []).append(shown)
    return [
        Group(name=tag["name"], description=tag["description"], operations=by_tag[tag["name"]])
        for tag in document["tags"]
        if tag["name"] in by_tag
    ]


def _operation(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Operation:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    _, _, rest = operation["description"].partition("\n")
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        aliases=_aliases(document, path, method),
        summary=operation["summary"],
        paragraphs=[" ".join(part.split()) for part in rest.split("\n\n") if part.strip()],
        permission=operation["x-permission"],
        parameters=[
            Field(
                name=one["name"],
                kind=f"{one['in']} · {_kind(document, one['schema'])}",
                required=one["required"],
                description=one.get("description", ""),
            )
            for one in operation["parameters"]
        ],
        fields=[] if body is None else list(_fields(document, body["schema"], "")),
        curl=_curl(document, path, method, operation, body),
        example=_example(document, operation),
        responses=[
            Response(status=status, description=told["description"]) for status, told in operation["responses"].items()
        ],
    )


def _aliases(document: dict[str, Any], path: str, method: str) -> list[str]:
    """Other names of a path, trailing slashes aside."""
    return [
        other
        for other, methods in document["paths"].items()
        if methods.get(method, {}).get("x-alias-of") == path and other.rstrip("/") != path
    ]


def _fields(document: dict[str, Any], schema: dict[str, Any], prefix: str) -> Iterator[Field]:
    shape = _resolved(document, schema)
    for name, inner in shape.get("properties", {}).items():
        yield Field(
            name=prefix + name,
            kind=_kind(document, inner),
            required=name in shape.get("required", ()),
            description=_said(document, inner),
        )
        if nested := next((one for one in _options(inner) if "$ref" in one), None):
            yield from _fields(document, nested, f"{prefix}{name}.")


def _kind(document: dict[str, Any], schema: dict[str, Any]) -> str:
    """A schema's type in a word or two."""
    kinds = [_one_kind(document, one) for one in _options(schema)]
    return " or ".join(dict.fromkeys(kinds)) or "any"


def _one_kind(document: dict[str, Any], schema: dict[str, Any]) -> str:
    shape = _resolved(document, schema)
    if "enum" in shape:
        return " | ".join(map(str, shape["enum"]))
    kind = str(shape.get("type", "any"))
    if kind == "array":
        return f"array of {_kind(document, shape.get('items', {}))}"
    if shape.get("format") == "date-time":
        return "time"
    least, most = shape.get("minimum"), shape.get("maximum")
    return f"{kind} {least}…{most}" if least is not None and most is not None else kind


def _said(document: dict[str, Any], schema: dict[str, Any]) -> str:
    direct = [schema, *schema.get("anyOf", ()), *(_resolved(document, one) for one in _options(schema))]
    return next((one["description"] for one in direct if "description" in one), "")


def _options(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return found


def _curl(document: dict[str, Any], path: str, method: str, operation: dict[str, Any], body: Any) -> str:
    for one in operation["parameters"]:
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", str(_SAMPLES.get(one["name"], one["name"])))
    asked = [one["name"] for one in operation["parameters"] if one["in"] == "query" and one["required"]]
    query = "?" + "&".join(f"{name}=unrouted" for name in asked) if asked else ""
    lines = [
        f'curl "$OVERTURE_URL{path}{query}"' if method == "get" else f'curl -X {method.upper()} "$OVERTURE_URL{path}"'
    ]
    if any("bearer" in one for one in operation["security"]):
        lines.append('  -H "Authorization: Bearer $OVERTURE_KEY"')
    if operation["x-permission"] == "provider":
        lines.append('  -H "X-Twilio-Signature: …" --data-urlencode "MessageSid=SM…"')
    if "text/csv" in operation.get("requestBody", {}).get("content", {}):
        lines.append('  -H "Content-Type: text/csv" --data-binary @prices.csv')
    if body is not None:
        lines.append('  -H "Content-Type: application/json"')
        example = body.get("example", None) or _sample(document, body["schema"], "", 0, only_required=True)
        pretty = msgspec.json.format(msgspec.json.encode(example), indent=2).decode()
        lines.append("  -d '" + pretty.replace("\n", "\n  ") + "'")
    return " \\\n".join(lines)


def _example(document: dict[str, Any], operation: dict[str, Any]) -> str:
    """What a call that went well answers."""
    told = next(iter(operation["responses"].values()))
    content = told.get("content", {})
    if "application/json" not in content:
        return ""
    sample = _sample(document, content["application/json"]["schema"], "", 0)
    return msgspec.json.format(msgspec.json.encode(sample), indent=2).decode()


def _sample(
    document: dict[str, Any], schema: dict[str, Any], name: str, depth: int, *, only_required: bool = False
) -> Any:
    options = _options(schema)
    shape: dict[str, Any] = _resolved(document, options[0]) if options else {"type": "null"}
    kind = shape.get("type")
    if name in _SAMPLES and kind not in {"object", "array"}:
        return _SAMPLES[name]
    if "enum" in shape:
        return shape["enum"][0]
    if kind == "object":
        required = shape.get("required", ())
        return {
            key: _sample(document, inner, key, depth + 1, only_required=only_required)
            for key, inner in shape.get("properties", {}).items()
            if depth < _DEEPEST and (not only_required or key in required)
        }
    if kind == "array":
        return [_sample(document, shape["items"], "", depth + 1)] if shape.get("items") else []
    if shape.get("format") == "date-time":
        return "2026-01-01T10:00:00Z"
    if shape.get("format") == "date":
        return "2026-01-01"
    return {"string": "…", "integer": 1, "number": 1.5, "boolean": True}.get(str(kind))
