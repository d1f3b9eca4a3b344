"""A delivery: one message's way through the provider, as far as the provider tells.

Statuses only move forward; the first final one stays. Source: Twilio's message resource; a provider may send its
callbacks twice, late and in any order.
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
    DeliveryStatus.DELIVERED: 4,
    DeliveryStatus.READ: 5,
    DeliveryStatus.UNDELIVERED: 9,
    DeliveryStatus.FAILED: 9,
    DeliveryStatus.CANCELED: 9,
    DeliveryStatus.RECEIVED: 9,
}
"""How far a status is along; what ends a delivery outranks everything, and of two that end it the first stays."""

FAILED: Final = frozenset({DeliveryStatus.UNDELIVERED, DeliveryStatus.FAILED, DeliveryStatus.CANCELED})


def moves(present: DeliveryStatus | None, reported: DeliveryStatus) -> bool:
    """Whether a reported status is news: further along than what is known, and the delivery has not ended."""
    if present is None:
        return True
    if present in FAILED:
        return False
    if present in (DeliveryStatus.DELIVERED, DeliveryStatus.READ) and reported in FAILED:
        return False  # it did arrive: a failure that overtook its own past is a shuffled callback
    return RANK[reported] > RANK[present]
