"""A delivery: one message's way through the provider, as far as the provider tells.

Statuses only move forward, in one order, so that the last word does not depend on which callback came first. Source:
Twilio's message resource; a provider may send its callbacks twice, late and in any order.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct


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

ARRIVED: Final = frozenset({DeliveryStatus.DELIVERED, DeliveryStatus.READ})


def moves(present: DeliveryStatus | None, reported: DeliveryStatus) -> bool:
    """Whether a reported status is news: further along than what is known."""
    return present is None or RANK[reported] > RANK[present]


class DeliveryState(StrEnum):
    """Where an outgoing message stands on its whole way: ours first, the provider's afterwards."""

    QUEUED = "queued"
    SENDING = "sending"
    UNCERTAIN = "uncertain"
    NEEDS_REVIEW = "needs_review"
    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    CANCELED = "canceled"


def state_of(ours: str | None, status: DeliveryStatus | None) -> DeliveryState | None:
    """The state of a message from its row in the outbox, where it still has one, else from the provider's word.

    None for what is not delivered at all: a contact's message, or a line of a chat over the API.
    """
    if ours is not None:
        return DeliveryState(ours)
    match status:
        case None | DeliveryStatus.RECEIVED:
            return None
        case DeliveryStatus.QUEUED | DeliveryStatus.SENDING:  # at the provider, which has yet to pass it on
            return DeliveryState.ACCEPTED
        case _:
            return DeliveryState(status.value)


class Known(Struct, frozen=True, kw_only=True):
    """One of the provider's ids for a message: which attempt got it, and how far it went."""

    attempt: int
    sid: str
    status: DeliveryStatus
    error_code: int | None = None

    @property
    def lives(self) -> bool:
        """Whether it arrived or may still arrive."""
        return self.status not in FAILED


def speaking(known: Iterable[Known]) -> Known | None:
    """The id that speaks for its message; None where the provider knows none.

    What arrived comes before what is under way, and that before what failed; of failures the last attempt's counts.
    It depends on what was told of each id alone, never on the order in which it was told.
    """
    return min(known, key=_precedence, default=None)


def _precedence(known: Known) -> tuple[int, int, int, int, str]:
    rank = RANK[known.status]
    standing = 2 if not known.lives else 0 if known.status in ARRIVED else 1
    return standing, -known.attempt if standing == 2 else 0, -rank, known.attempt, known.sid
