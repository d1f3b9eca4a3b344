"""Claim messages that may leave: consent, epoch, expiry and window are asked in the very transaction that claims.

The claim, with the attempt's number, is on disk before anything is handed to the provider.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from overture.domain import reasons
from overture.domain.channel import address_on
from overture.domain.delivery import DeliveryStatus
from overture.domain.event import EventKind
from overture.domain.ports import Ids, Outgoing
from overture.domain.reasons import Reason
from overture.domain.sending import Leaving, Priority, Stay, may_leave
from overture.store import attempts, events, messages, outbox
from overture.store.engine import Writing

LEASE: Final = timedelta(seconds=30)  # thrice the provider client's own time limit: what is silent longer died


class Claims(Struct, frozen=True, kw_only=True):
    """How many messages a worker can take on."""

    limit: int


async def claim_deliveries(tx: Writing, asked: Sequence[Claims], now: datetime, ids: Ids) -> list[list[Outgoing]]:
    """For each ask, the messages that its worker is to hand over now; replies first. The caller commits."""
    answers: list[list[Outgoing]] = []
    for claims in asked:
        sends: list[outbox.Send] = []
        for priority in Priority:
            if len(sends) < claims.limit:
                sends += await outbox.lock_due(tx, priority, now, claims.limit - len(sends))
        answers.append(await _claim(tx, sends, now, ids))
    return answers


async def park_first(tx: Writing, now: datetime, ids: Ids) -> None:
    """After a message could not be claimed alone: a person is to look at it. The caller commits."""
    for priority in Priority:
        if (where := await outbox.park_first(tx, priority, now)) is not None:
            workspace_id, conversation_id, seq = where
            why = reasons.TABLE[Reason.NEEDS_REVIEW]
            change = messages.StatusChange(
                workspace_id=workspace_id,
                conversation_id=conversation_id,
                seq=seq,
                status=DeliveryStatus.QUEUED,
                reason=why.code,
            )
            await messages.set_statuses(tx, [change])
            event = events.make(
                ids,
                EventKind.MESSAGE_NEEDS_REVIEW,
                workspace_id,
                conversation_id,
                now,
                seq=seq,
                reason=why.code,
                description=why.sentence,
            )
            await events.insert_all(tx, [event], now)
            return


async def _claim(tx: Writing, sends: Sequence[outbox.Send], now: datetime, ids: Ids) -> list[Outgoing]:
    leaving, staying = [], []
    for send in sends:
        stay = may_leave(_facts(send), now)
        if stay is None:
            leaving.append(send)
        else:
            staying.append((send, stay))
    await attempts.insert_all(tx, [_attempt(send) for send in leaving], now)
    await outbox.update(
        tx,
        [
            outbox.Change(
                message_id=send.message_id,
                shard=send.shard,
                state=outbox.OutboxState.SENDING,
                attempt=send.attempt + 1,
                tries=send.tries,
                due_at=now + LEASE,
                started_at=now,
                resent=send.resent,
            )
            for send in leaving
        ],
    )
    await drop(tx, staying, now, ids)
    return [_outgoing(send, now) for send in leaving]


async def drop(tx: Writing, staying: Sequence[tuple[outbox.Send, Stay]], now: datetime, ids: Ids) -> None:
    """Take messages out that will never leave, and say why on each."""
    if not staying:
        return
    await outbox.delete(tx, [(send.message_id, send.shard) for send, _ in staying])
    await messages.set_statuses(
        tx,
        [
            messages.StatusChange(
                workspace_id=send.workspace_id,
                conversation_id=send.conversation_id,
                seq=send.seq,
                status=DeliveryStatus.FAILED,
                reason=stay.reason,
            )
            for send, stay in staying
        ],
    )
    await events.insert_all(
        tx,
        [
            events.make(
                ids,
                EventKind.MESSAGE_REFUSED,
                send.workspace_id,
                send.conversation_id,
                now,
                message_id=send.message_id,
                reason=stay.reason,
                description=stay.description,
            )
            for send, stay in staying
        ],
        now,
    )


def _facts(send: outbox.Send) -> Leaving:
    return Leaving(
        body=send.body,
        channel=send.channel,
        epoch=send.epoch,
        expires_at=send.expires_at,
        conversation_epoch=send.conversation_epoch,
        opted_out_at=send.opted_out_at,
        last_inbound_at=send.last_inbound_at,
        sender_active=send.sender_removed_at is None,
        confirms_opt_out=send.confirms_opt_out,
    )


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


def _outgoing(send: outbox.Send, now: datetime) -> Outgoing:
    return Outgoing(
        message_id=send.message_id,
        attempt=send.attempt + 1,
        account_sid=send.account_sid,
        sender=address_on(send.channel, send.sender_address),
        to=address_on(send.channel, send.contact_address),
        body=send.body,
        validity_seconds=max(1, int((send.expires_at - now).total_seconds())),
        messaging_service_sid=send.messaging_service_sid,
    )
