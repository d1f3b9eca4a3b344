"""The shapes of Twilio's answers, as far as they are read. Fields that are not named here are passed over.

Dates are RFC 2822; numbers come as text (`num_segments`), as numbers or as null, by the resource's age. A price is a
negative decimal of its unit, and null until some minutes after the message left (Messages resource).
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec
from msgspec import Struct

from overture.adapters.twilio.reading import MOST_MEDIA, STATUSES
from overture.domain.delivery import DeliveryStatus
from overture.domain.errors import Transient
from overture.domain.ports import ProviderMessage
from overture.domain.prices import MICROS, Cost

__all__ = ["CREATED", "MESSAGE", "MESSAGES", "PROBLEM", "STATUSES"]


_PRICE: Final = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,18})?")
_UNIT: Final = re.compile(r"[A-Za-z]{3}")


class Created(Struct, frozen=True):
    """A 201: the message was taken."""

    sid: str
    status: str = "queued"
    num_segments: str | int | None = None


class Message(Struct, frozen=True, kw_only=True):
    """A message of the provider's records."""

    sid: str
    date_created: str
    direction: str
    status: str
    to: str | None = None
    from_: str | None = msgspec.field(name="from", default=None)
    body: str | None = None
    error_code: str | int | None = None
    account_sid: str | None = None
    num_media: str | int | None = None
    messaging_service_sid: str | None = None
    num_segments: str | int | None = None
    price: str | int | float | None = None
    price_unit: str | None = None

    def to_domain(self, created_at: datetime | None = None) -> ProviderMessage:
        """The record in our words, dated `created_at` where given. Raises Transient where its date cannot be read."""
        if created_at is None and (created_at := self.dated()) is None:
            raise Transient("twilio_unreadable", "The provider's date could not be read.")
        return ProviderMessage(
            sid=self.sid,
            sender=self.from_ or "",
            to=self.to or "",
            body=self.body or "",
            inbound=self.direction == "inbound",
            status=STATUSES.get(self.status, DeliveryStatus.QUEUED),
            created_at=created_at,
            error_code=whole_number(self.error_code) or None,
            account_sid=self.account_sid,
            media=min(whole_number(self.num_media) or 0, MOST_MEDIA),
            service=self.messaging_service_sid or None,
            automatic=self.direction == "outbound-reply",
            price=charged(self.price, self.price_unit),
            segments=whole_number(self.num_segments) or None,
        )

    def dated(self) -> datetime | None:
        """When the provider made the record, in UTC; None where its date cannot be read."""
        try:
            created_at = parsedate_to_datetime(self.date_created)
            return created_at.replace(tzinfo=UTC) if created_at.tzinfo is None else created_at.astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None


class Messages(Struct, frozen=True):
    """A page of messages, newest first."""

    messages: list[Message]
    next_page_uri: str | None = None

    def to_domain(self) -> Iterator[ProviderMessage]:
        """The page in our words. A record whose date cannot be read has its neighbour's: it must not be lost for that.

        Raises Transient where no date of a page can be read.
        """
        dates = [record.dated() for record in self.messages]
        near = next((date for date in dates if date is not None), None)
        for record, date in zip(self.messages, dates, strict=True):
            near = date or near
            yield record.to_domain(near)


class Problem(Struct, frozen=True):
    """An error answer; newer products say `detail` (RFC 9457) where older ones say `message`."""

    code: int | None = None
    message: str | None = None
    detail: str | None = None


class Capabilities(Struct, frozen=True, kw_only=True):
    """What a number can do."""

    sms: bool = False
    mms: bool = False
    voice: bool = False


CREATED: Final = msgspec.json.Decoder(Created)
MESSAGE: Final = msgspec.json.Decoder(Message)
MESSAGES: Final = msgspec.json.Decoder(Messages)
PROBLEM: Final = msgspec.json.Decoder(Problem)


def whole_number(written: str | int | None) -> int | None:
    """A count or a code, which Twilio writes as text or as a number; None where it is neither."""
    if isinstance(written, int):
        return written
    return int(written) if written and written.isascii() and written.isdigit() and len(written) <= 9 else None


def charged(price: str | float | None, unit: str | None) -> Cost | None:
    """What a price says that was charged: the amount without its minus, to the millionth; None where it says nothing.

    A price without its unit is none: it could be of any currency.
    """
    if price is None or unit is None or not _UNIT.fullmatch(unit) or not _PRICE.fullmatch(written := str(price)):
        return None
    micros = (Decimal(written) * MICROS).to_integral_value(rounding=ROUND_HALF_EVEN)
    return Cost(micros=-int(micros), currency=unit.upper())
