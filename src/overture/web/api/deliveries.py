"""Messages on their way, and the list of those that a person has to decide over."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from overture.actions import in_review
from overture.actions.drop_message import drop_message
from overture.actions.in_review import Decided
from overture.actions.resend_message import resend_message
from overture.domain.access import Scope
from overture.domain.delivery import DeliveryState
from overture.store import deliveries
from overture.store.engine import Reading
from overture.web.api.delivery_shapes import DeliveryView, view_of
from overture.web.routes import Call, get, post

_MOST: Final = 200  # each comes with its text and every try
_LONGEST_LIFE: Final = 36_000  # seconds: the provider holds a message ten hours at most
_OWNER: Final = "owner"  # who comes by the socket of the data folder has no key to be named by


class ListDeliveries(Struct, frozen=True, kw_only=True):
    """Which messages: those of one state that have not left the outbox."""

    state: Annotated[
        Literal["needs_review", "uncertain", "queued", "sending"], Meta(description="Where they stand.")
    ] = "needs_review"
    after: Annotated[str, Meta(max_length=64, description="Those after this message's id.")] = ""
    limit: Annotated[int, Meta(ge=1, le=_MOST, description="How many.")] = 50


class DeliveryList(Struct, frozen=True, kw_only=True):
    """A page of messages, oldest first."""

    deliveries: list[DeliveryView]
    has_more: bool


class ResendMessage(Struct, frozen=True, kw_only=True):
    """How to send it again."""

    valid_seconds: (
        Annotated[
            int,
            Meta(
                ge=30,
                le=_LONGEST_LIFE,
                description="How long it is worth sending: else 30 minutes for a reply, 4 hours for an opening.",
            ),
        ]
        | None
    ) = None


class DropMessage(Struct, frozen=True, kw_only=True):
    """Why it is given up."""

    note: Annotated[str, Meta(max_length=500, description="A word on why; it is told in the event.")] | None = None


class DecisionView(Struct, frozen=True, kw_only=True):
    """What was decided over a message; `changed` is false where it stood so before."""

    message_id: str
    changed: bool
    state: DeliveryState


@get(
    "/overture/v1/deliveries",
    may=Scope.READ,
    asks=ListDeliveries,
    gives=DeliveryList,
    tag="Deliveries",
    refusals=(400,),
)
async def list_deliveries(call: Call[None, ListDeliveries]) -> DeliveryList:
    """List messages that have not left.

    Those in review wait for a person; all others go on by themselves.
    """
    asked = call.query

    async def look(tx: Reading) -> tuple[list[DeliveryView], bool]:
        found = await deliveries.list_in(
            tx, call.workspace_id, DeliveryState(asked.state), after=asked.after, limit=asked.limit + 1
        )
        page = found[: asked.limit]
        courses = await deliveries.read_courses(tx, [one.message_id for one in page])
        none = deliveries.Course()
        return [view_of(one, courses.get(one.message_id, none), call.now) for one in page], len(found) > asked.limit

    views, has_more = await call.parts.store.read(look)
    return DeliveryList(deliveries=views, has_more=has_more)


@get(
    "/overture/v1/deliveries/{message_id}",
    may=Scope.READ,
    gives=DeliveryView,
    tag="Deliveries",
    refusals=(404,),
)
async def get_delivery(call: Call[None, None]) -> DeliveryView:
    """Tell what became of a message.

    Of any that waits in the outbox or was tried, with every try. What was refused before its first try is told in its
    conversation's messages.
    """
    return await call.parts.store.read(lambda tx: _look(tx, call.workspace_id, call.path["message_id"], call.now))


@post(
    "/overture/v1/deliveries/{message_id}/resend",
    may=Scope.SEND,
    takes=ResendMessage,
    gives=DecisionView,
    tag="Deliveries",
    example={"valid_seconds": 1800},
    refusals=(400, 404),
)
async def resend_delivery(call: Call[ResendMessage, None]) -> DecisionView:
    """Send a message in review once more.

    Look for it in the provider's log first: if it was taken after all, the person gets it twice. It is refused where
    the contact has opted out, the window is closed, or the conversation has ended or was taken over since; all of that
    is asked again when it leaves. A second call while it is being sent again changes nothing.
    """
    decided = await call.parts.store.write(
        lambda tx: resend_message(
            tx,
            workspace_id=call.workspace_id,
            message_id=call.path["message_id"],
            valid_seconds=call.body.valid_seconds,
            by=call.principal.kid or _OWNER,
            now=call.now,
            ids=call.parts.ids,
        )
    )
    if decided.changed:
        call.parts.signals.wake("outbox")
    return _decision(call, decided)


@post(
    "/overture/v1/deliveries/{message_id}/drop",
    may=Scope.SEND,
    takes=DropMessage,
    gives=DecisionView,
    tag="Deliveries",
    example={"note": "Told her by phone."},
    refusals=(400, 404),
)
async def drop_delivery(call: Call[DropMessage, None]) -> DecisionView:
    """Give a message in review up.

    It failed then, with the reason `dropped_by_operator`. A second call changes nothing.
    """
    decided = await call.parts.store.write(
        lambda tx: drop_message(
            tx,
            workspace_id=call.workspace_id,
            message_id=call.path["message_id"],
            note=call.body.note,
            by=call.principal.kid or _OWNER,
            now=call.now,
            ids=call.parts.ids,
        )
    )
    return _decision(call, decided)


def _decision(call: Call[Any, None], decided: Decided) -> DecisionView:
    return DecisionView(message_id=call.path["message_id"], changed=decided.changed, state=decided.state)


async def _look(tx: Reading, workspace_id: str, message_id: str, now: datetime) -> DeliveryView:
    found = await deliveries.find(tx, workspace_id, message_id)
    if found is None:
        raise in_review.unknown(message_id)
    courses = await deliveries.read_courses(tx, [message_id])
    return view_of(found, courses.get(message_id, deliveries.Course()), now)
