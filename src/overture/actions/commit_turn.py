"""Commit a turn: the only place where an agent's words are born.

Compare and swap: the claim is still ours, the conversation is in the same epoch and in the agent's hands, and nothing
newer arrived; then replies, outbox, state and journal are written together. What arrived meanwhile is handed back, to
be folded in, as often as the budget of redrafts allows.
"""

from datetime import datetime
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from overture.actions import claim_turns, follow_up, reach_contact
from overture.actions.await_people import await_people
from overture.actions.cancel_deliveries import cancel_deliveries
from overture.actions.claim_turns import TurnClaim
from overture.actions.expect_costs import expect_costs
from overture.domain.agent import EndReason
from overture.domain.conversation import Mode
from overture.domain.event import Event, EventKind
from overture.domain.follow_up import Why
from overture.domain.message import Author, Direction, Text
from overture.domain.ports import Ids
from overture.domain.sending import OPENING_LIFE, REPLY_LIFE, Priority
from overture.domain.turn import End, Finish, HandOver, Pause
from overture.store import caps, conversations, events, follow_ups, messages, outbox, quiet_hours, turns
from overture.store.conversations import Conversation
from overture.store.engine import Writing
from overture.store.messages import Message
from overture.store.threads import Pair

REDRAFTS: Final = 2  # a contact who keeps writing is answered all the same


class Draft(Struct, frozen=True, kw_only=True):
    """A turn that has come to its end: `state` is the agent's, encoded; `to_seq` the last line it has seen.

    `is_final` where it changed something in the world, so that another draft would not be the same turn any more.
    """

    turn_id: str
    claim: TurnClaim
    finish: Finish
    state: str
    to_seq: int
    redrafts: int
    trigger: str
    started_at: datetime
    is_final: bool = False


class Committed(Struct, frozen=True, kw_only=True):
    """The replies are on disk."""

    messages: int
    mode: Mode


class Newer(Struct, frozen=True, kw_only=True):
    """The contact wrote more: these are the lines to answer now, not before `reply_due_at`."""

    heard: tuple[Message, ...]
    in_seq: int
    reply_due_at: datetime | None


class Lost(Struct, frozen=True, kw_only=True):
    """The turn is no longer ours, or nobody wants its answer: it was taken over, ended, or claimed by another."""

    why: str


Outcome: TypeAlias = Committed | Newer | Lost


async def commit_turn(tx: Writing, draft: Draft, now: datetime, ids: Ids) -> Outcome:
    """Write a turn's result, or say why not. The caller commits."""
    claimed = draft.claim.conversation
    ground = None
    if draft.trigger == follow_up.TRIGGER:
        ground = await follow_up.prepare(tx, claimed, draft.claim.agent, now)
    present = await conversations.find_locked(tx, claimed.workspace_id, claimed.id)
    if present is None or present.fence != claimed.fence:
        return Lost(why="claimed again")
    if present.epoch != claimed.epoch or present.mode is not Mode.BOT:
        return Lost(why=f"{present.mode.value}, in a newer epoch")
    if present.in_seq > draft.to_seq and draft.redrafts < REDRAFTS and not draft.is_final:
        _, heard = await claim_turns.read_lines(tx, present)
        return Newer(heard=heard, in_seq=present.in_seq, reply_due_at=present.reply_due_at)
    if ground is None:
        return await _write(tx, draft, present, now, ids)
    return await _follow_up(tx, draft, present, ground, now, ids)


async def _follow_up(
    tx: Writing, draft: Draft, present: Conversation, ground: follow_up.Ground, now: datetime, ids: Ids
) -> Committed:
    """Write a follow-up where it may still be said; else nothing, and the agent stays where it stood."""
    silent = msgspec.structs.replace(
        draft, finish=Finish(replies=(), place=present.place or draft.finish.place), state=present.state or draft.state
    )
    if not await follow_up.may_speak(tx, ground, present, now, ids):
        return await _write(tx, silent, present, now, ids)
    pending = await follow_ups.find(tx, present.workspace_id, present.id)
    if not draft.finish.replies and draft.finish.control is None:
        await follow_up.drop(tx, present, Why.NOTHING_SAID.value, now, ids)
    else:
        newest = msgspec.structs.replace(present, state=draft.state)
        way = await reach_contact.find_way(tx, draft.claim, newest, _said(draft.finish), now)
        if way.waits:
            await follow_up.drop(tx, present, Why.WINDOW_CLOSED.value, now, ids)
            return await _write(tx, silent, present, now, ids)
        if pending is not None:
            await follow_ups.clear(tx, (present.workspace_id, present.id), spoke=bool(way.bodies))
    return await _write(tx, draft, present, now, ids, ground=ground)


async def _write(
    tx: Writing,
    draft: Draft,
    present: Conversation,
    now: datetime,
    ids: Ids,
    *,
    ground: follow_up.Ground | None = None,
) -> Committed:
    finish, spec = draft.finish, draft.claim.agent.spec
    mode, reason, note = _mode(finish, turns_left=spec.max_turns - present.turns - 1)
    epoch = present.epoch if mode is Mode.BOT else present.epoch + 1
    newest = msgspec.structs.replace(present, state=draft.state)
    way = await reach_contact.find_way(tx, draft.claim, newest, _said(finish), now)
    lines = await expect_costs(tx, _lines(draft, present, way, now, ids), way.pair, now)
    worth = await _worth(tx, present, draft.trigger, now)
    if worth[0] is Priority.OPENING and lines:
        await _count(tx, lines[0], ground, ids)
    await messages.insert_all(tx, lines, now=now, expires_at=worth[1])
    if epoch != present.epoch and present.thread_id is not None:
        await outbox.carry_over(tx, present.thread_id, present.workspace_id, present.id, epoch, now)
        await cancel_deliveries(
            tx, [(present.thread_id, present.id, present.epoch)], now, ids, goes_on=mode is not Mode.ENDED
        )
    if way.waits:
        await reach_contact.hold_back(tx, lines, now, ids)
    else:
        await _queue(tx, way.pair, lines, epoch, now, worth)
    more = present.in_seq > draft.to_seq and mode is Mode.BOT
    after = turns.After(
        mode=mode,
        end_reason=reason,
        mode_note=note,
        epoch=epoch,
        last_seq=present.last_seq + len(lines),
        handled_seq=draft.to_seq if mode is Mode.BOT else present.in_seq,
        due_at=now if more else None,
        state=draft.state,
        place=finish.place,
        expects=finish.expects,
    )
    await turns.finish(tx, present, after, now)
    if finish.speaks_up is not None and mode is Mode.BOT and not more:
        await follow_up.schedule(tx, present, finish.speaks_up, after.last_seq, now, ids)
    await turns.insert(tx, _record(draft, present, waits=way.waits), now)
    if mode in (Mode.HUMAN, Mode.PAUSED):
        await await_people(tx, [(present.workspace_id, present.id)], now)
    queued = [] if way.waits else lines
    await events.insert_all(tx, _events(present, queued, finish, mode, reason, note, now, ids), now)
    return Committed(messages=len(lines), mode=mode)


def _lines(
    draft: Draft, present: Conversation, way: reach_contact.Way, now: datetime, ids: Ids
) -> list[messages.NewMessage]:
    return [
        messages.NewMessage(
            id=ids.new(now, present.shard),
            workspace_id=present.workspace_id,
            conversation_id=present.id,
            seq=seq,
            shard=present.shard,
            direction=Direction.OUT,
            author=Author.AGENT,
            body=body,
            place=draft.finish.place,
            turn_id=draft.turn_id,
        )
        for seq, body in enumerate(way.bodies, present.last_seq + 1)
    ]


def _said(finish: Finish) -> list[Text]:
    """The replies, the choices under the last of them."""
    last = len(finish.replies) - 1
    return [Text(text=reply, options=finish.options if n == last else ()) for n, reply in enumerate(finish.replies)]


def _mode(finish: Finish, *, turns_left: int) -> tuple[Mode, EndReason | None, str | None]:
    match finish.control:
        case End(reason=reason, note=note):
            return Mode.ENDED, reason, note or None
        case HandOver(note=note):
            return Mode.HUMAN, None, note
        case Pause(note=note):
            return Mode.PAUSED, None, note
        case None if turns_left <= 0:
            return Mode.ENDED, EndReason.MAX_TURNS, None
        case None:
            return Mode.BOT, None, None


async def _count(tx: Writing, first: messages.NewMessage, ground: follow_up.Ground | None, ids: Ids) -> None:
    """Let the first message carry what the words take of caps: reserved with the call already, or only now."""
    if ground is None:
        await caps.hand_on(tx, first.conversation_id, first.shard, first.id)
    else:
        await follow_up.count(tx, ground, (first.id, first.shard), ids)


async def _worth(tx: Writing, present: Conversation, trigger: str, now: datetime) -> tuple[Priority, datetime]:
    """Whether a turn's words open the conversation or reply in it, and until when they are worth sending.

    Those of a follow-up are worth what an opening's are: nobody waits for them.
    """
    if trigger == follow_up.TRIGGER and present.thread_id is not None:
        return Priority.OPENING, now + OPENING_LIFE
    if present.last_seq > 0 or present.thread_id is None:
        return Priority.REPLY, now + REPLY_LIFE
    key = (present.workspace_id, present.id)
    opening = (await quiet_hours.find_openings(tx, [key])).get(key, quiet_hours.NOTHING)
    return Priority.OPENING, opening.expires_at or now + OPENING_LIFE


async def _queue(
    tx: Writing,
    pair: Pair | None,
    lines: list[messages.NewMessage],
    epoch: int,
    now: datetime,
    worth: tuple[Priority, datetime],
) -> None:
    if pair is None:
        return
    sends = [outbox.send_of(line, thread_id=pair.thread_id, sender_id=pair.sender_id, epoch=epoch) for line in lines]
    await outbox.insert_all(tx, sends, now=now, expires_at=worth[1], priority=worth[0])


def _record(draft: Draft, present: Conversation, *, waits: bool) -> turns.NewTurn:
    said = "waits" if waits else "replied"
    return turns.NewTurn(
        id=draft.turn_id,
        shard=present.shard,
        workspace_id=present.workspace_id,
        conversation_id=present.id,
        trigger=draft.trigger,
        from_seq=present.handled_seq + 1,
        to_seq=draft.to_seq,
        epoch=present.epoch,
        fence=present.fence,
        redrafts=draft.redrafts,
        outcome=said if draft.finish.replies else "silent",
        note=draft.finish.control.note if isinstance(draft.finish.control, Pause) else None,
        path=draft.finish.path or (draft.finish.place,),
        started_at=draft.started_at,
    )


def _events(
    present: Conversation,
    lines: list[messages.NewMessage],
    finish: Finish,
    mode: Mode,
    reason: EndReason | None,
    note: str | None,
    now: datetime,
    ids: Ids,
) -> list[Event]:
    told = [
        events.make(
            ids, EventKind.MESSAGE_QUEUED, present.workspace_id, present.id, now, message_id=line.id, seq=line.seq
        )
        for line in lines
    ]
    if mode is Mode.ENDED and reason is not None:
        told.append(
            events.make(
                ids, EventKind.CONVERSATION_ENDED, present.workspace_id, present.id, now, reason=reason.value, note=note
            )
        )
    elif mode is Mode.HUMAN:
        told.append(
            events.make(ids, EventKind.CONVERSATION_HANDED_OVER, present.workspace_id, present.id, now, note=note)
        )
    elif isinstance(finish.control, Pause):
        told.append(
            events.make(
                ids,
                EventKind.CONVERSATION_PAUSED,
                present.workspace_id,
                present.id,
                now,
                reason=finish.control.reason,
                note=note,
            )
        )
    return told
