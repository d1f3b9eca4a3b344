"""Claim turns: conversations that wait for their agent, with everything the agent is shown."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from overture.domain import loop_guard
from overture.domain.agent import Agent, PromptSpec
from overture.domain.message import Direction
from overture.store import agents, conversations, follow_ups, messages, past, threads, turns
from overture.store.conversations import Conversation
from overture.store.engine import Reading, Writing
from overture.store.messages import Message

LEASE: Final = timedelta(seconds=30)
HISTORY: Final = 40  # lines: what a model can use, and a bound on what a turn reads


class TurnClaim(Struct, frozen=True, kw_only=True):
    """A conversation that is ours for a turn.

    `heard` are the contact's lines that wait for an answer, `history` the lines before them (with the last ones of the
    conversation that this one goes on from, and of the time before the sender was activated), both oldest first.
    `follow_up` is what the agent had noted for a follow-up that is due, None where the turn is no follow-up.
    `replies` counts the answers of late on the pair, where there may be so many that it matters (`domain/loop_guard`).
    """

    conversation: Conversation
    agent: Agent
    heard: tuple[Message, ...]
    history: tuple[Message, ...]
    contact_number: str
    agent_number: str
    replies: int = 0
    account_sid: str = ""
    follow_up: str | None = None


async def claim_turns(tx: Writing, limit: int, now: datetime) -> list[TurnClaim]:
    """Claim turns that are due, at most `limit`. The caller commits before any of them is run."""
    return await _read(tx, await turns.claim_due(tx, now, now + LEASE, limit), now)


async def claim_turn(tx: Writing, key: tuple[str, str], now: datetime) -> list[TurnClaim]:
    """Claim one turn by its (workspace, conversation); nothing where another worker has it. The caller commits."""
    claimed = await turns.claim_one(tx, key, now, now + LEASE)
    return [] if claimed is None else await _read(tx, [claimed], now)


async def _read(tx: Reading, due: Sequence[Conversation], now: datetime) -> list[TurnClaim]:
    versions = await agents.find_versions(tx, ((c.workspace_id, c.agent_id, c.agent_version) for c in due))
    numbers = await threads.find_numbers(tx, [c.thread_id for c in due if c.thread_id is not None])
    claims = []
    for conversation in due:
        contact, sender, account_sid = numbers.get(conversation.thread_id or "", ("", "", ""))
        history, heard = await read_lines(tx, conversation)
        agent = versions[conversation.workspace_id, conversation.agent_id, conversation.agent_version]
        if isinstance(agent.spec, PromptSpec) and conversation.thread_id is not None and len(history) < HISTORY:
            past_lines = await past.list_of_thread(tx, conversation.thread_id, HISTORY - len(history))
            history = (*past_lines, *history)
        claims.append(
            TurnClaim(
                conversation=conversation,
                agent=agent,
                heard=heard,
                history=history,
                contact_number=contact,
                agent_number=sender,
                replies=await _count_replies(tx, conversation, now - loop_guard.WINDOW),
                account_sid=account_sid,
                follow_up=None if heard else await _follow_up(tx, conversation),
            )
        )
    return claims


async def _follow_up(tx: Reading, conversation: Conversation) -> str | None:
    """What is to be followed up now: an agent that took no turn yet has asked for nothing."""
    if conversation.state is None:
        return None
    pending = await follow_ups.find(tx, conversation.workspace_id, conversation.id)
    is_due = pending is not None and pending.next_at is None and pending.asked.epoch == conversation.epoch
    return pending.about if pending is not None and is_due else None


async def _count_replies(tx: Reading, conversation: Conversation, since: datetime) -> int:
    """How many turns answered since then, in this conversation and in those it goes on from; 0 where few can have."""
    goes_on = conversation.created_at >= since and conversation.previous_conversation_id is not None
    if conversation.turns < loop_guard.MOST_REPLIES and not goes_on:
        return 0
    found, one = 0, conversation
    while True:
        found += await turns.count_replies(tx, one.workspace_id, one.id, since)
        if found >= loop_guard.MOST_REPLIES or one.created_at < since or one.previous_conversation_id is None:
            return found
        before = await conversations.find(tx, one.workspace_id, one.previous_conversation_id)
        if before is None:
            return found
        one = before


async def read_lines(tx: Reading, conversation: Conversation) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """The history of a conversation and the lines that wait for an answer.

    What was said to earlier lines while these arrived is history, although it stands after them.
    """
    workspace, handled = conversation.workspace_id, conversation.handled_seq
    up_to = conversation.in_seq
    waiting = await messages.list_inbound(tx, workspace, conversation.id, handled, up_to, HISTORY)
    last = await messages.list_before(
        tx, workspace, conversation.id, conversation.last_seq + 1, HISTORY + up_to - handled
    )
    before = [line for line in last if line.direction is Direction.OUT or line.seq <= handled][-HISTORY:]
    if conversation.previous_conversation_id is not None and len(before) < HISTORY:
        earlier = await _tail(tx, workspace, conversation.previous_conversation_id, HISTORY - len(before))
        before = [*earlier, *before]
    return tuple(before), tuple(waiting)


async def _tail(tx: Reading, workspace_id: str, conversation_id: str, limit: int) -> Sequence[Message]:
    return await messages.list_before(tx, workspace_id, conversation_id, _AFTER_ALL, limit)


_AFTER_ALL: Final = 2**31 - 1
