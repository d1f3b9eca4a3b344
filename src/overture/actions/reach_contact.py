"""Reach the contact with what a turn says: as it is, as a template where WhatsApp's window is closed, or not yet."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from overture.actions import give_way
from overture.actions.claim_turns import TurnClaim
from overture.actions.give_back import give_back
from overture.domain import closed_window, window
from overture.domain.channel import Channel
from overture.domain.delivery import DeliveryStatus
from overture.domain.event import Event, EventKind
from overture.domain.message import Template, Text
from overture.domain.ports import Ids
from overture.domain.reasons import TABLE, Reason
from overture.domain.sending import parts
from overture.store import events, messages
from overture.store.conversations import Conversation
from overture.store.engine import Reading, Writing
from overture.store.threads import Pair


class Way(Struct, frozen=True, kw_only=True):
    """How a turn's words go: the bodies that carry them, and between whom; None where they leave over no provider.

    Where the words wait for the contact, they are kept as they are and nothing leaves.
    """

    bodies: Sequence[Text | Template]
    pair: Pair | None = None
    waits: bool = False


async def find_way(
    tx: Reading, claim: TurnClaim, present: Conversation, pair: Pair | None, said: Sequence[Text], now: datetime
) -> Way:
    """The way for what a turn says; `present` is its conversation with the agent's newest state, `pair` whose it is."""
    bodies = [part for body in said for part in parts(body, present.channel)]
    if present.channel is Channel.API or pair is None or not bodies:
        return Way(bodies=bodies)
    if present.channel is not Channel.WHATSAPP or window.is_open(pair.last_inbound_at, now):
        return Way(bodies=bodies, pair=pair)
    closed = give_way.Closed(
        text=closed_window.with_all(said),
        seq=present.last_seq + 1,
        conversation=present,
        agent=claim.agent,
        numbers=(claim.contact_number, claim.agent_number, claim.account_sid),
        is_reply=present.last_seq > 0,
    )
    instead = await give_way.find_stand_in(tx, closed, now)
    if instead is None:
        return Way(bodies=bodies, waits=True)
    return Way(bodies=[instead], pair=pair)


async def hold_back(tx: Writing, lines: Sequence[messages.NewMessage], now: datetime, ids: Ids) -> None:
    """Keep lines that wait for the contact: they are seen, with the reason, and do not leave. The caller commits."""
    reason = Reason.WINDOW_CLOSED
    await give_back(tx, [(line.id, line.shard) for line in lines])
    await messages.set_statuses(
        tx,
        [
            messages.StatusChange(
                workspace_id=line.workspace_id,
                conversation_id=line.conversation_id,
                seq=line.seq,
                status=DeliveryStatus.FAILED,
                reason=reason.value,
            )
            for line in lines
        ],
    )
    place = (lines[0].workspace_id, lines[0].conversation_id)
    told: list[Event] = [
        events.make(
            ids,
            EventKind.MESSAGE_REFUSED,
            *place,
            now,
            message_id=line.id,
            reason=reason.value,
            description=TABLE[reason].sentence,
        )
        for line in lines
    ]
    waiting = [(line.id, line.seq) for line in lines]
    await events.insert_all(tx, [*told, give_way.told_to_wait(*place, waiting, reason.value, now, ids)], now)
