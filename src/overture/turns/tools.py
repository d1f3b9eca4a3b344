"""Call a tool: its intent is committed before the call, its outcome after, and a change is never made twice.

Which outcome an answer is depends on whether the call changes something. What only looked may look again after any
failure. A change counts as not made where nothing was sent, or where the server said that it is too busy; after a
silence, a redirect or a server's own error nobody knows, and nobody tries again.
"""

import asyncio
from datetime import datetime
from hashlib import sha256
from typing import Final

from msgspec.structs import replace

from overture import log
from overture.agents import tools
from overture.domain.agent import AgentSpec
from overture.domain.errors import Failure, Misconfigured, OutcomeUnknown, Unavailable
from overture.domain.ports import ToolCaller
from overture.domain.tool import HttpAnswer, HttpRequest, HttpTool
from overture.domain.turn import NeedTool, ToolReturned
from overture.store.conversations import Conversation
from overture.store.engine import Store
from overture.turns.journal import Journal, digest_of

GRACE_SECONDS: Final = 1.0  # the caller keeps the time itself; where it fails to, the turn goes on
_BUSY: Final = frozenset({408, 425, 429})  # a server's word that it did nothing
_log: Final = log.get(__name__)


class NoTools:
    """A ToolCaller where none is set up."""

    async def call(self, request: HttpRequest, *, timeout_seconds: float) -> HttpAnswer:
        """Nothing is called."""
        raise Misconfigured("tools_missing", "Tools are not set up here.")


async def call_tool(
    need: NeedTool,
    *,
    spec: AgentSpec,
    claimed: Conversation,
    caller: ToolCaller,
    store: Store,
    journal: Journal,
    deadline: datetime,
) -> ToolReturned:
    """What came of a call, now or before. Raises LostError where the turn is not ours any more."""
    tool = tools.find(spec, need.tool)
    if not isinstance(tool, HttpTool):
        return tools.failed(need.tool, "There is no such tool.")
    if (known := journal.find_call(need)) is not None:
        return known
    left = (deadline - store.now()).total_seconds()
    if left <= 0:
        return tools.failed(need.tool, "There was no time left for it.")
    number = await journal.begin_call(need)
    told = await _call(need, tool, claimed, caller, min(left, need.timeout_seconds))
    await journal.end_call(number, need, told)
    return told


async def _call(
    need: NeedTool, tool: HttpTool, claimed: Conversation, caller: ToolCaller, timeout_seconds: float
) -> ToolReturned:
    request = _with_key(need, claimed) if need.changes else need.request
    try:
        async with asyncio.timeout(timeout_seconds + GRACE_SECONDS):
            answer = await caller.call(request, timeout_seconds=timeout_seconds)
    except Unavailable:
        raise
    except (OutcomeUnknown, TimeoutError) as unsure:
        why = unsure.description if isinstance(unsure, OutcomeUnknown) else "The tool did not answer in time."
        _log.warning("tool_unanswered", conversation_id=claimed.id, tool=need.tool, why=why, changes=need.changes)
        return tools.unknown(need.tool) if need.changes else tools.failed(need.tool, why)
    except Failure as failure:
        _log.warning("tool_failed", conversation_id=claimed.id, tool=need.tool, code=failure.code, hint=failure.hint)
        return tools.failed(need.tool, failure.description)
    told = tools.read_answer(tool, answer)
    if 300 <= answer.status < 400:
        _log.warning("tool_redirects", conversation_id=claimed.id, tool=need.tool, status=answer.status)
        return replace(told, outcome="unknown" if need.changes else "failed")
    if answer.status < 500 and answer.status not in _BUSY:
        return told
    if need.changes and answer.status >= 500:
        _log.warning("tool_unanswered", conversation_id=claimed.id, tool=need.tool, why=f"It answered {answer.status}.")
        return replace(tools.unknown(need.tool), status=answer.status)
    return replace(told, outcome="failed")


def _with_key(need: NeedTool, claimed: Conversation) -> HttpRequest:
    """The request with a key by which its server can tell a repetition, unless the author sends one of their own."""
    if any(name.lower() == "idempotency-key" for name in need.request.headers):
        return need.request
    wish = f"{claimed.workspace_id}\n{claimed.id}\n{claimed.turns}\n{digest_of(need)}"
    key = sha256(wish.encode()).hexdigest()[:32]
    return replace(need.request, headers={**need.request.headers, "Idempotency-Key": key})
