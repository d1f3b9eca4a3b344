"""The count that shows whether anything was lost or came twice: what reached a phone, and what reached it again.

Two messages are one and its double when the same sender gave the same phone the same text within a minute: more apart,
they may well be meant (a question asked again); closer, a person would call them the same.
"""

from datetime import datetime, timedelta
from typing import Final

from handset.state.nouns import Message

APART: Final = timedelta(minutes=1)
REACHED: Final = frozenset({"sent", "delivered", "read"})
WAITING: Final = frozenset({"accepted", "scheduled", "queued", "sending"})
MISSED: Final = frozenset({"failed", "undelivered", "canceled"})


class Tally:
    """Counts of the messages that came through the API or as TwiML; the carrier's own answers are not among them."""

    def __init__(self) -> None:
        self.doubled = 0
        self._counted: dict[str, str] = {}
        self._last: dict[tuple[str | None, str, str], datetime] = {}
        self._by_state = {"waiting": 0, "reached": 0, "missed": 0}

    @property
    def waiting(self) -> int:
        """How many are on their way to a phone."""
        return self._by_state["waiting"]

    @property
    def reached(self) -> int:
        """How many reached one."""
        return self._by_state["reached"]

    @property
    def missed(self) -> int:
        """How many ended without reaching one, or were refused by one."""
        return self._by_state["missed"]

    def count(self, message: Message) -> None:
        """Take account of a message, new or changed; said again, it changes nothing."""
        if message.direction == "inbound" or message.auto or message.past:
            return
        state = "reached" if message.status in REACHED else "waiting" if message.status in WAITING else "missed"
        before = self._counted.get(message.sid)
        if before == state:
            return
        self._counted[message.sid] = state
        self._by_state[state] += 1
        if before is not None:
            self._by_state[before] -= 1
        if state == "reached" and before != "reached":
            self._reach(message)

    def _reach(self, message: Message) -> None:
        key = (message.from_address, message.to_address, message.body)
        last = self._last.get(key)
        self._last[key] = message.created_at
        if last is not None and abs(message.created_at - last) < APART:
            self.doubled += 1
