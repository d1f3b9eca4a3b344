"""The address of a message's status callbacks, which carries whose they are.

A callback may overtake the answer that names the message's SID, and the answer may be lost; our own id and the attempt
stand in the URL's query, with a MAC so that nobody who learns a URL can make up another.
"""

import hmac
from base64 import urlsafe_b64encode
from typing import Final
from urllib.parse import quote

from overture.adapters.twilio import form
from overture.domain.errors import Invalid

PATH: Final = "/webhooks/twilio/status"

OVERRIDES: Final = "#rc=3&rp=ct,rt,5xx"
"""Twilio's connection overrides: three retries, also after a read time-out and our 5xx. It strips them before signing;
without them a callback is lost with the first answer that is not 2xx."""

_MAC_BYTES: Final = 16  # 128 bits cannot be guessed; the whole URL must stay short


def status_callback_url(public_base_url: str, message_id: str, attempt: int, secret: bytes) -> str:
    """Where Twilio reports on one attempt to send one message."""
    mac = _mac(secret, message_id, str(attempt))
    return f"{public_base_url.rstrip('/')}{PATH}?m={quote(message_id, safe='')}&a={attempt}&v={mac}{OVERRIDES}"


def read_query(query: str, secret: bytes) -> tuple[str, int] | None:
    """The message id and the attempt that a callback's query names; None where there are none or the MAC is wrong."""
    try:
        pairs = form.parse(query.encode("utf-8", "replace"))
    except Invalid:
        return None
    found = dict(pairs)
    if len(found) != len(pairs):
        return None
    message_id, attempt, mac = found.get("m", ""), found.get("a", ""), found.get("v", "")
    if not hmac.compare_digest(_mac(secret, message_id, attempt).encode(), mac.encode("utf-8", "replace")):
        return None
    return message_id, int(attempt)


def _mac(secret: bytes, message_id: str, attempt: str) -> str:
    text = f"twilio status\n{attempt}\n{message_id}".encode("utf-8", "replace")
    return urlsafe_b64encode(hmac.digest(secret, text, "sha256")[:_MAC_BYTES]).rstrip(b"=").decode()
