"""The road of a restored database: once, when all that was on its way is settled and all that came in is received, ask
each account's provider what it sent since the backup, and let the senders go.

Until then no message of theirs leaves and no turn is taken (store/sweeps, store/turns). It looks at nothing more when
there is nothing restored.
"""

from datetime import timedelta
from typing import Final

from overture import log
from overture.actions import note_foreign, reconcile_restored, settle_delivery
from overture.actions.reconcile_restored import Ahead
from overture.domain import sweep
from overture.domain.errors import Failure, Transient, Unavailable
from overture.domain.ports import Ids, Provider, ProviderMessage
from overture.store import restores
from overture.store.engine import Store
from overture.store.restores import Pending
from overture.store.signals import Signals

_AGAIN: Final = timedelta(seconds=30)  # after a list that could not be read
_TOGETHER: Final = 50  # pairs a commit: each takes some statements, and the writer has others to serve

_log: Final = log.get(__name__)


class RestoreRoad:
    """Reconciles accounts that came back with a backup."""

    def __init__(self, *, store: Store, provider: Provider, ids: Ids, signals: Signals) -> None:
        self._store: Final = store
        self._provider: Final = provider
        self._ids: Final = ids
        self._signals: Final = signals
        self._not_before: Final[dict[str, float]] = {}
        self._is_over = False

    async def look(self) -> float | None:
        """Reconcile what can be reconciled now."""
        if not self._is_over:
            every = await self._store.read(restores.list_pending)
            for pending in every:
                await self._see_to(pending)
            self._is_over = not every  # nobody restores under a server that runs
        return None

    async def _see_to(self, pending: Pending) -> None:
        now = self._store.now()
        # The provider's list may show what the original sent in its last moment as late as settling waits for.
        if now < pending.restored_at + settle_delivery.SETTLE:
            return
        if now.timestamp() < self._not_before.get(pending.account_sid, 0):
            return
        if not await self._store.read(lambda tx: reconcile_restored.is_ready(tx, pending)):
            return
        try:
            ahead = await self._find(pending)
        except Unavailable:
            raise
        except Failure as failure:
            self._not_before[pending.account_sid] = (now + _AGAIN).timestamp()
            _log.warning("restore_waits", account_sid=pending.account_sid, code=failure.code, why=failure.description)
            return
        handed_over = 0
        for first in range(0, len(ahead), _TOGETHER):
            some = ahead[first : first + _TOGETHER]
            handed_over += await self._store.write(
                lambda tx, some=some: reconcile_restored.reconcile_pairs(  # type: ignore[misc]
                    tx, some, pending, self._store.now(), self._ids
                )
            )
        senders = await self._store.write(lambda tx: restores.clear(tx, pending.account_sid))
        _log.info(
            "restore_reconciled",
            account_sid=pending.account_sid,
            senders=senders,
            pairs_ahead=len(ahead),
            handed_over=handed_over,
        )
        for road in ("sweep", "turns", "outbox"):
            self._signals.wake(road)

    async def _find(self, pending: Pending) -> list[Ahead]:
        """The pairs to which more was sent than is known here. Raises Failure where the list has no end."""
        now = self._store.now()
        since = pending.known_to - settle_delivery.SKEW
        walk = sweep.Walk(since=since, now=now, leaves_young=False)
        unknown: dict[str, ProviderMessage] = {}
        pages = 0
        async for page in self._provider.list_pages(pending.account_sid, page_size=sweep.page_size(since, now)):
            found = [message for _, message in walk.take(page.messages)]
            pages += 1
            for message in await self._store.read(
                lambda tx, found=found: note_foreign.find_unknown(tx, pending.account_sid, found)  # type: ignore[misc]
            ):
                unknown[message.sid] = message
            if page.is_last or walk.is_over:
                senders = await self._store.read(lambda tx: restores.list_senders(tx, pending.account_sid))
                return reconcile_restored.pair_up(senders, unknown.values())
            if pages == sweep.MOST_PAGES:
                raise Transient("list_endless", "The provider's list of messages has no end.")
        raise Transient("list_empty", "The provider's list of messages broke off.")
