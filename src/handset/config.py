"""What Handset is told at its start: accounts, senders, phones, templates, delays, faults, the clock.

Every part has a default, so a bare `handset` works. Unknown fields are refused: a misspelt one would be ignored
otherwise, and its writer would search for long.
"""

import ipaddress
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

from handset.clock import Line
from handset.faults.rules import Rule
from handset.template import Sid, Template

DEFAULT_ACCOUNT_SID: Final = "AC00000000000000000000000000000001"
DEFAULT_AUTH_TOKEN: Final = "handset-auth-token"  # noqa: S105 - known to everybody, opens nothing but this stand-in

ADDRESS: Final = re.compile(r"(whatsapp:)?\+[1-9][0-9]{6,14}|whatsapp:[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}|[0-9]{3,8}")
"""A phone number, a WhatsApp address (by number, or by its business-scoped user id), or a short code."""

Method = Literal["GET", "POST"]
PerSecond = Annotated[float, msgspec.Meta(gt=0, le=10_000)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class ConfigError(Exception):
    """The configuration cannot be used; the text says where and why."""


class Settled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the configuration."""


class ApiKey(Settled, frozen=True, kw_only=True):
    """A key that opens the REST API; it never signs webhooks.

    A `main` one opens all of it, a `standard` one no accounts, a `restricted` one is made here for reading alone.
    """

    sid: Sid
    secret: str
    kind: Literal["main", "standard", "restricted"] = "main"


class Account(Settled, frozen=True, kw_only=True):
    """An account; its auth token opens the REST API and signs the webhooks. A sub-account names its `owner`.

    A `test` one stands for test credentials: requests are answered, and nothing is sent or called.
    """

    sid: Sid
    auth_token: str
    name: str = "Handset"
    status: Literal["active", "suspended", "closed"] = "active"
    type: Literal["Full", "Trial"] = "Full"
    owner: Sid | None = None
    api_keys: tuple[ApiKey, ...] = ()
    test: bool = False


class Number(Settled, frozen=True, kw_only=True):
    """One of an account's own senders, and where Twilio would report what reaches it.

    An application takes what reaches a number; `conversations` says that a conversation is made of it besides. `join`
    makes a WhatsApp sender the sandbox: who sends "join" and these words may be written to for three days.
    """

    address: str
    account: Sid | None = None
    inbound_url: str | None = None
    inbound_method: Method = "POST"
    fallback_url: str | None = None
    fallback_method: Method = "POST"
    status_url: str | None = None
    status_method: Method = "POST"
    application_sid: str | None = None
    sms: bool = True
    conversations: bool = False
    sender_status: str = "ONLINE"
    join: Annotated[str, msgspec.Meta(pattern=r"^[a-z]+-[a-z]+$")] | None = None


class Keywords(Settled, frozen=True, kw_only=True):
    """Advanced Opt-Out: a service's own words beside STOP, START and HELP, and what it answers to them."""

    stop: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    stopped: str = "You have been unsubscribed. Reply START to resubscribe."
    started: str = "You have been re-subscribed. Reply STOP to unsubscribe."
    helped: str = "Reply STOP to unsubscribe."


class Service(Settled, frozen=True, kw_only=True):
    """A Messaging Service: a pool of senders, and where it reports what reaches them, unless it leaves that to each.

    Not told which, it leaves it to them where it has no address of its own. With `keywords` it has Advanced Opt-Out.
    """

    sid: Sid
    numbers: tuple[str, ...]
    account: Sid | None = None
    name: str = "Handset"
    inbound_url: str | None = None
    inbound_method: Method = "POST"
    fallback_url: str | None = None
    fallback_method: Method = "POST"
    use_inbound_webhook_on_number: bool | None = None
    status_url: str | None = None
    alpha_senders: tuple[str, ...] = ()
    us_registered: bool = False
    smart_encoding: bool = False
    keywords: Keywords | None = None

    @property
    def leaves_it_to_numbers(self) -> bool:
        """Whether what reaches a number is reported where the number says."""
        on_number = self.use_inbound_webhook_on_number
        return self.inbound_url is None if on_number is None else on_number


class Phone(Settled, frozen=True, kw_only=True):
    """A handset in somebody's pocket, shown on the page.

    `answers_as` is the address that its messages come from, where it is another than it is written to at;
    `other_form` means the other form of a Brazilian, Mexican or Argentinian number.
    """

    address: str
    name: str = ""
    answers_as: str | None = None
    bsuid: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$")] | None = None
    username: Annotated[str, msgspec.Meta(max_length=80)] = ""


class Past(Settled, frozen=True, kw_only=True):
    """A message from before: between one of our senders and a phone, in either direction."""

    from_: str = msgspec.field(name="from")
    to: str
    body: Annotated[str, msgspec.Meta(max_length=4096)] = ""
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    status: Literal["sent", "delivered", "read", "undelivered", "failed", "received"] | None = None
    error_code: int | None = None


class Delays(Settled, frozen=True, kw_only=True):
    """How long each step takes after the one before it; null: the step never comes. `price` follows the delivery.

    `answer` is what a request that sends a message waits for its answer, in real seconds whatever the clock does.
    """

    answer: Seconds = 0.0
    sent: Seconds = 0.2
    delivered: Seconds | None = 0.5
    read: Seconds | None = 1.0
    price: Seconds | None = 0.0


class Queues(Settled, frozen=True, kw_only=True):
    """Senders' queues: how many segments each kind of sender sends in a second, and how many seconds of it may wait."""

    long_code: PerSecond = 1.0
    toll_free: PerSecond = 3.0
    short_code: PerSecond = 100.0
    whatsapp: PerSecond = 80.0
    senders: dict[str, PerSecond] = msgspec.field(default_factory=dict)
    seconds: Seconds = 36_000.0
    whatsapp_seconds: Seconds = 14_400.0


class Button(Settled, frozen=True, kw_only=True):
    """A button on the page that whoever starts Handset adds: pressed, it makes Handset POST to a loopback URL."""

    id: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    label: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    url: str
    hint: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Config(Settled, frozen=True, kw_only=True):
    """All of it. `number.account` and the like are the first account's when not given."""

    accounts: tuple[Account, ...] = (Account(sid=DEFAULT_ACCOUNT_SID, auth_token=DEFAULT_AUTH_TOKEN),)
    numbers: tuple[Number, ...] = (Number(address="+15551234567"), Number(address="whatsapp:+15551234567"))
    services: tuple[Service, ...] = ()
    phones: tuple[Phone, ...] = (
        Phone(address="+15550100001", name="Ada"),
        Phone(address="whatsapp:+15559876543", name="Grace"),
    )
    templates: tuple[Template, ...] = (
        Template(
            sid="HX00000000000000000000000000000001",
            name="appointment_reminder",
            body="Hello {{1}}, your appointment is on {{2}}. Does it still suit you?",
            variables={"1": "Ada", "2": "May 3"},
        ),
    )
    delays: Delays = Delays()
    queues: Queues | None = None
    history: tuple[Past, ...] = ()
    base_url: str | None = None
    faults: tuple[Rule, ...] = ()
    clock: Line | None = None
    buttons: tuple[Button, ...] = ()
    seed: int | None = None
    strict_callbacks: bool = False

    def account_of(self, sid: str | None) -> Account:
        """The account that a number, service or template belongs to."""
        if sid is None:
            return self.accounts[0]
        return next(account for account in self.accounts if account.sid == sid)


def read(path: Path) -> Config:
    """The configuration in a JSON file; raises ConfigError with the file's name in it."""
    try:
        return check(msgspec.json.decode(path.read_bytes(), type=Config))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, ConfigError) as error:
        raise ConfigError(f"{path}: {error}") from error


def of(parts: object) -> Config:
    """The configuration given as plain objects (what the JSON file would hold)."""
    try:
        return check(parts if isinstance(parts, Config) else msgspec.convert(parts, Config))
    except msgspec.ValidationError as error:
        raise ConfigError(str(error)) from error


def check(config: Config) -> Config:
    """The same configuration, if its parts fit together; raises ConfigError otherwise."""
    if not config.accounts:
        raise ConfigError("accounts: at least one is needed")
    owned = {number.address for number in config.numbers}
    _check_addresses(config, owned)
    _check_owners(config)
    _check_url(config.base_url)
    for number in config.numbers:
        for url in (number.inbound_url, number.fallback_url, number.status_url):
            _check_url(url)
    for service in config.services:
        for url in (service.inbound_url, service.fallback_url, service.status_url):
            _check_url(url)
        for address in service.numbers:
            if address not in owned:
                raise ConfigError(f"service {service.sid}: {address} is not among the numbers")
    _check_buttons(config.buttons)
    for past in config.history:
        check_past(past, is_ours=owned.__contains__)
    return config


def _check_addresses(config: Config, owned: set[str]) -> None:
    for address in (*owned, *(phone.address for phone in config.phones)):
        if not ADDRESS.fullmatch(address):
            raise ConfigError(f"{address!r} is no address: write +15551234567, whatsapp:+15551234567 or a short code")
    for phone in config.phones:
        if not can_answer_as(phone):
            raise ConfigError(f"{phone.address} cannot answer as {phone.answers_as!r}: write an address of its channel")


def can_answer_as(phone: Phone) -> bool:
    """Whether the phone's other address, if it has one, is an address of its channel."""
    if phone.answers_as in {None, "other_form"}:
        return True
    own, other = phone.address.startswith("whatsapp:"), (phone.answers_as or "").startswith("whatsapp:")
    return own == other and ADDRESS.fullmatch(phone.answers_as or "") is not None


def _check_owners(config: Config) -> None:
    owners = {
        *(account.owner for account in config.accounts),
        *(number.account for number in config.numbers),
        *(service.account for service in config.services),
        *(template.account for template in config.templates),
    }
    for owner in owners - {account.sid for account in config.accounts} - {None}:
        raise ConfigError(f"account {owner} is not among the accounts")


def check_past(past: Past, *, is_ours: Callable[[str], bool]) -> None:
    """Refuse a message from before that is not between one of our senders and a phone of its channel."""
    for address in (past.from_, past.to):
        if not ADDRESS.fullmatch(address):
            raise ConfigError(f"history: {address!r} is no address")
    if is_ours(past.from_) == is_ours(past.to):
        raise ConfigError(f"history: one of {past.from_} and {past.to} must be one of the numbers, and one must not")
    if past.from_.startswith("whatsapp:") != past.to.startswith("whatsapp:"):
        raise ConfigError(f"history: {past.from_} and {past.to} are of different channels")


def _check_buttons(buttons: tuple[Button, ...]) -> None:
    if len({button.id for button in buttons}) < len(buttons):
        raise ConfigError("buttons: each needs an id of its own")
    for button in buttons:
        _check_url(button.url)
        if not _is_loopback(urlsplit(button.url).hostname or ""):
            raise ConfigError(f"button {button.id}: {button.url} is not on this machine; use http://127.0.0.1:...")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_url(url: str | None) -> None:
    try:
        fits = url is None or (urlsplit(url).scheme in {"http", "https"} and bool(urlsplit(url).hostname))
    except ValueError:
        fits = False
    if not fits:
        raise ConfigError(f"{url!r} is no http or https address")
