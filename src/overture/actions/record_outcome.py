"""Record what became of an attempt: the second commit of the out road.

accepted                        the message is the provider's now
certainly not sent, transient   it waits and goes again
certainly not sent, permanent   it failed, and says why; an opt-out that the provider knows of becomes ours
misconfigured                   it waits; the account or sender rests until the operator has acted
unknown                         nobody sends it again before its fate is known (settle_delivery)

An answer that comes late, or to a further attempt, is one more report of what the provider knows (record_delivery).
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Final, TypeAlias, assert_never

from msgspec import Struct

from overture.actions import find_known, learn_from_failure, record_delivery, try_again
from overture.actions.give_back import give_back, recount
from overture.domain import reasons, retry
from overture.domain.delivery import DeliveryStatus, Known
from overture.domain.errors import Failure, Misconfigured, OutcomeUnknown, Permanent, Transient
from overture.domain.event import Event, EventKind
from overture.domain.ids import shard_of
from overture.domain.leaving import Stay
from overture.domain.ports import Accepted, Ids, StatusReport
from overture.domain.provider_errors import Effect, ErrorFact, Stops, code_in, describe
from overture.store import attempts, events, messages, outbox, senders
from overture.store.engine import Writing
from overture.store.unsettled import Standing

FIRST_LOOK: Final = timedelta(seconds=30)  # a callback usually tells by then; the provider's list lags behind as well
REST: Final = timedelta(seconds=30)  # how long a message waits whose account or sender was stopped meanwhile

Result: TypeAlias = Accepted | Failure


class Outcome(Struct, frozen=True, kw_only=True):
    """What the provider said (or did not) to one attempt."""

    message_id: str
    attempt: int
    result: Result


async def record_outcomes(tx: Writing, outcomes: Sequence[Outcome], now: datetime, ids: Ids) -> list[bool]:
    """Record each; whether the attempt was still the current one. The caller commits."""
    sends = await outbox.lock_messages(tx, [(o.message_id, shard_of(o.message_id)) for o in outcomes])
    heard_of = [an_id for an_id, send in sends.items() if send.attempt > 1 or send.state is outbox.OutboxState.QUEUED]
    known = await find_known.find_known(tx, heard_of) if heard_of else {}
    named = {(an_id, one.attempt) for an_id, ones in known.items() for one in ones}
    records = _Records(now=now, ids=ids, alive={an_id for an_id, ones in known.items() if any(k.lives for k in ones)})
    answers = []
    reports: list[Outcome] = []
    for outcome in outcomes:
        send = sends.get(outcome.message_id)
        current = send is not None and send.attempt == outcome.attempt
        waits_again = send is not None and send.state is outbox.OutboxState.QUEUED  # more may be known than "taken"
        if isinstance(outcome.result, Accepted) and (not current or outcome.attempt > 1 or waits_again):
            reports.append(outcome)
        elif send is not None and current and (outcome.message_id, outcome.attempt) not in named:
            records.take(send, outcome.result)
        answers.append(current)
    await records.write(tx)
    await _report(tx, reports, now, ids)
    return answers


async def _report(tx: Writing, late: Sequence[Outcome], now: datetime, ids: Ids) -> None:
    """Answers to attempts that are not the first, or no longer the current ones: their SIDs are news like any other."""
    if not late:
        return
    tries = await attempts.find(tx, [], [(outcome.message_id, outcome.attempt) for outcome in late])
    accounts = {(attempt.message_id, attempt.number): attempt.account_sid for attempt in tries}
    reports = [
        StatusReport(
            sid=outcome.result.sid,
            account_sid=account_sid,
            status=outcome.result.status,
            message_id=outcome.message_id,
            attempt=outcome.attempt,
        )
        for outcome in late
        if isinstance(outcome.result, Accepted)
        and (account_sid := accounts.get((outcome.message_id, outcome.attempt))) is not None
    ]
    await record_delivery.record_deliveries(tx, reports, now, ids)


class _Records:
    """The rows that a batch of outcomes asks for.

    `alive` are the messages of which another try is known to have been taken: these need no further one.
    """

    def __init__(self, *, now: datetime, ids: Ids, alive: AbstractSet[str]) -> None:
        self._alive: Final = alive
        self._now: Final = now
        self._ids: Final = ids
        self._finished: Final[list[attempts.Finished]] = []
        self._gone: Final[list[tuple[str, int]]] = []
        self._unsent: Final[list[tuple[str, int]]] = []
        self._taken: Final[list[tuple[outbox.Send, int | None]]] = []
        self._changes: Final[list[outbox.Change]] = []
        self._statuses: Final[list[messages.StatusChange]] = []
        self._events: Final[list[Event]] = []
        self._lessons: Final[list[learn_from_failure.Lesson]] = []
        self._closed: Final[list[try_again.Failed]] = []
        self._stops: Final[list[tuple[outbox.Send, Stops, str]]] = []

    def take(self, send: outbox.Send, result: Result) -> None:
        """Put one outcome on record."""
        match result:
            case Accepted():
                self._accept(send, result)
            case Transient():
                self._finish(send, attempts.AttemptState.REJECTED, result)
                self._again(send, retry.delay(send.tries, result.retry_after_seconds), result)
            case Misconfigured():
                self._finish(send, attempts.AttemptState.REJECTED, result)
                self._stops.append((send, _rests(result), result.description))
                self._again(send, REST, result)
            case Permanent():
                self._finish(send, attempts.AttemptState.REJECTED, result)
                self._fail(send, result)
            case OutcomeUnknown():
                self._finish(send, attempts.AttemptState.UNCERTAIN, result)
                self._change(send, outbox.OutboxState.UNCERTAIN, FIRST_LOOK)
            case Failure():
                self._finish(send, attempts.AttemptState.REJECTED, result)
                self._fail(send, result)
            case _ as never:
                assert_never(never)

    async def write(self, tx: Writing) -> None:
        """Write everything."""
        await attempts.finish(tx, self._finished, self._now)
        await outbox.delete(tx, self._gone)
        await give_back(tx, self._unsent)
        await recount(tx, self._taken)
        await outbox.update(tx, self._changes)
        await messages.set_statuses(tx, self._statuses)
        for send, stops, because in self._stops:
            await self._stop(tx, send, stops, because)
        await events.insert_all(tx, self._events, self._now)
        await learn_from_failure.learn(tx, self._lessons, self._now, self._ids)
        await try_again.try_again(tx, self._closed, self._now, self._ids)

    def _accept(self, send: outbox.Send, accepted: Accepted) -> None:
        self._finished.append(
            attempts.Finished(
                message_id=send.message_id,
                number=send.attempt,
                shard=send.shard,
                state=attempts.AttemptState.ACCEPTED,
                sid=accepted.sid,
                status=accepted.status.value,
            )
        )
        self._gone.append((send.message_id, send.shard))
        self._taken.append((send, accepted.segments))
        self._statuses.append(_status(send, accepted.status, sid=accepted.sid))
        self._tell(EventKind.MESSAGE_ACCEPTED, send, provider_sid=accepted.sid)

    def _fail(self, send: outbox.Send, failure: Failure) -> None:
        number = _number(failure)
        attempt = _attempt(send, number)
        if number is not None:
            self._lessons.append(learn_from_failure.lesson_of(attempt, number))
        if send.message_id in self._alive:
            self._gone.append((send.message_id, send.shard))
        elif number is not None and _fact(failure).effect is Effect.WINDOW_CLOSED:
            refused = Known(attempt=send.attempt, sid="", status=DeliveryStatus.FAILED, error_code=number)
            standing = Standing(
                message_id=send.message_id,
                state=send.state,
                attempt=send.attempt,
                resent=send.resent,
                expires_at=send.expires_at,
            )
            self._closed.append(try_again.Failed(attempt=attempt, known=refused, failures=1, standing=standing))
        else:
            self._gone.append((send.message_id, send.shard))
            self._unsent.append((send.message_id, send.shard))
            self._statuses.append(_status(send, DeliveryStatus.FAILED, error_code=number, reason=failure.code))
            told = {"reason": failure.code, "description": failure.description}
            self._tell(EventKind.MESSAGE_FAILED, send, error_code=number, **told)

    def _again(self, send: outbox.Send, wait: timedelta, failure: Failure) -> None:
        if send.message_id in self._alive:
            self._gone.append((send.message_id, send.shard))
        elif self._now + wait >= send.expires_at:
            self._gone.append((send.message_id, send.shard))
            self._unsent.append((send.message_id, send.shard))
            self._statuses.append(_status(send, DeliveryStatus.FAILED, reason="expired"))
            stay = Stay(reason="expired", description="The provider could not take the message in time.")
            self._tell(EventKind.MESSAGE_FAILED, send, reason=stay.reason, description=stay.description)
        else:
            self._change(send, outbox.OutboxState.QUEUED, wait, waits_because=failure.code)

    def _change(
        self, send: outbox.Send, state: outbox.OutboxState, wait: timedelta, *, waits_because: str | None = None
    ) -> None:
        self._changes.append(
            outbox.Change(
                message_id=send.message_id,
                shard=send.shard,
                state=state,
                attempt=send.attempt,
                tries=send.tries + 1,
                due_at=self._now + wait,
                started_at=send.started_at,
                resent=send.resent,
                waits_because=waits_because,
            )
        )

    def _finish(self, send: outbox.Send, state: attempts.AttemptState, failure: Failure) -> None:
        self._finished.append(
            attempts.Finished(
                message_id=send.message_id,
                number=send.attempt,
                shard=send.shard,
                state=state,
                error_code=_number(failure),
                reason=reasons.kept(failure.code, failure.description),
            )
        )

    async def _stop(self, tx: Writing, send: outbox.Send, stops: Stops, because: str) -> None:
        if stops is Stops.ACCOUNT:
            stopped = await senders.stop_account(tx, send.account_sid, because, self._now)
        else:
            stopped = [send.sender_id] if await senders.stop(tx, send.sender_id, because, self._now) else []
        self._events.extend(
            events.make(
                self._ids,
                EventKind.SENDER_STOPPED,
                send.workspace_id,
                None,
                self._now,
                sender_id=an_id,
                because=because,
            )
            for an_id in stopped
        )

    def _tell(self, kind: EventKind, send: outbox.Send, **data: str | int | None) -> None:
        self._events.append(
            events.make(
                self._ids, kind, send.workspace_id, send.conversation_id, self._now, message_id=send.message_id, **data
            )
        )


def _attempt(send: outbox.Send, error_code: int | None) -> attempts.Attempt:
    return attempts.Attempt(
        message_id=send.message_id,
        number=send.attempt,
        shard=send.shard,
        workspace_id=send.workspace_id,
        account_sid=send.account_sid,
        conversation_id=send.conversation_id,
        seq=send.seq,
        state=attempts.AttemptState.REJECTED,
        sid=None,
        status=None,
        error_code=error_code,
        started_at=send.started_at or send.created_at,
        thread_id=send.thread_id,
        epoch=send.epoch,
        priority=send.priority,
        confirms_opt_out=send.confirms_opt_out,
    )


def _status(
    send: outbox.Send,
    status: DeliveryStatus,
    *,
    sid: str | None = None,
    error_code: int | None = None,
    reason: str | None = None,
) -> messages.StatusChange:
    return messages.StatusChange(
        workspace_id=send.workspace_id,
        conversation_id=send.conversation_id,
        seq=send.seq,
        status=status,
        sid=sid,
        error_code=error_code,
        reason=reason,
    )


def _rests(failure: Misconfigured) -> Stops:
    """What rests for a misconfiguration; where nothing says which sender it is, the whole account."""
    return Stops.SENDER if _fact(failure).stops is Stops.SENDER else Stops.ACCOUNT


def _number(failure: Failure) -> int | None:
    return code_in(failure.code)


def _fact(failure: Failure) -> ErrorFact:
    return describe(code_in(failure.code) or 0)
