"""Claim messages that may leave: consent, epoch, expiry and window are asked in the very transaction that claims.

The claim, with the attempt's number, is on disk before anything is handed to the provider.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from msgspec import Struct

from overture.actions import keep_pace
from overture.actions.count_replies import count_replies
from overture.actions.keep_pace import Pacer
from overture.actions.keep_quiet import keep_quiet
from overture.actions.keep_recipients import keep_recipients
from overture.actions.meet_window import facts_of, meet_windows
from overture.actions.refuse_delivery import refuse_deliveries
from overture.actions.withdraw_follow_ups import keep_unanswered
from overture.domain import breaker
from overture.domain.agent import Agent, applying
from overture.domain.channel import address_on
from overture.domain.leaving import Leaving, may_leave
from overture.domain.ports import Ids, Outgoing
from overture.domain.rules import Applying
from overture.domain.sending import Priority
from overture.store import accounts, agents, attempts, claims, outbox
from overture.store.claims import DueSender
from overture.store.engine import Reading, Writing

LEASE: Final = timedelta(seconds=30)  # more than thrice the provider client's own time limit: silent longer, it died
Authors: TypeAlias = Mapping[tuple[str, str, int], Agent]
_PROBES: Final = 20  # messages looked at for one that may leave as a probe; those that may not are dropped


class Claims(Struct, frozen=True, kw_only=True):
    """How many messages a worker can take on.

    `at_most` bounds the messages of single accounts, `at_most_of_others` those of each account that it does not name.
    """

    limit: int
    at_most: Mapping[str, int] = {}
    at_most_of_others: int | None = None


async def claim_deliveries(tx: Writing, asked: Sequence[Claims], now: datetime, ids: Ids) -> list[list[Outgoing]]:
    """For each ask, the messages that its worker is to hand over now; replies first. The caller commits."""
    answers = []
    pacer: Pacer | None = None
    for one in asked:
        due = await claims.list_due_senders(tx, now)
        pacer = pacer or await keep_pace.hold(tx, (sender.id for sender in due if sender.paced), now)
        pacer.begin(due)
        sends = await _Share(one, [sender for sender in due if not sender.probes], pacer, now).lock(tx)
        claimed = await _claim(tx, sends, pacer, now, ids)
        probing = [sender for sender in due if sender.probes and pacer.room(sender)]
        for account_sid in sorted({sender.account_sid for sender in probing}):
            probe = await _lock_probe(tx, [sender for sender in probing if sender.account_sid == account_sid], now, ids)
            claimed += await _claim(tx, probe, pacer, now, ids, probes=True)
        answers.append(claimed)
    if pacer is not None:
        await pacer.write(tx)
    return answers


async def claim_delivery(tx: Writing, key: tuple[str, int], now: datetime, ids: Ids) -> list[Outgoing]:
    """Claim one message by its (message, shard); nothing where it may not go now. The caller commits."""
    send = await claims.lock_one(tx, key, now)
    if send is None:
        return []
    pacer = await keep_pace.hold(tx, [send.sender_id], now)
    claimed = await _claim(tx, [send], pacer, now, ids)
    await pacer.write(tx)
    return claimed


async def list_due(tx: Reading, now: datetime, limit: int) -> list[tuple[str, int]]:
    """The (message, shard) of what is to be claimed now, unread."""
    keys: list[tuple[str, int]] = []
    for sender in await claims.list_due_senders(tx, now):
        for priority in Priority:
            keys += await claims.list_due(tx, sender.id, priority, now, limit)
    return keys[:limit]


class _Share:
    """Deals out what a worker can take on: replies first, each sender its part, then what is left to who has more.

    Where a pace leaves no room for all, some openings go even before replies.
    """

    def __init__(self, asked: Claims, senders: Sequence[DueSender], pacer: Pacer, now: datetime) -> None:
        self._senders: Final = senders
        self._pacer: Final = pacer
        self._now: Final = now
        self._taken: Final[Counter[tuple[str, Priority]]] = Counter()
        self._others: Final = asked.limit if asked.at_most_of_others is None else asked.at_most_of_others
        self._left = asked.limit
        self._left_of: Final = dict(asked.at_most)

    async def lock(self, tx: Writing) -> list[outbox.Send]:
        """The messages that may go, held until the commit."""
        found: list[outbox.Send] = []
        for sender in self._due(Priority.OPENING):
            found += await self._take(tx, sender, Priority.OPENING, self._pacer.kept_for_openings(sender))
        self._pacer.release()
        for priority in Priority:
            waiting = self._due(priority)
            hungry: list[DueSender] = []
            singly: list[DueSender] = []
            for n, sender in enumerate(waiting):
                part = min(-(-self._left // (len(waiting) - n)), self._room(sender))
                if part == 1 and sender.paced and not self._taken[sender.id, priority]:
                    self._count(sender, priority, 1)
                    singly.append(sender)
                    continue
                taken = await self._take(tx, sender, priority, part)
                found += taken
                if len(taken) == part:
                    hungry.append(sender)
            found += await self._take_first(tx, singly, priority)
            if len(waiting) > 1:
                for sender in hungry:
                    found += await self._take(tx, sender, priority, min(self._left, self._room(sender)))
        return found

    async def _take(self, tx: Writing, sender: DueSender, priority: Priority, count: int) -> list[outbox.Send]:
        """Messages of a sender, besides the first ones that it has: they are held, and still look queued."""
        count = min(count, self._left, self._room(sender))
        if count <= 0:
            return []
        had = self._taken[sender.id, priority]
        taken = (await claims.lock_due(tx, sender.id, priority, self._now, had + count))[had:]
        self._count(sender, priority, len(taken))
        return taken

    async def _take_first(self, tx: Writing, senders: Sequence[DueSender], priority: Priority) -> list[outbox.Send]:
        """A message of each, which are counted already."""
        if not senders:
            return []
        taken = await claims.lock_first_due(tx, [sender.id for sender in senders], priority, self._now)
        had = {send.sender_id for send in taken}
        for sender in senders:
            if sender.id not in had:
                self._count(sender, priority, -1)
        return taken

    def _count(self, sender: DueSender, priority: Priority, count: int) -> None:
        self._taken[sender.id, priority] += count
        self._left -= count
        self._left_of[sender.account_sid] = self._left_at(sender) - count
        self._pacer.take(sender, count)

    def _due(self, priority: Priority) -> list[DueSender]:
        """Who has something due of a priority and room for it, the one that has waited longest first."""
        due = [
            (self._pacer.turn(sender, at), sender)
            for sender in self._senders
            if (at := sender.due_at[priority]) is not None and at <= self._now and self._pacer.room(sender)
        ]
        return [sender for _, sender in sorted(due, key=lambda pair: pair[0])]

    def _room(self, sender: DueSender) -> int:
        return min(self._left_at(sender), self._pacer.room(sender))

    def _left_at(self, sender: DueSender) -> int:
        return self._left_of.get(sender.account_sid, self._others)


async def _lock_probe(tx: Writing, senders: Sequence[DueSender], now: datetime, ids: Ids) -> list[outbox.Send]:
    """One message of an account whose breaker is half open, held until the commit, where a probe is due."""
    if not await accounts.lock_probe(tx, senders[0].account_sid, now):
        return []
    for priority in Priority:
        for sender in senders:
            due = await claims.lock_due(tx, sender.id, priority, now, _PROBES)
            sends = await meet_windows(tx, due, now, ids)
            authors = await _authors(tx, sends)
            staying = [(send, stay) for send in sends if (stay := may_leave(_facts(send, authors), now)) is not None]
            await refuse_deliveries(tx, staying, now, ids)
            refused = {send.message_id for send, _ in staying}
            for send in sends:
                if send.message_id not in refused:
                    await accounts.set_probe(tx, send.account_sid, now + breaker.PROBE_EVERY)
                    return [send]
    return []


async def _claim(
    tx: Writing, sends: Sequence[outbox.Send], pacer: Pacer, now: datetime, ids: Ids, *, probes: bool = False
) -> list[Outgoing]:
    sends = await meet_windows(tx, await keep_unanswered(tx, sends, now, ids), now, ids)
    authors = await _authors(tx, sends)
    able, staying = [], []
    for send in sends:
        facts = _facts(send, authors)
        stay = may_leave(facts, now)
        if stay is None:
            able.append((send, facts.rules))
        else:
            staying.append((send, stay))
    awake, too_late = await keep_quiet(tx, able, now)
    within, too_many = await keep_recipients(tx, awake, pacer, now)
    staying += [*too_late, *too_many]
    leaving = pacer.plan(within)
    await attempts.insert_all(tx, [_attempt(send) for send, at in leaving if at == now], now)
    await attempts.insert_planned(tx, [(_attempt(send), at) for send, at in leaving if at != now])
    await outbox.update(
        tx,
        [
            outbox.Change(
                message_id=send.message_id,
                shard=send.shard,
                state=outbox.OutboxState.SENDING,
                attempt=send.attempt + 1,
                tries=send.tries,
                due_at=at + LEASE,
                started_at=at,
                resent=send.resent,
                sent_to=send.contact_address,
            )
            for send, at in leaving
        ],
    )
    await count_replies(tx, [send for send, _ in leaving], authors, now)
    await refuse_deliveries(tx, staying, now, ids)
    return [_outgoing(send, at, now, probes=probes) for send, at in leaving]


async def _authors(tx: Reading, sends: Sequence[outbox.Send]) -> Authors:
    """The agents of openings: replies need no rules of theirs."""
    opening = [send.agent for send in sends if send.priority == Priority.OPENING]
    return await agents.find_versions(tx, opening) if opening else {}


def _facts(send: outbox.Send, authors: Authors) -> Leaving:
    return facts_of(send, _applying(send, authors.get(send.agent)))


def _applying(send: outbox.Send, author: Agent | None) -> Applying:
    if send.priority != Priority.OPENING:
        return Applying()
    return applying(author, workspace=send.workspace_rules, sender=send.sender_rules)


def _attempt(send: outbox.Send) -> attempts.NewAttempt:
    return attempts.NewAttempt(
        message_id=send.message_id,
        number=send.attempt + 1,
        shard=send.shard,
        workspace_id=send.workspace_id,
        account_sid=send.account_sid,
        conversation_id=send.conversation_id,
        seq=send.seq,
        thread_id=send.thread_id,
        epoch=send.epoch,
        priority=send.priority,
        confirms_opt_out=send.confirms_opt_out,
    )


def _outgoing(send: outbox.Send, at: datetime, now: datetime, *, probes: bool) -> Outgoing:
    return Outgoing(
        message_id=send.message_id,
        attempt=send.attempt + 1,
        account_sid=send.account_sid,
        sender=address_on(send.channel, send.sender_address),
        to=address_on(send.channel, send.contact_address),
        body=send.body,
        validity_seconds=max(1, int((send.expires_at - at).total_seconds())),
        messaging_service_sid=send.messaging_service_sid,
        probes=probes,
        leaves_at=None if at == now else at,
    )
