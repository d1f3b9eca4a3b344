"""Counts what waits for a pace, so that the estimate which callers are told does not drift from what is there."""

from typing import Final

from overture.store import queues
from overture.store.engine import Store

ROAD: Final = "queues"
LONGEST_WAIT_SECONDS: Final = 5.0  # an estimate that is a few seconds off misleads nobody


class QueueRoad:
    """Counts the queues of all pools, again and again."""

    def __init__(self, *, store: Store) -> None:
        self._store: Final = store

    async def look(self) -> float | None:
        """Count the queues that are not empty, or were not when last looked at."""
        if await self._store.read(queues.is_any_kept):
            await self._store.write(lambda tx: queues.recount(tx, self._store.now()))
        return None
