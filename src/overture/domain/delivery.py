"""A delivery: one message's way through the provider, as far as the provider tells.

Statuses only move forward, in one order, so that the last word does not depend on which callback came first. Source:
Twilio's message resource; a provider may send its callbacks twice, late and in any order.
"""

from enum import StrEnum
from typing import Final


class DeliveryStatus(StrEnum):
    """Where a message is, in the provider's words (queued covers accepted and scheduled)."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    CANCELED = "canceled"
    RECEIVED = "received"


RANK: Final = {
    DeliveryStatus.QUEUED: 1,
    DeliveryStatus.SENDING: 2,
    DeliveryStatus.SENT: 3,
    DeliveryStatus.CANCELED: 4,
    DeliveryStatus.UNDELIVERED: 5,
    DeliveryStatus.FAILED: 6,
    DeliveryStatus.DELIVERED: 7,
    DeliveryStatus.READ: 8,
    DeliveryStatus.RECEIVED: 9,
}
"""How far a status is along. What arrived did arrive: a failure that is told of it besides is a carrier's mistake, or a
callback that was overtaken."""

FAILED: Final = frozenset({DeliveryStatus.UNDELIVERED, DeliveryStatus.FAILED, DeliveryStatus.CANCELED})


def moves(present: DeliveryStatus | None, reported: DeliveryStatus) -> bool:
    """Whether a reported status is news: further along than what is known."""
    return present is None or RANK[reported] > RANK[present]
