"""The ways a conversation can travel, and what each allows."""

from enum import StrEnum
from typing import Final


class Channel(StrEnum):
    """How a conversation reaches its contact."""

    SMS = "sms"
    WHATSAPP = "whatsapp"
    API = "api"


BODY_LIMIT: Final = {Channel.SMS: 1600, Channel.WHATSAPP: 1600, Channel.API: 65_536}
"""Characters that one message may hold; Twilio refuses more with 21617."""

REPLY_LIMIT: Final = {Channel.SMS: 320, Channel.WHATSAPP: 1000, Channel.API: 4000}
"""Characters an agent should keep to: two segments are what people read, and Twilio's own advice for SMS."""

WHATSAPP_PREFIX: Final = "whatsapp:"


def address_on(channel: Channel, number: str) -> str:
    """The provider's form of an E.164 number or BSUID on a channel: `whatsapp:+1555…`, or the bare number."""
    return WHATSAPP_PREFIX + number if channel is Channel.WHATSAPP else number


def split_address(address: str) -> tuple[Channel, str]:
    """The channel and the bare number of a provider's address."""
    if address.startswith(WHATSAPP_PREFIX):
        return Channel.WHATSAPP, address.removeprefix(WHATSAPP_PREFIX)
    return Channel.SMS, address
