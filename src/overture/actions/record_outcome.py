"""Record what became of an attempt: the second commit of the out road.

accepted                        the message is the provider's now
certainly not sent, transient   it waits and goes again
certainly not sent, permanent   it failed, and says why; an opt-out that the provider knows of becomes ours
misconfigured                   it waits; the account or sender rests until the operator has acted
unknown                         nobody sends it again before its fate is known (settle_delivery)
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias, assert_never

from msgspec import Struct

from overture.actions import change_consent
from overture.domain import reasons, retry
from overture.domain.channel import Channel
from overture.domain.delivery import DeliveryStatus
from overture.domain.errors import Failure, Misconfigured, OutcomeUnknown, Permanent, Transient
from overture.domain.event import Event, EventKind
from overture.domain.ids import shard_of
from overture.domain.ports import Accepted, Ids
from overture.domain.provider_errors import Effect, ErrorFact, Stops, code_in, describe
from overture.domain.sending import Stay
from overture.store import attempts, events, messages, outbox, senders, threads
from overture.store.engine import Writing

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
    records = _Records(now=now, ids=ids)
    answers = []
    for outcome in outcomes:
        send = sends.get(outcome.message_id)
        current = send is not None and send.attempt == outcome.attempt
        if send is not None and current:
            records.take(send, outcome.result)
        else:
            records.late(outcome)
        answers.append(current)
    await records.write(tx)
    return answers


class _Records:
    """The rows that a batch of outcomes asks for."""

    def __init__(self, *, now: datetime, ids: Ids) -> None:
        self._now: Final = now
        self._ids: Final = ids
        self._finished: Final[list[attempts.Finished]] = []
        self._gone: Final[list[tuple[str, int]]] = []
        self._changes: Final[list[outbox.Change]] = []
        self._statuses: Final[list[messages.StatusChange]] = []
        self._events: Final[list[Event]] = []
        self._opt_outs: Final[list[change_consent.Change]] = []
        self._closed: Final[list[tuple[str, int, datetime]]] = []
        self._stops: Final[list[tuple[outbox.Send, Stops, str]]] = []

    def take(self, send: outbox.Send, result: Result) -> None:
        """Put one outcome on record."""
        match result:
            case Accepted():
                self._accept(send, result)
            case Transient():
                self._finish(send, attempts.AttemptState.REJECTED, result)
                self._again(send, retry.delay(send.tries, result.retry_after_seconds))
            case Misconfigured():
                self._finish(send, attempts.AttemptState.REJECTED, result)
                self._stops.append((send, _rests(result), result.description))
                self._again(send, REST)
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

    def late(self, outcome: Outcome) -> None:
        """An answer to an attempt that is no longer the current one: its SID is kept, nothing else changes."""
        if isinstance(outcome.result, Accepted):
            self._finished.append(
                attempts.Finished(
                    message_id=outcome.message_id,
                    number=outcome.attempt,
                    shard=shard_of(outcome.message_id),
                    state=attempts.AttemptState.ACCEPTED,
                    sid=outcome.result.sid,
                )
            )

    async def write(self, tx: Writing) -> None:
        """Write everything."""
        await attempts.finish(tx, self._finished, self._now)
        await outbox.delete(tx, self._gone)
        await outbox.update(tx, self._changes)
        await messages.set_statuses(tx, self._statuses)
        for send, stops, because in self._stops:
            await self._stop(tx, send, stops, because)
        await threads.close_windows(tx, self._closed)
        await events.insert_all(tx, self._events, self._now)
        await change_consent.change_consents(tx, self._opt_outs, self._now, self._ids)

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
        self._statuses.append(_status(send, accepted.status, sid=accepted.sid))
        self._tell(EventKind.MESSAGE_ACCEPTED, send, provider_sid=accepted.sid)

    def _fail(self, send: outbox.Send, failure: Failure) -> None:
        fact = _fact(failure)
        self._gone.append((send.message_id, send.shard))
        self._statuses.append(_status(send, DeliveryStatus.FAILED, error_code=_number(failure), reason=failure.code))
        self._tell(
            EventKind.MESSAGE_FAILED,
            send,
            error_code=_number(failure),
            reason=failure.code,
            description=failure.description,
        )
        if fact.effect is Effect.OPTED_OUT:
            self._opt_outs.append(change_consent.provider_says_opted_out(send, failure.code))
        if fact.effect is Effect.WINDOW_CLOSED and send.channel is Channel.WHATSAPP and send.started_at is not None:
            self._closed.append((send.thread_id, send.shard, send.started_at))

    def _again(self, send: outbox.Send, wait: timedelta) -> None:
        if self._now + wait >= send.expires_at:
            self._gone.append((send.message_id, send.shard))
            self._statuses.append(_status(send, DeliveryStatus.FAILED, reason="expired"))
            stay = Stay(reason="expired", description="The provider could not take the message in time.")
            self._tell(EventKind.MESSAGE_FAILED, send, reason=stay.reason, description=stay.description)
        else:
            self._change(send, outbox.OutboxState.QUEUED, wait)

    def _change(self, send: outbox.Send, state: outbox.OutboxState, wait: timedelta) -> None:
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
