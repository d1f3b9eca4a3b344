"""A message: one line of a conversation, ours or the contact's."""

from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct

from overture.domain.agent import TemplateUse


class Direction(StrEnum):
    """Who sends it to whom."""

    IN = "in"
    OUT = "out"


class Author(StrEnum):
    """Who wrote a message: the agent, the contact, a person of the operator's, or the caller of the API."""

    AGENT = "agent"
    CONTACT = "contact"
    OPERATOR = "operator"
    CALLER = "caller"


class Text(Struct, frozen=True, kw_only=True, tag="text", omit_defaults=True):
    """Free text.

    `otherwise` is what the caller gave to go in its place where WhatsApp's window is closed, `replying_to` what the
    contact quoted: words of a message of ours.
    """

    text: str
    otherwise: TemplateUse | None = None
    replying_to: str | None = None


class Template(TemplateUse, frozen=True, kw_only=True, tag="template"):
    """A template of the provider, filled in.

    `rendered` is its text where the template is known, `instead_of` the text in whose place it went, because the
    provider found the window closed.
    """

    rendered: str | None = None
    instead_of: str | None = None


Body: TypeAlias = Text | Template


_QUOTED: Final = 200  # characters of what is quoted: enough to tell which message it is


def with_quote(body: Body) -> str:
    """The text that an agent reads which can do something with a quote: what the contact replied to, and the reply."""
    match body:
        case Text(text=text, replying_to=str(quoted)):
            return f"[replying to: {' '.join(quoted.split())[:_QUOTED]}] {text}"
        case _:
            return shown(body)


def shown(body: Body) -> str:
    """The text that a person or an agent reads for a body."""
    match body:
        case Text(text=text):
            return text
        case Template(rendered=str(rendered)):
            return rendered
        case Template(content_sid=sid):
            return f"[template {sid}]"
