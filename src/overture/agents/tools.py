"""Tools as an agent uses them: what a model is offered, what becomes of its arguments, what an answer is worth.

Arguments come from models and contacts, so none is taken at its word: each is checked against its declaration, and a
call that breaks it is told back and never made. Pure: a call is prepared here, made elsewhere, and read here again.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, assert_never
from urllib.parse import quote, unquote, urlencode

import msgspec

from overture.agents import variables
from overture.domain.agent import AgentSpec, Json
from overture.domain.tool import (
    SHOWN,
    EndTool,
    ExtractTool,
    FollowUpTool,
    HandOverTool,
    HttpAnswer,
    HttpRequest,
    HttpTool,
    Parameter,
    Scalar,
    Tool,
)
from overture.domain.turn import ToolOffer, ToolReturned

LONGEST_ARGUMENTS: Final = 16 * 1024  # characters of a model's arguments; declared ones fill a fraction of that
SAVED_LENGTH: Final = 500  # characters of a slot, as of a variable
UNSURE: Final = "Nobody knows whether this was done. Do not call it again; say that a colleague will make sure of it."

PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,63})\}")
_STEP: Final = re.compile(r"\.([A-Za-z0-9_-]+)|\[([0-9]+)\]")
_UNSAFE_IN_PATH: Final = re.compile(r"[\x00-\x1f\x7f/\\%]")
_LITERAL: Final = "/?&=%:@!$'()*+,;~-._"
_LARGEST_WHOLE: Final = 2**53  # beyond it JSON readers disagree
_LARGEST: Final = 1e300  # and beyond this some give up


class BadCallError(Exception):
    """A call that is not made; the text says why, to the model or the log."""


def find(spec: AgentSpec, name: str) -> Tool | None:
    """The agent's tool of a name."""
    return next((tool for tool in spec.tools if tool.name == name), None)


def slots(spec: AgentSpec) -> frozenset[str]:
    """The slots that tools fill."""
    filled: set[str] = set()
    for tool in spec.tools:
        match tool:
            case HttpTool(save=save):
                filled.update(save)
            case ExtractTool(slot=slot):
                filled.add(slot)
            case EndTool() | HandOverTool() | FollowUpTool():
                pass
            case _ as never:
                assert_never(never)
    return frozenset(filled)


def values_of(given: Mapping[str, Json], collected: Mapping[str, Scalar]) -> dict[str, Json]:
    """The values that a call may be filled with. The system's own win, whatever a contact made be noted down."""
    own = {name: given[name] for name in variables.SYSTEM if name in given}
    return {**given, **collected, **own}


def offers(spec: AgentSpec) -> tuple[ToolOffer, ...]:
    """The tools as a model sees them."""
    reasons = [reason for reason in getattr(spec, "end_reasons", []) if reason.strip()]
    return tuple(_offer(tool, reasons) for tool in spec.tools)


def _offer(tool: Tool, reasons: list[str]) -> ToolOffer:
    match tool:
        case HttpTool(parameters=parameters):
            seen = {name: one for name, one in parameters.items() if one.bound is None}
            required = [name for name, one in seen.items() if one.required]
            schema = _object({name: _schema(one) for name, one in seen.items()}, required)
            return ToolOffer(name=tool.name, description=tool.description, schema=schema)
        case ExtractTool():
            value = {"yes_no": {"type": "boolean"}, "choice": {"type": "string", "enum": list(tool.choices)}}
            kind: dict[str, Json] = value.get(tool.question, {"type": "string"})  # type: ignore[assignment]
            told = f"Note down what the contact said, as soon as you know it: {tool.description}"
            return ToolOffer(name=tool.name, description=told, schema=_object({"value": kind}, ["value"]))
        case EndTool():
            reason: dict[str, Json] = {"type": "string"} if not reasons else {"type": "string", "enum": [*reasons]}
            told = "End the conversation. The text of the same answer, or of the next one, is the goodbye."
            return ToolOffer(name=tool.name, description=told, schema=_object({"reason": reason}, ["reason"]))
        case FollowUpTool():
            told = (
                "Follow up later, if the contact has not written until then: they asked for it, or an answer of theirs "
                "is needed. It replaces any earlier wish. You are asked for the message when its time has come."
            )
            when = 'A length such as "2h" or "1d12h", or a day and a time such as "2027-03-02 10:00"'
            asked: dict[str, Json] = {
                "after": {"type": "string", "description": when},
                "about": {"type": "string", "description": "What to write about then, in a few words"},
            }
            return ToolOffer(name=tool.name, description=told, schema=_object(asked, [*asked]))
        case HandOverTool():
            note: dict[str, Json] = {"type": "string", "description": "What the colleague should know"}
            told = (
                "Bring a colleague in: the contact asks for a person, or you cannot help. The text of the same answer, "
                "or of the next one, tells the contact."
            )
            return ToolOffer(name=tool.name, description=told, schema=_object({"note": note}, ["note"]))
        case _ as never:
            assert_never(never)


def _object(properties: Mapping[str, Json], required: list[str]) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [*required],
        "additionalProperties": False,
    }


def _schema(parameter: Parameter) -> dict[str, Json]:
    schema: dict[str, Json] = {"type": parameter.type}
    if parameter.description:
        schema["description"] = parameter.description
    if parameter.enum is not None:
        schema["enum"] = [*parameter.enum]
    if parameter.type == "string" and parameter.enum is None:
        schema["maxLength"] = parameter.max_length
    return schema


def read_arguments(text: str) -> dict[str, Any]:
    """The arguments that a model wrote. Raises BadCallError."""
    if len(text) > LONGEST_ARGUMENTS:
        raise BadCallError("The arguments are too long.")
    try:
        read = msgspec.json.decode(text.encode() or b"{}")
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as wrong:
        raise BadCallError("The arguments are no JSON.") from wrong
    if not isinstance(read, dict):
        raise BadCallError("The arguments are no JSON object.")
    return read


def extracted(tool: ExtractTool, given: Mapping[str, Any]) -> Scalar:
    """What a model noted down. Raises BadCallError."""
    parameter = Parameter(
        type="boolean" if tool.question == "yes_no" else "string",
        enum=[*tool.choices] if tool.question == "choice" else None,
        max_length=tool.max_length,
    )
    value = _checked("value", parameter, given.get("value"))
    return variables.clean(value, tool.max_length) if isinstance(value, str) else value


def from_flow(tool: HttpTool, given: Mapping[str, Scalar], values: Mapping[str, Json]) -> dict[str, Any]:
    """The arguments of a flow's call: its texts filled, each as the type that its parameter has where it reads so."""
    arguments: dict[str, Any] = {}
    for name, text in given.items():
        value: Any = text
        if isinstance(text, str):
            alone = PLACEHOLDER.fullmatch(text.strip())
            value = values.get(alone[1]) if alone else variables.fill_message(text, values, variables.names_in(text))
        parameter = tool.parameters.get(name)
        if value is not None and value != "":
            arguments[name] = value if parameter is None else _converted(parameter, value)
    return arguments


def prepare(tool: HttpTool, given: Mapping[str, Any], values: Mapping[str, Json]) -> HttpRequest:
    """The request that a call is. Raises BadCallError where the arguments break what the tool declares."""
    known = {name for name, parameter in tool.parameters.items() if parameter.bound is None}
    if strange := sorted(given.keys() - known):
        raise BadCallError(f"There is no parameter {strange[0][:64]!r}.")
    arguments: dict[str, Scalar] = {}
    for name, parameter in tool.parameters.items():
        value = given.get(name)
        if parameter.bound is not None:
            filled = variables.fill_message(parameter.bound, values, variables.names_in(parameter.bound))
            value = _converted(parameter, filled) if filled else None
        if value is not None:
            arguments[name] = _checked(name, parameter, value)
        elif parameter.required:
            raise BadCallError(f"The parameter {name!r} is missing.")
    body = None if tool.body is None else json.dumps(_filled(tool.body, arguments), ensure_ascii=False)
    headers = dict(tool.headers)
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    return HttpRequest(method=tool.method, url=_url(tool, arguments), headers=headers, body=body)


def _converted(parameter: Parameter, value: Any) -> Any:
    """A value that is at hand as text or as number, in its parameter's type; as it is where it does not read so."""
    if parameter.type == "string":
        return variables.shown(value)
    if not isinstance(value, str):
        return value
    try:
        return {"true": True, "false": False}[value] if parameter.type == "boolean" else msgspec.json.decode(value)
    except (KeyError, msgspec.DecodeError, UnicodeEncodeError):
        return value


def _checked(name: str, parameter: Parameter, value: Any) -> Scalar:
    """A value of its parameter's type. Raises BadCallError."""
    checked: Scalar
    match parameter.type, value:
        case "string", str():
            if len(value) > parameter.max_length:
                raise BadCallError(f"{name!r} has more than {parameter.max_length} characters.")
            if any("\ud800" <= char <= "\udfff" for char in value):
                raise BadCallError(f"{name!r} is no text.")
            checked = value
        case "boolean", bool():
            checked = value
        case (("integer" | "number"), bool()):
            raise BadCallError(f"{name!r} must be of type {parameter.type}.")
        case "integer", int() | float():
            if not abs(value) <= _LARGEST_WHOLE or value != int(value):  # neither holds for what is no number
                raise BadCallError(f"{name!r} must be a whole number.")
            checked = int(value)
        case "number", int() | float():
            if not abs(value) <= _LARGEST:
                raise BadCallError(f"{name!r} must be a number.")
            checked = value
        case _:
            raise BadCallError(f"{name!r} must be of type {parameter.type}.")
    if parameter.enum is not None and checked not in parameter.enum:
        raise BadCallError(f"{name!r} must be one of {', '.join(map(str, parameter.enum))}.")
    return checked


def _url(tool: HttpTool, arguments: Mapping[str, Scalar]) -> str:
    """The address with its values, none of which can leave its place in the path or in the query."""
    scheme, _, rest = tool.url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    path, _, query = rest[len(authority) :].partition("#")[0].partition("?")
    path = PLACEHOLDER.sub(lambda match: _segment(match[1], arguments), _quoted(path))
    if any(unquote(segment) in {".", ".."} for segment in path.split("/")):
        raise BadCallError("A value would lead to another path.")
    written = PLACEHOLDER.sub(lambda match: quote(_text(arguments.get(match[1])), safe=""), _quoted(query))
    added = urlencode(
        {name: _replaced(text, arguments) for name, text in tool.query.items() if not _is_absent(text, arguments)}
    )
    joined = "&".join(part for part in (written, added) if part)
    return f"{scheme}://{authority}{path or '/'}{'?' if joined else ''}{joined}"


def _quoted(literal: str) -> str:
    return "".join(
        part if PLACEHOLDER.fullmatch(part) else quote(part, safe=_LITERAL)
        for part in re.split(f"({PLACEHOLDER.pattern.replace('(', '(?:', 1)})", literal)
    )


def _segment(name: str, arguments: Mapping[str, Scalar]) -> str:
    text = _text(arguments.get(name))
    if not text or _UNSAFE_IN_PATH.search(text):
        raise BadCallError(f"{name!r} is part of an address: it must not be empty or hold a slash or a percent sign.")
    return quote(text, safe="")


def _filled(template: Any, arguments: Mapping[str, Scalar]) -> Any:
    """A body with its values; what stands for a value that was not given is left out."""
    match template:
        case dict():
            return {key: _filled(one, arguments) for key, one in template.items() if not _is_absent(one, arguments)}
        case list():
            return [_filled(one, arguments) for one in template if not _is_absent(one, arguments)]
        case str():
            alone = PLACEHOLDER.fullmatch(template)
            return arguments[alone[1]] if alone else _replaced(template, arguments)
        case _:
            return template


def _is_absent(template: Any, arguments: Mapping[str, Scalar]) -> bool:
    alone = PLACEHOLDER.fullmatch(template) if isinstance(template, str) else None
    return alone is not None and alone[1] not in arguments


def _replaced(template: str, arguments: Mapping[str, Scalar]) -> str:
    return PLACEHOLDER.sub(lambda match: _text(arguments.get(match[1])), template)


def _text(value: Scalar | None) -> str:
    return value if isinstance(value, str) else variables.shown(value)


def read_answer(tool: HttpTool, answer: HttpAnswer) -> ToolReturned:
    """What a server's answer comes to: whether it is the one hoped for, what is shown of it and what is kept."""
    said, text = _said(answer)
    ok = 200 <= answer.status < 300 and (said is not msgspec.UNSET or not tool.save)
    told: dict[str, Any] = {"ok": ok, "status": answer.status}
    if 300 <= answer.status < 400:
        told["error"] = _redirected(answer.status, changes=tool.changes)
    elif said is not msgspec.UNSET and len(text) <= SHOWN:
        told["answer"] = said
    elif text:
        told["answer_begins"] = text[:SHOWN]
    elif answer.body:
        told["error"] = f"The answer is no JSON ({answer.content_type or 'of no type'})."
    saved: dict[str, Scalar] = {}
    for slot, path in tool.save.items() if ok else ():
        value = _kept(_at(said, path))
        if value is not None:
            saved[slot] = value
    return ToolReturned(
        tool=tool.name,
        outcome="done",
        ok=ok,
        status=answer.status,
        content=msgspec.json.encode(told).decode(),
        saved=saved,
    )


def _redirected(status: int, *, changes: bool) -> str:
    said = f"The server answered with a redirect ({status}), which is not followed."
    return f"{said} Outcome unknown. {UNSURE}" if changes else f"{said} The tool's address should be the final one."


def failed(tool: str, sentence: str) -> ToolReturned:
    """A call that certainly changed nothing."""
    return ToolReturned(tool=tool, outcome="failed", content=problem(sentence))


def unknown(tool: str) -> ToolReturned:
    """A call that may have changed something."""
    return ToolReturned(tool=tool, outcome="unknown", content=problem(f"Outcome unknown. {UNSURE}"))


def problem(sentence: str) -> str:
    """A tool's error as a model reads it."""
    return msgspec.json.encode({"ok": False, "error": sentence}).decode()


def _said(answer: HttpAnswer) -> tuple[Any, str]:
    """An answer as JSON (UNSET where it is none) and as a text to show (empty where it is neither JSON nor plain)."""
    kind = answer.content_type.partition(";")[0].strip()
    if not answer.body or not (kind in {"", "application/json", "text/plain"} or kind.endswith("+json")):
        return msgspec.UNSET, ""
    text = answer.body.decode("utf-8", "replace")
    if not answer.is_whole:
        return msgspec.UNSET, text
    try:
        return msgspec.json.decode(answer.body), text
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return msgspec.UNSET, text if kind == "text/plain" else ""


def _at(said: Any, path: str) -> Any:
    """What stands at a path of an answer, None where nothing does."""
    for step in _STEP.finditer(path):
        if step[1] is not None and isinstance(said, dict):
            said = said.get(step[1])
        elif step[2] is not None and isinstance(said, list) and int(step[2]) < len(said):
            said = said[int(step[2])]
        else:
            return None
    return said


def _kept(value: Any) -> Scalar | None:
    match value:
        case None:
            return None
        case bool() | int() | float():
            return value
        case _:
            return variables.shown(value, SAVED_LENGTH)
