"""Keep within how many people a portfolio may write to first, in the very transaction that would write to one more.

What is over the limit waits and spends no pace. The rows of the pools that have a limit are held since the claim began
(`keep_pace`), so that processes count one after the other; where no pool of these senders has one, nothing is asked.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from overture.actions.keep_pace import Pacer
from overture.domain import portfolio, reasons
from overture.domain.leaving import Stay
from overture.domain.portfolio import Portfolio
from overture.domain.reasons import Reason
from overture.store import outbox, recipients
from overture.store.engine import Writing
from overture.store.recipients import Recipient

_FORGOTTEN: Final = 2  # for each row that is written: what is old goes faster than what is new comes


async def keep_recipients(
    tx: Writing, sends: Sequence[outbox.Send], pacer: Pacer, now: datetime
) -> tuple[list[outbox.Send], list[tuple[outbox.Send, Stay]]]:
    """Of messages that may go otherwise, which go now, and which never will; the others wait from here on."""
    asked = {
        send.message_id: pools
        for send in sends
        if (pools := pacer.limited(send.sender_id)) and portfolio.is_counted(send.channel, send.last_inbound_at, now)
    }
    if not asked:
        return list(sends), []
    counting = [send for send in sends if send.message_id in asked]
    keys = {(pool, send.contact_id) for send in counting for pool in asked[send.message_id]}
    reached = await recipients.find_reached(tx, keys, now)
    limits = {pool: pacer.limits[pool] for pool, _ in keys}
    book = _Book(reached, await recipients.find_portfolios(tx, limits, now) if keys - reached else {}, now)
    staying: list[tuple[outbox.Send, Stay]] = []
    held: list[outbox.Change] = []
    taken: dict[tuple[str, str], Recipient] = {}
    kept_back: set[str] = set()
    for send in counting:
        until = book.count(send.contact_id, asked[send.message_id])
        if until is None:
            taken |= {(one.pool_id, one.contact_id): one for one in _recipients(send, asked[send.message_id])}
            continue
        kept_back.add(send.message_id)
        if until >= send.expires_at:
            fact = reasons.TABLE[Reason.EXPIRES_AT_PORTFOLIO_LIMIT]
            staying.append((send, Stay(reason=fact.code, description=fact.sentence)))
        else:
            held.append(_held(send, until))
    await outbox.update(tx, held)
    if taken:
        await recipients.keep(tx, list(taken.values()), now)
        await recipients.forget(tx, {pool for pool, _ in taken}, now, _FORGOTTEN * len(taken))
    return [send for send in sends if send.message_id not in kept_back], staying


class _Book:
    """The portfolios of one claim, counted on as its messages are decided."""

    def __init__(self, reached: set[tuple[str, str]], portfolios: dict[str, Portfolio], now: datetime) -> None:
        self._reached: Final = reached
        self._portfolios: Final = portfolios
        self._now: Final = now
        self._waiting: Final[dict[str, dict[str, int]]] = {}

    def count(self, contact_id: str, pool_ids: Sequence[str]) -> datetime | None:
        """Count a contact in all of the pools; where one has no room, in none: then from when on it may have."""
        new = [an_id for an_id in pool_ids if (an_id, contact_id) not in self._reached]
        full = [an_id for an_id in new if self._is_full(an_id)]
        if full:
            return max(self._free_at(an_id, contact_id) for an_id in full)
        for an_id in new:
            self._reached.add((an_id, contact_id))
            self._portfolios[an_id] = portfolio.counted(self._portfolios[an_id], self._now)
        return None

    def _is_full(self, pool_id: str) -> bool:
        one = self._portfolios[pool_id]
        return portfolio.used(one, self._now) >= one.at_most

    def _free_at(self, pool_id: str, contact_id: str) -> datetime:
        waiting = self._waiting.setdefault(pool_id, {})
        place = waiting.setdefault(contact_id, len(waiting) + 1)
        return portfolio.free_at(self._portfolios[pool_id], self._now, place)


def _recipients(send: outbox.Send, pool_ids: Sequence[str]) -> list[Recipient]:
    return [
        Recipient(pool_id=an_id, contact_id=send.contact_id, shard=send.shard, message_id=send.message_id)
        for an_id in pool_ids
    ]


def _held(send: outbox.Send, until: datetime) -> outbox.Change:
    return outbox.Change(
        message_id=send.message_id,
        shard=send.shard,
        state=outbox.OutboxState.QUEUED,
        attempt=send.attempt,
        tries=send.tries,
        due_at=until,
        started_at=send.started_at,
        looks=send.looks,
        resent=send.resent,
        waits_because=Reason.PORTFOLIO_LIMIT.value,
    )
