"""Senders' queues: each kind of sender sends so many segments in a second, and what cannot go yet waits its turn.

Rates and lengths are those of Twilio's page on queueing: long codes 1, toll-free 3, short codes 100, WhatsApp 80 a
second; ten hours of it may wait (WhatsApp: four). The pace is even, so a message's turn is known when it lines up.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from handset.carrier.keywords import TOLL_FREE_CODES
from handset.config import Queues
from handset.state.nouns import FINAL, Message


class Lines:
    """When each sender is free again. Without settings nobody waits."""

    def __init__(self, settings: Queues | None) -> None:
        self._settings = settings
        self._free_at: dict[str, datetime] = {}

    def resume(self, messages: Iterable[Message]) -> None:
        """Go on from what had its turn when Handset ended."""
        for message in messages:
            if message.leaves_at is not None and message.from_address and message.status not in FINAL:
                self._occupy(message.from_address, message.leaves_at, message.segments)

    def clear(self) -> None:
        """Everybody is free."""
        self._free_at.clear()

    def is_full(self, sender: str, now: datetime) -> bool:
        """Whether nothing more may wait for this sender."""
        if self._settings is None:
            return False
        whatsapp = sender.startswith("whatsapp:")
        longest = self._settings.whatsapp_seconds if whatsapp else self._settings.seconds
        return self._free_at.get(sender, now) - now >= timedelta(seconds=longest)

    def take(self, message: Message, now: datetime) -> datetime | None:
        """The message's turn; the end of its validity if that is sooner (it takes nobody's turn then)."""
        sender = message.from_address
        if self._settings is None or sender is None:
            return None
        turn = max(now, self._free_at.get(sender, now))
        if message.expires_at is not None and turn >= message.expires_at:
            return message.expires_at
        self._occupy(sender, turn, message.segments)
        return turn

    def _occupy(self, sender: str, turn: datetime, segments: int) -> None:
        end = turn + timedelta(seconds=max(1, segments) / self._rate(sender))
        self._free_at[sender] = max(end, self._free_at.get(sender, end))

    def _rate(self, sender: str) -> float:
        settings = self._settings or Queues()
        if sender in settings.senders:
            return settings.senders[sender]
        if sender.startswith("whatsapp:"):
            return settings.whatsapp
        if not sender.startswith("+"):
            return settings.short_code
        return settings.toll_free if sender.startswith(TOLL_FREE_CODES) else settings.long_code
