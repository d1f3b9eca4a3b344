"""Matching: which of the provider's messages is the one whose answer was lost.

The provider's records carry no id of ours, so addresses, time and text decide, and each record belongs to one attempt
at most: n messages of the same words need n records. Where a record may just as well be another lost attempt's, it is
nobody's: to take the wrong one would call one message sent that was not, and send another twice.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from overture.domain import segments
from overture.domain.ports import ProviderMessage

SKEW: Final = timedelta(seconds=60)  # the provider's clock and ours; its instants have whole seconds
LATEST: Final = timedelta(minutes=10)
"""How long after its try a message may still land that looks like another's: well beyond the settle time, and short
enough that the same words of another day are told apart."""

_TRIAL: Final = "Sent from your Twilio trial account - "  # put before every text of an account that is on trial


class Sought(Struct, frozen=True, kw_only=True):
    """What is looked for: an attempt without a SID.

    Addresses are in the provider's form. With a Messaging Service the address it sent from is not known. `text` is
    None for a template: the provider renders it.
    """

    sender: str
    service: str | None
    to: str
    text: str | None
    started_at: datetime

    @property
    def not_before(self) -> datetime:
        """No record of it can be older."""
        return self.started_at - SKEW


class Rival(Struct, frozen=True, kw_only=True):
    """Another attempt without a SID between the same two, whose record may be there as well."""

    text: str | None
    started_at: datetime


class Contested(Struct, frozen=True):
    """There are records that fit, and not one too many: whose they are cannot be told."""


def fitting(sought: Sought, found: Sequence[ProviderMessage]) -> tuple[ProviderMessage, ...]:
    """Those of the provider's messages that may be the one looked for, oldest first, each once."""
    by_sid = {message.sid: message for message in found if _fits(sought, message)}
    return tuple(sorted(by_sid.values(), key=lambda message: (message.created_at, message.sid)))


def choose(
    sought: Sought, free: Sequence[ProviderMessage], rivals: Sequence[Rival]
) -> ProviderMessage | Contested | None:
    """The record that is the attempt's, of those that fit and belong to nobody; None where there is none.

    One that no rival can have made is the attempt's. Of the others each rival may have made one, and as rivals came
    first, the oldest are theirs: the next one is the attempt's, if there is one.
    """
    contested = [message for message in free if any(_may_have_made(rival, sought, message) for rival in rivals)]
    clear = [message for message in free if message not in contested]
    if clear:
        return clear[0]
    claimants = [rival for rival in rivals if any(_may_have_made(rival, sought, message) for message in contested)]
    if len(contested) > len(claimants):
        return contested[len(claimants)]
    return Contested() if contested else None


def may_have_made(rival: Rival, message: ProviderMessage) -> bool:
    """Whether a record may be a lost attempt's; of a template the provider alone knows the words."""
    in_time = rival.started_at - SKEW <= message.created_at <= rival.started_at + LATEST
    return in_time and (rival.text is None or plain(rival.text) == plain(message.body))


def plain(text: str) -> str:
    """A text without what the provider may alter: lookalike characters, white space, the mark of a trial account."""
    return segments.unadorned(text.removeprefix(_TRIAL))


def _fits(sought: Sought, message: ProviderMessage) -> bool:
    return (
        not message.inbound
        and message.to == sought.to
        and _is_from(sought, message)
        and message.created_at >= sought.not_before
        and (sought.text is None or plain(message.body) == plain(sought.text))
    )


def _is_from(sought: Sought, message: ProviderMessage) -> bool:
    """Whether a message came from the sender looked for, or its service, which sends from any of its numbers."""
    if sought.service is None or message.service is None:
        return message.sender == sought.sender or (sought.service is not None and not message.sender)
    return message.service == sought.service


def _may_have_made(rival: Rival, sought: Sought, message: ProviderMessage) -> bool:
    return may_have_made(rival, message) and (rival.text is not None or sought.text is None)
