"""Agents as their authors write them: a specification in, the linter's findings out."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from overture.actions.save_agent import Saved, save_agent
from overture.agents import reading as specifications
from overture.agents.lint import Finding
from overture.domain.access import Scope
from overture.domain.agent import AgentSpec, FlowSpec
from overture.domain.errors import Invalid, Refusal, Unknown
from overture.store import agents
from overture.store.agents import AgentRecord
from overture.web import reading
from overture.web.routes import SPEC_BODY, Call, get, put


class AgentText(Struct, frozen=True, kw_only=True):
    """An agent to keep: `spec` as JSON, or `text` as YAML or JSON. One of the two."""

    spec: Annotated[dict[str, Any], Meta(description="The specification, as JSON.")] | None = None
    text: Annotated[str, Meta(description="The specification, as YAML or JSON text.")] | None = None
    id: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=64,
                pattern=r"^[A-Za-z0-9._-]+$",
                description="Letters, digits, dots, hyphens. Else the specification's own id, else a new one.",
            ),
        ]
        | None
    ) = None


class SavedView(Struct, frozen=True, kw_only=True):
    """What was kept. `created` where the agent is new; what is kept already makes no new version."""

    id: str
    name: str
    kind: Literal["flow", "prompt"]
    version: int
    created: bool
    warnings: list[Finding]


class AgentView(Struct, frozen=True, kw_only=True):
    """An agent in a list."""

    id: str
    name: str
    kind: Literal["flow", "prompt"]
    version: int
    created_at: datetime
    updated_at: datetime


class WholeAgent(AgentView, frozen=True, kw_only=True):
    """An agent with its specification."""

    spec: dict[str, Any]


class AgentList(Struct, frozen=True, kw_only=True):
    """A page of agents, newest first, and how many there are in all."""

    agents: list[AgentView]
    total: int


class ListAgents(Struct, frozen=True, kw_only=True):
    """Which agents."""

    limit: Annotated[int, Meta(ge=1, le=200, description="How many.")] = 50
    offset: Annotated[int, Meta(ge=0, le=1_000_000, description="After how many.")] = 0


@put(
    "/overture/v1/agents",
    may=Scope.WRITE,
    takes=AgentText,
    gives=SavedView,
    tag="Agents",
    body_limit=SPEC_BODY,
    example={"text": "kind: flow\nname: Salon\nnodes:\n  start:\n    say: Hello!\n    end: completed\n"},
    refusals=(400, 413),
)
async def put_agent(call: Call[AgentText, None]) -> SavedView | Refusal:
    """Save an agent.

    The specification becomes the agent's new version, and a conversation keeps the version it began with. The linter
    reads it first: errors refuse it and are listed under `errors`, warnings come with the answer.
    """
    spec = _read(call.body)
    saved = await call.parts.store.write(
        lambda tx: save_agent(
            tx,
            workspace_id=call.workspace_id,
            spec=spec,
            now=call.now,
            ids=call.parts.ids,
            agent_id=call.body.id,
            surroundings=call.parts.tool_surroundings,
        )
    )
    return _saved(saved, spec) if isinstance(saved, Saved) else saved


@get("/overture/v1/agents", may=Scope.READ, asks=ListAgents, gives=AgentList, tag="Agents", refusals=(400,))
async def list_agents(call: Call[None, ListAgents]) -> AgentList:
    """List agents."""
    asked = call.query
    found, total = await call.parts.store.read(
        lambda tx: agents.list_page(tx, call.workspace_id, limit=asked.limit, offset=asked.offset)
    )
    return AgentList(agents=[_view(one) for one in found], total=total)


@get("/overture/v1/agents/{agent_id}", may=Scope.READ, gives=WholeAgent, tag="Agents", refusals=(404,))
async def get_agent(call: Call[None, None]) -> WholeAgent:
    """Get an agent.

    With its whole specification.
    """
    an_id = call.path["agent_id"]
    found = await call.parts.store.read(lambda tx: agents.find(tx, call.workspace_id, an_id))
    if found is None:
        raise Unknown(
            "agent_unknown",
            f"There is no agent {an_id!r} in this workspace.",
            field="agent_id",
            hint="GET /overture/v1/agents lists the agents there are.",
        )
    view = _view(found)
    return WholeAgent(**msgspec.structs.asdict(view), spec=msgspec.to_builtins(found.agent.spec))


def _read(asked: AgentText) -> AgentSpec:
    match asked.spec, asked.text:
        case dict(raw), None:
            reading.check_kept("spec", raw)
            spec = specifications.to_spec(raw)
        case None, str(text):
            spec = specifications.read_spec(text)
        case _:
            raise Invalid("invalid_request", "Give either spec or text.", field="spec", hint="One of the two.")
    reading.check_encoded(msgspec.json.encode(spec))  # YAML has escapes of its own
    return spec


def _saved(saved: Saved, spec: AgentSpec) -> SavedView:
    return SavedView(
        id=saved.id,
        name=spec.name,
        kind=_kind(spec),
        version=saved.version,
        created=saved.created,
        warnings=list(saved.warnings),
    )


def _view(record: AgentRecord) -> AgentView:
    return AgentView(
        id=record.agent.id,
        name=record.name,
        kind=_kind(record.agent.spec),
        version=record.agent.version,
        created_at=record.created_at,
        updated_at=record.updated_at,
    )


def _kind(spec: AgentSpec) -> Literal["flow", "prompt"]:
    return "flow" if isinstance(spec, FlowSpec) else "prompt"
