"""STOP, START and HELP on SMS, as Twilio does it by default.

The whole message is the keyword, in any case, with blanks around it forgiven. Long codes: Twilio's list of 2025-05-14.
Toll-free numbers: the network blocks and answers, and only START and UNSTOP lift it. Short codes are configured one
by one, and WhatsApp has no such service by default: nothing happens there. A Messaging Service with Advanced Opt-Out
has words and answers of its own, for all its senders.
"""

from dataclasses import dataclass
from typing import Final, Literal

from handset.config import Keywords

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
    opt_out_type: Literal["STOP", "START", "HELP"] | None = None


NOTHING: Final = Meaning(act="nothing")


def read(text: str, *, sender: str, blocked: bool, own: Keywords | None = None) -> Meaning:
    """What this text, typed to that sender, means to the carrier; `own` are those of its service's Advanced Opt-Out."""
    keyword = text.strip().upper()
    if own is not None:
        return _read_advanced(keyword, own, blocked=blocked)
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


def _read_advanced(keyword: str, own: Keywords, *, blocked: bool) -> Meaning:
    """Advanced Opt-Out: on every channel of the service, and each webhook says what the keyword was taken for."""
    if keyword in STOP | {word.upper() for word in own.stop}:
        answer = None if blocked else own.stopped
        return Meaning(act="block", answer=answer, keyword=keyword, opt_out_type="STOP")
    if keyword in START | {word.upper() for word in own.start}:
        answer = own.started if blocked else None
        return Meaning(act="lift" if blocked else "nothing", answer=answer, keyword=keyword, opt_out_type="START")
    if keyword in HELP | {word.upper() for word in own.help}:
        return Meaning(act="nothing", answer=own.helped, keyword=keyword, opt_out_type="HELP")
    return NOTHING


def _read_toll_free(keyword: str, *, blocked: bool) -> Meaning:
    if keyword == "STOP":
        return Meaning(act="block", answer=None if blocked else NETWORK_STOPPED, keyword=keyword)
    if keyword in {"START", "UNSTOP"} and blocked:
        return Meaning(act="lift", answer=NETWORK_STARTED, keyword=keyword)
    return NOTHING
