"""Settle deliveries whose outcome is unknown: find out, never repeat blindly.

The provider's callback settles most of them (record_delivery). What no callback settles is looked for in the
provider's own list, twice, half a minute apart, and not before the settle time is over; only then may it be sent once
more, flagged, or is left to a person.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from overture.domain import reasons, segments
from overture.domain.channel import address_on
from overture.domain.delivery import DeliveryStatus
from overture.domain.event import EventKind
from overture.domain.ids import shard_of
from overture.domain.message import Template, shown
from overture.domain.ports import Ids, ProviderMessage
from overture.domain.reasons import Reason
from overture.store import attempts, events, messages, outbox, unsettled
from overture.store.engine import Writing

SETTLE: Final = timedelta(seconds=120)  # a provider that accepts later than this may be sent to twice, at most once
LOOK_AGAIN: Final = timedelta(seconds=30)
SKEW: Final = timedelta(seconds=60)  # the provider's clock and ours; its instants have whole seconds
ENOUGH_LOOKS: Final = 2


class Search(Struct, frozen=True, kw_only=True):
    """A message to look for at the provider: `sender` is None where a Messaging Service chose it."""

    message_id: str
    attempt: int
    account_sid: str
    sender: str | None
    to: str
    body: str | None
    not_before: datetime


class Finding(Struct, frozen=True, kw_only=True):
    """What a look found: candidates for the message, oldest first.

    `failed` where the list could not be read: that proves nothing, but an expired message waits for it no longer.
    """

    message_id: str
    attempt: int
    candidates: tuple[ProviderMessage, ...]
    failed: bool = False


def matches(search: Search, found: Sequence[ProviderMessage]) -> tuple[ProviderMessage, ...]:
    """Those of the provider's messages that may be the one looked for, oldest first.

    The text of a template is the provider's to render, so there time and address alone decide.
    """
    fitting = [
        message
        for message in found
        if not message.inbound
        and message.to == search.to
        and message.created_at >= search.not_before
        and (search.body is None or _plain(message.body) == _plain(search.body))
    ]
    return tuple(sorted(fitting, key=lambda message: message.created_at))


async def open_searches(tx: Writing, now: datetime, limit: int) -> list[Search]:
    """What is to be looked for now; claims that ran out become uncertain first. The caller commits."""
    due = (await unsettled.lock_due(tx, now, limit))[0]
    died = [send for send in due if send.state is outbox.OutboxState.SENDING]
    await attempts.finish(
        tx,
        [
            attempts.Finished(
                message_id=send.message_id,
                number=send.attempt,
                shard=send.shard,
                state=attempts.AttemptState.UNCERTAIN,
                reason=Reason.CLAIM_RAN_OUT.value,
            )
            for send in died
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
    return [_search(send) for send in due if send.started_at is not None]


async def settle_deliveries(tx: Writing, findings: Sequence[Finding], now: datetime, ids: Ids) -> list[str]:
    """Decide each by what was found; the state it got. The caller commits."""
    sends = await outbox.lock_messages(tx, [(f.message_id, shard_of(f.message_id)) for f in findings])
    answers = []
    for finding in findings:
        send = sends.get(finding.message_id)
        if send is None or send.attempt != finding.attempt or send.state is not outbox.OutboxState.UNCERTAIN:
            answers.append("settled otherwise")
            continue
        if finding.failed:
            answers.append(await _unread(tx, send, now, ids))
            continue
        claimed = await attempts.find_claimed(tx, send.account_sid, [c.sid for c in finding.candidates])
        free = [candidate for candidate in finding.candidates if candidate.sid not in claimed]
        if free:
            await _accept(tx, send, free[0], now, ids)
            answers.append("accepted")
        else:
            answers.append(await _absent(tx, send, now, ids))
    return answers


def _search(send: outbox.Send) -> Search:
    return Search(
        message_id=send.message_id,
        attempt=send.attempt,
        account_sid=send.account_sid,
        sender=None if send.messaging_service_sid else address_on(send.channel, send.sender_address),
        to=address_on(send.channel, send.contact_address),
        body=None if isinstance(send.body, Template) else shown(send.body),
        not_before=(send.started_at or send.created_at) - SKEW,
    )


async def _accept(tx: Writing, send: outbox.Send, found: ProviderMessage, now: datetime, ids: Ids) -> None:
    finished = attempts.Finished(
        message_id=send.message_id,
        number=send.attempt,
        shard=send.shard,
        state=attempts.AttemptState.ACCEPTED,
        sid=found.sid,
        status=found.status.value,
        error_code=found.error_code,
    )
    await attempts.finish(tx, [finished], now)
    await outbox.delete(tx, [(send.message_id, send.shard)])
    change = messages.StatusChange(
        workspace_id=send.workspace_id,
        conversation_id=send.conversation_id,
        seq=send.seq,
        status=found.status,
        error_code=found.error_code,
        sid=found.sid,
    )
    await messages.set_statuses(tx, [change])
    await _tell(tx, EventKind.MESSAGE_ACCEPTED, send, now, ids, provider_sid=found.sid, settled=True)


async def _unread(tx: Writing, send: outbox.Send, now: datetime, ids: Ids) -> str:
    """No list could be read: wait for one while the message is worth it, then let a person decide."""
    if now < send.expires_at or now - (send.started_at or send.created_at) < SETTLE:
        return "uncertain"
    return await _hand_to_a_person(tx, send, now, ids, looks=send.looks)


async def _absent(tx: Writing, send: outbox.Send, now: datetime, ids: Ids) -> str:
    looks = send.looks + 1
    started = send.started_at or send.created_at
    if looks < ENOUGH_LOOKS or now - started < SETTLE:
        await outbox.update(tx, [_changed(send, outbox.OutboxState.UNCERTAIN, now + LOOK_AGAIN, looks=looks)])
        return "uncertain"
    where = [(send.workspace_id, send.conversation_id, send.seq)]
    if not send.resent and now < send.expires_at:
        await outbox.update(tx, [_changed(send, outbox.OutboxState.QUEUED, now, resent=True)])
        await messages.flag_possible_duplicates(tx, where)
        absent = attempts.Finished(
            message_id=send.message_id, number=send.attempt, shard=send.shard, state=attempts.AttemptState.ABSENT
        )
        await attempts.finish(tx, [absent], now)
        await _tell(tx, EventKind.MESSAGE_QUEUED, send, now, ids, possible_duplicate=True)
        return "queued"
    return await _hand_to_a_person(tx, send, now, ids, looks=looks)


async def _hand_to_a_person(tx: Writing, send: outbox.Send, now: datetime, ids: Ids, *, looks: int) -> str:
    await outbox.update(tx, [_changed(send, outbox.OutboxState.NEEDS_REVIEW, now, looks=looks, resent=send.resent)])
    why = reasons.TABLE[Reason.NEEDS_REVIEW]
    await _tell(tx, EventKind.MESSAGE_NEEDS_REVIEW, send, now, ids, reason=why.code, description=why.sentence)
    change = messages.StatusChange(
        workspace_id=send.workspace_id,
        conversation_id=send.conversation_id,
        seq=send.seq,
        status=DeliveryStatus.QUEUED,
        reason=why.code,
    )
    await messages.set_statuses(tx, [change])
    return "needs_review"


def _changed(
    send: outbox.Send, state: outbox.OutboxState, due_at: datetime, *, looks: int = 0, resent: bool | None = None
) -> outbox.Change:
    return outbox.Change(
        message_id=send.message_id,
        shard=send.shard,
        state=state,
        attempt=send.attempt,
        tries=send.tries,
        due_at=due_at,
        started_at=send.started_at,
        looks=looks,
        resent=send.resent if resent is None else resent,
    )


async def _tell(tx: Writing, kind: EventKind, send: outbox.Send, now: datetime, ids: Ids, **data: str | bool) -> None:
    event = events.make(ids, kind, send.workspace_id, send.conversation_id, now, message_id=send.message_id, **data)
    await events.insert_all(tx, [event], now)


def _plain(text: str) -> str:
    """A text without what the provider may alter: white space and lookalike characters."""
    return " ".join(segments.fold(text).split())
