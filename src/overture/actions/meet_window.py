"""Meet the window as messages are about to be claimed: it may have closed, or a template been refused, as they waited.

A WhatsApp text that meets a closed window gives way to a template, where one may go in its place.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from overture.actions import give_way
from overture.actions.price_again import price_again
from overture.domain import closed_window
from overture.domain.agent import Agent
from overture.domain.channel import Channel
from overture.domain.conversation import Mode
from overture.domain.event import Event
from overture.domain.leaving import Leaving, may_leave
from overture.domain.message import Author, Template, Text
from overture.domain.ports import Ids
from overture.domain.rules import Applying
from overture.domain.sending import Priority
from overture.store import agents, conversations, events, messages, templates
from overture.store.conversations import Conversation
from overture.store.engine import Reading, Writing
from overture.store.messages import Message
from overture.store.outbox import Send


async def meet_windows(tx: Writing, sends: Sequence[Send], now: datetime, ids: Ids) -> list[Send]:
    """The messages as they would leave now, with what is known of their templates. The caller commits.

    Which of them may leave is asked afterwards; of replies that will wait for the contact it is told.
    """
    sends = await _with_templates(tx, sends)
    of_whatsapp = [send for send in sends if send.channel is Channel.WHATSAPP or isinstance(send.body, Template)]
    met = [send for send in of_whatsapp if _stays_by(send, now) in closed_window.WAITS]
    if not met:
        return sends
    held = await conversations.find_all(tx, [(send.workspace_id, send.conversation_id) for send in met])
    versions = await agents.find_versions(tx, [send.agent for send in met])
    lines = await messages.find_all(tx, [(send.workspace_id, send.conversation_id, send.seq) for send in met])
    instead: dict[str, Send] = {}
    told: list[Event] = []
    for send in met:
        if lines[send.message_id].author is Author.OPERATOR:
            continue  # a person sees that it failed
        place = (send.workspace_id, send.conversation_id)
        line = lines[send.message_id]
        chosen = await _choose(tx, send, line, held[place], versions.get(send.agent), now)
        if chosen is not None:
            at = (*place, send.seq)
            cost = await price_again(tx, at, (send.message_id, send.shard), chosen, now)
            instead[send.message_id] = replace(send, body=chosen, cost_micros=cost)
        elif send.priority == Priority.REPLY and held[place].mode is Mode.BOT:
            waiting = [(send.message_id, send.seq)]
            told.append(give_way.told_to_wait(*place, waiting, _stays_by(send, now) or "", now, ids))
    await events.insert_all(tx, told, now)
    return [instead.get(send.message_id, send) for send in sends]


async def _choose(
    tx: Writing, send: Send, line: Message, conversation: Conversation, agent: Agent | None, now: datetime
) -> Template | None:
    """What goes in the place of a text that met a closed window, written down; a template gives way to nothing."""
    if not isinstance(send.body, Text):
        return None
    closed = give_way.Closed(
        text=send.body,
        seq=send.seq,
        conversation=conversation,
        agent=agent,
        numbers=(send.contact_address, send.sender_address, send.account_sid),
        is_reply=give_way.is_reply(send.priority, line),
    )
    chosen = await give_way.find_stand_in(tx, closed, now)
    if chosen is not None:
        await messages.set_bodies(tx, [(send.workspace_id, send.conversation_id, send.seq, chosen)])
    return chosen


def facts_of(send: Send, ruling: Applying) -> Leaving:
    """What decides whether a message may leave, under these rules."""
    return Leaving(
        body=send.body,
        channel=send.channel,
        epoch=send.epoch,
        expires_at=send.expires_at,
        conversation_epoch=send.conversation_epoch,
        opted_out_at=send.opted_out_at,
        last_inbound_at=send.last_inbound_at,
        sender_active=send.sender_removed_at is None,
        confirms_opt_out=send.confirms_opt_out,
        queued_at=send.created_at,
        template=send.template,
        rules=ruling,
    )


def _stays_by(send: Send, now: datetime) -> str | None:
    """Why a message could not leave, its rules apart."""
    stay = may_leave(facts_of(send, Applying()), now)
    return None if stay is None else stay.reason


async def _with_templates(tx: Reading, sends: Sequence[Send]) -> list[Send]:
    """The messages with what is known of their templates; where none is a template, nothing is asked."""
    keys = {
        send.message_id: (send.workspace_id, send.account_sid, send.body.content_sid)
        for send in sends
        if isinstance(send.body, Template)
    }
    known = await templates.find(tx, keys.values()) if keys else {}
    return [
        replace(send, template=known.get(keys[send.message_id])) if send.message_id in keys else send for send in sends
    ]
