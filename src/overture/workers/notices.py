"""The notices' road: tell operators' servers of hand-overs, again and again for a day where they do not hear."""

import asyncio
from typing import Final

from overture import log
from overture.actions.deliver_notice import TRY_SECONDS, claim_notices, record_notice
from overture.domain.errors import Failure, OutcomeUnknown, Transient
from overture.domain.notice import Notice, NoticeState
from overture.domain.ports import Ids, Notifier
from overture.store import notices
from overture.store.engine import Store

ROAD: Final = "notices"

_AT_ONCE: Final = 20  # a server that hangs holds so many up for ten seconds; fresh ones go first
_GRACE_SECONDS: Final = 1.0  # the client keeps the time itself; where it fails to, the road goes on

_log: Final = log.get(__name__)


class NoticeRoad:
    """Delivers notices, a few at a time."""

    def __init__(self, *, store: Store, notifier: Notifier, ids: Ids, try_seconds: float = TRY_SECONDS) -> None:
        self._store: Final = store
        self._notifier: Final = notifier
        self._ids: Final = ids
        self._try_seconds: Final = try_seconds

    async def look(self) -> float | None:
        """Deliver what is due; the seconds until more may be."""
        now = self._store.now()
        if await self._store.read(lambda tx: notices.is_any_due(tx, now)):
            due = await self._store.write(lambda tx: claim_notices(tx, _AT_ONCE, now))
            await asyncio.gather(*(self._deliver(one) for one in due))
            return 0
        next_due = await self._store.read(lambda tx: notices.find_next_due(tx, now))
        return None if next_due is None else (next_due - now).total_seconds()

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
