"""What a model's endpoint can do, as a check of it found, and the quirks that follow for how it is asked."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from msgspec import Struct


class Ability(StrEnum):
    """What is tried of an endpoint, in this order."""

    CHAT = "chat"
    USAGE = "usage"
    TOOL_CALL = "tool_call"
    FORCED_TOOL = "forced_tool"
    TOOL_ROUND = "tool_round"
    SCHEMA = "schema"


class Tried(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One ability: whether it works, None where it could not be tried; in a sentence why, and what would help."""

    ability: Ability
    works: bool | None
    why: str
    hint: str | None = None


class Quirks(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an endpoint differs from what it is taken for.

    `max_tokens_field` is what it calls an answer's length, None where its settings say. Where it does not take a
    temperature none is sent; where it does not take a system message, instructions stand before the first line; where
    it cannot be told to call nothing more, it is only asked; where it cannot call tools it is offered none.
    `thinks_aloud` where its thoughts come in the text: they are always taken out.
    """

    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    takes_temperature: bool = True
    takes_system: bool = True
    takes_tool_choice: bool = True
    calls_tools: bool = True
    thinks_aloud: bool = False

    def sentences(self) -> list[str]:
        """What is done differently, for people."""
        told = {
            f"An answer's length is limited by {self.max_tokens_field}.": self.max_tokens_field is not None,
            "No temperature is sent: it is refused.": not self.takes_temperature,
            "Instructions stand before the first line: a system message is refused.": not self.takes_system,
            "It cannot be forbidden to call tools; where no more may be called, calls are left out.": (
                not self.takes_tool_choice
            ),
            "No tools are offered to it: it cannot call them.": not self.calls_tools,
            "Its thoughts are taken out of the text.": self.thinks_aloud,
        }
        return [sentence for sentence, applies in told.items() if applies]


PLAIN = Quirks()


class Found(Struct, frozen=True, kw_only=True):
    """What a check found. `answered_as` is the model's name in its answer."""

    quirks: Quirks
    tried: tuple[Tried, ...]
    answered_as: str = ""

    @property
    def chats(self) -> bool:
        """Whether the endpoint is of any use."""
        return any(one.ability is Ability.CHAT and one.works for one in self.tried)


class Checked(Struct, frozen=True, kw_only=True):
    """What was found of the model at an address, and when."""

    base_url: str
    model: str
    found: Found
    checked_at: datetime
