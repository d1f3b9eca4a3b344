"""What a linter sees in an agent's tools: what could not be called, or would be called with what nobody declared."""

import re
from collections.abc import Iterator
from typing import Any, Final, assert_never

from overture.agents import tools, variables
from overture.agents.lint_texts import Finding, error, warning
from overture.domain import tool_address, tool_secrets
from overture.domain.agent import AgentSpec, FlowSpec, Node, PromptSpec
from overture.domain.tool import EndTool, ExtractTool, FollowUpTool, HandOverTool, HttpTool, Parameter, Tool
from overture.domain.tool_address import NOWHERE, Surroundings

_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OWN_HEADERS: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "trailer", "upgrade"}
)
_FOR_SECRETS: Final = frozenset({"authorization", "x-api-key", "api-key", "cookie"})
_DECLARE: Final = "Declare it under parameters, or correct the name."
_RENAME: Final = "Choose another name."


def lint_tools(spec: AgentSpec, known: frozenset[str], surroundings: Surroundings | None) -> Iterator[Finding]:
    """Everything wrong with an agent's tools. Without `surroundings` nothing is known of the server's settings."""
    names: set[str] = set()
    for place, tool in enumerate(spec.tools):
        where = f"tools[{place}]"
        if tool.name in names:
            yield error(f"{where}.name", f"There are two tools '{tool.name}'.", _RENAME)
        names.add(tool.name)
        yield from _lint_tool(spec, where, tool, known, surroundings)


def _lint_tool(
    spec: AgentSpec, where: str, tool: Tool, known: frozenset[str], surroundings: Surroundings | None
) -> Iterator[Finding]:
    if isinstance(spec, FlowSpec) and not isinstance(tool, HttpTool):
        yield error(where, "A flow does this by its nodes: ask, end, hand_over.", "Take the tool out.")
    match tool:
        case HttpTool():
            yield from _lint_http(spec, where, tool, known, surroundings)
        case ExtractTool():
            yield from _lint_slot(spec, f"{where}.slot", tool.slot)
            if tool.question == "choice" and len(tool.choices) < 2:
                yield error(f"{where}.choices", "There is nothing to choose from.", "List at least two choices.")
            elif tool.question != "choice" and tool.choices:
                yield error(f"{where}.choices", f"A {tool.question} question has none.", "Set question: choice.")
        case EndTool():
            if isinstance(spec, PromptSpec) and not spec.end_reasons:
                yield warning(where, "Nobody said when the conversation may end.", "List end_reasons.")
        case FollowUpTool():
            if spec.max_follow_ups == 0:
                yield warning(where, "The agent never follows up: max_follow_ups is 0.", "Raise it, or drop the tool.")
        case HandOverTool():
            pass
        case _ as never:
            assert_never(never)


def _lint_http(
    spec: AgentSpec, where: str, tool: HttpTool, known: frozenset[str], surroundings: Surroundings | None
) -> Iterator[Finding]:
    if isinstance(spec, PromptSpec) and not tool.description.strip():
        hint = "Say what it does and when it is to be called."
        yield warning(f"{where}.description", "It is empty, so the model has to guess.", hint)
    yield from _lint_address(where, tool, surroundings)
    yield from _lint_placeholders(where, tool)
    yield from _lint_headers(where, tool, surroundings)
    for name, parameter in tool.parameters.items():
        yield from _lint_parameter(f"{where}.parameters.{name}", parameter, known)
    for slot in tool.save:
        yield from _lint_slot(spec, f"{where}.save.{slot}", slot)


def _lint_address(where: str, tool: HttpTool, surroundings: Surroundings | None) -> Iterator[Finding]:
    wrong = tool_address.unreadable(tool.url)
    if wrong is not None:
        yield error(f"{where}.url", f"The address {wrong}.", "Write it like https://api.example.com/bookings/{day}.")
        return
    wrong = tool_address.out_of_reach(tool.url, NOWHERE if surroundings is None else surroundings.reach)
    if wrong is not None:
        if surroundings is not None:
            yield error(f"{where}.url", f"The address {wrong}.", "Use https, or name the host in the setting.")
        else:
            hint = "No server was asked for its settings. One that does not name the host there refuses the agent."
            yield warning(f"{where}.url", f"Without a setting, the address {wrong}.", hint)
    if tool.method == "GET" and tool.body is not None:
        yield error(f"{where}.body", "A GET has no body.", "Put the values into query, or use another method.")


def _lint_placeholders(where: str, tool: HttpTool) -> Iterator[Finding]:
    used: set[str] = set()
    path = tool.url.partition("?")[0]
    for place, text in _texts(tool):
        for name in tools.PLACEHOLDER.findall(text):
            used.add(name)
            if name not in tool.parameters:
                yield error(f"{where}.{place}", f"'{name}' is no parameter of the tool.", _DECLARE)
        if "{{" in text:
            yield error(f"{where}.{place}", "A placeholder has one pair of braces here.", "Write {name}.")
        if tool_secrets.ANY_REFERENCE.search(text):
            hint = "Addresses and bodies are written into the journal."
            yield error(f"{where}.{place}", "A secret belongs into a header.", hint)
    for name in dict.fromkeys(tools.PLACEHOLDER.findall(path)):
        parameter = tool.parameters.get(name)
        if parameter is not None and not parameter.required:
            yield error(f"{where}.url", f"'{name}' is part of the path and not required.", "Set required: true.")
    for name in sorted(tool.parameters.keys() - used):
        yield warning(f"{where}.parameters.{name}", "It goes nowhere.", "Use it in url, query or body, or drop it.")


def _texts(tool: HttpTool) -> Iterator[tuple[str, str]]:
    """Every text that may hold parameters, with its place."""
    yield "url", tool.url
    for name, text in tool.query.items():
        yield f"query.{name}", text
    yield from _texts_in("body", tool.body)


def _texts_in(place: str, part: Any) -> Iterator[tuple[str, str]]:
    match part:
        case str():
            yield place, part
        case dict():
            for key, one in part.items():
                yield from _texts_in(f"{place}.{key}", one)
        case list():
            for number, one in enumerate(part):
                yield from _texts_in(f"{place}[{number}]", one)


def _lint_headers(where: str, tool: HttpTool, surroundings: Surroundings | None) -> Iterator[Finding]:
    for name, text in tool.headers.items():
        place = f"{where}.headers.{name}"
        if not _HEADER.fullmatch(name) or not text.isprintable() or not text.isascii():
            yield error(place, "No header can hold it.", "Use plain characters on one line.")
        if name.lower() in _OWN_HEADERS:
            yield error(place, "This header is ours to set.", "Take it out.")
        bare = tool_secrets.SECRET.sub("", text)
        if "{" in bare or "}" in bare:
            yield error(place, "A header takes secrets alone, no parameters.", "Write {secret:NAME}, NAME in capitals.")
        if name.lower() in _FOR_SECRETS and "{secret:" not in text:
            hint = "Write {secret:NAME} and set OVERTURE_SECRET_NAME: an agent is shown to everybody who may read it."
            yield warning(place, "It looks like a secret that stands in the agent itself.", hint)
    for name in tool_secrets.names_in(tool.headers.values()):
        if surroundings is not None and name not in surroundings.secrets:
            hint = f"Set OVERTURE_SECRET_{name}, or {name} under [secrets] in the settings' file."
            yield warning(f"{where}.headers", f"There is no secret '{name}'; every call would fail.", hint)


def _lint_parameter(where: str, parameter: Parameter, known: frozenset[str]) -> Iterator[Finding]:
    if parameter.enum is not None:
        kinds: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float)}
        right = kinds.get(parameter.type, ())
        if not parameter.enum or not all(isinstance(one, right) for one in parameter.enum):
            yield error(f"{where}.enum", f"It lists no values of type {parameter.type}.", "List them, or drop enum.")
    if parameter.bound is None:
        return
    for name in dict.fromkeys(variables.names_in(parameter.bound)):
        if name not in known:
            yield error(f"{where}.bound", f"'{name}' is not known.", "Name a variable, a slot or a system's name.")


def _lint_slot(spec: AgentSpec, where: str, slot: str) -> Iterator[Finding]:
    if slot in variables.SYSTEM:
        yield error(where, f"'{slot}' is a name of the system.", _RENAME)
    elif slot in spec.variables:
        yield error(where, f"'{slot}' is a variable, which a tool must not change.", _RENAME)


def lint_call(spec: FlowSpec, where: str, node: Node, known: frozenset[str]) -> Iterator[Finding]:
    """What is wrong with a node that calls a tool."""
    if node.call is None:
        return
    if node.ask is not None:
        yield error(f"{where}.call", "A node either asks or calls.", "Give the call a node of its own.")
    tool = tools.find(spec, node.call.tool)
    if not isinstance(tool, HttpTool):
        yield error(f"{where}.call.tool", f"There is no tool '{node.call.tool}'.", "List it under tools.")
        return
    given = {name: one for name, one in tool.parameters.items() if one.bound is None}
    for name, text in node.call.arguments.items():
        if name not in given:
            yield error(f"{where}.call.with.{name}", f"'{name}' is no parameter of '{tool.name}'.", "Correct the name.")
        for slot in variables.names_in(text) if isinstance(text, str) else ():
            if slot not in known:
                yield error(f"{where}.call.with.{name}", f"'{slot}' is neither a slot nor a variable.", "Correct it.")
    for name in sorted(name for name, one in given.items() if one.required and name not in node.call.arguments):
        yield error(f"{where}.call.with", f"The parameter '{name}' is missing.", f"Add {name}.")
    if not any(branch.when is not None and "tool." in branch.when for branch in node.then or ()):
        hint = "Add branches: if: tool.ok, and one for what failed or nobody knows the outcome of."
        yield warning(f"{where}.then", "The flow goes on as if the call had worked.", hint)


def early_call(name: str) -> Finding:
    """A flow that calls before it has asked anything."""
    return error(
        f"nodes.{name}.call",
        "It is called before the first question, but an opening is written before any turn.",
        "Ask something first.",
    )
