"""The clock's sweeps: what became of deliveries that nobody heard of, timers, and what has had its time."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from overture import log
from overture.actions import fire_timers, keep_past, open_searches
from overture.actions.open_searches import Search
from overture.actions.settle_delivery import Finding
from overture.domain import matching
from overture.domain.errors import Failure, Unavailable
from overture.domain.ports import Ids, Provider, ProviderMessage
from overture.store import caps, idempotency, model_use, notices, past, senders, timers, unsettled
from overture.store.batch import Batch
from overture.store.engine import Store
from overture.workers import looking, singly
from overture.workers.looking import Listing

_TAKEN_UP: Final = 200  # searches of one look: ten seconds' worth for an account that answers
_AT_ONCE: Final = 10  # lists of one account that are read side by side; sends need its connections as well
_PAIRS: Final = 20  # so many searches of one sender have a list each; of more, one list serves all
_PAGE: Final = 50
_LARGE_PAGE: Final = 1000
_ENOUGH_FAILURES: Final = 3  # lists of one account that fail in a look: the others are not worth their time limits
_TIMERS: Final = 200
_POISON_WAITS: Final = timedelta(hours=1)  # a timer whose conversation cannot be read: a person mends that, or nobody
_NOTICES_KEPT: Final = timedelta(days=7)  # for who asks why nobody came
_MODEL_DAYS_KEPT: Final = timedelta(days=400)  # a year of `overture spend`, and a month to look back on it
_TIDIED_AT_ONCE: Final = 1000
_TIDY_EVERY: Final = timedelta(minutes=10)

_log: Final = log.get(__name__)


class SettleRoad:
    """Looks for messages whose outcome is unknown in the provider's own list.

    Each account is looked through by itself: one that is slow, or fails, holds no other back.
    """

    def __init__(self, *, store: Store, provider: Provider, ids: Ids, findings: Batch[Finding, str]) -> None:
        self._store: Final = store
        self._provider: Final = provider
        self._ids: Final = ids
        self._findings: Final = findings
        self._accounts: Final[dict[str, _AccountSearch]] = {}

    async def look(self) -> float | None:
        """Take up what is due to be looked for; the seconds until more is."""
        searches = await self._store.write(
            lambda tx: open_searches.open_searches(tx, self._store.now(), _TAKEN_UP, self._ids)
        )
        by_account: defaultdict[str, list[Search]] = defaultdict(list)
        for search in searches:
            by_account[search.account_sid].append(search)
        for account_sid, of_account in by_account.items():
            if account_sid not in self._accounts:  # else its last look is not over: these come up again
                self._start(account_sid, of_account)
        if len(searches) == _TAKEN_UP:
            return 0
        now = self._store.now()
        due = await self._store.read(lambda tx: unsettled.find_next_due(tx, now))
        return None if due is None else (due - now).total_seconds()

    async def drain(self) -> None:
        """Return when everything that was taken up has been looked for."""
        while self._accounts:
            await asyncio.wait([search.task for search in self._accounts.values()])

    async def give_up(self) -> None:
        """Stop looking: what was being looked for is still on record, and is looked for again by whoever comes next."""
        searches = [search.task for search in self._accounts.values()]
        for task in searches:
            task.cancel()
        await asyncio.gather(*searches, return_exceptions=True)

    def _start(self, account_sid: str, searches: Sequence[Search]) -> None:
        search = _AccountSearch(self._provider, self._findings, searches)
        search.task.add_done_callback(lambda _: self._accounts.pop(account_sid))
        self._accounts[account_sid] = search


class _AccountSearch:
    """One look through an account's list for everything of it that is looked for."""

    def __init__(self, provider: Provider, findings: Batch[Finding, str], searches: Sequence[Search]) -> None:
        self._provider: Final = provider
        self._findings: Final = findings
        self._room: Final = asyncio.Semaphore(_AT_ONCE)
        self._failures = 0
        self.task: Final = asyncio.get_running_loop().create_task(self._settle_all(searches))

    async def _settle_all(self, searches: Sequence[Search]) -> None:
        await asyncio.gather(*(self._settle(group) for group in _groups(searches)))

    async def _settle(self, group: Sequence[Search]) -> None:
        """Read the list that a group needs, and have each of it decided."""
        try:
            async with self._room:
                listing = await self._read(group)
            found = _findings(group, listing)
            settled = await asyncio.gather(*(self._findings.submit(one) for one in found))
        except Unavailable as away:
            _log.warning("settle_waits", messages=len(group), code=away.code, why=away.description)
        except Exception:
            _log.exception("settle_stumbles", messages=[search.message_id for search in group])
        else:
            for search, state in zip(group, settled, strict=True):
                _log.info("settled", message_id=search.message_id, attempt=search.attempt, state=state)

    async def _read(self, group: Sequence[Search]) -> Listing | None:
        """A list that shows what a group looks for; None where it cannot be read."""
        if self._failures >= _ENOUGH_FAILURES:
            return None
        many, sought = len(group) > 1, group[0].sought
        try:
            listing = await looking.read_list(
                self._provider,
                group[0].account_sid,
                sender=None if sought.service else sought.sender,
                to=None if many else sought.to,
                since=min(search.sought.not_before for search in group),
                page_size=_LARGE_PAGE if many else _PAGE,
            )
        except Failure as failure:
            self._failures += 1
            _log.warning("list_unread", account_sid=group[0].account_sid, code=failure.code, why=failure.description)
            return None
        return listing


def _groups(searches: Sequence[Search]) -> Iterator[Sequence[Search]]:
    """Those that one list serves. What a service sends may come from any of its numbers."""
    by_sender: defaultdict[str, list[Search]] = defaultdict(list)
    for search in searches:
        by_sender[search.sought.service or search.sought.sender].append(search)
    for of_sender in by_sender.values():
        if len(of_sender) > _PAIRS:
            yield of_sender
        else:
            yield from ([search] for search in of_sender)


def _findings(group: Sequence[Search], listing: Listing | None) -> list[Finding]:
    by_contact: defaultdict[str, list[ProviderMessage]] = defaultdict(list)
    for message in () if listing is None else listing.found:
        by_contact[message.to].append(message)
    return [
        Finding(
            message_id=search.message_id,
            attempt=search.attempt,
            candidates=matching.fitting(search.sought, by_contact[search.sought.to]),
            failed=listing is None or not listing.reaches(search.sought.not_before),
        )
        for search in group
    ]


class TimerRoad:
    """Fires timers; now and then lets go of what nobody needs any more, and lets stopped senders try once more."""

    def __init__(self, *, store: Store, ids: Ids) -> None:
        self._store: Final = store
        self._ids: Final = ids
        self._tidied_at: datetime | None = None

    async def look(self) -> float | None:
        """Fire what is due."""
        now = self._store.now()
        fired = await self._fire(now)
        if self._tidied_at is None or now - self._tidied_at > _TIDY_EVERY:
            await self._store.write(lambda tx: idempotency.expire(tx, now))
            await self._store.write(lambda tx: past.forget_before(tx, now - keep_past.KEPT))
            await self._store.write(lambda tx: notices.forget_before(tx, now - _NOTICES_KEPT))
            await self._store.write(lambda tx: model_use.forget_before(tx, now - _MODEL_DAYS_KEPT))
            await self._store.write(lambda tx: senders.resume_stopped_before(tx, now - _TIDY_EVERY))
            while await self._store.write(lambda tx: caps.forget(tx, now, _TIDIED_AT_ONCE)) == _TIDIED_AT_ONCE:
                pass
            self._tidied_at = now
        return 0 if fired == _TIMERS else None

    async def _fire(self, now: datetime) -> int:
        """Fire what is due, and where that fails each alone: one that fails alone is put off, and harms no other."""
        try:
            return await self._store.write(lambda tx: fire_timers.fire_timers(tx, _TIMERS, now, self._ids))
        except Unavailable:
            raise
        except Exception:
            _log.exception("timers_stumble")

        async def fire(key: timers.Key) -> None:
            await self._store.write(lambda tx: fire_timers.fire_timer(tx, key, now, self._ids))

        async def put_off(key: timers.Key, _: str) -> None:
            await self._store.write(lambda tx: timers.put_off(tx, key, now + _POISON_WAITS))

        keys = await self._store.read(lambda tx: timers.list_due(tx, now, _TIMERS))
        await singly.one_by_one("timers", keys, do=fire, put_off=put_off)
        return len(keys)
