"""A message: one line of a conversation, ours or the contact's."""

from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct

from overture.domain.agent import TemplateUse
from overture.domain.choices import numbered


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


class Referral(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The advertisement that a contact wrote from (click to WhatsApp), as far as the provider tells it."""

    headline: str | None = None
    body: str | None = None
    source_url: str | None = None
    source_id: str | None = None
    source_type: str | None = None
    click_id: str | None = None


class Text(Struct, frozen=True, kw_only=True, tag="text", omit_defaults=True):
    """Free text, ours or the contact's; all else of it is left out where it is not there.

    `otherwise` is what the caller gave to go in its place where WhatsApp's window is closed, `options` what WhatsApp
    offers under it to be tapped (elsewhere the text numbers them). Of the contact's: `replying_to` is what it quotes,
    words of a message of ours, `payload` is what a tapped button or list row carries unseen, `referral` the
    advertisement that it came from, `awaits_words` whether it is a voice note that is still to be written down.
    """

    text: str
    otherwise: TemplateUse | None = None
    replying_to: str | None = None
    options: tuple[str, ...] = ()
    payload: str | None = None
    referral: Referral | None = None
    awaits_words: bool = False


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
        case Text(text=text, options=options):
            return numbered(text, options)
        case Template(rendered=str(rendered)):
            return rendered
        case Template(content_sid=sid):
            return f"[template {sid}]"


def as_listed(body: Body) -> str | None:
    """The text under which the provider's records have a body; None where they may word it in their own way."""
    return None if isinstance(body, Template) or body.options else shown(body)
