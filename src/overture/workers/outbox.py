"""The out road: claim what may leave, hand it to the provider, record what became of it."""

import asyncio
from typing import Final

from overture import log
from overture.actions.claim_deliveries import Claims, park_first
from overture.actions.record_outcome import Outcome, Result
from overture.domain.errors import Failure, OutcomeUnknown, Unavailable
from overture.domain.ports import Ids, Outgoing, Provider
from overture.store import outbox
from overture.store.batch import Batch
from overture.store.engine import Store

IN_FLIGHT: Final = 100  # requests at the provider from one process: Twilio's own limit an account is about as much
_RECORD_TRIES: Final = 20  # half a second apart: the time a database restart takes; after it the claim runs out

_log: Final = log.get(__name__)


class OutboxRoad:
    """Sends, at most `IN_FLIGHT` at once."""

    def __init__(
        self,
        *,
        store: Store,
        provider: Provider,
        ids: Ids,
        claims: Batch[Claims, list[Outgoing]],
        outcomes: Batch[Outcome, bool],
    ) -> None:
        self._store: Final = store
        self._provider: Final = provider
        self._ids: Final = ids
        self._claims: Final = claims
        self._outcomes: Final = outcomes
        self._flying: Final[set[asyncio.Task[None]]] = set()
        self._one_by_one = 0

    async def look(self) -> float | None:
        """Claim as much as there is room for; the seconds until more may be due."""
        room = IN_FLIGHT - len(self._flying)
        if room == 0:
            await asyncio.wait(self._flying, return_when=asyncio.FIRST_COMPLETED)
            return 0
        limit = 1 if self._one_by_one else room
        try:
            claimed = await self._claims.submit(Claims(limit=limit))
        except Unavailable:
            raise
        except Exception:
            _log.exception("claims_stumble", alone=limit == 1)
            if limit == 1:
                await self._store.write(lambda tx: park_first(tx, self._store.now(), self._ids))
            else:
                self._one_by_one = IN_FLIGHT
            return 0
        self._one_by_one = max(0, self._one_by_one - 1)
        for outgoing in claimed:
            task = asyncio.get_running_loop().create_task(self._send(outgoing))
            self._flying.add(task)
            task.add_done_callback(self._flying.discard)
        return 0 if len(claimed) == limit else await self._seconds_to_next()

    async def drain(self) -> None:
        """Wait for what is at the provider: its outcome must be known before the process ends."""
        while self._flying:
            await asyncio.wait(set(self._flying))

    async def _send(self, outgoing: Outgoing) -> None:
        outcome = Outcome(
            message_id=outgoing.message_id, attempt=outgoing.attempt, result=await self._hand_over(outgoing)
        )
        for _ in range(_RECORD_TRIES):
            try:
                await self._outcomes.submit(outcome)
            except Unavailable:
                await asyncio.sleep(0.5)
            except Exception:
                _log.exception("outcome_unrecorded", message_id=outgoing.message_id, attempt=outgoing.attempt)
                return
            else:
                return
        _log.error("outcome_unrecorded", message_id=outgoing.message_id, attempt=outgoing.attempt)

    async def _hand_over(self, outgoing: Outgoing) -> Result:
        try:
            accepted = await self._provider.send(outgoing)
        except Failure as failure:
            _log.warning("send_failed", message_id=outgoing.message_id, code=failure.code, why=failure.description)
            return failure
        except Exception:
            _log.exception("send_broke", message_id=outgoing.message_id)
            return OutcomeUnknown("provider_broke", "The provider's client broke; the message may have gone out.")
        _log.info("sent", message_id=outgoing.message_id, attempt=outgoing.attempt, sid=accepted.sid)
        return accepted

    async def _seconds_to_next(self) -> float | None:
        now = self._store.now()
        due = await self._store.read(lambda tx: outbox.find_next_due(tx, now))
        return None if due is None else (due - now).total_seconds()
