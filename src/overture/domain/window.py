"""WhatsApp's customer service window: until when free text may be sent.

Meta counts 24 hours from the contact's last message as *it* received it; we hear of it later, so a margin is taken
off the end. There is no API to ask: our own records are all we have.
"""

from datetime import datetime, timedelta
from typing import Final

LENGTH: Final = timedelta(hours=24)
MARGIN: Final = timedelta(minutes=5)
"""Webhook delay and clock skew: a window that closes early costs a template, one that closes late a failure."""


def closes_at(last_inbound_at: datetime | None) -> datetime | None:
    """The instant from which free text is refused; None for a contact who never wrote."""
    return last_inbound_at and last_inbound_at + LENGTH - MARGIN


def is_open(last_inbound_at: datetime | None, now: datetime) -> bool:
    """Whether free text may be sent now."""
    closing = closes_at(last_inbound_at)
    return closing is not None and now < closing
