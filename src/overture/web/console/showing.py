"""How the console shows conversations: its pages, rendered from what the API tells."""

from datetime import datetime
from typing import Any, Final

from jinja2 import Environment, PackageLoader

from overture.domain.delivery import DeliveryState
from overture.domain.message import Author
from overture.web import answers
from overture.web.pages import Files
from overture.web.routes import Answer

_WHO: Final = {Author.AGENT: "Agent", Author.CALLER: "Caller", Author.OPERATOR: "A person", Author.CONTACT: "Contact"}
_STATES: Final = {
    DeliveryState.QUEUED: "waits to be sent",
    DeliveryState.SENDING: "is being sent",
    DeliveryState.UNCERTAIN: "sent? It is being found out",
    DeliveryState.NEEDS_REVIEW: "needs a decision",
    DeliveryState.ACCEPTED: "at the provider",
    DeliveryState.SENT: "sent",
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.READ: "read",
    DeliveryState.UNDELIVERED: "not delivered",
    DeliveryState.FAILED: "not sent",
    DeliveryState.CANCELED: "cancelled",
}
_CHANNELS: Final = {"sms": "SMS", "whatsapp": "WhatsApp", "api": "API"}


def page(template: str, status: int = 200, **given: Any) -> Answer:
    """A page as an answer."""
    text = _PAGES.get_template(template).render(**given)
    return Answer(status=status, body=text.encode(), content_type=b"text/html; charset=utf-8", policy=answers.CONSOLE)


def lead_to(path: str, *cookies: bytes) -> Answer:
    """An answer that leads on to another page."""
    headers = ((b"location", path.encode()), *((b"set-cookie", cookie) for cookie in cookies))
    return Answer(status=303, content_type=None, headers=headers, policy=answers.CONSOLE)


def _environment() -> Environment:
    made = Environment(loader=PackageLoader("overture.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.globals["static"] = Files().url
    made.filters |= {"age": _age, "who": _WHO.__getitem__, "state": _STATES.__getitem__, "clock": _clock, "day": _day}
    made.filters |= {
        "moment": _moment,
        "words": lambda code: code.replace("_", " "),
        "ago": lambda at, now: _age(int((now - at).total_seconds())),
    }
    made.filters |= {"iso": datetime.isoformat, "channel": lambda channel: _CHANNELS[channel.value]}
    return made


def _age(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return "a moment"


def _clock(at: datetime) -> str:
    return f"{at:%H:%M}"


def _moment(at: datetime) -> str:
    return f"{at.day} {at:%B, %H:%M} UTC"


def _day(at: datetime) -> str:
    return f"{at:%A}, {at.day} {at:%B %Y}"


_PAGES: Final = _environment()
