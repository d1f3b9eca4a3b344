"""WhatsApp's closed window: which template goes in place of a text, and what the contact has then not read.

A text gives way to the template that its caller gave with it, else to the agent's: its opening template where the text
opens the conversation, its fallback template where it answers. Where nothing may go, a reply waits for the contact.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from overture.domain import message, reasons, template_opening, window
from overture.domain.agent import AgentSpec, TemplateUse
from overture.domain.channel import Channel
from overture.domain.delivery import FAILED, DeliveryStatus
from overture.domain.errors import NotAllowed, Refusal
from overture.domain.reasons import Explanation, Reason
from overture.domain.template import Known, Purpose

WAITS: Final = frozenset(
    reason.value for reason in (Reason.WINDOW_CLOSED, Reason.TEMPLATE_NOT_APPROVED, Reason.TEMPLATE_UNKNOWN)
)
"""Reasons for which a message did not go out because the contact has been silent for a day."""

_SAID_AGAIN: Final = WAITS | {Reason.SAID_IN_ANSWER.value}


def refusal(field: str) -> Refusal:
    """The answer to a call whose text cannot open a conversation."""
    return NotAllowed(
        "window_closed",
        "The contact has not written in the last 24 hours, so WhatsApp takes only an approved template.",
        field=field,
        hint="Give a template, or wait until the contact writes.",
    )


def holds_back(
    body: message.Text | message.Template,
    known: Known | None,
    *,
    channel: Channel,
    heard: datetime | None,
    since: datetime,
    now: datetime,
) -> Explanation | None:
    """Why a message written `since` may not leave: its window, or what was heard of its template after that.

    `heard` is when the contact last wrote, `known` what is known of the template.
    """
    is_open = channel is not Channel.WHATSAPP or window.is_open(heard, now)
    if isinstance(body, message.Text):
        return None if is_open else reasons.TABLE[Reason.WINDOW_CLOSED]
    purpose = template_opening.purpose_of(channel, is_open=is_open)
    problem = template_opening.taken_back(known, purpose=purpose, since=since, now=now)
    if problem is None:
        return None
    return Explanation(code=template_opening.refusal(problem).code, sentence=problem.sentence, hint=problem.hint)


def own_template(spec: AgentSpec, *, is_reply: bool) -> TemplateUse | None:
    """The template with which an agent opens, or goes on, outside the window."""
    return spec.fallback_template if is_reply else spec.opening_template


def stand_in(text: str, use: TemplateUse, known: Known | None, *, to: str, now: datetime) -> message.Template | None:
    """The template that goes in a text's place; None where it is known that WhatsApp would not take it."""
    template = message.Template(content_sid=use.content_sid, variables=use.variables, instead_of=text)
    settled = template_opening.settle(template, known, is_missing=False, to=to, purpose=Purpose.OPENING, now=now)
    return None if isinstance(settled, Refusal) else settled


def with_all(texts: Sequence[message.Text]) -> message.Text:
    """Texts that go out together as the one that a template stands in for; what is beside the first goes with it."""
    return msgspec.structs.replace(texts[0], text="\n".join(one.text for one in texts), options=())


def unread(body: message.Body, status: DeliveryStatus | None, reason: str | None, *, by_turn: bool) -> str | None:
    """The words of a message of ours that the contact was kept from, and that are said with its answer; None otherwise.

    A template that opened the conversation says in its own words what the text said; one that stands in for an answer
    (`by_turn`) does not.
    """
    match body:
        case message.Template(instead_of=str(text)) if by_turn:
            return text
        case message.Text(text=text) if status in FAILED and reason in _SAID_AGAIN:
            return text
        case _:
            return None
