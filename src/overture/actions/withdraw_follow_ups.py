"""Withdraw follow-ups that wait to leave although their contact has written: nobody is silent any more.

The agent goes back to where it stood before it spoke up, and answers what it is told from there. Where a part has left,
or what was done cannot be undone, it stays where it is, and says in its answer what the contact has not read.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import groupby

from overture.actions.give_back import give_back
from overture.actions.refuse_delivery import refuse_deliveries
from overture.domain.delivery import DeliveryStatus
from overture.domain.event import Event, EventKind
from overture.domain.leaving import STAYS, Stay
from overture.domain.ports import Ids
from overture.domain.reasons import Reason
from overture.domain.sending import Priority
from overture.store import events, follow_ups, messages
from overture.store.engine import Writing
from overture.store.follow_ups import Said
from overture.store.outbox import Send
from overture.store.turns import Standpoint


async def withdraw_follow_ups(tx: Writing, thread_ids: Collection[str], now: datetime, ids: Ids) -> None:
    """Withdraw what waits on threads whose contact has just written. The caller commits, and has noted the message."""
    taken = await follow_ups.withdraw(tx, thread_ids) if thread_ids else []
    if not taken:
        return
    places: list[tuple[str, str, Standpoint]] = []
    reasons: dict[str, Reason] = {}
    for key, group in groupby(taken, key=_conversation_of):
        said = list(group)
        undone, back_to = _undo(said)
        if back_to is not None:
            places.append((*key, back_to))
        for one in said:
            in_answer = one.is_with_agent and one.turn_id not in undone
            reasons[one.message_id] = Reason.SAID_IN_ANSWER if in_answer else Reason.CONTACT_WROTE
    await follow_ups.go_back(tx, places)
    await give_back(tx, [(one.message_id, one.shard) for one in taken])
    changes = [
        messages.StatusChange(
            workspace_id=one.workspace_id,
            conversation_id=one.conversation_id,
            seq=one.seq,
            status=DeliveryStatus.FAILED,
            reason=reasons[one.message_id].value,
        )
        for one in taken
    ]
    await messages.set_statuses(tx, changes)
    told = [_refused(one, reasons[one.message_id], now, ids) for one in taken]
    await events.insert_all(tx, [*told, *_dropped(taken, now, ids)], now)


async def keep_unanswered(tx: Writing, sends: Sequence[Send], now: datetime, ids: Ids) -> Sequence[Send]:
    """The messages, without follow-ups that came back from a try that failed while their contact wrote."""
    passed = [send for send in sends if send.priority == Priority.OPENING and send.heard_seq > send.seq]
    passed = [send for send in passed if not send.resent]
    said = await follow_ups.find_said(tx, [(one.workspace_id, one.conversation_id, one.seq) for one in passed])
    if not said:
        return sends
    gone = {one.message_id for one in said}
    stay = Stay(reason=Reason.CONTACT_WROTE.value, description=STAYS[Reason.CONTACT_WROTE])
    await refuse_deliveries(tx, [(send, stay) for send in passed if send.message_id in gone], now, ids)
    await events.insert_all(tx, _dropped(said, now, ids), now)
    return [send for send in sends if send.message_id not in gone]


def _undo(said: Sequence[Said]) -> tuple[set[str], Standpoint | None]:
    """The turns of a conversation that are as if they had not been, the last ones, and where that leaves its agent."""
    undone: set[str] = set()
    back_to = None
    for turn_id, parts in groupby(reversed(said), key=lambda one: one.turn_id):
        first = list(parts)[-1]
        if first.is_begun or first.went_on_from is None or not first.is_with_agent:
            break
        undone.add(turn_id)
        back_to = first.went_on_from
    return undone, back_to


def _refused(one: Said, reason: Reason, now: datetime, ids: Ids) -> Event:
    place = (one.workspace_id, one.conversation_id)
    told = {"message_id": one.message_id, "reason": reason.value, "description": STAYS[reason]}
    return events.make(ids, EventKind.MESSAGE_REFUSED, *place, now, **told)


def _dropped(said: Sequence[Said], now: datetime, ids: Ids) -> list[Event]:
    places = dict.fromkeys(_conversation_of(one) for one in said)
    reason = Reason.CONTACT_WROTE.value
    return [events.make(ids, EventKind.FOLLOW_UP_DROPPED, *place, now, reason=reason) for place in places]


def _conversation_of(one: Said) -> tuple[str, str]:
    return one.workspace_id, one.conversation_id
