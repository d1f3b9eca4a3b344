"""The nouns that Handset remembers. All are frozen: a change puts a new one in the old one's place."""

import hashlib
from datetime import datetime
from typing import Literal

import msgspec

from handset.template import Template

Status = Literal[
    "accepted",
    "scheduled",
    "queued",
    "sending",
    "sent",
    "delivered",
    "read",
    "undelivered",
    "failed",
    "canceled",
    "receiving",
    "received",
]
"""Twilio's states of a message (message_enum_status), less the group-MMS one."""

FINAL: frozenset[Status] = frozenset({"delivered", "read", "undelivered", "failed", "canceled", "received"})

Direction = Literal["inbound", "outbound-api", "outbound-reply"]


class Noun(msgspec.Struct, frozen=True, kw_only=True):
    """Something remembered."""


class Change(Noun, frozen=True, kw_only=True):
    """A status and the instant it was reached."""

    status: Status
    at: datetime


class Fate(Noun, frozen=True, kw_only=True):
    """How a message is made to end: `failed` before it was sent, `undelivered` after it, and the code that says why."""

    status: Literal["failed", "undelivered"]
    code: int


class Choice(Noun, frozen=True, kw_only=True):
    """A button under a message, or a row of its list. `id` comes back when it is tapped; `target` is opened instead."""

    title: str
    id: str = ""
    kind: Literal["reply", "row", "link"] = "reply"
    target: str = ""
    description: str = ""


class Rich(Noun, frozen=True, kw_only=True):
    """What a message shows beside its text: the content type that made it, and what can be tapped."""

    kind: str
    choices: tuple[Choice, ...] = ()
    menu: str = ""


class Message(Noun, frozen=True, kw_only=True):
    """A message, in either direction.

    `auto` marks the carrier's own keyword answers: they reach the phone, but the REST API does not know them.
    `free_form` is false for what a template rendered; `fields` are an inbound webhook's extra parameters. Lists do
    not show it before `listed_at`. `handset` is the phone's address where the message bears another of its names;
    `leaves_at` is its turn in its sender's queue. `past` marks what was put into the list as history.
    """

    sid: str
    account_sid: str
    from_address: str | None
    to_address: str
    body: str
    direction: Direction
    status: Status
    created_at: datetime
    updated_at: datetime
    history: tuple[Change, ...]
    sent_at: datetime | None = None
    send_at: datetime | None = None
    expires_at: datetime | None = None
    error_code: int | None = None
    segments: int = 1
    media_urls: tuple[str, ...] = ()
    service_sid: str | None = None
    content_sid: str | None = None
    content_variables: dict[str, str] | None = None
    status_callback: str | None = None
    price: str | None = None
    auto: bool = False
    free_form: bool = True
    redacted: bool = False
    fate: Fate | None = None
    listed_at: datetime | None = None
    handset: str | None = None
    leaves_at: datetime | None = None
    rich: Rich | None = None
    seen_at: datetime | None = None
    reaction: str = ""
    past: bool = False
    fields: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def is_whatsapp(self) -> bool:
        """Whether it travels over WhatsApp."""
        return self.to_address.startswith("whatsapp:")

    @property
    def phone(self) -> str | None:
        """The address of the handset, whichever side it stands on."""
        return self.handset or (self.from_address if self.direction == "inbound" else self.to_address)

    @property
    def sender(self) -> str | None:
        """The account's own address; None while a Messaging Service has not chosen one."""
        return self.to_address if self.direction == "inbound" else self.from_address

    def moved(self, status: Status, at: datetime, *, error_code: int | None = None) -> "Message":
        """The same message in its next state."""
        return msgspec.structs.replace(
            self,
            status=status,
            updated_at=at,
            sent_at=at if status == "sent" else self.sent_at,
            error_code=error_code,
            history=(*self.history, Change(status=status, at=at)),
        )


class Attempt(Noun, frozen=True, kw_only=True):
    """One request of a webhook: the answer's status, or why there was none."""

    at: datetime
    seconds: float
    status: int | None = None
    error: str | None = None


class Webhook(Noun, frozen=True, kw_only=True):
    """A webhook and what became of it. `status` is the last answer's; `error_code` is one of Twilio's 11xxx/12xxx."""

    id: str
    kind: Literal["inbound", "status", "fallback"]
    message_sid: str
    account_sid: str
    url: str
    params: dict[str, str]
    token: str
    created_at: datetime
    method: Literal["GET", "POST"] = "POST"
    finished: bool = False
    status: int | None = None
    attempts: tuple[Attempt, ...] = ()
    error_code: int | None = None
    error: str | None = None


class Medium(Noun, frozen=True, kw_only=True):
    """A file of a message. An outbound one has its `source`, and no content where that is not on this machine."""

    sid: str
    account_sid: str
    message_sid: str
    content_type: str
    created_at: datetime
    content: bytes | None = None
    source: str | None = None
    waiting: bool = False

    @property
    def key(self) -> str:
        """The name under which the store without a password gives it out: no SID tells it."""
        return hashlib.sha256(f"medium {self.sid}".encode()).hexdigest()[:40]


class Feedback(Noun, frozen=True, kw_only=True):
    """What the account said about a message's outcome."""

    message_sid: str
    outcome: str
    created_at: datetime
    updated_at: datetime


class Content(Noun, frozen=True, kw_only=True):
    """A template that was made, or changed, or deleted, through the API: it stands over the configured one."""

    template: Template
    created_at: datetime
    updated_at: datetime
    deleted: bool = False


class Phone(Noun, frozen=True, kw_only=True):
    """A handset.

    What is typed on it comes from `answers_as` where that is given: the other form of its number, or the id of a
    person who hides it. `bsuid` is WhatsApp's business-scoped user id, told beside the number.
    """

    address: str
    name: str
    created_at: datetime
    answers_as: str | None = None
    bsuid: str | None = None
    username: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Every address that reaches it."""
        other = {self.answers_as or self.address}
        return frozenset({self.address} | other | ({f"whatsapp:{self.bsuid}"} if self.bsuid else set()))


class OptOut(Noun, frozen=True, kw_only=True):
    """A block that a contact's STOP put between it and one sender (or one Messaging Service's)."""

    sender: str
    phone: str
    keyword: str
    at: datetime


class Lifted(Noun, frozen=True, kw_only=True):
    """The end of an opt-out."""

    sender: str
    phone: str


class Wired(Noun, frozen=True, kw_only=True):
    """What the REST API changed of a sender or a Messaging Service, by the names of the configuration."""

    resource: str
    values: dict[str, str | bool | None]
    at: datetime


class Joined(Noun, frozen=True, kw_only=True):
    """A phone that joined a sandbox."""

    sender: str
    phone: str
    at: datetime


class Removed(Noun, frozen=True, kw_only=True):
    """A message or a medium deleted through the REST API."""

    sid: str


class Act(Noun, frozen=True, kw_only=True):
    """A fault that acted: by which rule, on what, and when. `answered`: the status that a forged webhook got."""

    rule: str
    kind: str
    traffic: str
    at: datetime
    message_sid: str | None = None
    to_address: str | None = None
    from_address: str | None = None
    answered: int | None = None
