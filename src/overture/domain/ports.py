"""The doors to the world, as the inside sees them; adapters stand behind, handed in by bootstrap."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from overture.domain.account import Credentials
from overture.domain.delivery import DeliveryStatus
from overture.domain.message import Body, Referral
from overture.domain.notice import Notice
from overture.domain.prices import Cost
from overture.domain.template import Template
from overture.domain.tool import HttpAnswer, HttpRequest
from overture.domain.turn import ModelAnswered, ModelRequest


class Clock(Protocol):
    """Tells the time, always aware and in UTC."""

    def now(self) -> datetime: ...


class Ids(Protocol):
    """Makes ids: UUIDv7 text that carries a shard (see `domain/ids.py`)."""

    def new(self, now: datetime, shard: int | None = None) -> str: ...


class Outgoing(Struct, frozen=True, kw_only=True):
    """One attempt to have a provider send one message.

    `sender` and `to` are in the provider's form (`whatsapp:+1555…`); `validity_seconds` tells the provider to drop
    the message when it has not left by then. `probes` where the account's breaker waits for what comes of it;
    `leaves_at` where its sender's pace gave it an instant of its own.
    """

    message_id: str
    attempt: int
    account_sid: str
    sender: str
    to: str
    body: Body
    validity_seconds: int
    messaging_service_sid: str | None = None
    probes: bool = False
    leaves_at: datetime | None = None


class Accepted(Struct, frozen=True, kw_only=True):
    """The provider took the message and named it."""

    sid: str
    status: DeliveryStatus
    segments: int | None = None


class ProviderMessage(Struct, frozen=True, kw_only=True):
    """A message as the provider's own records show it.

    `account_sid` is the account that the record names, None where it names none; `media` how many files came with it;
    `service` the Messaging Service that sent it, which may not have chosen a sender yet; `automatic` where the provider
    answered an inbound message by itself; `price` what it charged, None as long as it has not said; `segments` as it
    counted them, None where it did not.
    """

    sid: str
    sender: str
    to: str
    body: str
    inbound: bool
    status: DeliveryStatus
    created_at: datetime
    error_code: int | None = None
    account_sid: str | None = None
    media: int = 0
    service: str | None = None
    automatic: bool = False
    price: Cost | None = None
    segments: int | None = None


class MessagePage(Struct, frozen=True, kw_only=True):
    """A page of an account's messages, newest first; whether it is the list's last."""

    messages: tuple[ProviderMessage, ...]
    is_last: bool


class Provider(Protocol):
    """A messaging provider's API. Every failure is one of `domain/errors.py`; nothing is retried inside."""

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand one attempt over. Raises Transient, Permanent, Misconfigured or OutcomeUnknown."""
        ...

    def list_pages(
        self, account_sid: str, *, page_size: int, sender: str | None = None, to: str | None = None
    ) -> AsyncIterator[MessagePage]:
        """The account's messages of both directions, newest first, a request a page, as long as they are asked for.

        With `sender` or `to`, in the provider's form, only those from or to that address.
        A message that arrives meanwhile may be missing, or push others on to the next page, which then repeats them.
        """
        ...

    async def fetch(self, account_sid: str, sid: str) -> ProviderMessage | None:
        """One message by its SID, None where the provider knows none."""
        ...


class StatusReport(Struct, frozen=True, kw_only=True):
    """A provider's word on one message. `message_id` and `attempt` come from our callback URL, where its MAC holds."""

    sid: str
    account_sid: str
    status: DeliveryStatus
    error_code: int | None = None
    message_id: str | None = None
    attempt: int | None = None


class Inbound(Struct, frozen=True, kw_only=True):
    """A message from a contact.

    `sender` is our address that was written to, `contact` the address that wrote, both in the provider's form.
    `text` holds what the agent is shown: the body, a button's text, or a description in words of what else came.
    `body` is what was written or tapped alone, where it is told apart: consent is read from that. `received_at` is
    when we kept it, None for now; of a `recovered` message, which was found in the provider's list, when the provider
    did. Such a message lacks buttons and names. `quoted` are the words of the message of ours that it replies to, where
    that is known. `also_known_as` is a further address of who wrote: a number where `contact` is a BSUID, a BSUID where
    it is a number. `button_payload` is what a tapped button or list row carries; `is_reaction` where nothing was
    written but a sign put to an earlier message.
    """

    sid: str
    account_sid: str
    sender: str
    contact: str
    text: str
    profile_name: str | None = None
    media_urls: tuple[str, ...] = ()
    button_payload: str | None = None
    opt_out_type: str | None = None
    replied_to_sid: str | None = None
    body: str | None = None
    received_at: datetime | None = None
    recovered: bool = False
    quoted: str | None = None
    also_known_as: str | None = None
    referral: Referral | None = None
    is_reaction: bool = False
    has_voice_note: bool = False


class RawEvent(Struct, frozen=True, kw_only=True):
    """A verified webhook as it came, kept before anything is made of it.

    `kind` is inbound, status, or recovered: an inbound message that no webhook brought, in a webhook's form.
    `unique_key` is the provider's identity of the event (a repeated delivery has the same), `ordering_key` what must
    be handled in order of arrival.
    """

    kind: str
    account_sid: str
    unique_key: str
    ordering_key: str
    query: str
    body: bytes


class WebhookVerifier(Protocol):
    """Says whether a webhook is the provider's own, and what it is."""

    def verify_inbound(self, *, path_and_query: str, body: bytes, signature: str | None) -> RawEvent:
        """The event of an inbound webhook. Raises Forbidden for a forged one, Invalid for one that makes no sense."""
        ...

    def verify_status(self, *, path_and_query: str, body: bytes, signature: str | None) -> RawEvent:
        """The event of a status callback. Raises as `verify_inbound`."""
        ...


class WebhookParser(Protocol):
    """Reads kept events. Raises Invalid for what cannot be read."""

    def recover(self, account_sid: str, message: ProviderMessage) -> RawEvent:
        """The event that an inbound message's webhook would have been, as far as the provider's record tells."""
        ...

    def parse_inbound(self, event: RawEvent) -> Inbound: ...

    def parse_status(self, event: RawEvent) -> StatusReport: ...


class Vault(Protocol):
    """Keeps secrets so that the database alone gives none of them away.

    What is sealed is bound to its place (the table, the workspace, the row, the field): it opens nowhere else.
    """

    def seal(self, secret: str, place: Sequence[str]) -> str:
        """The text to store. Raises Misconfigured where there is no key."""
        ...

    def unseal(self, sealed: str, place: Sequence[str]) -> str:
        """The secret. Raises Misconfigured where the key is missing, or the text was changed, cut or moved."""
        ...

    def is_current(self, sealed: str) -> bool:
        """Whether a text was sealed with the key that seals now. Raises Misconfigured where there is none."""
        ...

    def derive(self, purpose: str) -> bytes:
        """A secret of 32 bytes for a purpose, from the key that seals now; where there is none, this process's own."""
        ...


class AccountsInForce(Protocol):
    """The provider accounts as sending, verifying and fetching use them, at once and while they run."""

    def of_settings(self) -> Sequence[Credentials]:
        """Those of the settings, which go before stored ones of the same SID."""
        ...

    def replace(self, stored: Sequence[Credentials]) -> None:
        """Use these from now on, beside those of the settings."""
        ...


class FetchedMedium(Struct, frozen=True, kw_only=True):
    """What came with a message, as the provider keeps it."""

    content_type: str
    body: bytes


class MediaFetcher(Protocol):
    """Fetches what came with messages."""

    async def fetch_medium(self, account_sid: str, url: str) -> FetchedMedium:
        """One medium. Raises Transient, Permanent or Misconfigured; nothing is retried inside."""
        ...


class Transcriber(Protocol):
    """Writes recordings down."""

    async def transcribe(self, medium: FetchedMedium) -> str:
        """The words of a recording, empty where it has none. Raises Transient, Permanent or Misconfigured."""
        ...


class Embeddings(Protocol):
    """Makes vectors of texts, near each other where the texts mean the same."""

    @property
    def model(self) -> str: ...

    async def embed(self, texts: Sequence[str], *, timeout_seconds: float) -> list[list[float]]:
        """A vector of each text, in order, all of one length. Raises Transient, Permanent or Misconfigured."""
        ...


class Typist(Protocol):
    """Shows contacts that an answer is being written."""

    async def show_typing(self, account_sid: str, sid: str) -> None:
        """Show it to whoever wrote the message with this SID, which it marks as read. Raises as `Provider.send`."""
        ...


class TemplateSource(Protocol):
    """The provider's templates. Every failure is one of `domain/errors.py`; nothing is retried inside."""

    async def list_templates(self, account_sid: str) -> list[Template]:
        """Every template of an account with its approval. Raises Transient, Permanent or Misconfigured."""
        ...

    async def fetch_template(self, account_sid: str, content_sid: str) -> Template | None:
        """One template with its approval, None where the account has none of that SID. Raises as `list_templates`."""
        ...


class ModelClient(Protocol):
    """Asks language models."""

    async def complete(self, request: ModelRequest, *, timeout_seconds: float) -> ModelAnswered:
        """One answer. Raises Transient, Permanent or Misconfigured; never retries inside."""
        ...

    def endpoints(self) -> Sequence[str]:
        """The names that a request may use, the default one first; empty where no model is set up."""
        ...


class Notifier(Protocol):
    """Tells operators' servers of hand-overs."""

    async def notify(self, notice: Notice, *, at: datetime, timeout_seconds: float) -> int:
        """One try; the status that it was answered with. Raises what a ToolCaller raises."""
        ...


class ToolCaller(Protocol):
    """Calls the servers behind agents' tools."""

    async def call(self, request: HttpRequest, *, timeout_seconds: float) -> HttpAnswer:
        """One call, whatever status it is answered with; nothing is retried inside and no redirect is followed.

        Raises Unreachable, Permanent (an address that is not asked) or Misconfigured (a secret that does not exist)
        where nothing was sent, OutcomeUnknown where the request may have been acted upon.
        """
        ...
