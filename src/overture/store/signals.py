"""Signals: a hint that there is work, so that nobody has to wait for the next look. The truth is what a look finds.

Within a process a signal is an event; on PostgreSQL it is passed on to the other processes as well.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Final

ROADS: Final = frozenset(
    {
        *("inbox", "turns", "outbox", "settle", "timers", "media", "sweep", "restore", "accounts", "templates"),
        *("prices", "queues", "models", "embeddings", "notices"),
    }
)
"""Topics of which a signal is kept for the next one to wait; of any other it passes by."""


class Signals:
    """Named events that wake whoever waits for them."""

    def __init__(self) -> None:
        self._waiting: Final[defaultdict[str, set[asyncio.Future[None]]]] = defaultdict(set)
        self._pending: Final[set[str]] = set()
        self.pass_on: Callable[[str], None] | None = None

    def wake(self, topic: str) -> None:
        """Tell this process and the others."""
        self.heard(topic)
        if self.pass_on is not None:
            self.pass_on(topic)

    def heard(self, topic: str) -> None:
        """Wake who waits in this process; where nobody does, the next to wait for a road is not kept waiting."""
        waiting = self._waiting.pop(topic, None)
        if not waiting and topic in ROADS:
            self._pending.add(topic)
        for future in waiting or ():
            if not future.done():
                future.set_result(None)

    async def wait(self, topic: str, timeout_seconds: float) -> bool:
        """Whether a signal came within the time."""
        if topic in self._pending:
            self._pending.discard(topic)
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[topic].add(future)
        try:
            async with asyncio.timeout(timeout_seconds):
                await future
        except TimeoutError:
            return False
        finally:
            if waiting := self._waiting.get(topic):
                waiting.discard(future)
                if not waiting:
                    del self._waiting[topic]  # topics of chats come and go
        return True
