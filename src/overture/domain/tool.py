"""A tool: something an agent may do besides talking, as its author declared it.

A tool's scheme, host and method are fixed; a model or a flow gives values of declared parameters alone. `bound`
parameters are filled by the server and a model never learns that they exist.
"""

from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import Meta, Struct

MOST_CALLS: Final = 6  # of one turn; a model that needs more goes round in a circle
SHOWN: Final = 8 * 1024  # characters of an answer that a model is shown: longer ones bury the conversation

ToolName = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,47}$")]
SlotName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Path = Annotated[str, Meta(pattern=r"^\$(?:\.[A-Za-z0-9_-]{1,64}|\[[0-9]{1,4}\]){0,10}$")]
Scalar: TypeAlias = str | int | float | bool


class Parameter(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A value that a call is given.

    `bound` is a text with names of variables, `{contact_number}`: the server fills it in, nobody else can.
    """

    type: Literal["string", "number", "integer", "boolean"] = "string"
    description: str = ""
    required: bool = False
    enum: list[str | int | float] | None = None
    max_length: Annotated[int, Meta(ge=1, le=4000)] = 500
    bound: str | None = None


class HttpTool(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="http", tag_field="kind"):
    """A request to a server.

    `{name}` stands for a parameter in the path of `url`, in `query` and in `body`; a body's text that is nothing but
    one name becomes the value itself. `{secret:NAME}` stands for a secret in `headers`. `writes` tells whether a call
    changes something over there: such a call is never repeated when nobody knows what came of it. `save` keeps parts of
    the answer as slots: `{reference: "$.booking.reference"}`.
    """

    name: ToolName
    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    description: str = ""
    parameters: dict[SlotName, Parameter] = {}
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: dict[str, Any] | None = None
    writes: bool | None = None
    timeout_seconds: Annotated[float, Meta(ge=0.1, le=15)] = 10.0
    save: dict[SlotName, Path] = {}

    @property
    def changes(self) -> bool:
        """Whether a call changes something: what was said, else all but GET."""
        return self.method != "GET" if self.writes is None else self.writes


class ExtractTool(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="extract", tag_field="kind"):
    """What a model notes down from the conversation: yes or no, one of `choices`, or the answer to an open question."""

    name: ToolName
    slot: SlotName
    description: str
    question: Literal["yes_no", "choice", "open"] = "open"
    choices: list[str] = []
    max_length: Annotated[int, Meta(ge=1, le=4000)] = 500


class EndTool(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="end_conversation", tag_field="kind"):
    """Lets a model end the conversation, for one of the agent's `end_reasons`."""

    name: ToolName = "end_conversation"


class HandOverTool(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="hand_over", tag_field="kind"):
    """Lets a model bring a person in, with a note."""

    name: ToolName = "hand_over"


class FollowUpTool(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="follow_up", tag_field="kind"):
    """Lets a model speak up later, if nobody has written until then."""

    name: ToolName = "follow_up"


Tool: TypeAlias = HttpTool | ExtractTool | EndTool | HandOverTool | FollowUpTool


class HttpRequest(Struct, frozen=True, kw_only=True):
    """A call of an HTTP tool, ready to be made; secrets in `headers` are still names."""

    method: str
    url: str
    headers: dict[str, str] = {}
    body: str | None = None


class HttpAnswer(Struct, frozen=True, kw_only=True):
    """What a server answered. `is_whole` unless it was cut off, was too long, or came packed."""

    status: int
    content_type: str
    body: bytes
    is_whole: bool = True
