"""Reading requests: bytes into the types that routes take, or a sentence that names the field which is wrong."""

import re
from functools import cache
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

from overture.domain.agent import Json
from overture.domain.errors import Invalid

T = TypeVar("T")

_DEEPEST: Final = 20  # nested levels of a value that we keep; nobody's variables need five
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # PostgreSQL's text cannot hold it, and no phone shows it
_AT: Final = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>(?:key in )?\$?[^`]*)`)?$", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(.+)`")
_TYPES: Final = re.compile(r"Expected `(.+?)`, got `(.+?)`")
_LENGTH: Final = re.compile(r"Expected `(\w+)` of length (>=|<=) (\d+)")
_RANGE: Final = re.compile(r"Expected `(\w+)` (>=|<=|>|<) (\S+)")
_ENUM: Final = re.compile(r"Invalid enum value (.+)")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.+)`")
_STEP: Final = re.compile(r"([^.\[]+)(\[[0-9]+\])?")  # of the path to a field: `caps[0]`
_NAMES: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "an array",
    "null": "null",
    "datetime": "a time like 2026-01-31T12:00:00Z",
}


class BodyReader:
    """Decodes one route's bodies. Where no field is needed, no body stands for an empty object."""

    def __init__(self, kind: Any) -> None:
        self._kind: Final = kind
        self._decode: Final = msgspec.json.Decoder(kind).decode
        self._empty: Final = None if needs_body(kind) else msgspec.convert({}, kind)

    def read(self, body: bytes) -> Any:
        """The body's value. Raises Invalid, naming the field."""
        if not body and self._empty is not None:
            return self._empty
        try:
            value = self._decode(body)
        except msgspec.ValidationError as wrong:
            raise _told(wrong, self._kind) from wrong
        except msgspec.DecodeError as wrong:
            raise Invalid("invalid_request", _not_json(body, str(wrong)), hint="Send a JSON object.") from wrong
        except UnicodeDecodeError as wrong:
            raise Invalid("invalid_request", "The body is not UTF-8.", hint="Send JSON encoded as UTF-8.") from wrong
        except RecursionError as wrong:
            raise Invalid("invalid_request", "The body is nested too deeply.", hint="Flatten it.") from wrong
        check_encoded(body)
        return value


class QueryReader:
    """Decodes one route's query."""

    def __init__(self, kind: Any) -> None:
        self._kind: Final = kind
        needs_some = any(one.required for one in _fields(_shape(kind)))
        self._empty: Final = None if needs_some else msgspec.convert({}, kind)

    def read(self, query: bytes) -> Any:
        """The query's value. Raises Invalid, naming the parameter."""
        if not query and self._empty is not None:
            return self._empty
        pairs = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        if any("\x00" in value for value in pairs.values()):
            raise _nul()
        try:
            return msgspec.convert(pairs, self._kind, strict=False)
        except msgspec.ValidationError as wrong:
            raise _told(wrong, self._kind) from wrong


def needs_body(kind: Any) -> bool:
    """Whether a body of this type must be sent: one of its fields is required."""
    shape = _shape(kind)
    return not isinstance(shape, inspect.StructType) or any(one.required for one in shape.fields)


def convert(value: object, kind: type[T]) -> T:
    """A decoded value as a type. Raises Invalid, naming the field."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as wrong:
        raise _told(wrong, kind) from wrong


def check_encoded(body: bytes) -> None:
    """Refuse JSON that holds the one character which no database text can."""
    if b"\\u0000" in body and _NUL.search(body):
        raise _nul()


def _nul() -> Invalid:
    return Invalid("invalid_request", "Texts must not hold the character U+0000.", hint="Leave it out.")


def check_kept(field: str, value: Json, depth: int = 0) -> None:
    """Refuse what JSON could say but we could not keep: levels beyond reason, numbers beyond 64 bits."""
    match value:
        case dict() | list() if depth >= _DEEPEST:
            raise Invalid("invalid_request", f"{field} is nested deeper than {_DEEPEST} levels.", field=field)
        case dict():
            for key, inner in value.items():
                check_kept(f"{field}.{key}" if depth == 0 else field, inner, depth + 1)
        case list():
            for inner in value:
                check_kept(field, inner, depth + 1)
        case int() if not -(2**63) <= value < 2**63:
            raise Invalid(
                "invalid_request", f"{field} holds a number beyond 64 bits.", field=field, hint="Send it as a text."
            )
        case _:
            return


def _not_json(body: bytes, why: str) -> str:
    if not body.strip():
        return "The body is empty."
    return f"The body is not JSON: {why.removeprefix('JSON is malformed: ')}."


def _told(wrong: msgspec.ValidationError, kind: Any) -> Invalid:
    found = _AT.match(str(wrong))
    assert found is not None
    what, field = found["what"], _field(found["path"] or "$")
    if missing := _MISSING.fullmatch(what):
        field = f"{field}.{missing[1]}" if field else missing[1]
    spoken = field or "The body"
    described = _described(kind, field)
    return Invalid("invalid_request", _sentence(what, spoken, described), field=field or None, hint=_hint(described))


def _field(path: str) -> str:
    bare = path.removeprefix("key in ").removeprefix("$").removeprefix(".")
    return bare.replace("[...]", "")


def _sentence(what: str, spoken: str, described: inspect.Type | None) -> str:
    if _MISSING.fullmatch(what):
        return f"{spoken} is missing."
    if found := _TYPES.fullmatch(what):
        wanted = " or ".join(_NAMES.get(name.strip(), name.strip()) for name in found[1].split("|"))
        return f"{spoken} must be {wanted}, not {_NAMES.get(found[2], found[2])}."
    if found := _LENGTH.fullmatch(what):
        unit = "characters" if found[1] == "str" else "entries"
        return f"{spoken} must have at {'least' if found[2] == '>=' else 'most'} {found[3]} {unit}."
    if found := _RANGE.fullmatch(what):
        words = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
        return f"{spoken} must be {words[found[2]]} {found[3]}."
    if found := _ENUM.fullmatch(what):
        choices = _choices(described)
        return f"{spoken} is {found[1]}; it must be one of {', '.join(choices)}."
    if (found := _UNKNOWN.fullmatch(what)) and (known := [one.encode_name for one in _fields(described)]):
        return f"{spoken} has a field {found[1]!r} that means nothing; what it may have is {', '.join(known)}."
    if "matching regex" in what:
        return f"{spoken} does not have the form it must have."
    return f"{spoken} is not right: {what}."


@cache
def _shape(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _described(kind: Any, field: str) -> inspect.Type | None:
    """The declared type of a field by its path, None where it has none."""
    shape: inspect.Type | None = _shape(kind)
    for name, in_list in _STEP.findall(field):
        found = next((one.type for one in _fields(shape) if one.encode_name == name), None)
        shape = _item(found) if in_list else found
    return shape


def _item(shape: inspect.Type | None) -> inspect.Type | None:
    match shape:
        case inspect.ListType(item_type=inner):
            return inner
        case inspect.Metadata(type=inner):
            return _item(inner)
        case inspect.UnionType(types=types):
            return next((item for one in types if (item := _item(one))), None)
        case _:
            return None


def _fields(shape: inspect.Type | None) -> tuple[inspect.Field, ...]:
    match shape:
        case inspect.StructType(fields=fields):
            return fields
        case inspect.UnionType(types=types):
            return next((one.fields for one in types if isinstance(one, inspect.StructType)), ())
        case inspect.Metadata(type=inner):
            return _fields(inner)
        case _:
            return ()


def _choices(shape: inspect.Type | None) -> list[str]:
    match shape:
        case inspect.LiteralType(values=values):
            return [str(value) for value in values]
        case inspect.EnumType(cls=cls):
            return [str(member.value) for member in cls]
        case inspect.UnionType(types=types):
            return [choice for one in types for choice in _choices(one)]
        case inspect.Metadata(type=inner) | inspect.ListType(item_type=inner):
            return _choices(inner)
        case _:
            return []


def _hint(shape: inspect.Type | None) -> str | None:
    match shape:
        case inspect.Metadata(extra_json_schema=dict(schema)):
            return schema.get("description")
        case inspect.UnionType(types=types):
            return next((hint for one in types if (hint := _hint(one))), None)
        case _:
            return None
