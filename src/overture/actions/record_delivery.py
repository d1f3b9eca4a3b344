"""Record what the provider knows of messages, whoever heard it: a callback, a late answer, a look at its list, a sweep.

Each of the provider's ids (SIDs) only moves forward, and a message stands where the best of its ids stands; so the
order in which things are told changes nothing. A report that names our message and attempt settles an attempt whose
answer was lost, in whatever state the message is, and takes a resend back that has not left. A second SID for one
attempt is kept and flagged: the provider took the message twice. What failed for a while goes again (try_again).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from overture.actions import learn_from_failure, try_again
from overture.domain import delivery
from overture.domain.agent import Json
from overture.domain.delivery import DeliveryStatus, Known
from overture.domain.event import Event, EventKind
from overture.domain.ports import Ids, StatusReport
from overture.store import attempts, events, messages, outbox, second_sids, unsettled
from overture.store.attempts import Attempt, AttemptState
from overture.store.engine import Writing
from overture.store.outbox import OutboxState
from overture.store.second_sids import SecondSid
from overture.store.unsettled import Standing


async def record_deliveries(tx: Writing, reports: Sequence[StatusReport], now: datetime, ids: Ids) -> list[str]:
    """Record each, in the order given; what became of it in a few words. The caller commits."""
    records = await _read(tx, reports, now, ids)
    outcomes = [records.take(report) for report in reports]
    await records.write(tx)
    return outcomes


async def _read(tx: Writing, reports: Sequence[StatusReport], now: datetime, ids: Ids) -> "_Records":
    """What is known of the messages that are reported on, held until the commit.

    Rows of the outbox are held before attempts: the order of record_outcome, so that neither waits for the other.
    """
    by_number = [(r.message_id, r.attempt) for r in reports if r.message_id is not None and r.attempt is not None]
    found = await attempts.find(tx, [(report.account_sid, report.sid) for report in reports], by_number)
    named = {(attempt.account_sid, attempt.sid) for attempt in found}
    strange = [key for report in reports if (key := (report.account_sid, report.sid)) not in named]
    seconds = await second_sids.find(tx, strange) if strange else []
    failing = {r.sid for r in reports if r.status in delivery.FAILED} | {
        r.message_id for r in reports if r.status in delivery.FAILED and r.message_id is not None
    }
    open_still = [(a.message_id, a.shard) for a in found if not _is_plain(a) or failing & {a.sid, a.message_id}]
    open_still += [(second.message_id, second.shard) for second in seconds]
    standing = await unsettled.lock_standing(tx, open_still) if open_still else {}
    locked = await attempts.lock(tx, [*(a.message_id for a in found), *(s.message_id for s in seconds)])
    twice = [attempt.message_id for attempt in locked if attempt.duplicate]
    known_twice = await second_sids.list_of_messages(tx, twice) if twice else []
    return _Records(locked, known_twice, standing, now=now, ids=ids)


def _is_plain(attempt: Attempt) -> bool:
    """Whether nothing of an attempt's message can stand in the outbox: it was taken at once, and did not fail."""
    return (
        attempt.state is AttemptState.ACCEPTED
        and attempt.number == 1
        and not attempt.duplicate
        and (attempt.status is None or DeliveryStatus(attempt.status) not in delivery.FAILED)
    )


class _Records:
    """What is known of some messages, what is told of them, and the rows that this asks for."""

    def __init__(
        self,
        locked: Sequence[Attempt],
        seconds: Sequence[SecondSid],
        standing: dict[str, Standing],
        *,
        now: datetime,
        ids: Ids,
    ) -> None:
        self._now: Final = now
        self._ids: Final = ids
        self._attempts: Final = {(a.message_id, a.number): a for a in locked}
        self._by_sid: Final = {(a.account_sid, a.sid): (a.message_id, a.number) for a in locked if a.sid is not None}
        self._seconds: Final = {(s.account_sid, s.sid): s for s in seconds}
        self._standing: Final = standing
        self._before: Final = {a.message_id: delivery.speaking(self._known(a.message_id)) for a in locked}
        self._settled: Final[set[tuple[str, int]]] = set()
        self._news: Final[dict[tuple[str, int], None]] = {}
        self._second_news: Final[dict[tuple[str, str], None]] = {}
        self._twice: Final[set[tuple[str, str, int]]] = set()
        self._lessons: Final[list[learn_from_failure.Lesson]] = []
        self._statuses: Final[list[messages.StatusChange]] = []
        self._gone: Final[list[tuple[str, int]]] = []
        self._failed: Final[list[try_again.Failed]] = []
        self._events: Final[list[Event]] = []

    def take(self, report: StatusReport) -> str:
        """Take one report in; what became of it."""
        if report.status is DeliveryStatus.RECEIVED:
            return "impossible status"  # what we send is never received by us
        sid = (report.account_sid, report.sid)
        if (second := self._seconds.get(sid)) is not None:
            return self._move_second(second, report)
        key = self._by_sid.get(sid)
        if key is None and report.message_id is not None and report.attempt is not None:
            key = (report.message_id, report.attempt)
        attempt = None if key is None else self._attempts.get(key)
        if attempt is None:
            return "unknown message"
        if attempt.account_sid != report.account_sid:
            return "another account's message"
        return self._move(attempt, report)

    async def write(self, tx: Writing) -> None:
        """Write everything."""
        await attempts.finish(tx, [self._finished(self._attempts[key]) for key in self._news], self._now)
        await second_sids.keep(tx, [self._seconds[key] for key in self._second_news], self._now)
        touched = {key[0]: None for key in self._news}
        touched |= {self._seconds[key].message_id: None for key in self._second_news}
        for message_id in touched:
            self._judge(message_id)
        await outbox.delete(tx, self._gone)
        await messages.set_statuses(tx, self._statuses)
        await messages.flag_possible_duplicates(tx, list(self._twice))
        await events.insert_all(tx, self._events, self._now)
        await learn_from_failure.learn(tx, self._lessons, self._now, self._ids)
        await try_again.try_again(tx, self._failed, self._now, self._ids)

    def _move(self, attempt: Attempt, report: StatusReport) -> str:
        if attempt.sid is not None and attempt.sid != report.sid:
            return self._taken_twice(attempt, report)
        present = None if attempt.status is None or attempt.sid is None else DeliveryStatus(attempt.status)
        if attempt.sid is not None and not delivery.moves(present, report.status):
            return "no news"
        key = (attempt.message_id, attempt.number)
        if attempt.sid is None:
            self._settled.add(key)
        self._attempts[key] = msgspec.structs.replace(
            attempt,
            state=AttemptState.ACCEPTED,
            sid=report.sid,
            status=report.status.value,
            error_code=_code(report),
        )
        self._by_sid[report.account_sid, report.sid] = key
        self._news[key] = None
        self._learn(attempt, report)
        return "recorded"

    def _taken_twice(self, attempt: Attempt, report: StatusReport) -> str:
        self._twice.add((attempt.workspace_id, attempt.conversation_id, attempt.seq))
        self._attempts[attempt.message_id, attempt.number] = msgspec.structs.replace(attempt, duplicate=True)
        self._news[attempt.message_id, attempt.number] = None
        self._keep_second(
            SecondSid(
                account_sid=report.account_sid,
                sid=report.sid,
                shard=attempt.shard,
                message_id=attempt.message_id,
                number=attempt.number,
                status=report.status,
                error_code=_code(report),
            )
        )
        self._learn(attempt, report)
        return "recorded, of a second SID"

    def _move_second(self, second: SecondSid, report: StatusReport) -> str:
        if not delivery.moves(second.status, report.status):
            return "no news"
        self._keep_second(msgspec.structs.replace(second, status=report.status, error_code=_code(report)))
        self._learn(self._attempts[second.message_id, second.number], report)
        return "recorded, of a second SID"

    def _keep_second(self, second: SecondSid) -> None:
        self._seconds[second.account_sid, second.sid] = second
        self._second_news[second.account_sid, second.sid] = None

    def _learn(self, attempt: Attempt, report: StatusReport) -> None:
        if (code := _code(report)) is not None:
            self._lessons.append(learn_from_failure.lesson_of(attempt, code))

    def _known(self, message_id: str) -> list[Known]:
        known = [
            Known(
                attempt=a.number,
                sid=a.sid,
                status=DeliveryStatus.QUEUED if a.status is None else DeliveryStatus(a.status),
                error_code=a.error_code,
            )
            for a in self._attempts.values()
            if a.message_id == message_id and a.sid is not None
        ]
        return known + [
            Known(attempt=s.number, sid=s.sid, status=s.status, error_code=s.error_code)
            for s in self._seconds.values()
            if s.message_id == message_id
        ]

    def _judge(self, message_id: str) -> None:
        """Where a message stands now, and what follows for its row in the outbox."""
        known = self._known(message_id)
        speaks, before = delivery.speaking(known), self._before[message_id]
        assert speaks is not None
        standing = self._standing.get(message_id)
        tries = [attempt for attempt in self._attempts.values() if attempt.message_id == message_id]
        last = max(tries, key=lambda attempt: attempt.number)
        numbers = {one.attempt for one in known}
        if sum(one.status in delivery.ARRIVED for one in known) > 1:  # what failed and went again came after all
            self._twice.add((last.workspace_id, last.conversation_id, last.seq))
        flying = standing is not None and standing.attempt not in numbers and standing.state in _FLYING
        if speaks.lives:
            if standing is not None and not flying:  # another try that is under way is to be found out all the same
                self._gone.append((message_id, last.shard))
            if speaks != before:
                self._statuses.append(_change(last, speaks))
        elif speaks != before and speaks.attempt == last.number and not flying:
            self._failed.append(
                try_again.Failed(
                    attempt=last,
                    known=speaks,
                    failures=len(numbers),
                    standing=standing,
                )
            )
        self._tell(last, speaks, before)

    def _tell(self, last: Attempt, speaks: Known, before: Known | None) -> None:
        for message_id, number in self._settled:
            if message_id == last.message_id:
                settled = self._attempts[message_id, number]
                self._say(EventKind.MESSAGE_ACCEPTED, settled, provider_sid=settled.sid, settled=True)
        if speaks.lives and speaks != before and (before is not None or speaks.status is not DeliveryStatus.QUEUED):
            self._say(EventKind.MESSAGE_STATUS, last, status=speaks.status.value, provider_sid=speaks.sid)

    def _say(self, kind: EventKind, attempt: Attempt, **data: Json) -> None:
        workspace, conversation = attempt.workspace_id, attempt.conversation_id
        event = events.make(self._ids, kind, workspace, conversation, self._now, message_id=attempt.message_id, **data)
        self._events.append(event)

    def _finished(self, attempt: Attempt) -> attempts.Finished:
        return attempts.Finished(
            message_id=attempt.message_id,
            number=attempt.number,
            shard=attempt.shard,
            state=attempt.state,
            sid=attempt.sid,
            status=attempt.status,
            error_code=attempt.error_code,
            duplicate=attempt.duplicate,
        )


_FLYING: Final = frozenset({OutboxState.SENDING, OutboxState.UNCERTAIN})


def _change(attempt: Attempt, speaks: Known) -> messages.StatusChange:
    return messages.StatusChange(
        workspace_id=attempt.workspace_id,
        conversation_id=attempt.conversation_id,
        seq=attempt.seq,
        status=speaks.status,
        sid=speaks.sid,
    )


def _code(report: StatusReport) -> int | None:
    """The code of a failure; beside any other status a code means nothing."""
    return report.error_code if report.status in delivery.FAILED else None
