"""Hand a conversation back to its agent, which finds in its transcript what people said meanwhile.

Whatever is unanswered is answered at once: lines of the contact's that nobody has seen to are a turn, and what the
agent had said when it was interrupted, and never left, is said now.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from overture.actions import in_hand
from overture.actions.follow_up import read_ground
from overture.actions.reserve_openings import Carrier, count_again
from overture.actions.say_by_hand import say
from overture.domain.conversation import Mode
from overture.domain.event import EventKind
from overture.domain.message import Author
from overture.domain.ports import Ids
from overture.domain.sending import OPENING_LIFE
from overture.store import agents, events, people, quiet_hours
from overture.store.conversations import Conversation
from overture.store.engine import Reading, Writing


class HandedBack(Struct, frozen=True, kw_only=True):
    """The agent has the conversation; `changed` is false where it had it before.

    `answers` where it has something to say at once.
    """

    changed: bool
    answers: bool = False


async def hand_back(
    tx: Writing, *, workspace_id: str, conversation_id: str, by: str, now: datetime, ids: Ids
) -> HandedBack:
    """Hand it back. The caller commits. Raises Unknown, or WrongMode where it has ended."""
    present = await in_hand.hold_live(tx, workspace_id, conversation_id)
    if present.mode is Mode.BOT:
        return HandedBack(changed=False)
    by_people, by_turns = await people.find_answered(tx, workspace_id, conversation_id)
    answered = max(by_people, by_turns)
    waits = present.in_seq > answered or present.last_seq == 0
    await people.hand_back(tx, workspace_id, conversation_id, min(present.in_seq, answered), now if waits else None)
    if present.thread_id is not None:
        was, epoch = present.epoch, present.epoch + 1
        await people.carry_back(tx, present.thread_id, workspace_id, conversation_id, was, epoch)
    unsaid = [] if waits else await people.list_unsaid(tx, workspace_id, conversation_id)
    if unsaid:
        until = await _opens_until(tx, present, now)
        lines = await say(tx, present, unsaid, author=Author.AGENT, now=now, ids=ids, opens_until=until)
        if until is not None:
            await _count(tx, present, [(line.id, line.shard) for line in lines], now)
    told = events.make(
        ids, EventKind.CONVERSATION_HANDED_BACK, workspace_id, conversation_id, now, by=by, was=present.mode.value
    )
    await events.insert_all(tx, [told], now)
    return HandedBack(changed=True, answers=waits or bool(unsaid))


async def _opens_until(tx: Reading, present: Conversation, now: datetime) -> datetime | None:
    """Until when it is worth saying what opens the conversation; None where its contact has written, and waits."""
    if present.in_seq > 0:
        return None
    key = (present.workspace_id, present.id)
    opening = (await quiet_hours.find_openings(tx, [key])).get(key, quiet_hours.NOTHING)
    return opening.expires_at or max(now, opening.due_at or now) + OPENING_LIFE


async def _count(tx: Writing, present: Conversation, carriers: Sequence[Carrier], now: datetime) -> None:
    """Count under its caps what opens a conversation after all: it was given back when it was taken back."""
    version = (present.workspace_id, present.agent_id, present.agent_version)
    agent = (await agents.find_versions(tx, [version])).get(version)
    ground = await read_ground(tx, present, agent, now)
    if ground.start is not None and ground.facts is not None:
        await count_again(tx, ground.start, ground.facts, carriers, now)
