"""Settle deliveries whose outcome is unknown: find out, never repeat blindly.

The provider's callback settles most of them (record_delivery). What no callback settles is looked for in the
provider's own list, twice, half a minute apart, and not before the settle time is over. What is then in no list is
sent once more, flagged, where its agent's `on_uncertain` says resend, or is left to a person. What may be there but may
as well be another message's is left to a person, too.
"""

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct

from overture.actions import find_known, record_delivery
from overture.actions.open_searches import LOOK_AGAIN, sought_of
from overture.domain import matching, reasons
from overture.domain.agent import Json, OnUncertain
from overture.domain.delivery import DeliveryStatus
from overture.domain.event import EventKind
from overture.domain.ids import shard_of
from overture.domain.matching import SKEW, Contested, Rival
from overture.domain.message import as_listed
from overture.domain.ports import Ids, ProviderMessage, StatusReport
from overture.domain.reasons import Reason
from overture.store import agents, attempts, conversations, events, messages, outbox
from overture.store.engine import Reading, Writing
from overture.store.outbox import OutboxState, Send

__all__ = ["ENOUGH_LOOKS", "LOOK_AGAIN", "SETTLE", "SKEW", "Finding", "settle_deliveries"]

SETTLE: Final = timedelta(seconds=120)  # a provider that accepts later than this may be sent to twice, at most once
ENOUGH_LOOKS: Final = 2


class Finding(Struct, frozen=True, kw_only=True):
    """What a look found: candidates for the message, oldest first.

    `failed` where the list could not be read, or not as far back as the message is old: that proves nothing, but an
    expired message waits for it no longer.
    """

    message_id: str
    attempt: int
    candidates: tuple[ProviderMessage, ...]
    failed: bool = False


async def settle_deliveries(tx: Writing, findings: Sequence[Finding], now: datetime, ids: Ids) -> list[str]:
    """Decide each by what was found; the state it got. The caller commits.

    One after the other: what the first is found to be is nobody else's.
    """
    sends = await outbox.lock_messages(tx, [(f.message_id, shard_of(f.message_id)) for f in findings])
    answers = []
    for finding in findings:
        send = sends.get(finding.message_id)
        if send is None or send.attempt != finding.attempt or send.state is not OutboxState.UNCERTAIN:
            answers.append("settled otherwise")
        else:
            answers.append(await _settle(tx, send, finding, now, ids))
    return answers


async def _settle(tx: Writing, send: Send, finding: Finding, now: datetime, ids: Ids) -> str:
    claimed = await attempts.find_claimed(tx, send.account_sid, [c.sid for c in finding.candidates])
    free = [candidate for candidate in finding.candidates if candidate.sid not in claimed]
    chosen = matching.choose(
        sought_of(send), free, await rivals_of(tx, send.thread_id, apart_from=send.message_id) if free else ()
    )
    match chosen:
        case ProviderMessage():
            report = StatusReport(
                sid=chosen.sid,
                account_sid=send.account_sid,
                status=chosen.status,
                error_code=chosen.error_code,
                message_id=send.message_id,
                attempt=send.attempt,
            )
            await record_delivery.record_deliveries(tx, [report], now, ids)
            return "accepted"
        case Contested():
            return await _contested(tx, send, now, ids)
        case None if finding.failed:
            return await _unread(tx, send, now, ids)
        case None:
            return await _absent(tx, send, now, ids)


async def rivals_of(tx: Reading, thread_id: str, *, apart_from: str | None = None) -> list[Rival]:
    """The tries of a thread that may have left records which nobody has claimed, those of one message aside."""
    rivals = []
    for attempt, kept in await attempts.list_unnamed(tx, thread_id):
        if attempt.message_id == apart_from:
            continue
        with contextlib.suppress(msgspec.MsgspecError):  # what nobody can read was never sent
            body = messages.decode_body(kept)
            rivals.append(Rival(text=as_listed(body), started_at=attempt.started_at))
    return rivals


def _is_old(send: Send, now: datetime) -> bool:
    return now - (send.started_at or send.created_at) >= SETTLE


async def _unread(tx: Writing, send: Send, now: datetime, ids: Ids) -> str:
    """No list could be read: wait for one while the message is worth it, then let a person decide."""
    if now < send.expires_at or not _is_old(send, now):
        return "uncertain"
    return await _hand_to_a_person(tx, send, now, ids, looks=send.looks)


async def _contested(tx: Writing, send: Send, now: datetime, ids: Ids) -> str:
    """The list has what may be this message: it is not sent again. A callback may still tell whose it is."""
    looks = send.looks + 1
    if looks < ENOUGH_LOOKS or not _is_old(send, now):
        await outbox.update(tx, [_changed(send, OutboxState.UNCERTAIN, now + LOOK_AGAIN, looks=looks)])
        return "uncertain"
    return await _hand_to_a_person(tx, send, now, ids, looks=looks, contested=True)


async def _absent(tx: Writing, send: Send, now: datetime, ids: Ids) -> str:
    looks = send.looks + 1
    if looks < ENOUGH_LOOKS or not _is_old(send, now):
        await outbox.update(tx, [_changed(send, OutboxState.UNCERTAIN, now + LOOK_AGAIN, looks=looks)])
        return "uncertain"
    if await _lives(tx, send):
        await _note_absent(tx, send, now)
        await outbox.delete(tx, [(send.message_id, send.shard)])
        return "taken by another try"
    if send.resent or now >= send.expires_at or await _policy(tx, send) is OnUncertain.HOLD:
        return await _hand_to_a_person(tx, send, now, ids, looks=looks)
    await outbox.update(tx, [_changed(send, OutboxState.QUEUED, now, resent=True)])
    await messages.flag_possible_duplicates(tx, [(send.workspace_id, send.conversation_id, send.seq)])
    await _note_absent(tx, send, now)
    await _tell(tx, EventKind.MESSAGE_QUEUED, send, now, ids, possible_duplicate=True)
    return "queued"


async def _lives(tx: Writing, send: Send) -> bool:
    """Whether another try of the message was taken, and did not fail."""
    known = (await find_known.find_known(tx, [send.message_id])).get(send.message_id, [])
    return any(one.lives for one in known)


async def _policy(tx: Reading, send: Send) -> OnUncertain:
    """What the agent wants now: by its newest version, or the conversation's own where the agent was deleted.

    Of an agent that cannot be read a person is asked: once too few can be mended, once too many cannot.
    """
    place = (send.workspace_id, send.conversation_id)
    held = (await conversations.find_all(tx, [place])).get(place)
    if held is None:
        return OnUncertain.HOLD
    name = (held.workspace_id, held.agent_id)
    with contextlib.suppress(msgspec.MsgspecError):
        current = (await agents.find_current(tx, [name])).get(name)
        if current is not None:
            return current.spec.on_uncertain
    version = (*name, held.agent_version)
    kept = (await agents.find_versions(tx, [version])).get(version)
    return OnUncertain.HOLD if kept is None else kept.spec.on_uncertain


async def _note_absent(tx: Writing, send: Send, now: datetime) -> None:
    absent = attempts.Finished(
        message_id=send.message_id, number=send.attempt, shard=send.shard, state=attempts.AttemptState.ABSENT
    )
    await attempts.finish(tx, [absent], now)


async def _hand_to_a_person(
    tx: Writing, send: Send, now: datetime, ids: Ids, *, looks: int, contested: bool = False
) -> str:
    if await _lives(tx, send):  # there is nothing to decide: to send it again could only send it once too often
        await outbox.delete(tx, [(send.message_id, send.shard)])
        return "taken by another try"
    await outbox.update(tx, [_changed(send, OutboxState.NEEDS_REVIEW, now, looks=looks)])
    why = reasons.TABLE[Reason.NEEDS_REVIEW]
    told: dict[str, Json] = {"reason": why.code, "description": why.sentence}
    if contested:
        told["description"] = (
            "The provider's list has a message of the same words to the same contact, and it cannot be told whether "
            "it is this one or an earlier one of unknown fate; a person decides."
        )
    await _tell(tx, EventKind.MESSAGE_NEEDS_REVIEW, send, now, ids, **told)
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
    send: Send, state: OutboxState, due_at: datetime, *, looks: int = 0, resent: bool | None = None
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


async def _tell(tx: Writing, kind: EventKind, send: Send, now: datetime, ids: Ids, **data: Json) -> None:
    event = events.make(ids, kind, send.workspace_id, send.conversation_id, now, message_id=send.message_id, **data)
    await events.insert_all(tx, [event], now)
