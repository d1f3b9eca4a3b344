"""Tools within one turn of a prompt agent: the model wants calls, each is answered, and the model is asked again.

A call that cannot be made (arguments that are no JSON, a tool that does not exist, too many of them) is answered with
an error that the model reads, and counts like any other. Only requests to servers are needs of the turn; what a tool
does within the conversation is done here.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, assert_never

from msgspec import Struct
from msgspec.structs import replace

from overture.agents import tools
from overture.agents.kinds import speaking_up
from overture.domain.agent import Json, PromptSpec
from overture.domain.tool import MOST_CALLS, EndTool, ExtractTool, FollowUpTool, HandOverTool, HttpTool, Scalar
from overture.domain.turn import ModelRequest, NeedModel, NeedTool, Round, SpeakUp, ToolCall, ToolReturned

_NOTED = '{"ok":true}'
_SAY_IT = '{"ok":true,"next":"Write the last message to the contact now."}'


class Calling(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far the calls of a turn have come.

    `request` is what the model was asked at first; `text` and `calls` are its last answer, `results` what the first of
    those calls gave. `asks` is what a tool decided for the end of the turn.
    """

    request: ModelRequest
    rounds: tuple[Round, ...] = ()
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    results: tuple[str, ...] = ()
    asks: Literal["end", "hand_over"] | None = None
    note: str = ""
    speaks_up: SpeakUp | None = None

    @property
    def made(self) -> int:
        """How many calls were answered in this turn, refused ones included."""
        return sum(len(one.calls) for one in self.rounds) + len(self.results)

    @property
    def may_call(self) -> bool:
        """Whether the model may want more."""
        return self.asks is None and self.made < MOST_CALLS


class Gone(Struct, frozen=True, kw_only=True):
    """How far it went: to a need, or (without one) to the turn's last text."""

    calling: Calling
    slots: dict[str, Scalar]
    need: NeedTool | NeedModel | None


def wanted(calling: Calling, text: str, calls: tuple[ToolCall, ...]) -> Calling:
    """The model wants calls."""
    return replace(calling, text=text, calls=calls, results=())


def returned(calling: Calling, told: ToolReturned) -> Calling:
    """A call came back."""
    return replace(calling, results=(*calling.results, told.content))


def proceed(
    spec: PromptSpec, calling: Calling, variables: Mapping[str, Json], slots: Mapping[str, Scalar], now: datetime
) -> Gone:
    """Answer the calls that are left, up to one that is a request to a server; after the last, ask the model again."""
    noted = dict(slots)
    while len(calling.results) < len(calling.calls):
        call = calling.calls[len(calling.results)]
        result: str | NeedTool
        if not calling.may_call:
            result = tools.problem("No more calls in this turn: answer the contact now.")
        else:
            try:
                result, calling = _answer(spec, calling, call, variables, noted, now)
            except tools.BadCallError as wrong:
                result = tools.problem(str(wrong))
        if isinstance(result, NeedTool):
            return Gone(calling=calling, slots=noted, need=result)
        calling = replace(calling, results=(*calling.results, result))
    if calling.asks is not None and calling.text.strip():
        return Gone(calling=calling, slots=noted, need=None)
    done = Round(text=calling.text, calls=calling.calls, results=calling.results)
    calling = replace(calling, rounds=(*calling.rounds, done), text="", calls=(), results=())
    request = replace(calling.request, rounds=calling.rounds, may_call=calling.may_call)
    return Gone(calling=calling, slots=noted, need=NeedModel(request=request))


def _answer(
    spec: PromptSpec,
    calling: Calling,
    call: ToolCall,
    variables: Mapping[str, Json],
    noted: dict[str, Scalar],
    now: datetime,
) -> tuple[str | NeedTool, Calling]:
    """What one call gives at once, or what it needs. Raises BadCallError."""
    tool = tools.find(spec, call.name)
    if tool is None:
        known = ", ".join(one.name for one in spec.tools)
        raise tools.BadCallError(f"There is no tool {call.name[:64]!r}, only: {known}.")
    given = tools.read_arguments(call.arguments)
    match tool:
        case HttpTool():
            request = tools.prepare(tool, given, tools.values_of(variables, noted))
            need = NeedTool(tool=tool.name, request=request, changes=tool.changes, timeout_seconds=tool.timeout_seconds)
            return need, calling
        case ExtractTool():
            noted[tool.slot] = tools.extracted(tool, given)
            return _NOTED, calling
        case FollowUpTool():
            return speaking_up.NOTED, replace(calling, speaks_up=speaking_up.wish(spec, given, now))
        case EndTool():
            return _SAY_IT, replace(calling, asks="end", note=_reason(spec, given.get("reason")))
        case HandOverTool():
            note = given.get("note")
            return _SAY_IT, replace(calling, asks="hand_over", note=note[:300] if isinstance(note, str) else "")
        case _ as never:
            assert_never(never)


def _reason(spec: PromptSpec, given: object) -> str:
    """The author's own words for a reason. Raises BadCallError where it is none of them."""
    if not isinstance(given, str):
        raise tools.BadCallError("The reason is missing.")
    known = [reason for reason in spec.end_reasons if reason.strip()]
    found = next((reason for reason in known if reason.casefold() == given.strip(" .").casefold()), None)
    if found is None and known:
        raise tools.BadCallError(f"The reason must be one of: {'; '.join(known)}.")
    return found or given[:300]
