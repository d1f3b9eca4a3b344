"""A turn: an agent looks at what happened and decides what follows.

Both kinds of agent are reducers, `step(spec, state, observation, scene) -> (state, decision)`. They are pure: a
decision names what is needed (a model's answer, a tool's, a search) or finishes the turn; only the orchestrator does
it, writes it into the journal and hands the outcome back as the next observation. Replaying the observations gives the
same states.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from overture.domain.agent import EndReason, Json
from overture.domain.channel import Channel
from overture.domain.knowledge import MOST_FOUND, Cited
from overture.domain.tool import HttpRequest


class Author(StrEnum):
    """Who wrote a line."""

    AGENT = "agent"
    CONTACT = "contact"
    OPERATOR = "operator"


class Line(Struct, frozen=True, kw_only=True):
    """One message as an agent sees it."""

    author: Author
    text: str
    at: datetime


class Scene(Struct, frozen=True, kw_only=True):
    """What is fixed for the length of a turn.

    `variables` are the values by name: declared ones with their defaults, the caller's, the system's. `history` holds
    the lines before this turn, oldest first, without the ones that are being answered. `late` is how long ago the
    contact wrote what is being answered, where that is so long that they notice.
    """

    now: datetime
    channel: Channel
    variables: dict[str, Json]
    history: tuple[Line, ...] = ()
    late: timedelta | None = None


class Began(Struct, frozen=True, kw_only=True, tag="began"):
    """The conversation begins.

    `opening` is the text that was (or is being) sent to open it, in place of the agent's own greeting; None where the
    agent is to speak first. When the contact began, `heard` follows in the same turn as its own observation.
    """

    opening: str | None = None
    by_contact: bool = False


class Heard(Struct, frozen=True, kw_only=True, tag="heard"):
    """What the contact wrote since the agent last answered, oldest first: a burst is one observation.

    `payloads` are what tapped buttons and list rows among it carry unseen, oldest first. `unread` is what the agent
    said last and the contact has not read, because WhatsApp's window was closed.
    """

    texts: tuple[str, ...]
    payloads: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


class Silent(Struct, frozen=True, kw_only=True, tag="silent"):
    """Nobody has written since the agent asked to speak up then; `about` is what it noted for itself."""

    about: str


class ToolCall(Struct, frozen=True, kw_only=True):
    """What a model wants to have called. `arguments` is JSON as the model wrote it, which may be none."""

    id: str
    name: str
    arguments: str


class ModelAnswered(Struct, frozen=True, kw_only=True, tag="model_answered", omit_defaults=True):
    """A model's answer to the request of the last decision: a text, or tools it wants to have called, or both."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    model: str = ""


class ModelFailed(Struct, frozen=True, kw_only=True, tag="model_failed"):
    """The model gave no usable answer within the turn's time, all attempts counted."""

    reason: str


class ToolReturned(Struct, frozen=True, kw_only=True, tag="tool_returned", omit_defaults=True):
    """What came of the call of a tool.

    `outcome` is `done` where an answer came, `failed` where the call certainly changed nothing, `unknown` where it may
    have happened and must not be repeated. `ok` where the answer was the one that was hoped for. `content` is what a
    model is shown, `saved` what becomes of slots.
    """

    tool: str
    outcome: Literal["done", "failed", "unknown"]
    ok: bool = False
    status: int = 0
    content: str = ""
    saved: dict[str, str | int | float | bool] = {}


class Searched(Struct, frozen=True, kw_only=True, tag="searched", omit_defaults=True):
    """What was looked up: with `whole` all there is to know, in its order, else what says most of it, best first.

    `note` says why it was looked for by words alone, where it would have been by meaning as well.
    """

    passages: tuple[Cited, ...] = ()
    whole: bool = False
    note: str = ""


Observation: TypeAlias = Began | Heard | Silent | ModelAnswered | ModelFailed | ToolReturned | Searched


class Speech(Struct, frozen=True, kw_only=True):
    """One line of a model request."""

    role: Literal["user", "assistant"]
    text: str


class ToolOffer(Struct, frozen=True, kw_only=True):
    """A tool as a model sees it; `schema` is JSON Schema."""

    name: str
    description: str
    schema: dict[str, Any]


class Round(Struct, frozen=True, kw_only=True):
    """Calls that a model wanted within this turn, and what each of them gave, in the same order."""

    text: str
    calls: tuple[ToolCall, ...]
    results: tuple[str, ...]


class ModelRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is asked of a model: the whole of it, nothing is kept at the provider.

    `endpoint` names a model endpoint of the settings, None the default one. `rounds` follow the lines; where the model
    may not call any more, it is told so, and `tools` only say what the rounds were about.
    """

    instructions: str
    lines: tuple[Speech, ...]
    endpoint: str | None = None
    temperature: float | None = None
    max_output_tokens: int = 400
    tools: tuple[ToolOffer, ...] = ()
    rounds: tuple[Round, ...] = ()
    may_call: bool = True


class NeedModel(Struct, frozen=True, kw_only=True, tag="need_model"):
    """The turn goes on when a model has answered."""

    request: ModelRequest


class NeedTool(Struct, frozen=True, kw_only=True, tag="need_tool"):
    """The turn goes on when a tool was called. One that `changes` something is never called twice for one wish."""

    tool: str
    request: HttpRequest
    changes: bool
    timeout_seconds: float


class NeedSearch(Struct, frozen=True, kw_only=True, tag="need_search", omit_defaults=True):
    """The turn goes on when something was looked up in knowledge bases.

    `before` is what was asked earlier. With `whole` all of them is the answer where that is short enough; else it is
    `most` passages, none of which says less than `least` of what is asked, 1 being all of it.
    """

    bases: tuple[str, ...]
    query: str
    before: str = ""
    whole: bool = True
    most: int = MOST_FOUND
    least: float = 0.0


class End(Struct, frozen=True, kw_only=True, tag="end"):
    """The conversation is over once the replies are on their way; `note` is the author's own word for why."""

    reason: EndReason = EndReason.COMPLETED
    note: str = ""


class HandOver(Struct, frozen=True, kw_only=True, tag="hand_over"):
    """A human takes the conversation over once the replies are on their way."""

    note: str


class Pause(Struct, frozen=True, kw_only=True, tag="pause"):
    """Nothing more is said until a person has looked; `reason` is for programs, `note` for people."""

    reason: str
    note: str


class SpeakUp(Struct, frozen=True, kw_only=True):
    """The agent is to have a turn at `due_at` if nobody writes until then; `about` is what it is then told."""

    due_at: datetime
    about: str


class Finish(Struct, frozen=True, kw_only=True, tag="finish"):
    """The turn's result: replies in order (none is a deliberate silence), the places passed, and what follows.

    `speaks_up` asks for a follow-up, in place of any other that is pending.
    `place` is where the agent now stands (a node's name; `main_state` for a prompt agent), `path` every place passed
    in this turn. `expects` tells how soon a reply may be taken for complete, `options` what the last reply offers to
    choose from.
    """

    replies: tuple[str, ...]
    place: str
    path: tuple[str, ...] = ()
    control: End | HandOver | Pause | None = None
    expects: Literal["anything", "choice"] = "anything"
    options: tuple[str, ...] = ()
    speaks_up: SpeakUp | None = None


def nothing_said(place: str, expects: str | None) -> Finish:
    """The result of a turn that leaves its agent where it stood, with what it expected there."""
    return Finish(replies=(), place=place, expects="choice" if expects == "choice" else "anything")


Decision: TypeAlias = NeedModel | NeedTool | NeedSearch | Finish
