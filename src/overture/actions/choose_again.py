"""Choose again for a WhatsApp message that met a closed window: what may go in its place, once.

The provider's word that a window is closed is written down before this is asked; so a window that is open by our
records was opened by the contact since, and the text itself may go.
"""

from datetime import datetime

from msgspec import Struct

from overture.domain import sending, window
from overture.domain.channel import Channel
from overture.domain.message import Author, Body, Direction, Template
from overture.domain.provider_errors import Effect, describe
from overture.store import agents, attempts, messages
from overture.store.attempts import Attempt
from overture.store.conversations import Conversation
from overture.store.engine import Writing
from overture.store.messages import Message
from overture.store.threads import Pair

_NEAR = 100  # messages on either side in which the same template is looked for


class Closed(Struct, frozen=True, kw_only=True):
    """A message that was refused because the window is closed."""

    attempt: Attempt
    line: Message
    pair: Pair
    conversation: Conversation


async def choose_again(tx: Writing, closed: Closed, now: datetime) -> Body | None:
    """What the message says from now on, written down; None where nothing may go in its place. The caller commits.

    What a person wrote gives way to nothing: they see that it failed. A template is not sent twice for two texts of
    one conversation.
    """
    if closed.pair.channel is not Channel.WHATSAPP or await _was_asked_before(tx, closed):
        return None
    is_open = window.is_open(closed.pair.last_inbound_at, now)
    if closed.line.author is Author.OPERATOR and not is_open:
        return None
    held = closed.conversation
    key = (held.workspace_id, held.agent_id, held.agent_version)
    agent = (await agents.find_versions(tx, [key])).get(key)
    chosen = sending.choose_again(closed.line.body, agent, is_open=is_open)
    if isinstance(chosen, Template):
        if await _says_so_already(tx, closed, chosen):
            return None
        where = (held.workspace_id, held.id, closed.line.seq, chosen)
        await messages.set_bodies(tx, [where])
    return chosen


async def _was_asked_before(tx: Writing, closed: Closed) -> bool:
    tries = await attempts.lock(tx, [closed.line.id])
    return any(
        describe(one.error_code).effect is Effect.WINDOW_CLOSED
        for one in tries
        if one.error_code is not None and one.number != closed.attempt.number
    )


async def _says_so_already(tx: Writing, closed: Closed, chosen: Template) -> bool:
    held, seq = closed.conversation, closed.line.seq
    near = await messages.list_before(tx, held.workspace_id, held.id, seq + _NEAR, 2 * _NEAR)
    return any(
        isinstance(line.body, Template) and line.body.content_sid == chosen.content_sid
        for line in near
        if line.direction is Direction.OUT and line.id != closed.line.id
    )
