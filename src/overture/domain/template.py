"""A template of the provider's Content API: what it says, and whether WhatsApp approved it.

Its texts hold placeholders, `{{1}}` or `{{name}}`; `render` shows the message as its reader will see it. What is wrong
with a use of it says `template_check`.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from overture.domain.channel import Channel

FRESH: Final = timedelta(minutes=1)
"""How old a refusal's reason may be: an approval that came since must count, and nobody waits longer for it."""

TRUSTED: Final = timedelta(hours=6)
"""What is known no better than this ago decides over nothing: the provider has been away, and is asked by the send."""

_PLACEHOLDER: Final = re.compile(r"\{\{\s*(\w{1,64})\s*\}\}")
_WHATSAPP: Final = "whatsapp/"
_PLAIN: Final = "twilio/text"
_AUTHENTICATION: Final = "whatsapp/authentication"
_CODE_TEXT: Final = "{{1}} is your verification code."  # Meta's own words: an author gives none


class Approval(StrEnum):
    """Where WhatsApp's approval of a template stands. `paused` and `disabled` are Meta's, after it was approved."""

    UNSUBMITTED = "unsubmitted"
    RECEIVED = "received"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    PAUSED = "paused"
    DISABLED = "disabled"
    UNKNOWN = "unknown"


class Category(StrEnum):
    """What a template is for, as Meta sees it; it may put one into another category by itself."""

    UTILITY = "UTILITY"
    MARKETING = "MARKETING"
    AUTHENTICATION = "AUTHENTICATION"


class Button(Struct, frozen=True, kw_only=True):
    """Something to tap: `kind` is reply, url, phone, copy_code or item; `target` where it leads."""

    kind: str
    title: str
    target: str | None = None


class Content(Struct, frozen=True, kw_only=True):
    """What a template is on the channels that take its type: text, buttons, and other texts that hold placeholders."""

    type: str
    text: str = ""
    buttons: tuple[Button, ...] = ()
    others: tuple[str, ...] = ()


class Template(Struct, frozen=True, kw_only=True):
    """A template as the provider has it. `samples` are the values that its author gave as examples."""

    content_sid: str
    account_sid: str
    name: str
    language: str
    contents: tuple[Content, ...] = ()
    category: Category | None = None
    approval: Approval = Approval.UNSUBMITTED
    rejection: str = ""
    samples: dict[str, str] = {}


class Known(Struct, frozen=True, kw_only=True):
    """A template as it was when it was last fetched. `gone_at` is when the provider was found to have it no more."""

    template: Template
    fetched_at: datetime
    gone_at: datetime | None = None

    def decides(self, now: datetime) -> bool:
        """Whether what is known is young enough to refuse anything by."""
        return now - self.fetched_at < TRUSTED

    def is_worth_asking_again(self, now: datetime) -> bool:
        """Whether it would be refused by something that may have changed since."""
        refuses = self.gone_at is not None or self.template.approval is not Approval.APPROVED
        return now - self.fetched_at > (FRESH if refuses else TRUSTED)


class Purpose(StrEnum):
    """What it is used for: to open on WhatsApp, inside WhatsApp's open window, or on SMS."""

    OPENING = "opening"
    IN_WINDOW = "in_window"
    SMS = "sms"

    @property
    def channel(self) -> Channel:
        """The channel that it is used on."""
        return Channel.SMS if self is Purpose.SMS else Channel.WHATSAPP


class Preview(Struct, frozen=True, kw_only=True):
    """A template with its values, as the contact sees it."""

    text: str
    buttons: tuple[Button, ...] = ()


def content_on(template: Template, channel: Channel) -> Content | None:
    """What a template is on a channel: the plain text on SMS, the richest there is on WhatsApp."""
    ranked = sorted(
        template.contents,
        key=lambda one: (
            (not one.type.startswith(_WHATSAPP), one.type == _PLAIN)
            if channel is Channel.WHATSAPP
            else (one.type != _PLAIN, one.type.startswith(_WHATSAPP))
        ),
    )
    return ranked[0] if ranked else None


def placeholders(content: Content) -> tuple[str, ...]:
    """The names of what is to be filled in, in the order of reading, each once."""
    texts = [_body(content), *content.others]
    for button in content.buttons:
        texts += [button.title, button.target or ""]
    return tuple(dict.fromkeys(name for text in texts for name in _PLACEHOLDER.findall(text)))


def render(template: Template, variables: Mapping[str, str], channel: Channel = Channel.WHATSAPP) -> Preview:
    """The message as the contact sees it. A value that is missing leaves its placeholder standing.

    One pass: a placeholder inside a value is a text like any other.
    """
    content = content_on(template, channel)
    if content is None:
        return Preview(text="")

    def filled(text: str) -> str:
        return _PLACEHOLDER.sub(lambda found: variables.get(found[1], found[0]), text)

    shown = () if channel is Channel.SMS else content.buttons
    return Preview(
        text=filled(_body(content)),
        buttons=tuple(
            Button(
                kind=button.kind,
                title=filled(button.title),
                target=None if button.target is None else filled(button.target),
            )
            for button in shown
        ),
    )


def _body(content: Content) -> str:
    return content.text or (_CODE_TEXT if content.type == _AUTHENTICATION else "")
