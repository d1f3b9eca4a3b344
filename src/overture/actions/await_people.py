"""Await people: a hand-over that nobody acknowledges is told of once more, and then what its agent says happens.

The timers carry the epoch of the hand-over. Whoever takes the conversation, hands it back or ends it moves that on, so
that nothing fires stale. What a caller gave is not read here: what cannot be read is told of as well.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from overture.actions.close_conversation import close_conversation
from overture.actions.hand_back import hand_back
from overture.actions.notify_people import Fact, notify_people
from overture.actions.say_by_hand import say
from overture.domain.agent import Agent, AgentSpec, EndReason, Json, Otherwise
from overture.domain.conversation import Mode
from overture.domain.event import EventKind
from overture.domain.message import Author, Text
from overture.domain.notice import NoticeKind
from overture.domain.ports import Ids
from overture.domain.sending import parts
from overture.store import agents, conversations, events, timers
from overture.store.conversations import Conversation
from overture.store.engine import Writing
from overture.store.timers import Timer, TimerKind

_NOBODY = "nobody came"


async def await_people(tx: Writing, keys: Sequence[tuple[str, str]], now: datetime, ids: Ids) -> None:
    """Set the timers of (workspace, conversation) that were handed over just now, and tell. The caller commits."""
    found = await conversations.find_all(tx, keys, unread=True)
    handed = [one for one in found.values() if one.mode in (Mode.HUMAN, Mode.PAUSED)]
    versions = await _agents(tx, handed)
    await timers.insert_all(
        tx,
        [
            _timer(one, TimerKind.UNATTENDED, now + timedelta(seconds=spec.hand_over.ack_within_seconds))
            for one in handed
            if (spec := _spec(versions, one)) is not None
        ],
    )
    facts = [
        Fact(
            conversation=one,
            notify=spec.hand_over.notify,
            kind=NoticeKind.PAUSED if one.mode is Mode.PAUSED else NoticeKind.HANDED_OVER,
        )
        for one in handed
        if (spec := _spec(versions, one)) is not None
    ]
    await notify_people(tx, facts, now, ids)


async def await_hand_back(tx: Writing, key: tuple[str, str], now: datetime) -> None:
    """Set the timer of a conversation that was taken over just now, where its agent has it back after a while."""
    found = await conversations.find_all(tx, [key], unread=True)
    versions = await _agents(tx, list(found.values()))
    for one in found.values():
        spec = _spec(versions, one)
        if spec is not None and spec.hand_over.hand_back_after_seconds is not None:
            due_at = now + timedelta(seconds=spec.hand_over.hand_back_after_seconds)
            await timers.insert_all(tx, [_timer(one, TimerKind.HAND_BACK, due_at)])


async def fire(tx: Writing, due: Sequence[Timer], now: datetime, ids: Ids) -> None:
    """Act on timers of this kind that are due; they are out of the store already. The caller commits."""
    keys = [(timer.workspace_id, timer.conversation_id) for timer in due]
    found = await conversations.lock_all(tx, keys, unread=True)
    versions = await _agents(tx, list(found.values()))
    for timer in due:
        present = found.get((timer.workspace_id, timer.conversation_id))
        if present is None or present.epoch != timer.epoch or present.mode not in (Mode.HUMAN, Mode.PAUSED):
            continue
        if (spec := _spec(versions, present)) is None:
            continue
        match timer.kind:
            case TimerKind.UNATTENDED:
                await _remind(tx, present, spec, now, ids)
            case TimerKind.GIVEN_UP:
                await _do_otherwise(tx, present, spec, now, ids)
            case TimerKind.HAND_BACK:
                await _give_back(tx, present, spec, now, ids)
            case TimerKind.INACTIVITY | TimerKind.FOLLOW_UP:
                pass  # fired elsewhere


async def _remind(tx: Writing, present: Conversation, spec: AgentSpec, now: datetime, ids: Ids) -> None:
    told = events.make(
        ids,
        EventKind.CONVERSATION_UNATTENDED,
        present.workspace_id,
        present.id,
        now,
        note=present.mode_note,
        ack_within_seconds=spec.hand_over.ack_within_seconds,
        otherwise=spec.hand_over.otherwise.value,
    )
    await events.insert_all(tx, [told], now)
    await _tell(tx, present, spec, NoticeKind.UNATTENDED, now, ids)
    if spec.hand_over.otherwise is not Otherwise.WAIT:
        due_at = now + timedelta(seconds=spec.hand_over.ack_within_seconds)
        await timers.insert_all(tx, [_timer(present, TimerKind.GIVEN_UP, due_at)])


async def _do_otherwise(tx: Writing, present: Conversation, spec: AgentSpec, now: datetime, ids: Ids) -> None:
    key = {"workspace_id": present.workspace_id, "conversation_id": present.id}
    message = spec.hand_over.message
    await _tell(tx, present, spec, NoticeKind.GIVEN_UP, now, ids)
    match spec.hand_over.otherwise:
        case Otherwise.WAIT:
            return
        case Otherwise.RESUME:
            await hand_back(tx, **key, by=_NOBODY, now=now, ids=ids)
            await _say(tx, present, message, Author.AGENT, now, ids)
        case Otherwise.MESSAGE:
            await _say(tx, present, message or spec.fallback, Author.AGENT, now, ids)
        case Otherwise.END:  # in the name of people: what an agent has queued does not outlive its conversation
            await _say(tx, present, message, Author.OPERATOR, now, ids)
            await close_conversation(tx, **key, by=_NOBODY, reason=EndReason.HANDED_OVER, now=now, ids=ids)


async def _tell(tx: Writing, present: Conversation, spec: AgentSpec, kind: NoticeKind, now: datetime, ids: Ids) -> None:
    rules = spec.hand_over
    details: dict[str, Json] = {
        "ack_within_seconds": rules.ack_within_seconds,
        "otherwise": rules.otherwise.value,
    }
    await notify_people(tx, [Fact(conversation=present, notify=rules.notify, kind=kind, details=details)], now, ids)


async def _say(tx: Writing, present: Conversation, text: str | None, author: Author, now: datetime, ids: Ids) -> None:
    """Say what there is to be said."""
    if text is not None and text.strip():
        bodies = parts(Text(text=text), present.channel)
        await say(tx, present, bodies, author=author, now=now, ids=ids)


async def _give_back(tx: Writing, present: Conversation, spec: AgentSpec, now: datetime, ids: Ids) -> None:
    """Hand back what has rested long enough; else look again when it will have."""
    after = spec.hand_over.hand_back_after_seconds
    if after is None:
        return
    rests_until = present.last_activity_at + timedelta(seconds=after)
    if rests_until > now:
        await timers.insert_all(tx, [_timer(present, TimerKind.HAND_BACK, rests_until)])
        return
    await hand_back(
        tx, workspace_id=present.workspace_id, conversation_id=present.id, by="the time set", now=now, ids=ids
    )


async def _agents(tx: Writing, found: Sequence[Conversation]) -> dict[tuple[str, str, int], Agent]:
    return await agents.find_versions(tx, ((one.workspace_id, one.agent_id, one.agent_version) for one in found))


def _spec(versions: dict[tuple[str, str, int], Agent], one: Conversation) -> AgentSpec | None:
    agent = versions.get((one.workspace_id, one.agent_id, one.agent_version))
    return None if agent is None else agent.spec


def _timer(one: Conversation, kind: TimerKind, due_at: datetime) -> Timer:
    return Timer(
        due_at=due_at,
        conversation_id=one.id,
        kind=kind,
        shard=one.shard,
        workspace_id=one.workspace_id,
        epoch=one.epoch,
        after_seq=one.last_seq,
    )
