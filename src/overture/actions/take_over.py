"""Take a conversation over: from this commit on its agent is silent, and a person has it.

What waits to be sent for the agent is taken back, its turn is fenced off, and what people wrote goes on. A hand-off
that waited for somebody is thereby acknowledged.
"""

from datetime import datetime

from msgspec import Struct

from overture.actions import in_hand
from overture.actions.await_people import await_hand_back
from overture.actions.cancel_deliveries import cancel_deliveries
from overture.domain.conversation import Mode
from overture.domain.event import EventKind
from overture.domain.ports import Ids
from overture.store import events, people
from overture.store.conversations import Conversation
from overture.store.engine import Writing


class TakenOver(Struct, frozen=True, kw_only=True):
    """A person has the conversation; `changed` is false where the same one had it before.

    `leaving` are the messages that had been handed to the provider already: at most one may still arrive.
    """

    changed: bool
    by: str
    leaving: tuple[str, ...] = ()


async def take_over(
    tx: Writing,
    *,
    workspace_id: str,
    conversation_id: str,
    by: str,
    note: str | None = None,
    reason: str = "asked",
    now: datetime,
    ids: Ids,
) -> TakenOver:
    """Take it over, from its agent, from nobody, or from another person. The caller commits.

    `by` names the person, `note` tells the others why, `reason` tells programs. Raises Unknown, or WrongMode where it
    has ended.
    """
    present = await in_hand.hold_live(tx, workspace_id, conversation_id)
    changed = present.mode is not Mode.HUMAN or await people.find_taker(tx, workspace_id, conversation_id) != by
    if changed:
        await _take(tx, present, by, note, reason, now, ids)
    leaving: list[str] = []
    if present.thread_id is not None:
        leaving = await people.list_leaving(tx, present.thread_id, workspace_id, conversation_id)
    return TakenOver(changed=changed, by=by, leaving=tuple(leaving))


async def _take(
    tx: Writing, present: Conversation, by: str, note: str | None, reason: str, now: datetime, ids: Ids
) -> None:
    workspace_id, an_id = present.workspace_id, present.id
    why = note if note is not None or present.mode is Mode.BOT else present.mode_note
    await people.take_over(tx, workspace_id, an_id, by, why, now)
    if present.thread_id is not None:
        await people.carry_over(tx, present.thread_id, workspace_id, an_id, present.epoch + 1)
        await cancel_deliveries(tx, [(present.thread_id, an_id, present.epoch)], now, ids, goes_on=True)
    told = events.make(
        ids,
        EventKind.CONVERSATION_TAKEN_OVER,
        workspace_id,
        an_id,
        now,
        by=by,
        reason=reason,
        note=why,
        was=present.mode.value,
    )
    await events.insert_all(tx, [told], now)
    await await_hand_back(tx, (workspace_id, an_id), now)
