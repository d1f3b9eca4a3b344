"""What a decision over a message in review is answered with, and where there is nothing to decide."""

from msgspec import Struct

from overture.domain import reasons
from overture.domain.delivery import DeliveryState
from overture.domain.errors import Conflict, Unknown
from overture.store import deliveries
from overture.store.engine import Reading


class Decided(Struct, frozen=True, kw_only=True):
    """Where the message stands now, and whether the decision has `changed` anything."""

    changed: bool
    state: DeliveryState


async def settled(tx: Reading, workspace_id: str, message_id: str) -> Unknown | Conflict:
    """What to answer of a message that is not in the outbox."""
    found = await deliveries.find(tx, workspace_id, message_id)
    if found is None or found.state is None:
        return unknown(message_id)
    why = f" {reasons.explain(found.reason).sentence}" if found.reason is not None else ""
    return Conflict(
        "delivery_settled",
        f"The message is not in review: it is {found.state}.{why}",
        field="message_id",
        hint="Its fate is known, and nothing is left to decide.",
    )


def unknown(message_id: str) -> Unknown:
    """No such delivery."""
    return Unknown(
        "delivery_unknown",
        f"No message {message_id} waits in the outbox or was ever tried.",
        field="message_id",
        hint="What was refused before its first try is told by its conversation: "
        "GET /overture/v1/conversations/{conversation_id}/messages, or `overture deliveries show CONVERSATION`.",
    )


def undecidable(state: DeliveryState) -> Conflict:
    """A message of the outbox that nobody has to decide over."""
    hint = (
        "What became of it is being found out; where that fails, it comes into review by itself."
        if state is DeliveryState.UNCERTAIN
        else "It goes by itself. To keep it back, end its conversation."
    )
    return Conflict(
        "delivery_not_in_review", f"The message is not in review: it is {state}.", field="message_id", hint=hint
    )
