"""Assistants: the hosted platform's name for agents, with its create, read, update and delete."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from overture.actions.save_agent import Saved, Unsound, save_agent
from overture.domain.access import Scope
from overture.domain.agent import FlowSpec, PromptSpec
from overture.domain.errors import NotAllowed, Refusal, Unknown
from overture.store import agents, senders
from overture.store.agents import AgentRecord
from overture.store.engine import Reading, Writing
from overture.web import reading
from overture.web.api import assistant_shapes
from overture.web.api.assistant_shapes import AssistantChange, NewAssistant
from overture.web.routes import SPEC_BODY, Call, delete, get, post, put


class AssistantId(Struct, frozen=True, kw_only=True):
    """The assistant's id: the `agent_id` and `model_id` of the chat calls."""

    model_id: str


class AssistantSaved(Struct, frozen=True, kw_only=True):
    """An assistant is on disk."""

    status: Literal["success"] = "success"
    response: AssistantId
    details: dict[str, Any] = {}


class Pagination(Struct, frozen=True, kw_only=True):
    """Where a page stands."""

    total_records: int
    limit: int
    offset: int


class AssistantPage(Struct, frozen=True, kw_only=True):
    """Assistants, with every field their authors sent."""

    pagination: Pagination
    assistants: list[dict[str, Any]]


class AssistantList(Struct, frozen=True, kw_only=True):
    """A page of assistants; one that was asked for by its id comes as an array of one."""

    status: Literal["success"] = "success"
    response: AssistantPage


class Deletion(Struct, frozen=True, kw_only=True):
    """What was done."""

    answer: str


class AssistantDeleted(Struct, frozen=True, kw_only=True):
    """An assistant is out of use."""

    status: Literal["success"] = "success"
    response: Deletion


class ListAssistants(Struct, frozen=True, kw_only=True):
    """Which assistants."""

    limit: Annotated[int, Meta(ge=1, le=200, description="How many.")] = 20
    offset: Annotated[int, Meta(ge=0, le=1_000_000, description="After how many.")] = 0


@post(
    "/v2/assistants",
    "/v2/assistants/",
    may=Scope.WRITE,
    takes=NewAssistant,
    gives=AssistantSaved,
    tag="Assistants",
    body_limit=SPEC_BODY,
    example={
        "name": "Support",
        "type": "chat",
        "agent": {"prompt": "You answer for a hair salon.", "greeting_message": "Hello!", "language": "en-US"},
    },
    refusals=(400, 413),
)
async def create_assistant(call: Call[NewAssistant, None]) -> AssistantSaved | Refusal:
    """Create an assistant.

    It is an agent that a model carries by a prompt.
    """
    given = _given(call.raw)
    spec = assistant_shapes.to_spec(call.body, None, call.parts.model_endpoints)
    now, ids = call.now, call.parts.ids
    saved = await call.parts.store.write(
        lambda tx: save_agent(tx, workspace_id=call.workspace_id, spec=spec, details=given, now=now, ids=ids)
    )
    return _told(saved)


@get("/v2/assistants", "/v2/assistants/", may=Scope.READ, asks=ListAssistants, gives=AssistantList, tag="Assistants")
async def list_assistants(call: Call[None, ListAssistants]) -> AssistantList:
    """List assistants.

    Newest first; flow agents stand among them with their specification.
    """
    asked = call.query

    async def look(tx: Reading) -> tuple[list[AgentRecord], int, dict[str, list[str]]]:
        found, total = await agents.list_page(tx, call.workspace_id, limit=asked.limit, offset=asked.offset)
        return found, total, await _numbers(tx, call.workspace_id)

    found, total, numbers = await call.parts.store.read(look)
    shown = [assistant_shapes.view(one, numbers.get(one.agent.id, [])) for one in found]
    return _page(shown, Pagination(total_records=total, limit=asked.limit, offset=asked.offset))


@get(
    "/v2/assistants/{model_id}",
    "/v2/assistants/{model_id}/",
    may=Scope.READ,
    gives=AssistantList,
    tag="Assistants",
    refusals=(404,),
)
async def get_assistant(call: Call[None, None]) -> AssistantList:
    """Get an assistant.

    It comes as an array of one.
    """
    an_id = call.path["model_id"]

    async def look(tx: Reading) -> tuple[AgentRecord | None, dict[str, list[str]]]:
        return await agents.find(tx, call.workspace_id, an_id), await _numbers(tx, call.workspace_id)

    found, numbers = await call.parts.store.read(look)
    if found is None:
        raise _unknown(an_id)
    shown = [assistant_shapes.view(found, numbers.get(an_id, []))]
    return _page(shown, Pagination(total_records=1, limit=1, offset=0))


@put(
    "/v2/assistants/{model_id}",
    "/v2/assistants/{model_id}/",
    may=Scope.WRITE,
    takes=AssistantChange,
    gives=AssistantSaved,
    tag="Assistants",
    body_limit=SPEC_BODY,
    example={"agent": {"greeting_message": "Good morning!"}},
    refusals=(400, 404, 413),
)
async def update_assistant(call: Call[AssistantChange, None]) -> AssistantSaved | Refusal:
    """Update an assistant.

    Only the given fields change, as a new version. Conversations keep the version they began with.
    """
    given, an_id = _given(call.raw), call.path["model_id"]
    endpoints, ids = call.parts.model_endpoints, call.parts.ids

    async def change(tx: Writing) -> Saved | Refusal:
        found = await agents.find(tx, call.workspace_id, an_id)
        if found is None:
            return _unknown(an_id)
        spec = found.agent.spec
        if isinstance(spec, FlowSpec):
            return _is_flow()
        details = assistant_shapes.merge(assistant_shapes.details_of(found), given)
        changed = _meaning(details, spec, endpoints)
        return await save_agent(
            tx,
            workspace_id=call.workspace_id,
            spec=changed,
            details=details,
            now=call.now,
            ids=ids,
            agent_id=an_id,
        )

    return _told(await call.parts.store.write(change))


@delete(
    "/v2/assistants/{model_id}",
    "/v2/assistants/{model_id}/",
    may=Scope.WRITE,
    gives=AssistantDeleted,
    tag="Assistants",
    refusals=(404,),
)
async def delete_assistant(call: Call[None, None]) -> AssistantDeleted:
    """Delete an assistant.

    No conversation begins with it any more; those that run go on.
    """
    an_id = call.path["model_id"]
    if not await call.parts.store.write(lambda tx: agents.delete(tx, call.workspace_id, an_id, call.now)):
        raise _unknown(an_id)
    return AssistantDeleted(response=Deletion(answer=f"Assistant {an_id} was deleted."))


def _given(raw: bytes) -> dict[str, Any]:
    given: dict[str, Any] = msgspec.json.decode(raw)
    reading.check_kept("assistant", given)
    return given


def _meaning(details: dict[str, Any], known: PromptSpec, endpoints: tuple[str, ...]) -> PromptSpec:
    return assistant_shapes.to_spec(reading.convert(details, NewAssistant), known, endpoints)


def _told(saved: Saved | Refusal) -> AssistantSaved | Refusal:
    match saved:
        case Saved(id=an_id):
            return AssistantSaved(response=AssistantId(model_id=an_id))
        case Unsound(findings=findings):
            return Unsound(
                tuple(msgspec.structs.replace(one, where=assistant_shapes.place(one.where)) for one in findings)
            )
        case refusal:
            return refusal


def _page(shown: list[dict[str, Any]], pagination: Pagination) -> AssistantList:
    return AssistantList(response=AssistantPage(pagination=pagination, assistants=shown))


async def _numbers(tx: Reading, workspace_id: str) -> dict[str, list[str]]:
    """The numbers that each agent answers."""
    answered: dict[str, list[str]] = {}
    for sender in await senders.list_active(tx, workspace_id):
        if sender.inbound_agent_id is not None and sender.address not in answered.get(sender.inbound_agent_id, ()):
            answered.setdefault(sender.inbound_agent_id, []).append(sender.address)
    return answered


def _unknown(an_id: str) -> Unknown:
    return Unknown(
        "agent_unknown",
        f"There is no assistant {an_id!r} in this workspace.",
        field="model_id",
        hint="GET /v2/assistants lists them.",
    )


def _is_flow() -> NotAllowed:
    return NotAllowed(
        "agent_is_flow",
        "This agent is a flow, which an assistant's fields cannot say.",
        hint="Change it with PUT /overture/v1/agents.",
    )
