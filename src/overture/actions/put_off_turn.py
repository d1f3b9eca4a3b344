"""Put a turn off that cannot be run: it is tried again later, and then its conversation is paused for a person."""

from datetime import datetime

from overture.actions.await_people import await_people
from overture.domain import retry
from overture.domain.event import EventKind
from overture.domain.ports import Ids
from overture.store import conversations, events, turns
from overture.store.conversations import Conversation
from overture.store.engine import Writing


async def put_off_turn(tx: Writing, key: tuple[str, str], told: str, now: datetime, ids: Ids) -> bool:
    """Leave a turn that could not even be claimed, by its (workspace, conversation), for later, or for a person.

    `told` is the end of a traceback; whether a person is to look at it now. What may be unreadable is not read. Where
    another worker has seen to it meanwhile, nothing is done. The caller commits.
    """
    tries = await turns.lock_tries(tx, key, now)
    if tries is None:
        return False
    if tries + 1 < retry.POISON_TRIES:
        await turns.put_off(tx, key, now + retry.poison_delay(tries))
        return False
    await _park(tx, key, told, now, ids)
    return True


async def park_turn(tx: Writing, claimed: Conversation, told: str, now: datetime, ids: Ids) -> bool:
    """Leave the conversation of a claimed turn to a person, since all that was tried failed; whether it was ours to.

    The caller commits.
    """
    present = await conversations.find_locked(tx, claimed.workspace_id, claimed.id, unread=True)
    if present is None or present.fence != claimed.fence or present.epoch != claimed.epoch:
        return False
    await _park(tx, (claimed.workspace_id, claimed.id), told, now, ids)
    return True


async def _park(tx: Writing, key: tuple[str, str], told: str, now: datetime, ids: Ids) -> None:
    await turns.park(tx, key, told)
    workspace_id, conversation_id = key
    paused = events.make(ids, EventKind.CONVERSATION_PAUSED, workspace_id, conversation_id, now, reason="poison")
    await events.insert_all(tx, [paused], now)
    await await_people(tx, [key], now, ids)
