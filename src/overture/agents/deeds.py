"""What an agent did besides talking, from its journal, as events of the log of states.

A request holds what the server filled in and names of secrets, an answer what a stranger's server said: neither is
shown. What a model wrote is shown where its tool declares it, cut short.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, assert_never

import msgspec
from msgspec import Struct

from overture.agents import tools
from overture.domain.agent import AgentSpec, Json
from overture.domain.tool import EndTool, ExtractTool, FollowUpTool, HandOverTool, HttpTool, Tool
from overture.domain.turn import ModelAnswered, NeedTool, Searched, ToolCall, ToolReturned

SHOWN: Final = 200  # characters of an argument: enough to recognise it by
_MOST_CALLS: Final = 20  # of one answer of a model; a turn makes six at most

_read_answer: Final = msgspec.json.Decoder(ModelAnswered).decode
_read_need: Final = msgspec.json.Decoder(NeedTool).decode
_read_told: Final = msgspec.json.Decoder(ToolReturned).decode
_read_found: Final = msgspec.json.Decoder(Searched).decode


class Step(Struct, frozen=True, kw_only=True):
    """A step of the journal; `result` is None where nobody wrote down what came of it."""

    kind: str
    request: str
    result: str | None
    started_at: datetime
    finished_at: datetime | None


class Deed(Struct, frozen=True, kw_only=True):
    """One event: its type is one of the chat API's."""

    event_type: str
    at: datetime
    details: dict[str, Json]


def deeds(spec: AgentSpec, steps: Iterable[Step]) -> list[Deed]:
    """The events of steps, in the order in which the steps were taken."""
    told: list[Deed] = []
    for step in steps:
        ended_at = step.finished_at or step.started_at
        match step.kind:
            case "model" if (answer := _answer(step)) is not None:
                told.extend(_wish(spec, call, ended_at) for call in answer.calls[:_MOST_CALLS])
            case "tool":
                told.extend(_call(step, ended_at))
            case "search" if step.result is not None:
                passages = len(_read_found(step.result).passages)
                told.append(_deed("action_executed", ended_at, {"action": "search", "passages": passages}))
            case _:
                pass
    return told


def _answer(step: Step) -> ModelAnswered | None:
    """A model's answer; what is kept of one that failed is none."""
    try:
        return None if step.result is None else _read_answer(step.result)
    except msgspec.DecodeError:
        return None


def _call(step: Step, ended_at: datetime) -> list[Deed]:
    need = _read_need(step.request)
    called: dict[str, Json] = {"command": need.tool, "changes": need.changes}
    if step.result is None:  # cut off between the intent and the result, or under way
        return [_deed("command_executed", step.started_at, {**called, "outcome": "unknown"})]
    told = _read_told(step.result)
    done: dict[str, Json] = {"action": need.tool, "outcome": told.outcome, "ok": told.ok, "status": told.status}
    done["saved"] = [*sorted(told.saved)]
    kind = "action_executed" if told.outcome == "done" else "action_failed"
    return [_deed("command_executed", step.started_at, called), _deed(kind, ended_at, done)]


def _wish(spec: AgentSpec, call: ToolCall, at: datetime) -> Deed:
    """A tool that a model wants called. One that nobody declared is named, and its arguments are not shown."""
    tool = tools.find(spec, call.name)
    if tool is None:
        return _deed("command_failed", at, {"command": call.name[:64], "reason": "There is no such tool."})
    try:
        given = tools.read_arguments(call.arguments)
    except tools.BadCallError as bad:
        return _deed("command_failed", at, {"command": tool.name, "reason": str(bad)})
    shown: dict[str, Json] = {name: _short(given[name]) for name in _declared(tool) if name in given}
    return _deed("command_received", at, {"command": tool.name, "arguments": shown})


def _declared(tool: Tool) -> list[str]:
    match tool:
        case HttpTool(parameters=parameters):
            return [name for name, one in parameters.items() if one.bound is None]
        case ExtractTool():
            return ["value"]
        case EndTool():
            return ["reason"]
        case HandOverTool():
            return ["note"]
        case FollowUpTool():
            return ["after", "about"]
        case _ as never:
            assert_never(never)


def _short(value: Json) -> Json:
    if value is None or isinstance(value, bool | float):
        return value
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return value if isinstance(value, int) and len(text) <= SHOWN else text[:SHOWN]


def _deed(event_type: str, at: datetime, details: dict[str, Json]) -> Deed:
    return Deed(event_type=event_type, at=at, details=details)
