"""How the REST API of 2010-04-01 writes things down: numbers as strings, RFC 2822 dates, relative URIs."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from handset.carrier import reasons
from handset.state.nouns import Feedback, Message

ROOT = "/2010-04-01/Accounts"


def date(instant: datetime | None) -> str | None:
    """`Thu, 24 Aug 2023 05:01:45 +0000`."""
    return None if instant is None else format_datetime(instant)


def message(message: Message) -> Mapping[str, Any]:
    """The Message resource."""
    own = f"{ROOT}/{message.account_sid}/Messages/{message.sid}"
    return {
        "account_sid": message.account_sid,
        "api_version": "2010-04-01",
        "body": message.body,
        "date_created": date(message.created_at),
        "date_sent": date(message.sent_at),
        "date_updated": date(message.updated_at),
        "direction": message.direction,
        "error_code": message.error_code,
        "error_message": reasons.text_of(message.error_code),
        "from": message.from_address,
        "messaging_service_sid": message.service_sid,
        "num_media": str(len(message.media_urls)),
        "num_segments": str(message.segments),
        "price": message.price,
        "price_unit": "USD" if message.price else None,
        "sid": message.sid,
        "status": message.status,
        "subresource_uris": {"media": f"{own}/Media.json"},
        "to": message.to_address,
        "uri": f"{own}.json",
    }


def feedback(feedback: Feedback, *, account_sid: str) -> Mapping[str, Any]:
    """The Feedback resource."""
    return {
        "account_sid": account_sid,
        "message_sid": feedback.message_sid,
        "outcome": feedback.outcome,
        "date_created": date(feedback.created_at),
        "date_updated": date(feedback.updated_at),
        "uri": f"{ROOT}/{account_sid}/Messages/{feedback.message_sid}/Feedback.json",
    }
