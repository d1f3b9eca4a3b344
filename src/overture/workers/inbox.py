"""The in road: make messages, statuses and consent of the webhooks that were kept."""

import traceback
from typing import Final

from overture import log
from overture.actions import handle_inbox
from overture.domain.errors import Unavailable
from overture.domain.ports import Ids, WebhookParser
from overture.domain.reply_time import QuietTimes
from overture.store import inbox
from overture.store.engine import Store
from overture.store.signals import Signals

_log: Final = log.get(__name__)


class InboxRoad:
    """Handles kept webhooks in order of their arrival."""

    def __init__(self, *, store: Store, parser: WebhookParser, ids: Ids, quiet: QuietTimes, signals: Signals) -> None:
        self._store: Final = store
        self._parser: Final = parser
        self._ids: Final = ids
        self._quiet: Final = quiet
        self._signals: Final = signals
        self._one_by_one = 0

    async def look(self) -> float | None:
        """Handle a batch; after one that failed, each alone, so that a poisonous one harms no other."""
        limit = 1 if self._one_by_one else handle_inbox.BATCH
        try:
            count = await self._handle(limit)
        except Unavailable:
            raise
        except Exception as wrong:
            _log.exception("inbox_stumbles", alone=limit == 1)
            if limit == 1:
                told = "".join(traceback.format_exception(wrong))[-2000:]
                await self._store.write(lambda tx: handle_inbox.put_off(tx, self._store.now(), self._ids, told))
            else:
                self._one_by_one = handle_inbox.BATCH
            return 0
        self._one_by_one = max(0, self._one_by_one - 1)
        if count:
            for topic in ("turns", "outbox"):
                self._signals.wake(topic)
            return 0
        now = self._store.now()
        due = await self._store.read(lambda tx: inbox.find_next_due(tx, now))
        return None if due is None else (due - now).total_seconds()

    async def _handle(self, limit: int) -> int:
        return await self._store.write(
            lambda tx: handle_inbox.handle_inbox(
                tx, self._store.now(), self._ids, self._parser, self._quiet, limit=limit
            )
        )
