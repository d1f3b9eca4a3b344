"""Commit a turn: the only place where an agent's words are born.

Compare and swap: the claim is still ours, the conversation is in the same epoch and in the agent's hands, and nothing
newer arrived; then replies, outbox, state and journal are written together. What arrived meanwhile is handed back, to
be folded in, as often as the budget of redrafts allows.
"""

from collections.abc import Sequence
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
from overture.domain.turn import End, Finish, HandOver, Pause, nothing_said
from overture.store import conversations, events, follow_ups, messages, outbox, quiet_hours, takings, threads, turns
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


class _Written(Struct, frozen=True, kw_only=True):
    """What a turn that may be committed comes to: rows, and what goes with them."""

    draft: Draft
    present: Conversation
    way: reach_contact.Way
    lines: list[messages.NewMessage]
    after: turns.After
    worth: tuple[Priority, datetime]

    @property
    def key(self) -> tuple[str, str]:
        """The (workspace, conversation)."""
        return self.present.workspace_id, self.present.id


async def commit_turn(tx: Writing, draft: Draft, now: datetime, ids: Ids) -> Outcome:
    """Write a turn's result, or say why not. The caller commits.

    That of a follow-up is written alone: it holds caps, and those before the conversation is held.
    """
    ground = None
    if draft.trigger == follow_up.TRIGGER:
        ground = await follow_up.prepare(tx, draft.claim.conversation, draft.claim.agent, now, ids)
    [outcome] = await _commit(tx, [draft], ground, now, ids)
    return outcome


async def commit_turns(tx: Writing, drafts: Sequence[Draft], now: datetime, ids: Ids) -> list[Outcome]:
    """Write the results of turns that follow nothing up, or say why not, in their order. The caller commits.

    Each conversation is held, in the order of their keys; all facts are read at once, and all rows written at once.
    """
    return await _commit(tx, drafts, None, now, ids)


async def _commit(
    tx: Writing, drafts: Sequence[Draft], ground: follow_up.Ground | None, now: datetime, ids: Ids
) -> list[Outcome]:
    keys = [(draft.claim.conversation.workspace_id, draft.claim.conversation.id) for draft in drafts]
    present = await conversations.lock_all(tx, keys)
    pairs = await threads.find_of_conversations(tx, [key for key in keys if key in present])
    written: dict[tuple[str, str], _Written] = {}
    outcomes: list[Outcome] = []
    for key, draft in zip(keys, drafts, strict=True):
        # where a claim ran out under one of two drafts, the first of them gives it back
        refusal = await _refuse(tx, draft, None if key in written else present.get(key))
        if refusal is not None:
            outcomes.append(refusal)
            continue
        pair = pairs.get(key)
        weighed, way = draft, None
        if ground is not None:
            weighed, way = await _weigh(tx, draft, present[key], pair, ground, now, ids)
        one = written[key] = await _decide(tx, weighed, present[key], way, pair, now, ids)
        outcomes.append(Committed(messages=len(one.lines), mode=one.after.mode))
    await _write(tx, list(written.values()), ground, now, ids)
    return outcomes


async def _weigh(
    tx: Writing,
    draft: Draft,
    present: Conversation,
    pair: Pair | None,
    ground: follow_up.Ground,
    now: datetime,
    ids: Ids,
) -> tuple[Draft, reach_contact.Way | None]:
    """A follow-up where it may still be said, with its way; else one that says nothing, its agent where it stood."""
    stays = nothing_said(present.place or draft.finish.place, present.expects)
    silent = msgspec.structs.replace(draft, finish=stays, state=present.state or draft.state)
    if not await follow_up.may_speak(tx, ground, present, now, ids):
        return silent, None
    if not draft.finish.replies and draft.finish.control is None:
        await follow_up.drop(tx, present, Why.NOTHING_SAID.value, now, ids)
        return draft, None
    way = await _find_way(tx, draft, present, pair, now)
    if way.waits:
        await follow_up.drop(tx, present, Why.WINDOW_CLOSED.value, now, ids)
        return silent, None
    if await follow_ups.find(tx, present.workspace_id, present.id) is not None:
        await follow_ups.clear(tx, (present.workspace_id, present.id), spoke=bool(way.bodies))
    return draft, way


async def _find_way(
    tx: Writing, draft: Draft, present: Conversation, pair: Pair | None, now: datetime
) -> reach_contact.Way:
    newest = msgspec.structs.replace(present, state=draft.state)
    return await reach_contact.find_way(tx, draft.claim, newest, pair, _said(draft.finish), now)


async def _refuse(tx: Writing, draft: Draft, present: Conversation | None) -> Newer | Lost | None:
    claimed = draft.claim.conversation
    if present is None or present.fence != claimed.fence:
        return Lost(why="claimed again")
    if present.epoch != claimed.epoch or present.mode is not Mode.BOT:
        return Lost(why=f"{present.mode.value}, in a newer epoch")
    if present.in_seq > draft.to_seq and draft.redrafts < REDRAFTS and not draft.is_final:
        _, heard = await claim_turns.read_lines(tx, present)
        return Newer(heard=heard, in_seq=present.in_seq, reply_due_at=present.reply_due_at)
    return None


async def _decide(
    tx: Writing,
    draft: Draft,
    present: Conversation,
    way: reach_contact.Way | None,
    pair: Pair | None,
    now: datetime,
    ids: Ids,
) -> _Written:
    finish, spec = draft.finish, draft.claim.agent.spec
    mode, reason, note = _mode(finish, turns_left=spec.max_turns - present.turns - 1)
    way = way or await _find_way(tx, draft, present, pair, now)
    lines = await expect_costs(tx, _lines(draft, present, way, now, ids), way.pair, now)
    more = present.in_seq > draft.to_seq and mode is Mode.BOT
    after = turns.After(
        mode=mode,
        end_reason=reason,
        mode_note=note,
        epoch=present.epoch if mode is Mode.BOT else present.epoch + 1,
        last_seq=present.last_seq + len(lines),
        handled_seq=draft.to_seq if mode is Mode.BOT else present.in_seq,
        due_at=now if more else None,
        state=draft.state,
        place=finish.place,
        expects=finish.expects,
    )
    worth = await _worth(tx, present, draft.trigger, now)
    return _Written(draft=draft, present=present, way=way, lines=lines, after=after, worth=worth)


async def _write(
    tx: Writing, written: Sequence[_Written], ground: follow_up.Ground | None, now: datetime, ids: Ids
) -> None:
    for one in written:
        if one.worth[0] is Priority.OPENING and one.lines:
            await _count(tx, one.lines[0], ground, ids)
    for worth in sorted({one.worth for one in written}):
        lines = [line for one in written if one.worth == worth for line in one.lines]
        await messages.insert_all(tx, lines, now=now, expires_at=worth[1])
    for one in written:
        await _let_go(tx, one, now, ids)
    for worth in sorted({one.worth for one in written}):
        sends = [send for one in written if one.worth == worth for send in _sends(one)]
        await outbox.insert_all(tx, sends, now=now, expires_at=worth[1], priority=worth[0])
    await turns.finish_all(tx, [(one.present, one.after) for one in written], now)
    for one in written:
        wish = one.draft.finish.speaks_up
        if wish is not None and one.after.mode is Mode.BOT and one.after.due_at is None:
            await follow_up.schedule(tx, one.present, wish, one.after.last_seq, now, ids)
    await turns.insert_all(tx, [_record(one) for one in written], now)
    handed = [one.key for one in written if one.after.mode in (Mode.HUMAN, Mode.PAUSED)]
    if handed:
        await await_people(tx, handed, now, ids)
    await events.insert_all(tx, [event for one in written for event in _events(one, now, ids)], now)


async def _let_go(tx: Writing, one: _Written, now: datetime, ids: Ids) -> None:
    """Cancel what an ended epoch leaves behind, and hold back words that wait for the contact."""
    present, epoch = one.present, one.after.epoch
    if epoch != present.epoch and present.thread_id is not None:
        await outbox.carry_over(tx, present.thread_id, present.workspace_id, present.id, present.epoch, epoch, now)
        place = (present.thread_id, present.id, present.epoch)
        await cancel_deliveries(tx, [place], now, ids, goes_on=one.after.mode is not Mode.ENDED)
    if one.way.waits:
        await reach_contact.hold_back(tx, one.lines, now, ids)


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
        await takings.hand_on(tx, first.conversation_id, first.shard, first.id)
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


def _sends(one: _Written) -> list[outbox.NewSend]:
    pair = one.way.pair
    if pair is None or one.way.waits:
        return []
    return [
        outbox.send_of(line, thread_id=pair.thread_id, sender_id=pair.sender_id, epoch=one.after.epoch)
        for line in one.lines
    ]


def _record(one: _Written) -> turns.NewTurn:
    draft, present = one.draft, one.present
    said = "waits" if one.way.waits else "replied"
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
        went_on_from=_went_on_from(draft, present) if one.lines else None,
    )


def _went_on_from(draft: Draft, present: Conversation) -> turns.Standpoint | None:
    """Where a follow-up's agent can go back to: what changed something in the world is not undone."""
    if draft.trigger != follow_up.TRIGGER or draft.is_final or present.state is None:
        return None
    return turns.Standpoint(
        state=present.state, place=present.place or draft.finish.place, expects=present.expects or ""
    )


def _events(one: _Written, now: datetime, ids: Ids) -> list[Event]:
    present, finish = one.present, one.draft.finish
    lines = [] if one.way.waits else one.lines
    mode, reason, note = one.after.mode, one.after.end_reason, one.after.mode_note
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
