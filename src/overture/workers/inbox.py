"""The in road: make messages, statuses and consent of the webhooks that were kept."""

from typing import Final

from overture import log
from overture.actions import handle_inbox
from overture.domain.errors import Unavailable
from overture.domain.listening import Listening
from overture.domain.ports import Ids, WebhookParser
from overture.store import inbox
from overture.store.engine import Store
from overture.store.signals import Signals
from overture.workers import metrics, singly

_log: Final = log.get(__name__)


class InboxRoad:
    """Handles kept webhooks in order of their arrival."""

    def __init__(
        self, *, store: Store, parser: WebhookParser, ids: Ids, listening: Listening, signals: Signals
    ) -> None:
        self._store: Final = store
        self._parser: Final = parser
        self._ids: Final = ids
        self._listening: Final = listening
        self._signals: Final = signals

    async def look(self) -> float | None:
        """Handle a batch; after one that failed, each alone, so that a poisonous one harms no other."""
        try:
            count = await self._store.write(
                lambda tx: handle_inbox.handle_inbox(tx, self._store.now(), self._ids, self._parser, self._listening)
            )
        except Unavailable:
            raise
        except Exception:
            _log.exception("inbox_stumbles")
            count = await self._handle_singly()
        if count:
            for topic in ("turns", "outbox"):
                self._signals.wake(topic)
            return 0
        now = self._store.now()
        due = await self._store.read(lambda tx: inbox.find_next_due(tx, now))
        return None if due is None else (due - now).total_seconds()

    async def _handle_singly(self) -> int:
        """Handle each alone; one that fails alone is put off, so that it harms no other. How many there were."""

        async def handle(key: tuple[str, int]) -> None:
            await self._store.write(
                lambda tx: handle_inbox.handle_webhook(
                    tx, key, self._store.now(), self._ids, self._parser, self._listening
                )
            )

        async def put_off(key: tuple[str, int], told: str) -> None:
            if await self._store.write(
                lambda tx: handle_inbox.put_off_webhook(tx, key, told, self._store.now(), self._ids)
            ):
                metrics.parked("inbox").inc()

        keys = await self._store.read(lambda tx: inbox.list_due(tx, self._store.now(), handle_inbox.BATCH))
        await singly.one_by_one("inbox", keys, do=handle, put_off=put_off)
        return len(keys)
