"""The notices' road: tell operators' servers of hand-overs, again and again for a day where they do not hear.

Each server has a few places of its own, so one that hangs is waited for by nobody else.
"""

import asyncio
from collections import Counter
from typing import Final

from overture import log
from overture.actions.deliver_notice import AT_ONCE_THERE, TRY_SECONDS, claim_notices, record_notice
from overture.domain.errors import Failure, OutcomeUnknown, Transient
from overture.domain.notice import Notice, NoticeState, server_of
from overture.domain.ports import Ids, Notifier
from overture.store import notices
from overture.store.engine import Store

ROAD: Final = "notices"

_URLS: Final = 1000
_LOOKS_AGAIN_SECONDS: Final = 0.2  # while something is on its way
_GRACE_SECONDS: Final = 1.0  # the client keeps the time itself; where it fails to, the road goes on

_log: Final = log.get(__name__)


class NoticeRoad:
    """Delivers notices, a few at a time at each server, and one of each conversation."""

    def __init__(self, *, store: Store, notifier: Notifier, ids: Ids, try_seconds: float = TRY_SECONDS) -> None:
        self._store: Final = store
        self._notifier: Final = notifier
        self._ids: Final = ids
        self._try_seconds: Final = try_seconds
        self._running: Final[dict[asyncio.Task[None], str]] = {}

    async def look(self) -> float | None:
        """Begin what is due and has room; the seconds until more may be, 0 while something is on its way."""
        now = self._store.now()
        on_their_way = Counter(self._running.values())
        due = await self._store.read(lambda tx: notices.list_due_urls(tx, now, _URLS))
        if urls := [url for url in due if on_their_way[server_of(url)] < AT_ONCE_THERE]:
            for one in await self._store.write(lambda tx: claim_notices(tx, urls, on_their_way, now)):
                task = asyncio.get_running_loop().create_task(self._deliver(one))
                self._running[task] = server_of(one.url)
                task.add_done_callback(self._running.pop)
        if self._running:
            await asyncio.wait(self._running, timeout=_LOOKS_AGAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            return 0
        next_due = await self._store.read(lambda tx: notices.find_next_due(tx, now))
        return None if next_due is None else (next_due - now).total_seconds()

    async def drain(self, seconds: float) -> None:
        """Let what is on its way come to its end; what is not done in time is told again by whoever comes next."""
        if self._running:
            _, late = await asyncio.wait(set(self._running), timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _deliver(self, notice: Notice) -> None:
        result = await self._send(notice)
        state, reason = await self._store.write(
            lambda tx: record_notice(tx, notice, result, self._store.now(), self._ids)
        )
        told = {"notice_id": notice.id, "conversation_id": notice.conversation_id, "kind": notice.kind.value}
        if state is NoticeState.DELIVERED:
            _log.info("notice_delivered", **told, tries=notice.tries)
        elif state is NoticeState.WAITING:
            _log.warning("notice_not_delivered", **told, tries=notice.tries, why=reason)
        else:
            _log.error("notice_given_up", **told, tries=notice.tries, why=reason)

    async def _send(self, notice: Notice) -> int | Failure:
        try:
            async with asyncio.timeout(self._try_seconds + _GRACE_SECONDS):
                return await self._notifier.notify(notice, at=self._store.now(), timeout_seconds=self._try_seconds)
        except TimeoutError:
            return OutcomeUnknown("notice_silent", "The server did not answer in time.")
        except Failure as failure:
            return failure
        except Exception:
            _log.exception("notice_broke", notice_id=notice.id)
            return Transient("notice_broke", "It could not be sent.")
