"""The clock's sweeps: what became of deliveries that nobody heard of, timers, and what has had its time."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from overture import log
from overture.actions import fire_timers, settle_delivery
from overture.actions.settle_delivery import Finding, Search
from overture.domain.errors import Failure
from overture.domain.ports import Ids, Provider
from overture.store import idempotency, senders
from overture.store.batch import Batch
from overture.store.engine import Store

_AT_ONCE: Final = 20  # looks at the provider's list side by side
_PAGE: Final = 50
_TIMERS: Final = 200
_TIDY_EVERY: Final = timedelta(minutes=10)

_log: Final = log.get(__name__)


class SettleRoad:
    """Looks for messages whose outcome is unknown in the provider's own list."""

    def __init__(self, *, store: Store, provider: Provider, findings: Batch[Finding, str]) -> None:
        self._store: Final = store
        self._provider: Final = provider
        self._findings: Final = findings

    async def look(self) -> float | None:
        """Look for what is due to be looked for."""
        searches = await self._store.write(lambda tx: settle_delivery.open_searches(tx, self._store.now(), _AT_ONCE))
        await asyncio.gather(*(self._settle(search) for search in searches))
        return 0 if len(searches) == _AT_ONCE else None

    async def _settle(self, search: Search) -> None:
        try:
            found = await self._provider.list_between(
                search.account_sid, sender=search.sender, to=search.to, limit=_PAGE
            )
        except Failure as failure:
            _log.warning("settle_waits", message_id=search.message_id, why=failure.description)
            finding = Finding(message_id=search.message_id, attempt=search.attempt, candidates=(), failed=True)
        else:
            candidates = settle_delivery.matches(search, found)
            finding = Finding(message_id=search.message_id, attempt=search.attempt, candidates=candidates)
        state = await self._findings.submit(finding)
        _log.info("settled", message_id=search.message_id, attempt=search.attempt, state=state)


class TimerRoad:
    """Fires timers; now and then lets go of what nobody needs any more, and lets stopped senders try once more."""

    def __init__(self, *, store: Store, ids: Ids) -> None:
        self._store: Final = store
        self._ids: Final = ids
        self._tidied_at: datetime | None = None

    async def look(self) -> float | None:
        """Fire what is due."""
        now = self._store.now()
        fired = await self._store.write(lambda tx: fire_timers.fire_timers(tx, _TIMERS, now, self._ids))
        if self._tidied_at is None or now - self._tidied_at > _TIDY_EVERY:
            await self._store.write(lambda tx: idempotency.expire(tx, now))
            await self._store.write(lambda tx: senders.resume_stopped_before(tx, now - _TIDY_EVERY))
            self._tidied_at = now
        return 0 if fired == _TIMERS else None
