"""Assistants: agents in the hosted platform's words, and what those words mean in ours.

An assistant is kept as its author sent it and echoed so; what chat needs of it becomes a prompt agent's specification.
Voice settings are kept and mean nothing here.
"""

import re
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from overture.agents import variables
from overture.domain.agent import FlowSpec, PromptSpec, Variable
from overture.store.agents import AgentRecord

DEFAULT_TIMEZONE: Final = "Europe/Berlin"  # the hosted platform's
_ANY_LANGUAGE: Final = "multi"  # its word for "whatever the contact speaks"
_SHORTEST_IDLE: Final = 60  # seconds; ours counts how long a person may leave a chat alone
_CHATTED: Final = frozenset({"chat", "widget"})
_MODES: Final[dict[str, Literal["static", "dynamic", "human"]]] = {
    "agent_static": "static",
    "agent_dynamic": "dynamic",
    "human": "human",
}
_MODE_NAMES: Final = {ours: theirs for theirs, ours in _MODES.items()}
WHERE: Final = {
    "instructions": "agent.prompt",
    "greeting": "agent.greeting_message",
    "language": "agent.language",
    "timezone": "agent.timezone",
}
"""Where the linter's places stand in an assistant."""

_REASON: Final = re.compile(r"end_reasons\[(\d+)\]")


class EndReasonV2(Struct, frozen=True, kw_only=True):
    """A reason to end; the closing message is kept, the model words its own."""

    reason: str
    closing_message_mode: Literal["static", "prompt", "none"] | None = None
    closing_message: str | None = None


class AssistantAgent(Struct, frozen=True, kw_only=True):
    """What the assistant says and how. Fields that are not named here are kept and echoed."""

    prompt: Annotated[str, Meta(description="Instructions; `{name}` stands for a variable.")] | None = None
    greeting_message: Annotated[str, Meta(description="The opening, where a call brings none.")] | None = None
    greeting_message_mode: (
        Annotated[
            Literal["human", "agent_static", "agent_dynamic"],
            Meta(description="Who opens: the contact, the greeting word for word, or the model."),
        ]
        | None
    ) = None
    llm: Annotated[str, Meta(description="The name of a model endpoint of the settings; else the default.")] | None = (
        None
    )
    language: str | None = None
    timezone: Annotated[str, Meta(description="An IANA name; Europe/Berlin unless given.")] | None = None
    end_call_reasons: list[str] | None = None
    end_call_reasons_v2: list[EndReasonV2] | None = None
    allowed_idle_time_seconds: (
        Annotated[
            int,
            Meta(ge=0, le=10_000_000, description="Ends an idle conversation, for types chat and widget; 60 at least."),
        ]
        | None
    ) = None


class NewAssistant(Struct, frozen=True, kw_only=True):
    """An assistant to make. Fields that are not named here are kept and echoed."""

    type: Annotated[
        Literal["outbound", "inbound", "widget", "chat"],
        Meta(description="Any type can chat; `chat` is for nothing else."),
    ]
    name: Annotated[str, Meta(min_length=1, max_length=200, description="Operators see it.")]
    agent: AssistantAgent
    description: str | None = None


class AssistantChange(Struct, frozen=True, kw_only=True):
    """What changes in an assistant; what is not given stays."""

    type: Literal["outbound", "inbound", "widget", "chat"] | msgspec.UnsetType = msgspec.UNSET
    name: Annotated[str, Meta(min_length=1, max_length=200)] | msgspec.UnsetType = msgspec.UNSET
    agent: AssistantAgent | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType | None = msgspec.UNSET


def merge(kept: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The fields as they are after a partial update: those of `agent` one by one."""
    merged = {**kept, **given}
    if isinstance(kept.get("agent"), dict) and isinstance(given.get("agent"), dict):
        merged["agent"] = {**kept["agent"], **given["agent"]}
    return merged


def to_spec(asked: NewAssistant, known: PromptSpec | None, endpoints: tuple[str, ...]) -> PromptSpec:
    """What an assistant means; what its words cannot say is kept from `known`.

    Names in the greeting are declared: a variable that a call does not bring vanishes, as it does there.
    """
    agent, base = asked.agent, known or PromptSpec(name=asked.name, instructions="")
    declared = {name: Variable() for name in variables.names_in(agent.greeting_message or "")}
    idle = agent.allowed_idle_time_seconds
    return msgspec.structs.replace(
        base,
        name=asked.name,
        description=asked.description or "",
        instructions=agent.prompt or "",
        greeting=agent.greeting_message or None,
        greeting_mode=_MODES[agent.greeting_message_mode or "agent_static"],
        model=agent.llm if agent.llm in endpoints else None,
        language="en" if agent.language in {None, _ANY_LANGUAGE} else agent.language,
        timezone=agent.timezone or DEFAULT_TIMEZONE,
        end_reasons=_end_reasons(agent),
        variables={name: it for name, it in {**declared, **base.variables}.items() if name not in variables.SYSTEM},
        inactivity_seconds=max(idle, _SHORTEST_IDLE) if idle and asked.type in _CHATTED else base.inactivity_seconds,
    )


def details_of(record: AgentRecord) -> dict[str, Any]:
    """An agent as its author sent it, or in an assistant's words where it came as a specification."""
    if record.details:
        return record.details
    spec = record.agent.spec
    head = {"type": "chat", "name": spec.name, "description": spec.description}
    if isinstance(spec, FlowSpec):
        return {**head, "agent": msgspec.to_builtins(spec)}
    agent = {
        "prompt": spec.instructions,
        "greeting_message": spec.greeting,
        "greeting_message_mode": _MODE_NAMES[spec.greeting_mode],
        "llm": spec.model,
        "language": spec.language,
        "timezone": spec.timezone,
        "end_call_reasons_v2": [{"reason": reason} for reason in spec.end_reasons],
        "allowed_idle_time_seconds": spec.inactivity_seconds,
    }
    return {**head, "agent": agent}


def view(record: AgentRecord, numbers: list[str]) -> dict[str, Any]:
    """An assistant as lists show it; `numbers` are those that it answers."""
    return {
        **details_of(record),
        "model_id": record.agent.id,
        "attached_phone_numbers": [
            {"number": number, "sid": None, "slug": number.removeprefix("+")} for number in numbers
        ],
        "actions": [],
        "input_variables": [],
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }


def place(where: str) -> str:
    """Where a place of the specification stands in an assistant."""
    if found := _REASON.fullmatch(where):
        return f"agent.end_call_reasons_v2[{found[1]}]"
    return WHERE.get(where, where)


def _end_reasons(agent: AssistantAgent) -> list[str]:
    if agent.end_call_reasons_v2 is not None:
        return [one.reason for one in agent.end_call_reasons_v2]
    return list(agent.end_call_reasons or ())
