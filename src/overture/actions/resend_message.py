"""Send a message in review once more, because a person says so.

It goes back to the queue with a fresh life, and the claim asks everything again: consent, epoch, expiry, window. What
the claim would refuse now is refused here, so that its reader learns of it at once.
"""

from datetime import datetime, timedelta

from overture.actions import in_review
from overture.actions.in_review import Decided
from overture.domain import reasons
from overture.domain.delivery import DeliveryState, DeliveryStatus
from overture.domain.errors import NotAllowed
from overture.domain.event import EventKind
from overture.domain.leaving import Leaving, may_leave
from overture.domain.ports import Ids
from overture.domain.reasons import Reason
from overture.domain.sending import OPENING_LIFE, REPLY_LIFE, Priority
from overture.store import events, messages, reviews
from overture.store.engine import Writing
from overture.store.reviews import Held


async def resend_message(
    tx: Writing,
    *,
    workspace_id: str,
    message_id: str,
    valid_seconds: int | None,
    by: str,
    now: datetime,
    ids: Ids,
) -> Decided:
    """Queue it again; nothing changes where it is being sent again already. The caller commits.

    Raises Unknown, Conflict where it is not in review, NotAllowed where it must not leave any more.
    """
    held = await reviews.lock(tx, workspace_id, message_id)
    if held is None:
        raise await in_review.settled(tx, workspace_id, message_id)
    match held.state:
        case DeliveryState.NEEDS_REVIEW:
            expires_at = now + _life(held.priority, valid_seconds)
            _refuse_what_must_stay(held, expires_at, now)
        case DeliveryState.QUEUED | DeliveryState.SENDING if held.resent:
            return Decided(changed=False, state=held.state)
        case _:
            raise in_review.undecidable(held.state)
    await reviews.requeue(tx, held, now, expires_at)
    change = messages.StatusChange(
        workspace_id=workspace_id, conversation_id=held.conversation_id, seq=held.seq, status=DeliveryStatus.QUEUED
    )
    await messages.set_statuses(tx, [change])
    may_be_twice = held.attempt > 0
    if may_be_twice:
        await messages.flag_possible_duplicates(tx, [(workspace_id, held.conversation_id, held.seq)])
    queued = events.make(
        ids,
        EventKind.MESSAGE_QUEUED,
        workspace_id,
        held.conversation_id,
        now,
        message_id=held.message_id,
        possible_duplicate=may_be_twice,
        by=by,
    )
    await events.insert_all(tx, [queued], now)
    return Decided(changed=True, state=DeliveryState.QUEUED)


def _life(priority: Priority, valid_seconds: int | None) -> timedelta:
    if valid_seconds is not None:
        return timedelta(seconds=valid_seconds)
    return OPENING_LIFE if priority is Priority.OPENING else REPLY_LIFE


def _refuse_what_must_stay(held: Held, expires_at: datetime, now: datetime) -> None:
    if held.body is None:
        raise NotAllowed(
            "message_unreadable",
            "The message's text cannot be read, so it cannot be sent.",
            field="message_id",
            hint="Drop it, and write anew.",
        )
    stay = may_leave(
        Leaving(
            body=held.body,
            channel=held.channel,
            epoch=held.epoch,
            expires_at=expires_at,
            conversation_epoch=held.conversation_epoch,
            opted_out_at=held.opted_out_at,
            last_inbound_at=held.last_inbound_at,
            sender_active=held.sender_removed_at is None,
            confirms_opt_out=held.confirms_opt_out,
        ),
        now,
    )
    if stay is None:
        return
    if stay.reason == Reason.CANCELLED:
        raise NotAllowed(
            "conversation_moved_on",
            "The conversation ended or was taken over after this message was written, so it must not be sent any more.",
            field="message_id",
            hint="Drop it; what still needs saying is said in a new conversation, or by who took it over.",
        )
    raise NotAllowed(stay.reason, stay.description, field="message_id", hint=reasons.explain(stay.reason).hint)
