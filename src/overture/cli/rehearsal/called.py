"""Which tool a request is a call of, and with which values: what its author declared, read backwards."""

import json
import re
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from overture.agents.tools import PLACEHOLDER
from overture.domain.agent import AgentSpec
from overture.domain.tool import HttpRequest, HttpTool

_UNKNOWN: Final = "a tool that is not declared"


class Called(Struct, frozen=True, kw_only=True):
    """A call of a tool with the values that stand in its request."""

    name: str
    given: dict[str, Any] = {}

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.given.items())})"


def recognise(spec: AgentSpec, request: HttpRequest) -> Called:
    """The tool whose declaration the request fits; of several the one that explains most of it."""
    fitting = [
        Called(name=tool.name, given=given)
        for tool in spec.tools
        if isinstance(tool, HttpTool) and (given := _read(tool, request)) is not None
    ]
    return max(fitting, key=lambda one: len(one.given), default=Called(name=_UNKNOWN))


def _read(tool: HttpTool, request: HttpRequest) -> dict[str, Any] | None:
    if tool.method != request.method:
        return None
    declared, asked = urlsplit(tool.url), urlsplit(request.url)
    given: dict[str, Any] = {}
    if declared.netloc != asked.netloc or not _fits(declared.path or "/", unquote(asked.path), given):
        return None
    wanted = {**dict(parse_qsl(declared.query, keep_blank_values=True)), **tool.query}
    for name, value in parse_qsl(asked.query, keep_blank_values=True):
        if name not in wanted or not _fits(wanted[name], value, given):
            return None
    if tool.body is None:
        return given if request.body is None else None
    return given if _fits_body(tool.body, json.loads(request.body or "{}"), given) else None


def _fits_body(template: Any, value: Any, given: dict[str, Any]) -> bool:
    match template, value:
        case dict(), dict():
            return all(key in template and _fits_body(template[key], one, given) for key, one in value.items())
        case list(), list():
            return all(_fits_body(*pair, given) for pair in zip(template, value, strict=False))
        case str(), str():
            return _fits(template, value, given)
        case str(), _ if (alone := PLACEHOLDER.fullmatch(template)) is not None:
            given[alone[1]] = value
            return True
        case _:
            return bool(template == value)


def _fits(template: str, text: str, given: dict[str, Any]) -> bool:
    pieces = PLACEHOLDER.split(template)  # literal, name, literal, name, …
    pattern = "".join("(.*)" if n % 2 else re.escape(piece) for n, piece in enumerate(pieces))
    found = re.fullmatch(pattern, text, re.DOTALL)
    if found is None:
        return False
    given.update(zip(pieces[1::2], found.groups(), strict=True))
    return True
