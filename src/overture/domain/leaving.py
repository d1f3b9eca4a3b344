"""Leaving: whether a queued message may be handed to the provider, decided at the last moment, for every road."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from overture.domain import closed_window, message, reasons
from overture.domain.channel import Channel
from overture.domain.reasons import Reason
from overture.domain.rules import Applying
from overture.domain.template import Known

_SHORTEST_LIFE: Final = timedelta(seconds=1)  # the provider counts whole seconds: it would hold a shorter one longer


class Leaving(Struct, frozen=True, kw_only=True):
    """What decides, at the last moment, over a message that is to leave; `rules` only where it opens a conversation.

    `template` is the one that it uses, where that is known, and `queued_at` when it was written.
    """

    body: message.Text | message.Template
    channel: Channel
    epoch: int
    expires_at: datetime
    conversation_epoch: int
    opted_out_at: datetime | None
    last_inbound_at: datetime | None
    sender_active: bool
    confirms_opt_out: bool = False
    queued_at: datetime | None = None
    template: Known | None = None
    rules: Applying = Applying()


class Stay(Struct, frozen=True, kw_only=True):
    """The message does not leave, for good; `reason` is the code, `description` for people."""

    reason: str
    description: str


STAYS: Final[Mapping[str, str]] = {
    reason.value: reasons.TABLE[reason].sentence
    for reason in (
        Reason.RECIPIENT_OPTED_OUT,
        Reason.CANCELLED,
        Reason.EXPIRED,
        Reason.WINDOW_CLOSED,
        Reason.TEMPLATE_NOT_APPROVED,
        Reason.TEMPLATE_UNKNOWN,
        Reason.SENDER_REMOVED,
        Reason.CONTACT_WROTE,
        Reason.SAID_IN_ANSWER,
    )
}


def may_leave(leaving: Leaving, now: datetime) -> Stay | None:
    """None where a queued message may be handed to the provider now, else why it never will be.

    Asked in the transaction that claims it, so that nothing older than an opt-out or a takeover leaves.
    """
    if leaving.opted_out_at is not None and not leaving.confirms_opt_out:
        reason = "recipient_opted_out"
    elif leaving.epoch != leaving.conversation_epoch:
        reason = "cancelled"
    elif leaving.expires_at - now < _SHORTEST_LIFE:
        reason = "expired"
    elif not leaving.sender_active:
        reason = "sender_removed"
    else:
        held = closed_window.holds_back(
            leaving.body,
            leaving.template,
            channel=leaving.channel,
            heard=leaving.last_inbound_at,
            since=leaving.queued_at or now,
            now=now,
        )
        return None if held is None else Stay(reason=held.code, description=held.sentence)
    return Stay(reason=reason, description=STAYS[reason])
