"""An agent: who carries a conversation, as its author wrote it.

An agent has an id, a name and versions; a version holds one specification. A specification is a flow (a graph of
nodes, no model needed) or a prompt (instructions for a model). A conversation keeps the version it began with.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from overture.domain.knowledge import LEAST_SHARE, MOST_FOUND, KnowledgeName
from overture.domain.model_budget import Limits
from overture.domain.rules import FOR_MARKETING, NONE, Applying, Rules, TimeOfDay
from overture.domain.tool import Tool, ToolName

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

Length = Annotated[str, Meta(max_length=20)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]


class OnActive(StrEnum):
    """What a new call does when its (channel, sender, contact) already has a live conversation."""

    SUPERSEDE = "supersede"
    JOIN = "join"
    REJECT = "reject"


class OpeningPreference(StrEnum):
    """Which of a text and a template opens a WhatsApp conversation while the window is open."""

    TEXT = "text"
    TEMPLATE = "template"


class OnUncertain(StrEnum):
    """What becomes of a message when nothing can tell whether the provider took it.

    `resend`: it is sent once more, so that it is never lost and, rarely, comes twice. `hold`: a person decides.
    """

    RESEND = "resend"
    HOLD = "hold"


class EndReason(StrEnum):
    """Why a conversation ended."""

    COMPLETED = "completed"
    INACTIVITY_TIMEOUT = "inactivity_timeout"
    OPT_OUT = "opt_out"
    SUPERSEDED = "superseded"
    HANDED_OVER = "handed_over"
    CANCELLED = "cancelled"
    MAX_TURNS = "max_turns"
    FAILED = "failed"


class Variable(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A name that an agent's texts may use: `{name}`."""

    required: bool = False
    default: str | int | float | bool | None = None
    max_length: int = 500
    description: str = ""


class TemplateUse(Struct, frozen=True, kw_only=True):
    """A template of the provider with the values of its placeholders."""

    content_sid: str
    variables: dict[str, str] = {}


class Call(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"arguments": "with"}):
    """The call of a tool with values for its parameters: constants, or texts with the names of slots and variables."""

    tool: ToolName
    arguments: dict[Name, str | int | float | bool] = {}


class Ask(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What a node waits for, and where the answer is kept.

    `type` text takes anything that is not empty; `choice` one of `choices` (a label with its spoken forms, or its
    position); `number` a number between `min` and `max`; `yes_no` true or false. What is not understood is asked
    again with `reask` at most `retries` times, then the conversation is handed over. `weak` labels give way when
    another label is named beside them: "book a haircut" is a haircut although "book" alone is an appointment. With
    `offer` the labels are offered under the question: as buttons on WhatsApp, as numbers on SMS.

    `date` a day from today on, at most `max_days` away, kept as 2026-12-01; `time` a time of day from `earliest` to
    `latest`, kept as 15:30; `datetime` both, kept as 2026-12-01T15:30. `phone` a number, kept in E.164; one without
    its country code is taken for one of `country` (a calling code: "49"), if that is set. `email` an address.
    `pattern` a text that `pattern` (RE2) fits as a whole, in any case; where it has a group, that is what is kept.
    """

    slot: Name
    type: Literal["text", "yes_no", "choice", "number", "date", "time", "datetime", "phone", "email", "pattern"] = (
        "text"
    )
    choices: dict[str, list[str]] | list[str] | None = None
    weak: list[str] = []
    offer: bool = True
    min: float | None = None
    max: float | None = None
    whole: bool = False
    max_days: Annotated[int, Meta(ge=0, le=3660)] | None = None
    earliest: TimeOfDay = "00:00"
    latest: TimeOfDay = "23:59"
    country: Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,2}$")] | None = None
    pattern: str | None = None
    max_length: int = 500
    reask: str | None = None
    retries: int = 2


class Search(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A look-up in knowledge bases. What is found is said, or kept in `slot`; then the flow goes to `found`, or on.

    `query` is a text with names of variables; without it, what the contact wrote last is looked for. A passage counts
    as found when it speaks of so much of the question as `least` says, 1 being all of it; rare words are more of it.
    Where none does, the flow goes to `missing`.
    """

    bases: Annotated[list[KnowledgeName], Meta(min_length=1)]
    missing: str
    found: str | None = None
    query: Annotated[str, Meta(max_length=500)] | None = None
    least: Annotated[float, Meta(ge=0, le=1)] = LEAST_SHARE
    most: Annotated[int, Meta(ge=1, le=MOST_FOUND)] | None = None
    slot: Name | None = None


class Prompt(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One answer of a model, said to the contact, or kept in `slot` as `type` says.

    Into `instructions` go the caller's variables alone. What the model is shown beside them are the last `history`
    lines of the conversation, what the contact wrote now, and as data the values of `sees`. Where it gives no usable
    answer, `fallback` is said and the flow goes to `failed`; with `fallback` alone it goes on, with neither it hands
    over.
    """

    instructions: Annotated[str, Meta(min_length=1, max_length=20_000)]
    sees: Annotated[list[Name], Meta(max_length=20)] = []
    history: Annotated[int, Meta(ge=0, le=60)] = 6
    model: str | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    max_output_tokens: Annotated[int, Meta(ge=16, le=4096)] = 400
    allowed_links: list[Annotated[str, Meta(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]] | None = None
    slot: Name | None = None
    type: Literal["text", "yes_no", "choice"] = "text"
    choices: dict[str, list[str]] | list[str] | None = None
    max_length: Annotated[int, Meta(ge=1, le=2000)] = 500
    failed: str | None = None
    fallback: str | None = None


class Branch(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"when": "if"}):
    """Where to go when a condition holds; a branch without a condition always holds."""

    goto: str
    when: str | None = None


class After(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where to go on when nobody has answered for so long: `silence` is a length such as 24h."""

    silence: Length
    goto: str


class Wait(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"length": "for"}):
    """How long a node waits before the flow goes on from it, unless the contact writes first: a length such as 2h."""

    length: Length


class Node(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A place in a flow: says, then asks, calls a tool, searches or prompts a model, then goes on, ends, or hands over.

    `after` goes elsewhere when the question is not answered for a while. `wait` goes on after a while, or as soon as
    the contact writes.

    `hand_over` is the note for the colleague; the contact reads `say`, or the flow's `hand_over_message`.
    """

    say: str | None = None
    ask: Ask | None = None
    after: After | None = None
    wait: Wait | None = None
    call: Call | None = None
    search: Search | None = None
    prompt: Prompt | None = None
    then: list[Branch] | None = None
    goto: str | None = None
    end: Literal["completed", "cancelled"] | None = None
    hand_over: str | None = None


class GlobalPhrase(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Phrases that are listened for everywhere, before the current node: one of `say`, `goto`, `hand_over` follows.

    `say` answers and returns: the text is said, then the question that was open is asked again.
    """

    phrases: list[str]
    say: str | None = None
    goto: str | None = None
    hand_over: str | None = None


class Otherwise(StrEnum):
    """What happens with a conversation that was handed over and that nobody comes for."""

    WAIT = "wait"
    RESUME = "resume"
    MESSAGE = "message"
    END = "end"


class Notify(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The server that is told of hand-overs: an address, and the name of the secret that notices are signed with."""

    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    secret: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")] | None = None


class HandOverRules(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What is awaited of people.

    A hand-over that nobody acknowledges within `ack_within_seconds` is told of once more (`conversation.unattended`);
    after as long again `otherwise` happens: the agent goes on (`resume`), the contact reads `message`, or the
    conversation ends (`end`); `wait` leaves it to people. `hand_back_after_seconds` gives back what a person has taken
    when nothing was said in it for so long. `notify` names a server that hears of all this.
    """

    ack_within_seconds: Annotated[int, Meta(ge=30, le=7 * 86_400)] = 900
    otherwise: Otherwise = Otherwise.WAIT
    message: Annotated[str, Meta(max_length=1000)] | None = None
    hand_back_after_seconds: Annotated[int, Meta(ge=60, le=30 * 86_400)] | None = None
    notify: Notify | None = None


class Common(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What both kinds of agent have."""

    name: str
    id: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    description: str = ""
    language: str = "en"
    timezone: str = "UTC"
    variables: dict[Name, Variable] = {}
    on_active: OnActive = OnActive.SUPERSEDE
    opening_preference: OpeningPreference = OpeningPreference.TEXT
    opening_template: TemplateUse | None = None
    fallback_template: TemplateUse | None = None
    on_uncertain: OnUncertain = OnUncertain.RESEND
    purpose: str = ""
    quiet_seconds: Annotated[float, Meta(ge=0, le=25)] | None = None
    inactivity_seconds: Annotated[int, Meta(ge=60)] = 72 * 3600
    max_turns: Annotated[int, Meta(ge=1, le=1000)] = 50
    max_follow_ups: Annotated[int, Meta(ge=0, le=10)] = 2
    rules: Rules = NONE
    limits: Limits = Limits()
    hand_over: HandOverRules = HandOverRules()
    tools: list[Tool] = []
    fallback: str = "Sorry, something went wrong on our side. A colleague will get back to you."

    @property
    def ruling(self) -> Rules:
        """Its rules. An agent for marketing keeps quiet hours, unless it has other ones of its own."""
        if self.rules.quiet_hours is not None or self.purpose.strip().casefold() != "marketing":
            return self.rules
        return msgspec.structs.replace(self.rules, quiet_hours=FOR_MARKETING)


class FlowSpec(Common, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="flow", tag_field="kind"):
    """A flow: named nodes, where it starts, and phrases that interrupt it anywhere."""

    nodes: dict[str, Node]
    start: str = "start"
    globals: list[GlobalPhrase] = []
    not_understood: str = "Sorry, I did not get that."
    hand_over_message: str = "A colleague will take over from here."


class PromptSpec(Common, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="prompt", tag_field="kind"):
    """Instructions for a model.

    `allowed_links` are the hosts that its replies may link to, all where it is None. `greeting_mode`: `static`
    says `greeting` word for word, `dynamic` lets the model compose the opening, `human` waits for the contact
    to begin. `model` names an endpoint of the settings, None the default one. `knowledge` names the bases that it may
    answer from.
    """

    instructions: str
    greeting: str | None = None
    greeting_mode: Literal["static", "dynamic", "human"] = "static"
    model: str | None = None
    temperature: float | None = None
    max_output_tokens: Annotated[int, Meta(ge=16, le=4096)] = 400
    end_reasons: list[str] = []
    disclosure: str = ""
    knowledge: list[KnowledgeName] = []
    allowed_links: list[Annotated[str, Meta(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]] | None = None


AgentSpec: TypeAlias = FlowSpec | PromptSpec


class Agent(Struct, frozen=True, kw_only=True):
    """One version of an agent, as a turn uses it."""

    id: str
    version: int
    spec: AgentSpec

    @property
    def inactivity(self) -> timedelta:
        """How long a conversation may rest before it ends as `inactivity_timeout`."""
        return timedelta(seconds=self.spec.inactivity_seconds)


def applying(agent: Agent | None, *, workspace: Rules, sender: Rules) -> Applying:
    """The rules that apply to what an agent opens, beside its workspace's and its sender's."""
    if agent is None:
        return Applying(workspace=workspace, sender=sender)
    return Applying(workspace=workspace, agent=agent.spec.ruling, sender=sender, time_zone=agent.spec.timezone)
