"""Fire timers: what is due is taken out and acted on in one commit, so that none fires twice or stale."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from overture.actions import await_people, follow_up
from overture.actions.end_conversation import end_conversation
from overture.domain.agent import EndReason
from overture.domain.conversation import Mode
from overture.domain.ports import Ids
from overture.store import agents, conversations, quiet_hours, timers
from overture.store.engine import Writing

_SOON: Final = timedelta(minutes=5)  # a line waits for its answer: that comes first
_OF_AGENTS: Final = (timers.TimerKind.INACTIVITY, timers.TimerKind.FOLLOW_UP)
_UNKNOWN: Final = timedelta(days=1)  # an agent that cannot be read ends nothing


async def fire_timers(tx: Writing, limit: int, now: datetime, ids: Ids) -> int:
    """Fire what is due, at most `limit`; how many. The caller commits."""
    due = await timers.take_due(tx, now, limit)
    await _fire(tx, due, now, ids)
    return len(due)


async def fire_timer(tx: Writing, key: timers.Key, now: datetime, ids: Ids) -> None:
    """Fire one timer, where no other worker has. The caller commits."""
    await _fire(tx, await timers.take_one(tx, key), now, ids)


async def _fire(tx: Writing, due: Sequence[timers.Timer], now: datetime, ids: Ids) -> None:
    await await_people.fire(tx, [one for one in due if one.kind not in _OF_AGENTS], now, ids)
    await follow_up.fire(tx, [one for one in due if one.kind is timers.TimerKind.FOLLOW_UP], now, ids)
    resting = [one for one in due if one.kind is timers.TimerKind.INACTIVITY]
    found = await conversations.lock_all(tx, [(timer.workspace_id, timer.conversation_id) for timer in resting])
    live = [one for one in found.values() if one.mode is not Mode.ENDED]
    versions = await agents.find_versions(tx, ((c.workspace_id, c.agent_id, c.agent_version) for c in live))
    openings = await quiet_hours.find_openings(tx, [(c.workspace_id, c.id) for c in live])
    again = []
    for conversation in live:
        agent = versions.get((conversation.workspace_id, conversation.agent_id, conversation.agent_version))
        inactivity = _UNKNOWN if agent is None else agent.inactivity
        opens_at = openings[conversation.workspace_id, conversation.id].due_at or conversation.last_activity_at
        rests_until = max(conversation.last_activity_at, opens_at) + inactivity
        waits = conversation.in_seq > conversation.handled_seq or conversation.turn_due_at is not None
        if rests_until <= now and conversation.mode is Mode.BOT and not waits:
            await end_conversation(
                tx,
                workspace_id=conversation.workspace_id,
                conversation_id=conversation.id,
                reason=EndReason.INACTIVITY_TIMEOUT,
                now=now,
                ids=ids,
            )
        else:
            again.append(
                timers.Timer(
                    due_at=rests_until if rests_until > now else now + (_SOON if waits else inactivity),
                    conversation_id=conversation.id,
                    kind=timers.TimerKind.INACTIVITY,
                    shard=conversation.shard,
                    workspace_id=conversation.workspace_id,
                    epoch=conversation.epoch,
                    after_seq=conversation.last_seq,
                )
            )
    await timers.insert_all(tx, again)
