"""What the page shows of a handset: pure, from what is remembered to what the templates write down."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from handset.carrier import reasons
from handset.carrier.course import WINDOW, is_open
from handset.phone.beside import Beside
from handset.state.nouns import Message, Phone, Status, Webhook

SHOWN: Final = 200  # bubbles of a phone: more is scrolled by nobody, and slows the page
HUES: Final = 6

Tick = Literal["clock", "one", "two", "seen", "cross", "none"]

TICKS: Final[dict[Status, tuple[Tick, str]]] = {
    "accepted": ("clock", "Accepted"),
    "scheduled": ("clock", "Scheduled"),
    "queued": ("clock", "Queued"),
    "sending": ("clock", "Sending"),
    "sent": ("one", "Sent"),
    "delivered": ("two", "Delivered"),
    "read": ("seen", "Read"),
    "undelivered": ("cross", "Not delivered"),
    "failed": ("cross", "Failed"),
    "canceled": ("cross", "Canceled"),
    "receiving": ("clock", "On its way"),
    "received": ("one", "Received by the sender"),
}


@dataclass(frozen=True, kw_only=True)
class Bubble:
    """One message on a screen. `mine`: typed on this handset."""

    sid: str
    mine: bool
    text: str
    at: datetime
    tick: Tick
    label: str
    other: str
    beside: Beside
    tag: str | None = None
    problem: str | None = None
    code: int | None = None
    segments: int = 1


@dataclass(frozen=True, kw_only=True)
class Line:
    """How things stand between a handset and one sender."""

    sender: str
    state: Literal["open", "closed", "blocked", "free"]
    closes_at: datetime | None = None
    seconds_left: int = 0
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Screen:
    """A handset with all that stands on it."""

    id: str
    address: str
    number: str
    name: str
    initials: str
    hue: int
    whatsapp: bool
    senders: tuple[str, ...]
    preferred: str | None
    also: str
    lines: tuple[Line, ...]
    bubbles: tuple[Bubble, ...]


def bubble(message: Message, webhook: Webhook | None, beside: Beside) -> Bubble:
    """A message as its handset shows it; `webhook` is the one that told our side of a typed message."""
    if message.direction == "inbound":
        return _typed(message, webhook, beside)
    tick, label = TICKS[message.status]
    tag = "carrier" if message.auto else None if message.free_form else "template"
    return Bubble(
        sid=message.sid,
        mine=False,
        text="(redacted)" if message.redacted else message.body,
        at=message.created_at,
        tick=tick,
        label=label,
        other=plain(message.from_address or "a Messaging Service"),
        tag=tag or ("reply" if message.direction == "outbound-reply" else None),
        problem=reasons.text_of(message.error_code),
        code=message.error_code,
        beside=beside,
        segments=message.segments,
    )


def _typed(message: Message, webhook: Webhook | None, beside: Beside) -> Bubble:
    tick: Tick
    problem, code = None, None
    if message.past:
        tick, label = "one", "From before: no webhook told of it"
    elif webhook is None:
        tick, label = "none", "No webhook: this sender has no inbound_url"
    elif not webhook.finished:
        tick, label = "clock", "Webhook on its way"
    elif webhook.error_code is not None:
        tick, label, code = "cross", "Webhook failed", webhook.error_code
        problem = f"{reasons.text_of(code)}: {webhook.error}" if webhook.error else reasons.text_of(code)
    elif not webhook.attempts:
        tick, label, problem = "cross", "Webhook lost", "On purpose, by a fault: it never comes."
    else:
        seconds = webhook.attempts[-1].seconds
        tick, label = "two", f"Webhook answered {webhook.status} in {seconds * 1000:.0f} ms"
        if message.seen_at is not None:
            tick, label = "seen", f"Read. {label}"
    return Bubble(
        sid=message.sid,
        mine=True,
        text="(redacted)" if message.redacted else message.body,
        at=message.created_at,
        tick=tick,
        label=label,
        other=plain(message.to_address),
        problem=problem,
        code=code,
        beside=beside,
        segments=message.segments,
    )


def line(
    *, sender: str, last_inbound_at: datetime | None, blocked_since: datetime | None, whatsapp: bool, now: datetime
) -> Line:
    """How things stand between a handset and that sender."""
    if blocked_since is not None:
        return Line(sender=sender, state="blocked", since=blocked_since)
    if not whatsapp:
        return Line(sender=sender, state="free")
    if last_inbound_at is None or not is_open(last_inbound_at, now):
        return Line(sender=sender, state="closed")
    closes_at = last_inbound_at + WINDOW
    return Line(sender=sender, state="open", closes_at=closes_at, seconds_left=int((closes_at - now).total_seconds()))


def shown_senders(senders: Sequence[str], messages: Sequence[Message]) -> tuple[str, ...]:
    """The senders whose state a screen tells: those it has talked with, else the first."""
    talked = {message.sender for message in messages}
    return tuple(sender for sender in senders if sender in talked) or tuple(senders[:1])


def also(phone: Phone) -> str:
    """How else the person is known: the address that they answer from, their id, their name."""
    other = plain(phone.answers_as) if phone.answers_as else ""
    identifier = phone.bsuid if phone.bsuid and phone.bsuid != other else ""
    told = (f"answers as {other}" if other else "", identifier, f"@{phone.username}" if phone.username else "")
    return " \N{MIDDLE DOT} ".join(filter(None, told))


def plain(address: str) -> str:
    """An address without its channel."""
    return address.removeprefix("whatsapp:")


def initials(name: str, address: str) -> str:
    """One or two letters for a face; the last two digits for somebody without a name."""
    words = name.split()
    if not words:
        return plain(address)[-2:]
    return "".join(word[0] for word in (words[0], *words[1:][-1:])).upper()


def digest(address: str) -> str:
    """A name for the page's elements that no address can break out of."""
    return hashlib.sha256(address.encode()).hexdigest()[:12]
