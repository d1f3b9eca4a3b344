"""A sender: one of our addresses at a provider, from which contacts are written to."""

import re
from enum import StrEnum
from typing import Final

from overture.domain.channel import WHATSAPP_PREFIX


class SenderKind(StrEnum):
    """What a sender is to the carriers; it decides whose keywords count and how fast it may send."""

    LONG_CODE = "long_code"
    TOLL_FREE = "toll_free"
    SHORT_CODE = "short_code"
    WHATSAPP = "whatsapp"


class KeywordHandling(StrEnum):
    """Who answers STOP, START and HELP for a sender.

    `twilio`: its default for SMS. `advanced`: Advanced Opt-Out of a Messaging Service. `network`: the toll-free
    network. `ours`: nobody but us (WhatsApp, or an account whose own handling was switched off).
    """

    TWILIO = "twilio"
    ADVANCED = "advanced"
    NETWORK = "network"
    OURS = "ours"


_TOLL_FREE: Final = re.compile(r"\+1(?:800|833|844|855|866|877|888)[0-9]{7}")
_SHORT_CODE: Final = re.compile(r"[0-9]{3,8}")


def kind_of(address: str) -> SenderKind:
    """The kind of a sender by its address, in the provider's form or as a bare number."""
    if address.startswith(WHATSAPP_PREFIX):
        return SenderKind.WHATSAPP
    if _TOLL_FREE.fullmatch(address):
        return SenderKind.TOLL_FREE
    return SenderKind.SHORT_CODE if _SHORT_CODE.fullmatch(address) else SenderKind.LONG_CODE


_USUAL: Final = {
    SenderKind.LONG_CODE: KeywordHandling.TWILIO,
    SenderKind.SHORT_CODE: KeywordHandling.TWILIO,
    SenderKind.TOLL_FREE: KeywordHandling.NETWORK,
    SenderKind.WHATSAPP: KeywordHandling.OURS,
}


def usual_handling(kind: SenderKind) -> KeywordHandling:
    """Who answers keywords for a kind of sender, as long as nothing was switched on or off."""
    return _USUAL[kind]
