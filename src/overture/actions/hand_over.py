"""Hand conversations over to people: what waits to be sent for their agents is taken back in the same commit."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from overture.actions.await_people import await_people
from overture.actions.cancel_deliveries import cancel_deliveries
from overture.domain.event import EventKind
from overture.domain.ports import Ids
from overture.store import events, hand_overs
from overture.store.engine import Writing


class HandOver(Struct, frozen=True, kw_only=True):
    """A conversation that people take over: `note` tells them why, `reason` programs."""

    workspace_id: str
    conversation_id: str
    reason: str
    note: str


async def hand_over(tx: Writing, asked: Sequence[HandOver], now: datetime, ids: Ids) -> None:
    """Hand over those that an agent carries. The caller commits."""
    if not asked:
        return
    by_id = {(one.workspace_id, one.conversation_id): one for one in asked}
    done = await hand_overs.hand_over(tx, [(one.workspace_id, one.conversation_id, one.note) for one in by_id.values()])
    waiting = [(thread, conversation, epoch - 1) for _, conversation, thread, epoch in done if thread is not None]
    await cancel_deliveries(tx, waiting, now, ids, goes_on=True)
    told = [
        events.make(
            ids,
            EventKind.CONVERSATION_HANDED_OVER,
            workspace_id,
            conversation_id,
            now,
            reason=by_id[workspace_id, conversation_id].reason,
            note=by_id[workspace_id, conversation_id].note,
        )
        for workspace_id, conversation_id, _, _ in done
    ]
    await events.insert_all(tx, told, now)
    await await_people(tx, [(workspace_id, conversation_id) for workspace_id, conversation_id, _, _ in done], now, ids)
