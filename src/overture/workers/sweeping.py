"""The sweep road: what webhooks lost is found in the provider's own list, and queues open when that is done.

At start, and after a breaker opened, no message leaves before the account's list was read and what it brought was
handled: whoever wrote STOP while we were away is not written to. In between, a sweep every few minutes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from overture import log
from overture.actions import note_foreign, open_outboxes, sweep_account
from overture.actions.note_foreign import Foreign
from overture.actions.sweep_account import Kept
from overture.domain import sweep
from overture.domain.errors import Failure, Transient, Unavailable
from overture.domain.ports import Ids, Provider, ProviderMessage, WebhookParser
from overture.domain.sweep import Need, Walk
from overture.store import instances, sweeps
from overture.store.accounts import BreakerState
from overture.store.engine import Store, Writing
from overture.store.signals import Signals
from overture.store.sweeps import Standing

ROAD: Final = "sweep"
INBOX_WAITS_SECONDS: Final = (
    10.0  # for the first sweep, so that messages are handled in order; a STOP may not wait longer
)
TOLD_AFTER: Final = timedelta(minutes=1)  # a list that fails once or twice is nothing to wake anybody for

_TOGETHER: Final = 50  # foreign messages a commit: each takes some statements, and the writer has others to serve
_TOLD_EVERY: Final = 10  # pages: a long reading says every some seconds how far it has come

_Look: TypeAlias = Callable[[], Awaitable[float | None]]
_log: Final = log.get(__name__)


class SweepRoad:
    """Sweeps accounts and opens their senders; keeps the other roads waiting as long as they must."""

    def __init__(
        self,
        *,
        store: Store,
        provider: Provider,
        parser: WebhookParser,
        ids: Ids,
        signals: Signals,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store: Final = store
        self._provider: Final = provider
        self._parser: Final = parser
        self._ids: Final = ids
        self._signals: Final = signals
        self._is_stopping: Final = is_stopping
        self._began_at: datetime | None = None
        self._first_done = False
        self._instance_is_shut = False
        self._tried_at: Final[dict[str, datetime]] = {}
        self._whole_at: Final[dict[str, datetime]] = {}
        self._failing_since: Final[dict[str, datetime]] = {}
        self._told: Final[set[str]] = set()

    async def look(self) -> float | None:
        """Sweep what is due, and open what may be opened."""
        if self._began_at is None:
            await self._shut()
        self._instance_is_shut = await self._store.read(instances.is_shut)
        if self._instance_is_shut:
            self._open_inbox()
            return None
        now = self._store.now()
        standing = await self._store.read(lambda tx: sweeps.list_standing(tx, now))
        due = [one for one in standing if self._is_due(one, now)]
        for swept in await asyncio.gather(*(self._sweep(one) for one in due), return_exceptions=True):
            if isinstance(swept, BaseException):
                raise swept
        self._open_inbox()
        if due:
            standing = await self._store.read(lambda tx: sweeps.list_standing(tx, self._store.now()))
        for one in standing:
            await self._open(one)
        return None

    def try_anew(self) -> None:
        """Accounts were changed: a list that could not be read with the former credentials is tried again at once."""
        self._tried_at.clear()
        self._signals.heard(ROAD)

    def once_shut(self, look: _Look) -> _Look:
        """A road that sends: not before every sender's queue was shut, so that it opens only after its sweep."""

        async def waiting() -> float | None:
            return None if self._began_at is None else await look()

        return waiting

    def after_first(self, look: _Look) -> _Look:
        """The in road: after the first sweep, so that what is older is handled first; and it tells when it did."""

        async def waiting() -> float | None:
            if not self._first_done and (left := self._inbox_waits()) > 0:
                return left
            wait = await look()
            if wait == 0:
                self._signals.wake(ROAD)
            return wait

        return waiting

    def unless_shut(self, look: _Look) -> _Look:
        """A road that asks the provider what became of messages: not in a copy of the database."""

        async def waiting() -> float | None:
            return None if self._began_at is None or self._instance_is_shut else await look()

        return waiting

    async def _shut(self) -> None:
        began_at = self._store.now()
        shut = await self._store.write(lambda tx: sweeps.shut_at_start(tx, began_at))
        self._began_at = began_at
        _log.info("outboxes_shut", senders=len(shut))

    def _inbox_waits(self) -> float:
        if self._began_at is None:
            return INBOX_WAITS_SECONDS
        return INBOX_WAITS_SECONDS - (self._store.now() - self._began_at).total_seconds()

    def _open_inbox(self) -> None:
        if not self._first_done:
            self._first_done = True
            self._signals.heard("inbox")

    def _is_due(self, standing: Standing, now: datetime) -> bool:
        at = sweep.due_at(_need(standing), self._tried_at.get(standing.account_sid), now)
        return at is not None and at <= now

    async def _sweep(self, standing: Standing) -> None:
        """Read an account's list to the end, or note that it cannot be read.

        What was found until then is kept, and handled a while later if the end is never reached.
        """
        account_sid, began_at = standing.account_sid, self._store.now()
        self._tried_at[account_sid] = began_at
        if standing.activates:
            await self._store.write(lambda tx: sweeps.shut_new(tx, account_sid, began_at))
        try:
            kept = await self._read(standing, began_at)
        except Unavailable:
            raise
        except Failure as failure:
            await self._note_failure(standing, failure, began_at)
            return
        self._failing_since.pop(account_sid, None)
        self._told.discard(account_sid)
        if kept is None:
            return
        if kept or not standing.polls:  # a poll that finds nothing is no news, every three seconds
            _log.info("swept", account_sid=account_sid, recovered=kept, activated=standing.activates)
        self._signals.wake("inbox")

    async def _read(self, standing: Standing, began_at: datetime) -> int | None:
        """How many messages were recovered; None where the process is about to stop before the end.

        Of an account that nobody is swept for one page is read: whether it can be is all that is asked. What was kept
        before a stop, a failure or a crash is known when the list is read again.
        """
        need = _need(standing)
        stretch = sweep.stretch(need, standing.swept_to, self._whole_at.get(standing.account_sid), began_at)
        leaves_young = not sweep.is_pressing(need)
        walk = Walk(since=stretch.since, now=began_at, leaves_young=leaves_young and not standing.polls)
        kept = pages = 0
        foreign: list[Foreign] = []
        async for page in self._provider.list_pages(standing.account_sid, page_size=stretch.page_size):
            found, pages = walk.take(page.messages), pages + 1
            is_over = page.is_last or walk.is_over or not (standing.listens or standing.activates)
            foreign += await self._find_foreign(standing, found)
            if is_over:
                await self._note_foreign(standing.account_sid, foreign)
            kept += await self._keep(standing, found, walk.up_to, began_at, is_over=is_over, leaves_young=leaves_young)
            if is_over:
                if stretch.is_whole:
                    self._whole_at[standing.account_sid] = began_at
                return kept
            if self._is_stopping():
                return None
            if pages == sweep.MOST_PAGES:
                raise Transient("list_endless", "The provider's list of messages has no end.")
            if pages % _TOLD_EVERY == 0:
                back_to = page.messages[-1].created_at.isoformat() if page.messages else None
                _log.info("sweep_reads", account_sid=standing.account_sid, pages=pages, recovered=kept, back_to=back_to)
        raise Transient("list_empty", "The provider's list of messages broke off.")

    async def _find_foreign(self, standing: Standing, found: Sequence[tuple[int, ProviderMessage]]) -> list[Foreign]:
        """What may be foreign of a page. It is judged at the end, so that it is written down in order."""
        if not standing.listens:
            return []
        page = [message for _, message in found]
        return await self._store.read(lambda tx: note_foreign.find_foreign(tx, standing.account_sid, page))

    async def _note_foreign(self, account_sid: str, found: Sequence[Foreign]) -> None:
        """Judge it before the mark is set: what is not judged then would not be read again."""
        noted, in_order = 0, sorted(found, key=lambda one: one.message.created_at)
        for first in range(0, len(in_order), _TOGETHER):
            some = in_order[first : first + _TOGETHER]
            noted += await self._store.write(
                lambda tx, some=some: note_foreign.note_foreign(tx, account_sid, some, self._store.now(), self._ids)  # type: ignore[misc]
            )
        if noted:
            _log.info("foreign_noted", account_sid=account_sid, messages=noted)

    async def _keep(
        self,
        standing: Standing,
        found: Sequence[tuple[int, ProviderMessage]],
        up_to: datetime | None,
        began_at: datetime,
        *,
        is_over: bool,
        leaves_young: bool,
    ) -> int:
        """Keep a page; with the last one its account is swept."""
        account_sid, now = standing.account_sid, self._store.now()
        marked = up_to if standing.listens else None
        hold = sweep_account.HOLD if sweep.is_pressing(_need(standing)) else sweep_account.HOLD_WHILE_OPEN

        async def keep(tx: Writing) -> Kept:
            kept = await sweep_account.keep_found(
                tx, account_sid, found, self._parser, now, self._ids, hold=hold, leaves_young=leaves_young
            )
            if is_over:
                await sweep_account.complete_sweep(
                    tx, account_sid, began_at=began_at, up_to=marked, now=now, activates=standing.activates
                )
            return kept

        kept = await self._store.write(keep)
        if kept.unreadable:
            _log.warning("sweep_unreadable", account_sid=account_sid, records=kept.unreadable)
        return kept.messages

    async def _note_failure(self, standing: Standing, failure: Failure, now: datetime) -> None:
        account_sid = standing.account_sid
        since = self._failing_since.setdefault(account_sid, now)
        _log.warning("sweep_fails", account_sid=account_sid, code=failure.code, why=failure.description)
        if standing.first_shut is None or now - since < TOLD_AFTER or account_sid in self._told:
            return
        self._told.add(account_sid)
        await self._store.write(lambda tx: sweep_account.tell_failing(tx, account_sid, failure, since, now, self._ids))

    async def _open(self, standing: Standing) -> None:
        """Open an account's senders where nothing keeps them shut any more."""
        need, shut_by = _need(standing), standing.swept_at if standing.listens else self._store.now()
        probing = standing.breaker is BreakerState.HALF_OPEN and not standing.awaits_sweep
        if standing.first_shut is None or shut_by is None or sweep.is_pressing(need) or probing:
            return
        if standing.first_shut > shut_by:
            return
        account_sid, now = standing.account_sid, self._store.now()
        opened = await self._store.write(
            lambda tx: open_outboxes.open_outboxes(tx, account_sid, shut_by=shut_by, now=now)
        )
        if opened.senders or opened.is_half_open:
            _log.info("outboxes_open", account_sid=account_sid, senders=opened.senders, probing=opened.is_half_open)
            self._signals.wake("outbox")


def _need(standing: Standing) -> Need:
    is_cut_off = standing.breaker is BreakerState.OPEN
    shut = [at for at in (standing.last_shut, standing.breaker_at if is_cut_off else None) if at is not None]
    return Need(
        listens=standing.listens,
        swept_at=standing.swept_at,
        must_be_after=max(shut, default=None),
        is_cut_off=is_cut_off,
        polls=standing.polls,
        activates=standing.activates,
    )
