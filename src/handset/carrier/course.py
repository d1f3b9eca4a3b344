"""The course of an outbound message: which state comes next, when, and whether it fails.

A message with a fate of its own (a fault) ends as that says: before it is sent, or instead of being delivered.

Pure: a message, the delays and the facts go in. The initial state has no callback; each later one has (the REST
reference's list). `sending` is passed over, as callbacks do. Where a step's delay is null the message stays.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from handset.carrier import templates
from handset.config import Delays
from handset.state.nouns import Message, Status
from handset.template import Template

WINDOW: Final = timedelta(hours=24)
"""How long after a contact's last message WhatsApp lets free text through."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A state to reach, at the earliest at that instant."""

    status: Status
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What decides whether a message gets through."""

    last_inbound_at: datetime | None
    template: Template | None
    blocked: bool
    refusal: int | None = None
    content_gone: bool = False


@dataclass(frozen=True, kw_only=True)
class Failing:
    """The state in which a message ends, and why."""

    status: Status
    code: int


def next_step(message: Message, delays: Delays) -> Step | None:
    """Where this message goes from here; None when it stays."""
    reached = message.history[-1].at
    match message.status:
        case "scheduled":
            return Step(status="queued", at=message.send_at or reached)
        case "accepted":
            return Step(status="queued", at=reached)
        case "queued" | "sending":
            at = reached + timedelta(seconds=delays.sent)
            return Step(status="sent", at=max(at, message.leaves_at or at))
        case "sent" if message.fate is not None:
            length = delays.sent if delays.delivered is None else delays.delivered
            return Step(status="undelivered", at=reached + timedelta(seconds=length))
        case "sent" if delays.delivered is not None:
            return Step(status="delivered", at=reached + timedelta(seconds=delays.delivered))
        case "delivered" if delays.read is not None and message.is_whatsapp:
            return Step(status="read", at=reached + timedelta(seconds=delays.read))
        case _:
            return None


def failing(message: Message, facts: Facts, now: datetime) -> Failing | None:
    """Why this queued message cannot be sent; None if it can."""
    if message.fate is not None and message.fate.status == "failed":
        return Failing(status="failed", code=message.fate.code)
    if message.expires_at is not None and now >= message.expires_at:
        return Failing(status="failed", code=30036)
    if facts.refusal is not None:
        return Failing(status="failed", code=facts.refusal)
    if facts.blocked:
        return Failing(status="failed", code=21610)
    if not message.is_whatsapp:
        return None
    window_open = is_open(facts.last_inbound_at, now)
    if facts.content_gone:
        return Failing(status="undelivered", code=63027)
    if facts.template is None:
        return None if window_open else Failing(status="undelivered", code=63016)
    code = templates.refusal(
        facts.template, message.content_variables, window_open=window_open, to_address=message.to_address
    )
    return Failing(status="undelivered", code=code) if code else None


def is_open(last_inbound_at: datetime | None, now: datetime) -> bool:
    """Whether WhatsApp lets free text through."""
    return last_inbound_at is not None and now < last_inbound_at + WINDOW


def priced_at(message: Message, delays: Delays) -> datetime | None:
    """When its price becomes known: a while after it was delivered, or sent where nobody tells of deliveries."""
    if message.price is not None or delays.price is None or message.direction == "inbound" or message.past:
        return None
    arrived = {"sent"} if delays.delivered is None else {"delivered"}
    return next((c.at + timedelta(seconds=delays.price) for c in message.history if c.status in arrived), None)
