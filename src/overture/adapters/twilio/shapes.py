"""The shapes of Twilio's answers about accounts and their wiring, as far as they are read.

Twilio writes an address that is not set as null or as an empty text, by the resource's age.
"""

from msgspec import Struct

from overture.adapters.twilio.wire import Capabilities
from overture.domain.wiring import OwnedNumber, Setting, WhatsAppSender


class Account(Struct, frozen=True, kw_only=True):
    """An account."""

    sid: str
    friendly_name: str | None = None
    status: str | None = None
    type: str | None = None
    owner_account_sid: str | None = None


class Accounts(Struct, frozen=True, kw_only=True):
    """A page of accounts."""

    accounts: list[Account]
    next_page_uri: str | None = None


class Number(Struct, frozen=True, kw_only=True):
    """A phone number, and where what reaches it is sent."""

    sid: str
    phone_number: str
    capabilities: Capabilities = Capabilities()
    sms_url: str | None = None
    sms_method: str | None = None
    sms_application_sid: str | None = None

    def to_domain(self) -> OwnedNumber:
        """The number in our words."""
        setting = Setting(
            url=self.sms_url or "", method=self.sms_method or "POST", application_sid=self.sms_application_sid or ""
        )
        return OwnedNumber(sid=self.sid, address=self.phone_number, setting=setting, can_sms=self.capabilities.sms)


class Numbers(Struct, frozen=True, kw_only=True):
    """A page of phone numbers."""

    incoming_phone_numbers: list[Number]
    next_page_uri: str | None = None


class Meta(Struct, frozen=True, kw_only=True):
    """The paging of the newer hosts."""

    next_page_url: str | None = None


class Service(Struct, frozen=True, kw_only=True):
    """A Messaging Service."""

    sid: str
    friendly_name: str | None = None
    inbound_request_url: str | None = None
    inbound_method: str | None = None
    use_inbound_webhook_on_number: bool | None = None
    us_app_to_person_registered: bool | None = None

    @property
    def setting(self) -> Setting:
        """What it is set to, in our words."""
        return Setting(url=self.inbound_request_url or "", method=self.inbound_method or "POST")


class Services(Struct, frozen=True, kw_only=True):
    """A page of services."""

    services: list[Service]
    meta: Meta = Meta()


class PoolNumber(Struct, frozen=True, kw_only=True):
    """A number in a service's pool."""

    phone_number: str


class PoolNumbers(Struct, frozen=True, kw_only=True):
    """A page of them."""

    phone_numbers: list[PoolNumber]
    meta: Meta = Meta()


class PoolSender(Struct, frozen=True, kw_only=True):
    """A WhatsApp sender in a service's pool."""

    sender: str


class PoolSenders(Struct, frozen=True, kw_only=True):
    """A page of them."""

    senders: list[PoolSender]
    meta: Meta = Meta()


class PoolName(Struct, frozen=True, kw_only=True):
    """A name that a service sends under."""

    alpha_sender: str


class PoolNames(Struct, frozen=True, kw_only=True):
    """A page of them."""

    alpha_senders: list[PoolName]
    meta: Meta = Meta()


class Webhook(Struct, frozen=True, kw_only=True):
    """Where what reaches a WhatsApp sender is sent."""

    callback_url: str | None = None
    callback_method: str | None = None


class Sender(Struct, frozen=True, kw_only=True):
    """A WhatsApp sender."""

    sid: str
    sender_id: str
    status: str | None = None
    webhook: Webhook | None = None

    def to_domain(self) -> WhatsAppSender:
        """The sender in our words."""
        webhook = self.webhook or Webhook()
        setting = Setting(url=webhook.callback_url or "", method=webhook.callback_method or "POST")
        return WhatsAppSender(sid=self.sid, address=self.sender_id, setting=setting, status=self.status or "ONLINE")


class Senders(Struct, frozen=True, kw_only=True):
    """A page of WhatsApp senders."""

    senders: list[Sender]
    meta: Meta = Meta()


class AutoCreation(Struct, frozen=True, kw_only=True):
    """Whether a conversation is made of each message."""

    enabled: bool | None = None


class Address(Struct, frozen=True, kw_only=True):
    """A sender as Conversations knows it."""

    address: str
    auto_creation: AutoCreation | None = None


class Addresses(Struct, frozen=True, kw_only=True):
    """A page of them."""

    address_configurations: list[Address]
    meta: Meta = Meta()
