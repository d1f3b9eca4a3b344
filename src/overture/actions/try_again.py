"""Let messages that the provider took and then failed go once more, where that can help, or say why they do not.

The provider's word "failed" is sometimes wrong, so it is few times: as often as the code's row in the table of errors
allows, never past the message's expiry, and not out of an epoch that is over. A WhatsApp text that met a closed window
gives way to a template, once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from overture.actions import choose_again, give_way
from overture.actions.give_back import give_back
from overture.domain import delivery, reasons
from overture.domain.agent import Json
from overture.domain.conversation import Mode
from overture.domain.delivery import DeliveryStatus, Known
from overture.domain.event import Event, EventKind
from overture.domain.ports import Ids
from overture.domain.provider_errors import Effect, ErrorClass, describe, problem_code
from overture.domain.reasons import Meaning, Reason
from overture.domain.sending import Priority
from overture.store import conversations, events, messages, outbox, threads, unsettled
from overture.store.attempts import Attempt
from overture.store.conversations import Conversation
from overture.store.engine import Writing
from overture.store.messages import Message
from overture.store.threads import Pair
from overture.store.unsettled import Again, Standing

_DECIDED: Final = frozenset(reason.value for reason, fact in reasons.TABLE.items() if fact.meaning is Meaning.STAYS) - {
    Reason.NEEDS_REVIEW.value
}
"""Reasons for which a message stays, whatever the provider says of its last try."""


class Failed(Struct, frozen=True, kw_only=True):
    """A message of which every id has failed: its last attempt, the id that speaks for it, and how many tries failed.

    An attempt that was refused has no id: its SID is empty.

    `standing` is its row in the outbox, where it has one.
    """

    attempt: Attempt
    known: Known
    failures: int
    standing: Standing | None = None


class _Stays(Struct, frozen=True, kw_only=True):
    """It does not go again: the reason that its message keeps, and why there is no other try."""

    reason: str | None
    because: str


async def try_again(tx: Writing, failed: Sequence[Failed], now: datetime, ids: Ids) -> None:
    """Queue each once more or mark it as failed, and tell. The caller commits."""
    if not failed:
        return
    places = [(one.attempt.workspace_id, one.attempt.conversation_id) for one in failed]
    lines = await messages.find_all(tx, [(*place, one.attempt.seq) for place, one in zip(places, failed, strict=True)])
    held = await conversations.find_all(tx, places)
    pairs = await threads.find_of_conversations(tx, places)
    again: list[Again] = []
    gone: list[tuple[str, int]] = []
    statuses: list[messages.StatusChange] = []
    told: list[Event] = []
    for place, one in zip(places, failed, strict=True):
        line, pair = lines.get(one.attempt.message_id), pairs.get(place)
        if line is None or (line.status in delivery.FAILED and line.reason in _DECIDED):
            if one.standing is not None:
                gone.append((one.attempt.message_id, one.attempt.shard))
            continue
        verdict = await _decide(tx, one, line, pair, held.get(place), now)
        statuses.append(_status(one, verdict))
        told.append(_told(one, verdict, now, ids))
        if _waits(verdict, one.attempt, held.get(place)):
            told.append(give_way.told_to_wait(*place, [(line.id, line.seq)], Reason.WINDOW_CLOSED.value, now, ids))
        if isinstance(verdict, Again):
            again.append(verdict)
        elif one.standing is not None:
            gone.append((one.attempt.message_id, one.attempt.shard))
    await outbox.delete(tx, gone)
    await give_back(tx, gone)
    await unsettled.put_back(tx, again, now)
    await messages.set_statuses(tx, statuses)
    await events.insert_all(tx, told, now)


async def _decide(
    tx: Writing, one: Failed, line: Message, pair: Pair | None, held: Conversation | None, now: datetime
) -> Again | _Stays:
    attempt, code = one.attempt, one.known.error_code
    reason = None if code is None else problem_code(code)
    fact = describe(code or 0)
    if line.reason == Reason.DROPPED_BY_OPERATOR:
        return _Stays(reason=line.reason, because="a person dropped it")
    if pair is None or held is None or attempt.epoch is None or line.expires_at is None:
        return _Stays(reason=reason, because="nothing is known of how it was sent")
    if fact.effect is Effect.WINDOW_CLOSED:
        closed = choose_again.Closed(attempt=attempt, line=line, pair=pair, conversation=held)
        if attempt.epoch == held.epoch and await choose_again.choose_again(tx, closed, now) is not None:
            return _again(one, attempt.epoch, pair, line.expires_at, now, Reason.WINDOW_CLOSED.value)
        return _Stays(reason=Reason.WINDOW_CLOSED.value, because="no template can go in its place")
    if fact.verdict is not ErrorClass.TRANSIENT or reason is None:
        return _Stays(reason=reason, because="another try would fail as well")
    if attempt.epoch != held.epoch:
        return _Stays(reason=reason, because="its conversation has moved on")
    if one.failures > fact.tries:
        return _Stays(reason=reason, because="it was tried as often as can help")
    due_at = now + timedelta(seconds=fact.wait_seconds)
    if due_at >= line.expires_at:
        return _Stays(reason=reason, because="it would expire before the next try")
    return _again(one, attempt.epoch, pair, line.expires_at, due_at, reason)


def _again(one: Failed, epoch: int, pair: Pair, expires_at: datetime, due_at: datetime, because: str) -> Again:
    attempt = one.attempt
    return Again(
        message_id=attempt.message_id,
        shard=attempt.shard,
        workspace_id=attempt.workspace_id,
        conversation_id=attempt.conversation_id,
        thread_id=pair.thread_id,
        sender_id=pair.sender_id,
        seq=attempt.seq,
        epoch=epoch,
        priority=attempt.priority or 0,
        attempt=attempt.number,
        due_at=due_at,
        expires_at=expires_at,
        resent=one.standing is not None and one.standing.resent,
        confirms_opt_out=attempt.confirms_opt_out,
        because=because,
    )


def _status(one: Failed, verdict: Again | _Stays) -> messages.StatusChange:
    stays = isinstance(verdict, _Stays)
    return messages.StatusChange(
        workspace_id=one.attempt.workspace_id,
        conversation_id=one.attempt.conversation_id,
        seq=one.attempt.seq,
        status=one.known.status if stays else DeliveryStatus.QUEUED,
        error_code=one.known.error_code,
        reason=verdict.reason if isinstance(verdict, _Stays) else verdict.because,
        sid=one.known.sid or None,
    )


def _told(one: Failed, verdict: Again | _Stays, now: datetime, ids: Ids) -> Event:
    code = one.known.error_code
    told: dict[str, Json] = {
        "message_id": one.attempt.message_id,
        "attempt": one.attempt.number,
        "status": one.known.status.value,
        "error_code": code,
        "description": (reasons.TABLE[Reason.NOT_DELIVERED] if code is None else describe(code)).sentence,
    }
    if isinstance(verdict, Again):
        kind = EventKind.MESSAGE_QUEUED
        told |= {"reason": verdict.because, "due_at": verdict.due_at.isoformat()}
    else:
        kind = EventKind.MESSAGE_FAILED
        told |= {"reason": verdict.reason, "not_again": verdict.because}
    return events.make(ids, kind, one.attempt.workspace_id, one.attempt.conversation_id, now, **told)


def _waits(verdict: Again | _Stays, attempt: Attempt, held: Conversation | None) -> bool:
    """Whether it is a reply that the contact's next message can still bring."""
    if not isinstance(verdict, _Stays) or verdict.reason != Reason.WINDOW_CLOSED or held is None:
        return False
    return attempt.priority == Priority.REPLY and attempt.epoch == held.epoch and held.mode is Mode.BOT
