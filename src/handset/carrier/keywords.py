"""STOP, START and HELP on SMS, as Twilio does it by default.

The whole message is the keyword, in any case, with blanks around it forgiven. Long codes: Twilio's list of 2025-05-14.
Toll-free numbers: the network blocks and answers, and only START and UNSTOP lift it. Short codes are configured one
by one, and WhatsApp has no such service by default: nothing happens there.
"""

from dataclasses import dataclass
from typing import Final, Literal

STOP: Final = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
START: Final = frozenset({"START", "YES", "UNSTOP"})
HELP: Final = frozenset({"HELP", "INFO"})
TOLL_FREE_CODES: Final = ("+1800", "+1833", "+1844", "+1855", "+1866", "+1877", "+1888")

STOPPED: Final = (
    "You have successfully been unsubscribed. You will not receive any more messages from this number. "
    "Reply START to resubscribe."
)
STARTED: Final = (
    "You have successfully been re-subscribed to messages from this number. "
    "Reply HELP for help. Reply STOP to unsubscribe. Msg&Data Rates May Apply."
)
HELPED: Final = "Reply STOP to unsubscribe. Msg&Data Rates May Apply."
NETWORK_STOPPED: Final = (
    'NETWORK MSG: You replied with the word "stop" which blocks all texts sent from this number. '
    'Text back "unstop" to receive messages again.'
)
NETWORK_STARTED: Final = (
    'NETWORK MSG: You have replied "unstop" and will begin receiving messages again from this number.'
)


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What the carrier does about a text, and what it answers by itself."""

    act: Literal["block", "lift", "nothing"]
    answer: str | None = None
    keyword: str = ""


NOTHING: Final = Meaning(act="nothing")


def read(text: str, *, sender: str, blocked: bool) -> Meaning:
    """What this text, typed to that sender, means to the carrier."""
    keyword = text.strip().upper()
    if not sender.startswith("+"):
        return NOTHING
    if sender.startswith(TOLL_FREE_CODES):
        return _read_toll_free(keyword, blocked=blocked)
    if keyword in STOP:
        return Meaning(act="block", answer=None if blocked else STOPPED, keyword=keyword)
    if keyword in START and blocked:
        return Meaning(act="lift", answer=STARTED, keyword=keyword)
    if keyword in HELP:
        return Meaning(act="nothing", answer=HELPED, keyword=keyword)
    return NOTHING


def _read_toll_free(keyword: str, *, blocked: bool) -> Meaning:
    if keyword == "STOP":
        return Meaning(act="block", answer=None if blocked else NETWORK_STOPPED, keyword=keyword)
    if keyword in {"START", "UNSTOP"} and blocked:
        return Meaning(act="lift", answer=NETWORK_STARTED, keyword=keyword)
    return NOTHING
