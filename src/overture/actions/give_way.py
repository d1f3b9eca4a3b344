"""Give way: a WhatsApp text that meets a closed window becomes a template where one may go, else it waits.

It is asked where a turn is committed, where a message is claimed, and where the provider refused it. A reply for which
nothing may go is kept and told: the contact's next message opens the window, and its turn knows what was not read.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from overture.agents import kinds, template_values, variables
from overture.domain import closed_window
from overture.domain.agent import Agent, AgentSpec, Json, TemplateUse
from overture.domain.event import Event, EventKind
from overture.domain.message import Direction, Template, Text
from overture.domain.ports import Ids
from overture.domain.sending import Priority
from overture.store import events, messages, templates
from overture.store.conversations import Conversation
from overture.store.engine import Reading
from overture.store.messages import Message

_NEAR: Final = 100  # messages on either side in which the same template is looked for


class Closed(Struct, frozen=True, kw_only=True):
    """A text that meets a closed window: `seq` is its place, `numbers` the contact's, the sender's and the account."""

    text: Text
    seq: int
    conversation: Conversation
    agent: Agent | None
    numbers: tuple[str, str, str]
    is_reply: bool


async def find_stand_in(tx: Reading, closed: Closed, now: datetime) -> Template | None:
    """What goes in a text's place; None where nothing may.

    The template that the caller gave with it goes before the agent's. None is sent twice for two texts that follow
    each other, and none that is known to be refused.
    """
    use = closed.text.otherwise or _own(closed, now)
    if use is None or await _says_so_already(tx, closed, use):
        return None
    contact, _, account_sid = closed.numbers
    key = (closed.conversation.workspace_id, account_sid, use.content_sid)
    known = (await templates.find(tx, [key])).get(key)
    return closed_window.stand_in(closed.text.text, use, known, to=contact, now=now)


def is_reply(priority: int | None, line: Message) -> bool:
    """Whether a line goes on with its conversation: a reply does, and what an agent follows up with."""
    return priority == Priority.REPLY or (line.place is not None and line.seq > 1)


def told_to_wait(
    workspace_id: str, conversation_id: str, waiting: Sequence[tuple[str, int]], reason: str, now: datetime, ids: Ids
) -> Event:
    """The event of replies, as (message, seq), that wait for the contact's next message."""
    return events.make(
        ids,
        EventKind.REPLY_WAITS,
        workspace_id,
        conversation_id,
        now,
        reason=reason,
        message_ids=[an_id for an_id, _ in waiting],
        seqs=[seq for _, seq in waiting],
    )


def _own(closed: Closed, now: datetime) -> TemplateUse | None:
    """The agent's own template with this conversation's values; None where it has none, or a place would be empty."""
    if closed.agent is None:
        return None
    spec = closed.agent.spec
    use = closed_window.own_template(spec, is_reply=closed.is_reply)
    if use is None:
        return None
    own = template_values.fill(spec, use, _values(spec, closed, now))
    return None if own.missing else own.use


def _values(spec: AgentSpec, closed: Closed, now: datetime) -> dict[str, Json]:
    conversation, (contact, sender, _) = closed.conversation, closed.numbers
    system = variables.system_variables(
        now=now,
        timezone=spec.timezone,
        language=spec.language,
        channel=conversation.channel,
        contact_number=contact,
        agent_number=sender,
        conversation_id=conversation.id,
    )
    values = variables.resolve(spec, conversation.variables, system)
    return {**(system if isinstance(values, variables.Missing) else values), **_slots(spec, conversation.state)}


def _slots(spec: AgentSpec, state: str | None) -> dict[str, Json]:
    """What the agent has collected; a state that cannot be read holds nothing."""
    if state is None:
        return {}
    try:
        return kinds.slots(kinds.decode(spec, state.encode()))
    except msgspec.MsgspecError:
        return {}


async def _says_so_already(tx: Reading, closed: Closed, use: TemplateUse) -> bool:
    """Whether the same template stands near, with no word of the contact's between."""
    held, seq = closed.conversation, closed.seq
    near = await messages.list_before(tx, held.workspace_id, held.id, seq + _NEAR, 2 * _NEAR)
    heard = [line.seq for line in near if line.direction is Direction.IN]
    since = max((at for at in heard if at < seq), default=0)
    until = min((at for at in heard if at > seq), default=seq + _NEAR)
    return any(
        isinstance(line.body, Template) and line.body.content_sid == use.content_sid
        for line in near
        if line.direction is Direction.OUT and line.seq != seq and since < line.seq < until
    )
