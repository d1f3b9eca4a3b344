"""Writing by hand: whether a person's message may go into a conversation, and as what.

The rules are those of every message: consent, WhatsApp's window, templates. What cannot go is refused at once, with
what to do, since its author is there to read it.
"""

from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

from overture.domain import message, template_opening, window
from overture.domain.agent import TemplateUse
from overture.domain.channel import Channel
from overture.domain.errors import Invalid, NotAllowed, Refusal
from overture.domain.sending import parts
from overture.domain.template import Known


class Correspondents(Struct, frozen=True, kw_only=True):
    """Who writes to whom, and what decides over a message between them."""

    sender_id: str
    account_sid: str
    sender_active: bool
    contact_number: str
    last_inbound_at: datetime | None
    opted_out_at: datetime | None


Bodies: TypeAlias = tuple[message.Text | message.Template, ...]


def settle(
    text: str | None,
    template: TemplateUse | None,
    *,
    channel: Channel,
    between: Correspondents | None,
    known: Known | None,
    now: datetime,
) -> Bodies | Refusal:
    """The messages that carry what a person wrote, in order, or why none may go.

    `between` is None in a chat over the API, where nothing is sent; `known` is the template as it is on record.
    """
    if (text is None) == (template is None):
        return Invalid("message_missing", "Give either text or template.", field="text", hint="One of the two.")
    if text is not None and not text.strip():
        return Invalid("message_empty", "The text holds only spaces.", field="text", hint="Write something.")
    if between is None:
        if text is None:
            return Invalid(
                "wrong_channel", "A chat over the API takes no template.", field="template", hint="Give text."
            )
        return parts(message.Text(text=text), channel)
    if between.opted_out_at is not None:
        return NotAllowed(
            "recipient_opted_out",
            "The contact has opted out and must not be written to.",
            hint="Only the contact can lift this, by writing START.",
        )
    if not between.sender_active:
        return NotAllowed(
            "sender_removed",
            "The sender of this conversation was removed.",
            hint="Set the sender up again, or open a conversation from another one.",
        )
    is_open = channel is not Channel.WHATSAPP or window.is_open(between.last_inbound_at, now)
    if template is None:
        assert text is not None
        return parts(message.Text(text=text), channel) if is_open else _closed()
    filled = message.Template(content_sid=template.content_sid, variables=template.variables)
    purpose = template_opening.purpose_of(channel, is_open=is_open)
    settled = template_opening.settle(
        filled, known, is_missing=False, to=between.contact_number, purpose=purpose, now=now
    )
    return settled if isinstance(settled, Refusal) else (settled,)


def _closed() -> Refusal:
    return NotAllowed(
        "window_closed",
        "The contact has not written in the last 24 hours, so WhatsApp takes only an approved template.",
        field="text",
        hint="Give template instead of text, or wait until the contact writes.",
    )
