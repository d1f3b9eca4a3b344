"""WhatsApp's sandbox: a sender that everybody shares, and that writes only to phones that joined it.

Who sends "join" and the account's two words may be written to for three days; one message in three seconds leaves.
Others are told how to join, and no webhook hears of it. Sources: Twilio's pages on the sandbox and on error 63015. What
becomes of a message that leaves too soon is inferred: it fails with 63018.
"""

from datetime import datetime, timedelta
from typing import Final

from handset.carrier.wiring import Wiring
from handset.config import Number
from handset.state.nouns import Joined, Message
from handset.state.store import Store

LENGTH: Final = timedelta(days=3)
PACE: Final = timedelta(seconds=3)


class Sandbox:
    """Who joined, and what they may be sent."""

    def __init__(self, *, wiring: Wiring, store: Store) -> None:
        self._wiring = wiring
        self._store = store

    def answer(self, number: Number, message: Message) -> str | None:
        """What the sandbox itself answers to a message; None where the message is the account's to hear."""
        if number.join is None:
            return None
        phone, now = message.from_address or "", message.created_at
        if message.body.strip().casefold() == f"join {number.join}":
            self._store.put_joined(Joined(sender=number.address, phone=phone, at=now))
            return "You are all set! The sandbox can now send and receive messages from this phone, for three days."
        if self._has_joined(number, phone, now):
            return None
        return f"This phone has not joined the sandbox. Send: join {number.join}"

    def refusal(self, message: Message, now: datetime) -> int | None:
        """The code with which a message fails, None where it may leave."""
        number = self._wiring.find_number(message.from_address or "")
        if number is None or number.join is None or message.auto:
            return None
        if not self._has_joined(number, message.to_address, now):
            return 63015
        for earlier in reversed(self._store.list_messages(number.address)):
            if earlier.direction != "inbound" and not earlier.auto and earlier.sent_at is not None:
                return 63018 if now - earlier.sent_at < PACE else None
        return None

    def _has_joined(self, number: Number, phone: str, now: datetime) -> bool:
        joined_at = self._store.joined_at(sender=number.address, phone=phone)
        return joined_at is not None and now - joined_at < LENGTH
