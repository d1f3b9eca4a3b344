"""The out road: claim what may leave, hand it to the provider, record what became of it.

Where a provider's silence opens its account's breaker, that is on disk before the next message is claimed. How old a
claim is goes by a clock that nobody sets and that counts on while the machine sleeps: a worker that was held up for
longer than its claim lasts hands nothing over any more.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from overture import log
from overture.actions import claim_deliveries, put_off_delivery, trip_breaker
from overture.actions.claim_deliveries import Claims
from overture.actions.record_outcome import Outcome, Result
from overture.domain import breaker, reasons
from overture.domain.breaker import Health, Sign
from overture.domain.errors import Failure, OutcomeUnknown, Transient, Unavailable
from overture.domain.ids import shard_of
from overture.domain.pace import HORIZON
from overture.domain.ports import Ids, Outgoing, Provider
from overture.domain.reasons import Reason
from overture.store import claims, pools
from overture.store.batch import Batch
from overture.store.engine import Reading, Store
from overture.workers import metrics, singly

IN_FLIGHT: Final = 100  # requests at the provider from one process: Twilio's own limit an account is about as much
AHEAD: Final = 50  # claimed before the provider has room for them, so that its room waits for no commit of ours
_WORTH_A_CLAIM: Final = AHEAD // 4  # while others are under way: a few rows cost nearly what many do
_MOST_UNRECORDED: Final = 4 * IN_FLIGHT  # a database that cannot keep up with the provider is given nothing more
OLDEST_CLAIM_SECONDS: Final = 20.0  # the lease, less the longest that a request takes, and something to spare
_SHORTEST_REST_SECONDS: Final = 0.03  # while pools fill up: one claim serves all that have room by then
_RECORD_TRIES: Final = 20  # half a second apart: the time a database restart takes; after it the claim runs out

_log: Final = log.get(__name__)


def elapsed() -> float:
    """Seconds on a clock that nobody sets and that counts on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class OutboxRoad:
    """Sends, at most `IN_FLIGHT` at once, and claims a little ahead of that."""

    def __init__(
        self,
        *,
        store: Store,
        provider: Provider,
        ids: Ids,
        claims: Batch[Claims, list[Outgoing]],
        outcomes: Batch[Outcome, bool],
        elapsed: Callable[[], float] = elapsed,
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store: Final = store
        self._provider: Final = provider
        self._ids: Final = ids
        self._claims: Final = claims
        self._outcomes: Final = outcomes
        self._elapsed: Final = elapsed
        self._rest: Final = rest
        self._flying: Final[dict[tuple[str, int], asyncio.Task[None]]] = {}
        self._unanswered: Final[dict[tuple[str, int], str]] = {}  # the accounts of what was claimed
        self._held: Final[dict[tuple[str, int], str]] = {}  # and of what is not to leave yet: it needs no room
        self._gate: Final = asyncio.Semaphore(IN_FLIGHT)
        self._health: Final[dict[str, Health]] = {}

    async def look(self) -> float | None:
        """Claim as much as there is room for; the seconds until more may be due."""
        room = min(IN_FLIGHT + AHEAD - len(self._unanswered), _MOST_UNRECORDED - len(self._flying))
        if room <= 0 or (self._unanswered and room < _WORTH_A_CLAIM):
            return None  # whatever comes back wakes this road
        began, since = self._elapsed(), self._store.now()
        try:
            claimed = await self._claims.submit(self._asks(room))
        except Unavailable:
            raise
        except Exception:
            _log.exception("claims_stumble")
            await self._claim_singly(room)
            return 0
        for outgoing in claimed:
            self._fly(outgoing, began)
        return 0 if len(claimed) == room else await self._seconds_to_next(since)

    async def drain(self, seconds: float | None = None) -> None:
        """Wait for what is at the provider, whose outcome should be known before the process ends.

        What has no outcome after so many `seconds` is let go: its claim runs out, and its fate is found out later.
        """
        if self._flying:
            await asyncio.wait(self._flying.values(), timeout=seconds)
        for task in self._flying.values():
            task.cancel()
        if self._flying:
            await asyncio.wait(self._flying.values(), timeout=1)

    def _asks(self, room: int) -> Claims:
        most, flying = IN_FLIGHT + AHEAD, Counter([*self._unanswered.values(), *self._held.values()])
        at_most = {
            account: max(0, breaker.most_in_flight(health, most) - flying[account])
            for account, health in self._health.items()
        }
        return Claims(limit=room, at_most=at_most, at_most_of_others=breaker.most_in_flight(Health(), most))

    async def _claim_singly(self, room: int) -> None:
        """After claims that failed, make each alone; one that fails alone is put off, so that it harms no other."""
        began = self._elapsed()

        async def claim(key: tuple[str, int]) -> None:
            for outgoing in await self._store.write(
                lambda tx: claim_deliveries.claim_delivery(tx, key, self._store.now(), self._ids)
            ):
                self._fly(outgoing, began)

        async def put_off(key: tuple[str, int], told: str) -> None:
            if await self._store.write(
                lambda tx: put_off_delivery.put_off_delivery(tx, key, told, self._store.now(), self._ids)
            ):
                metrics.parked("outbox").inc()

        keys = await self._store.read(lambda tx: claim_deliveries.list_due(tx, self._store.now(), room))
        await singly.one_by_one("outbox", keys, do=claim, put_off=put_off)

    def _fly(self, outgoing: Outgoing, began: float) -> None:
        key = (outgoing.message_id, outgoing.attempt)
        (self._unanswered if outgoing.leaves_at is None else self._held)[key] = outgoing.account_sid
        task = self._flying[key] = asyncio.get_running_loop().create_task(self._send(outgoing, began))

        def land(_: asyncio.Task[None]) -> None:
            self._flying.pop(key, None)
            self._unanswered.pop(key, None)
            self._held.pop(key, None)

        task.add_done_callback(land)

    async def _send(self, outgoing: Outgoing, began: float) -> None:
        if outgoing.leaves_at is not None:
            began += await self._hold(outgoing, outgoing.leaves_at)
        async with self._gate:
            withdrawn = outgoing.leaves_at is not None and not await self._is_wanted(outgoing)
            result = _unsent(Reason.WITHDRAWN) if withdrawn else await self._hand_over(outgoing, began)
        self._unanswered.pop((outgoing.message_id, outgoing.attempt), None)
        outcome = Outcome(message_id=outgoing.message_id, attempt=outgoing.attempt, result=result)
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

    async def _hold(self, outgoing: Outgoing, until: datetime) -> float:
        """Wait for the instant at which a message leaves; the seconds that took, by which its claim lasts longer.

        No wait is longer than a claim is ahead, wherever a clock was set meanwhile. A stop waits for it as well.
        """
        key = (outgoing.message_id, outgoing.attempt)
        seconds = min(max(0.0, (until - self._store.now()).total_seconds()), HORIZON.total_seconds())
        await self._rest(seconds)
        self._unanswered[key] = self._held.pop(key)
        return seconds

    async def _is_wanted(self, outgoing: Outgoing) -> bool:
        """Whether what waited for its instant may still leave: what a contact or a person said meanwhile wins.

        While the database is away nobody knows, so it does not.
        """
        key = (outgoing.message_id, shard_of(outgoing.message_id))
        try:
            return await self._store.read(lambda tx: claims.is_wanted(tx, key, outgoing.attempt))
        except Unavailable:
            return False

    async def _hand_over(self, outgoing: Outgoing, began: float) -> Result:
        if self._elapsed() - began > OLDEST_CLAIM_SECONDS:
            _log.warning("claim_too_old", message_id=outgoing.message_id, attempt=outgoing.attempt)
            return _unsent(Reason.WORKER_HELD_UP)
        result: Result
        try:
            result = await self._provider.send(outgoing)
        except Failure as failure:
            _log.warning("send_failed", message_id=outgoing.message_id, code=failure.code, why=failure.description)
            result = failure
        except Exception:
            _log.exception("send_broke", message_id=outgoing.message_id)
            return OutcomeUnknown("provider_broke", "The provider's client broke; the message may have gone out.")
        else:
            _log.info("sent", message_id=outgoing.message_id, attempt=outgoing.attempt, sid=result.sid)
        await self._hear(outgoing, breaker.read(result))
        return result

    async def _hear(self, outgoing: Outgoing, sign: Sign) -> None:
        """Let an account's breaker know what a request told of the provider."""
        account = outgoing.account_sid
        health = self._health[account] = breaker.after(self._health.get(account, Health()), sign)
        if outgoing.probes and sign is not Sign.SILENT:
            await self._move(account, opens=False)
        elif outgoing.probes or breaker.opens(health):
            await self._move(account, opens=True)

    async def _move(self, account: str, *, opens: bool) -> None:
        """Open or close an account's breaker; where the database is away the next request that tells the same does."""
        move = trip_breaker.trip_breaker if opens else trip_breaker.close_breaker
        try:
            is_news = await self._store.write(lambda tx: move(tx, account, self._store.now(), self._ids))
        except Unavailable as away:
            _log.warning("breaker_waits", account_sid=account, code=away.code)
            return
        if opens:
            self._health[account] = Health()
        if is_news:
            (_log.error if opens else _log.info)("breaker_opens" if opens else "breaker_closes", account_sid=account)
            metrics.breaker_moves(account, "open" if opens else "closed").inc()

    async def _seconds_to_next(self, since: datetime) -> float | None:
        """Until something more is due, or a pool that was full at the last claim has room for what is."""
        now = self._store.now()

        async def find(tx: Reading) -> tuple[datetime | None, datetime | None]:
            return await claims.find_next_due(tx, now), await pools.find_next_room(tx, now, since)

        due, room = await self._store.read(find)
        waits = [] if due is None else [(due - now).total_seconds()]
        if room is not None:
            waits.append(max(_SHORTEST_REST_SECONDS, (room - now).total_seconds()))
        return min(waits, default=None)


def _unsent(reason: Reason) -> Transient:
    """The result of a try that was never made: the message goes back, and what may become of it is asked anew."""
    return Transient(reason.value, reasons.TABLE[reason].sentence)
