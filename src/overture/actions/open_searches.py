"""Open searches: take up what nobody knows the fate of. A claim that ran out becomes uncertain first."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from overture.domain import reasons
from overture.domain.channel import address_on
from overture.domain.delivery import DeliveryStatus
from overture.domain.event import EventKind
from overture.domain.matching import Sought
from overture.domain.message import as_listed
from overture.domain.ports import Ids
from overture.domain.reasons import Reason
from overture.store import attempts, events, messages, outbox, unsettled
from overture.store.engine import Writing
from overture.store.outbox import Send
from overture.store.unsettled import Unreadable

LOOK_AGAIN: Final = timedelta(seconds=30)


class Search(Struct, frozen=True, kw_only=True):
    """An attempt to look for at the provider."""

    message_id: str
    attempt: int
    account_sid: str
    sought: Sought


async def open_searches(tx: Writing, now: datetime, limit: int, ids: Ids) -> list[Search]:
    """What is to be looked for now, each but once in half a minute. The caller commits.

    What cannot be read, to be compared with anything, is a person's to decide.
    """
    due, unreadable = await unsettled.lock_due(tx, now, limit)
    died = [(send.message_id, send.attempt, send.shard) for send in due if send.state is outbox.OutboxState.SENDING]
    died += [(one.message_id, one.attempt, one.shard) for one in unreadable]
    await attempts.finish(
        tx,
        [
            attempts.Finished(
                message_id=message_id,
                number=number,
                shard=shard,
                state=attempts.AttemptState.UNCERTAIN,
                reason=Reason.CLAIM_RAN_OUT.value,
            )
            for message_id, number, shard in died
        ],
        now,
    )
    await outbox.update(
        tx,
        [
            outbox.Change(
                message_id=send.message_id,
                shard=send.shard,
                state=outbox.OutboxState.UNCERTAIN,
                attempt=send.attempt,
                tries=send.tries,
                due_at=now + LOOK_AGAIN,
                started_at=send.started_at,
                looks=send.looks,
                resent=send.resent,
            )
            for send in due
        ],
    )
    await _leave_to_a_person(tx, unreadable, now, ids)
    return [_search(send) for send in due if send.started_at is not None]


async def _leave_to_a_person(tx: Writing, unreadable: Sequence[Unreadable], now: datetime, ids: Ids) -> None:
    if not unreadable:
        return
    why = reasons.TABLE[Reason.NEEDS_REVIEW]
    await unsettled.park(tx, [(one.message_id, one.shard) for one in unreadable])
    changes = [
        messages.StatusChange(
            workspace_id=one.workspace_id,
            conversation_id=one.conversation_id,
            seq=one.seq,
            status=DeliveryStatus.QUEUED,
            reason=why.code,
        )
        for one in unreadable
    ]
    await messages.set_statuses(tx, changes)
    told = [
        events.make(
            ids,
            EventKind.MESSAGE_NEEDS_REVIEW,
            one.workspace_id,
            one.conversation_id,
            now,
            message_id=one.message_id,
            reason=why.code,
            description=why.sentence,
        )
        for one in unreadable
    ]
    await events.insert_all(tx, told, now)


def _search(send: Send) -> Search:
    return Search(
        message_id=send.message_id, attempt=send.attempt, account_sid=send.account_sid, sought=sought_of(send)
    )


def sought_of(send: Send) -> Sought:
    """What the provider's record of a send looks like."""
    return Sought(
        sender=address_on(send.channel, send.sender_address),
        service=send.messaging_service_sid,
        to=address_on(send.channel, send.sent_to or send.contact_address),
        text=as_listed(send.body),
        started_at=send.started_at or send.created_at,
    )
