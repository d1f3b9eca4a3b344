"""Choose again for a WhatsApp message that the provider refused because the window is closed: what goes instead, once.

The provider's word that a window is closed is written down before this is asked; so a window that is open by our
records was opened by the contact since, and the text itself may go.
"""

from datetime import datetime

from msgspec import Struct

from overture.actions import give_way
from overture.actions.price_again import price_again
from overture.domain import window
from overture.domain.channel import Channel
from overture.domain.message import Author, Body, Text
from overture.domain.provider_errors import Effect, describe
from overture.store import agents, attempts, messages, threads
from overture.store.attempts import Attempt
from overture.store.conversations import Conversation
from overture.store.engine import Writing
from overture.store.messages import Message
from overture.store.threads import Pair


class Closed(Struct, frozen=True, kw_only=True):
    """A message that was refused because the window is closed."""

    attempt: Attempt
    line: Message
    pair: Pair
    conversation: Conversation


async def choose_again(tx: Writing, closed: Closed, now: datetime) -> Body | None:
    """What the message says from now on, written down; None where nothing may go in its place. The caller commits.

    What a person wrote gives way to nothing: they see that it failed. A template that was refused has no place to give
    way to.
    """
    body, held = closed.line.body, closed.conversation
    if closed.pair.channel is not Channel.WHATSAPP or not isinstance(body, Text) or await _was_asked_before(tx, closed):
        return None
    if window.is_open(closed.pair.last_inbound_at, now):
        return body
    if closed.line.author is Author.OPERATOR:
        return None
    key = (held.workspace_id, held.agent_id, held.agent_version)
    numbers = await threads.find_numbers(tx, [closed.pair.thread_id])
    met = give_way.Closed(
        text=body,
        seq=closed.line.seq,
        conversation=held,
        agent=(await agents.find_versions(tx, [key])).get(key),
        numbers=numbers[closed.pair.thread_id],
        is_reply=give_way.is_reply(closed.attempt.priority, closed.line),
    )
    chosen = await give_way.find_stand_in(tx, met, now)
    if chosen is not None:
        place = (held.workspace_id, held.id, closed.line.seq)
        await messages.set_bodies(tx, [(*place, chosen)])
        await price_again(tx, place, (closed.line.id, closed.attempt.shard), chosen, now)
    return chosen


async def _was_asked_before(tx: Writing, closed: Closed) -> bool:
    tries = await attempts.lock(tx, [closed.line.id])
    return any(
        describe(one.error_code).effect is Effect.WINDOW_CLOSED
        for one in tries
        if one.error_code is not None and one.number != closed.attempt.number
    )
