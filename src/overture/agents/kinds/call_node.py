"""The node of a flow that calls a tool: the request it makes, and what the flow keeps of the answer."""

from collections.abc import Mapping

from overture.agents import tools
from overture.domain.agent import Call, FlowSpec, Json
from overture.domain.tool import HttpTool, Scalar
from overture.domain.turn import NeedTool, ToolReturned


def need(
    spec: FlowSpec, call: Call, given: Mapping[str, Json], collected: Mapping[str, Scalar]
) -> NeedTool | ToolReturned | None:
    """The call to make, what came of one that cannot be made, or None where there is no such tool."""
    tool = tools.find(spec, call.tool)
    if not isinstance(tool, HttpTool):
        return None
    values = tools.values_of(given, collected)
    try:
        request = tools.prepare(tool, tools.from_flow(tool, call.arguments, values), values)
    except tools.BadCallError as wrong:
        return tools.failed(tool.name, str(wrong))
    return NeedTool(tool=tool.name, request=request, changes=tool.changes, timeout_seconds=tool.timeout_seconds)


def keep(spec: FlowSpec, told: ToolReturned, slots: dict[str, Scalar]) -> None:
    """Keep what a call gave; what an earlier call of the same tool gave is over."""
    tool = tools.find(spec, told.tool)
    for slot in tool.save if isinstance(tool, HttpTool) else ():
        slots.pop(slot, None)
    slots.update(told.saved)
