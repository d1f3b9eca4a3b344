"""A script: what an author expects of an agent, as conversations of steps.

Pure shapes: `script_reading` makes them of what was written, and whoever plays them says what came of it.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

NOON: Final = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)

Word = Annotated[str, Meta(min_length=1, max_length=4000)]


class Says(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agent says something: every field that is given must hold. `contains` ignores case."""

    contains: str | list[str] = []
    equals: str | None = None
    matches: str | None = None
    options: list[str] | None = None
    segments: Annotated[int, Meta(ge=1, le=20)] | None = None
    template: str | None = None
    within: str | None = None

    @property
    def parts(self) -> list[str]:
        """The texts that it must contain."""
        return [self.contains] if isinstance(self.contains, str) else self.contains


class Writes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contact writes lines, a burst where there are several; with `tap` what a button reads that was tapped."""

    texts: Annotated[list[Word], Meta(max_length=50)] = []
    tap: Word | None = None


class Wait(Struct, frozen=True, kw_only=True):
    """Time passes."""

    length: timedelta


class Silence(Struct, frozen=True, kw_only=True):
    """For so long the agent says nothing."""

    length: timedelta


class Tool(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"given": "with"}):
    """The agent calls a tool, with these among its values; what is answered, as JSON, or how it fails."""

    name: Word
    given: dict[str, Any] = {}
    answers: Any = msgspec.UNSET
    status: Annotated[int, Meta(ge=100, le=599)] = 200
    fails: Literal["timeout", "unreachable"] | Annotated[int, Meta(ge=300, le=599)] | None = None


class ModelCall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"given": "with"}):
    """A tool that a model wants to have called."""

    name: Word
    given: dict[str, Any] = {}


class Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the model answers when it is asked; `sees` must stand in what it was asked."""

    text: str = ""
    call: ModelCall | None = None
    calls: list[ModelCall] = []
    fails: bool = False
    sees: str | list[str] = []

    @property
    def wanted(self) -> list[ModelCall]:
        """The calls, however they were written."""
        return ([] if self.call is None else [self.call]) + self.calls

    @property
    def seen(self) -> list[str]:
        """The texts that must stand in the request."""
        return [self.sees] if isinstance(self.sees, str) else self.sees


class Fault(Struct, frozen=True, kw_only=True):
    """What the provider does with the next message: an HTTP status, an error code, or silence."""

    code: int | Literal["timeout"]


class Crash(Struct, frozen=True, kw_only=True):
    """The worker dies: before the commit of a turn, or after it handed a message over and before it wrote that down."""

    where: Literal["answering", "sending"]


class People(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody of the operator's takes the conversation over, writes in it, or hands it back; in this order."""

    take_over: bool = False
    write: Word | None = None
    hand_back: bool = False
    by: Word = "A colleague"
    note: str | None = None


class State(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the conversation stands: every field that is given must hold.

    `note` is part of the note for people; `messages` and `segments` count what has left for the contact so far,
    `model_requests` what models were asked. `most_tokens` is how many tokens that may have taken, and `most_cost` what
    they may have cost at the conversation's `model_price`.
    """

    mode: Literal["bot", "human", "paused", "ended"] | None = None
    ended: str | None = None
    place: str | None = None
    slots: dict[str, Any] = {}
    note: str | None = None
    messages: int | None = None
    segments: int | None = None
    model_requests: int | None = None
    most_tokens: int | None = None
    most_cost: Annotated[float, Meta(ge=0)] | None = None


class PerMillion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a million of a model's tokens cost, in whatever money."""

    input: Annotated[float, Meta(ge=0, le=1_000_000)]
    output: Annotated[float, Meta(ge=0, le=1_000_000)]


Act: TypeAlias = Says | Writes | Wait | Silence | Tool | Model | Fault | Crash | People | State


class Step(Struct, frozen=True, kw_only=True):
    """One step: what it is called where it is written, and what it is."""

    key: str
    act: Act


class Play(Struct, frozen=True, kw_only=True):
    """One conversation of a script: with whom, how it opens, and its steps.

    `opened_by` the agent with `opening` in place of its own words, or by the contact. `window` is whether a WhatsApp
    contact has just written before it begins.
    """

    name: str
    steps: tuple[Step, ...]
    variables: dict[str, Any] = {}
    channel: Literal["sms", "whatsapp"] = "sms"
    now: datetime = NOON
    contact: str = "+15550100001"
    opened_by: Literal["agent", "contact"] = "agent"
    opening: str | None = None
    window: bool = False
    model_price: PerMillion | None = None


class Script(Struct, frozen=True, kw_only=True):
    """The conversations of one file, with the files beside it: the agent, models' answers, knowledge bases by name."""

    agent: str
    plays: tuple[Play, ...]
    cassette: str | None = None
    knowledge: dict[str, str] = {}
