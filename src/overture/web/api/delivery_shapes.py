"""What our own API tells of a message's way: where it stands, why, and every try."""

from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct

from overture.domain import reasons
from overture.domain.channel import Channel
from overture.domain.delivery import DeliveryState
from overture.domain.message import Author
from overture.domain.provider_errors import describe, problem_code
from overture.domain.reasons import Explanation, Reason
from overture.store.attempts import AttemptState
from overture.store.deliveries import Course, Delivery, Try
from overture.web.api import cost_shapes
from overture.web.api.cost_shapes import CostView

_LOST: Final = frozenset({DeliveryState.UNDELIVERED, DeliveryState.FAILED, DeliveryState.CANCELED})


class AttemptView(Struct, frozen=True, kw_only=True):
    """One try to hand a message to the provider. `second_sids` are further ids that the provider gave for it:
    `duplicate` then says that the message was taken twice.
    """

    number: int
    state: AttemptState
    provider_sid: str | None
    status: str | None
    error_code: int | None
    reason: str | None
    description: str | None
    started_at: datetime
    finished_at: datetime | None
    duplicate: bool
    second_sids: list[str]


class DeliveryView(Struct, frozen=True, kw_only=True):
    """An outgoing message on its way. `reason` is why it failed or is in review, `waits_because` why it has not left
    yet, each with its sentence; `hint` is what can be done. `text` is null where it cannot be read.
    """

    message_id: str
    conversation_id: str
    seq: int
    agent_id: str
    channel: Channel
    sender_number: Annotated[str | None, Meta(description="The address of ours that it goes from.")]
    contact_number: Annotated[str | None, Meta(description="The person's number.")]
    author: Author
    text: str | None
    state: DeliveryState | None
    reason: str | None
    reason_description: str | None
    hint: str | None
    waits_because: str | None
    waits_description: str | None
    error_code: int | None
    provider_sid: str | None
    possible_duplicate: Annotated[bool, Meta(description="The provider may have taken it twice.")]
    created_at: datetime
    age_seconds: int
    due_at: datetime | None
    expires_at: datetime | None
    attempts: list[AttemptView]
    cost: CostView


def view_of(delivery: Delivery, course: Course, now: datetime) -> DeliveryView:
    """A delivery as the API tells it."""
    why = explained(delivery.reason, delivery.error_code, delivery.state)
    waits = None if delivery.waiting is None else reasons.why_waiting(delivery.waiting, now)
    return DeliveryView(
        message_id=delivery.message_id,
        conversation_id=delivery.conversation_id,
        seq=delivery.seq,
        agent_id=delivery.agent_id,
        channel=delivery.channel,
        sender_number=delivery.sender_address,
        contact_number=delivery.contact_address,
        author=delivery.author,
        text=delivery.text,
        state=delivery.state,
        reason=None if why is None else why.code,
        reason_description=None if why is None else why.sentence,
        hint=hint_of(why, waits),
        waits_because=None if waits is None else waits.code,
        waits_description=None if waits is None else waits.sentence,
        error_code=delivery.error_code,
        provider_sid=delivery.provider_sid,
        possible_duplicate=delivery.possible_duplicate,
        created_at=delivery.created_at,
        age_seconds=max(0, int((now - delivery.created_at).total_seconds())),
        due_at=None if delivery.waiting is None else delivery.waiting.due_at,
        expires_at=delivery.expires_at,
        attempts=attempts_of(course),
        cost=cost_shapes.view_of(delivery.cost, course),
    )


def explained(reason: str | None, error_code: int | None, state: DeliveryState | None) -> Explanation | None:
    """Why a message failed or waits for a person, None where nothing is wrong with it."""
    if reason is not None:
        return reasons.explain(reason)
    if error_code is not None:
        return reasons.explain(problem_code(error_code))
    return reasons.TABLE[Reason.NOT_DELIVERED] if state in _LOST else None


def hint_of(why: Explanation | None, waits: Explanation | None) -> str | None:
    """What can be done: about what went wrong, else about what it waits for."""
    return next((one.hint for one in (why, waits) if one is not None and one.hint is not None), None)


def attempts_of(course: Course) -> list[AttemptView]:
    """Every try, the first one first."""
    return [_attempt(one) for one in course.tries]


def _attempt(one: Try) -> AttemptView:
    why = None if one.reason is None else reasons.explain(one.reason)
    if why is None and one.error_code is not None:
        why = reasons.Explanation(code=problem_code(one.error_code), sentence=describe(one.error_code).sentence)
    return AttemptView(
        number=one.number,
        state=one.state,
        provider_sid=one.sid,
        status=one.status,
        error_code=one.error_code,
        reason=None if why is None else why.code,
        description=None if why is None else why.sentence,
        started_at=one.started_at,
        finished_at=one.finished_at,
        duplicate=one.duplicate,
        second_sids=list(one.second_sids),
    )
