"""What our own API tells of conversations beyond the hosted platform's: each message, and what became of it."""

from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct

from overture.actions import in_hand
from overture.domain import delivery, reasons
from overture.domain.access import Scope
from overture.domain.conversation import Mode
from overture.domain.delivery import DeliveryState, DeliveryStatus
from overture.domain.message import Author, Direction
from overture.domain.reasons import Reason
from overture.store import deliveries, messages, people
from overture.store.deliveries import Course
from overture.store.engine import Reading
from overture.store.messages import Message
from overture.turns import unread
from overture.web.api import cost_shapes, delivery_shapes
from overture.web.api.cost_shapes import CostView
from overture.web.api.delivery_shapes import AttemptView
from overture.web.routes import Call, get

_MOST: Final = 500
_LATEST: Final = 20  # lines: more than an agent says in a row


class MessageView(Struct, frozen=True, kw_only=True):
    """One message, in either direction. `possible_duplicate`: the provider may have taken it twice.

    What is told of a delivery, and of its cost, is null and empty for a contact's message. `status` is the provider's
    word, `state` where the message stands on its whole way; `reason` is why it failed or is in review, `waits_because`
    why it has not left yet, each with its sentence; `hint` is what can be done. `scheduled_for` is when quiet hours let
    it go.
    """

    id: str
    seq: int
    direction: Direction
    author: Author
    text: str
    status: DeliveryStatus | None
    error_code: int | None
    reason: str | None
    possible_duplicate: bool
    created_at: datetime
    provider_sid: str | None = None
    segments: int | None = None
    state: DeliveryState | None = None
    reason_description: str | None = None
    hint: str | None = None
    waits_because: str | None = None
    waits_description: str | None = None
    scheduled_for: datetime | None = None
    due_at: datetime | None = None
    expires_at: datetime | None = None
    attempts: list[AttemptView] = []
    cost: CostView | None = None


class MessageList(Struct, frozen=True, kw_only=True):
    """A page of messages, oldest first.

    `waits_for_contact`: WhatsApp's window closed on what the agent said last; it is said again once the contact writes.
    """

    messages: list[MessageView]
    has_more: bool
    waits_for_contact: bool = False


class ListMessages(Struct, frozen=True, kw_only=True):
    """Which messages."""

    after: Annotated[int, Meta(ge=0, le=2**31 - 1, description="Those after this sequence number.")] = 0
    limit: Annotated[int, Meta(ge=1, le=_MOST, description="How many.")] = 100


@get(
    "/overture/v1/conversations/{conversation_id}/messages",
    may=Scope.READ,
    asks=ListMessages,
    gives=MessageList,
    tag="Conversations",
    refusals=(400, 404),
)
async def list_messages(call: Call[None, ListMessages]) -> MessageList:
    """List a conversation's messages.

    With what became of each: where it stands, why it was not sent or not yet, and every try.
    """
    an_id, asked = call.path["conversation_id"], call.query

    async def look(tx: Reading) -> tuple[list[Message], dict[str, Course], bool]:
        found = await people.find(tx, call.workspace_id, an_id)
        if found is None:
            raise in_hand.unknown(an_id)
        lines = await messages.list_after(tx, call.workspace_id, an_id, asked.after, asked.limit + 1)
        ours = [line.id for line in lines if line.direction is Direction.OUT]
        last = await messages.list_before(tx, call.workspace_id, an_id, found.last_seq + 1, _LATEST)
        waits = found.mode is Mode.BOT and bool(unread.look_back(last, an_id).waiting)
        return lines, await deliveries.read_courses(tx, ours), waits

    lines, courses, waits = await call.parts.store.read(look)
    views = [view_of_message(line, courses.get(line.id, Course()), call.now) for line in lines[: asked.limit]]
    return MessageList(messages=views, has_more=len(lines) > asked.limit, waits_for_contact=waits)


def view_of_message(line: Message, course: Course, now: datetime) -> MessageView:
    """A message as the API tells it."""
    waiting = course.waiting
    state = delivery.state_of(None if waiting is None else waiting.state, line.status)
    why = delivery_shapes.explained(line.reason, line.error_code, state)
    waits = None if waiting is None else reasons.why_waiting(waiting, now)
    return MessageView(
        id=line.id,
        seq=line.seq,
        direction=line.direction,
        author=line.author,
        text=line.text,
        status=line.status,
        error_code=line.error_code,
        reason=None if why is None else why.code,
        possible_duplicate=line.possible_duplicate,
        created_at=line.created_at,
        provider_sid=line.provider_sid,
        segments=line.segments,
        state=state,
        reason_description=None if why is None else why.sentence,
        hint=delivery_shapes.hint_of(why, waits),
        waits_because=None if waits is None else waits.code,
        waits_description=None if waits is None else waits.sentence,
        scheduled_for=waiting.due_at if waiting and waits and waits.code == Reason.QUIET_HOURS else None,
        due_at=None if waiting is None else waiting.due_at,
        expires_at=course.expires_at or line.expires_at,
        attempts=delivery_shapes.attempts_of(course),
        cost=cost_shapes.view_of(line.cost, course) if line.direction is Direction.OUT else None,
    )
