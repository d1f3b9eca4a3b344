"""Accounts and senders as the API takes and shows them: secrets go in and never come out."""

from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from overture.domain.account import Origin
from overture.domain.channel import Channel
from overture.domain.pace import FASTEST, SLOWEST
from overture.domain.sender import ForeignOutbound, InboundWay, KeywordHandling, SenderKind

_Sid = Annotated[str, Meta(pattern=r"^AC[0-9a-f]{32}$", description="AC and 32 digits or letters a to f.")]
_Name = Annotated[str, Meta(max_length=100, description="What to call it.")]
_Place = Annotated[str, Meta(max_length=40)]
_Url = Annotated[str, Meta(max_length=500, description="An http or https address without a path of its own.")]
_Token = Annotated[str, Meta(min_length=1, max_length=200, description="An auth token. It is never shown again.")]
_Agent = Annotated[str, Meta(min_length=1, max_length=64, description="The agent that answers who writes first.")]
_Service = Annotated[str, Meta(max_length=64, description="The Messaging Service to send by: MG and 32 digits.")]


class ChangedAccount(Struct, frozen=True, kw_only=True):
    """What to change of an account; what is left out stays, null takes away.

    `keep_auth_token` makes the token that was first the second, while `auth_token` becomes the first: sending uses the
    first, webhooks may be signed with either.
    """

    name: _Name | UnsetType | None = UNSET
    parent_sid: Annotated[str, Meta(max_length=64, description="Of a sub-account.")] | UnsetType | None = UNSET
    region: Annotated[_Place, Meta(description="us1, ie1 or au1.")] | UnsetType | None = UNSET
    edge: Annotated[_Place, Meta(description="The way there, like dublin.")] | UnsetType | None = UNSET
    api_url: _Url | UnsetType | None = UNSET
    content_url: _Url | UnsetType | None = UNSET
    messaging_url: _Url | UnsetType | None = UNSET
    media_url: _Url | UnsetType | None = UNSET
    auth_token: _Token | UnsetType = UNSET
    second_auth_token: _Token | UnsetType | None = UNSET
    keep_auth_token: bool = False
    api_key_sid: Annotated[str, Meta(max_length=64, description="SK and 32 digits.")] | UnsetType | None = UNSET
    api_key_secret: _Token | UnsetType | None = UNSET

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class NewAccount(ChangedAccount, frozen=True, kw_only=True):
    """An account to set up, with its auth token. One that is there already is changed."""

    sid: _Sid


class UrlsView(Struct, frozen=True, kw_only=True):
    """Where an account's APIs are."""

    api: str
    content: str
    messaging: str
    media: str


class ProviderAccountView(Struct, frozen=True, kw_only=True):
    """An account. `origin` is `settings` where the settings alone may change it.

    Of its secrets only what is set is told: how many auth tokens, whether there is an API key and how its SID ends.
    `problem` says why its secrets cannot be opened; null where they can.
    """

    sid: str
    origin: Origin
    name: str | None
    parent_sid: str | None
    region: str | None
    edge: str | None
    urls: UrlsView
    auth_tokens: int
    has_api_key: bool
    api_key_ends_with: str | None
    problem: str | None
    created_at: datetime | None
    changed_at: datetime | None


class ProviderAccountList(Struct, frozen=True, kw_only=True):
    """Every account of the workspace: those of the settings first."""

    accounts: list[ProviderAccountView]


class ChangedSender(Struct, frozen=True, kw_only=True):
    """What to change of a sender; what is left out stays, null takes away, or back to what is usual."""

    agent: _Agent | UnsetType | None = UNSET
    messaging_service_sid: _Service | UnsetType | None = UNSET
    keyword_handling: (
        Annotated[KeywordHandling, Meta(description="Who answers STOP: twilio, advanced, network or ours.")]
        | UnsetType
        | None
    ) = UNSET
    inbound: (
        Annotated[InboundWay, Meta(description="How messages come in: webhook, or poll where none can reach us.")]
        | UnsetType
        | None
    ) = UNSET
    foreign_outbound: (
        Annotated[ForeignOutbound, Meta(description="What follows when others send: note, takeover or ignore.")]
        | UnsetType
        | None
    ) = UNSET
    pace_per_second: (
        Annotated[float, Meta(ge=SLOWEST, le=FASTEST, description="Segments (SMS) or messages that leave in a second.")]
        | UnsetType
        | None
    ) = UNSET


class NewSender(ChangedSender, frozen=True, kw_only=True):
    """A sender to activate: a number, a toll-free number, a short code, or a WhatsApp sender of an account."""

    account_sid: _Sid
    channel: Channel
    address: Annotated[str, Meta(min_length=1, max_length=64, description="Like +15551234567, or a short code.")]


class SenderView(Struct, frozen=True, kw_only=True):
    """A sender. `origin` is `settings` where the settings alone may change it; `listens` where its webhooks reach us.

    `activated_at` stays when it is retired and set up again. `stopped_because` says why nothing leaves by it.
    """

    id: str
    origin: Origin
    account_sid: str
    channel: Channel
    address: str
    kind: SenderKind
    agent: str | None
    messaging_service_sid: str | None
    keyword_handling: KeywordHandling
    inbound: InboundWay
    foreign_outbound: ForeignOutbound
    pace_per_second: float | None
    listens: bool
    activated_at: datetime | None
    stopped_at: datetime | None
    stopped_because: str | None


class SenderList(Struct, frozen=True, kw_only=True):
    """Every sender in use of the workspace."""

    senders: list[SenderView]


class RotatedSecrets(Struct, frozen=True, kw_only=True):
    """How many secrets were sealed anew with the first key, and how many were so before."""

    resealed: int
    current: int
