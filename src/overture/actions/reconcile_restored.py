"""Reconcile a restored account: what its provider sent for us after the backup, and this database knows nothing of.

The original answered contacts and went on with conversations until it was lost. A pair with such messages is *ahead* of
what is stored here: whatever its agent said now would be said twice, or out of place. So its conversation goes to
people, with what was said meanwhile written into it, and what still waits for it since before the restore is taken
back. Pairs without such messages go on as they were.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.actions.await_people import await_people
from overture.actions.give_back import give_back
from overture.actions.write_down import write_down
from overture.domain import reasons, variants
from overture.domain.channel import address_on, split_address
from overture.domain.delivery import DeliveryStatus
from overture.domain.event import EventKind
from overture.domain.message import Author
from overture.domain.ports import Ids, ProviderMessage
from overture.domain.reasons import Reason
from overture.store import events, messages, outbox, recovered, restores, threads
from overture.store.engine import Reading, Writing
from overture.store.restores import Pending, RestoredSender

LINES: Final = 40  # of one pair: what whoever takes over will read; the provider has the others
NOTE: Final = "The database was restored from a backup, and the conversation had gone on since that was made."


class Ahead(Struct, frozen=True, kw_only=True):
    """A pair to which more was sent than is known here: what, oldest first."""

    sender: RestoredSender
    contact: str
    said: tuple[ProviderMessage, ...]


async def is_ready(tx: Reading, pending: Pending) -> bool:
    """Whether an account can be reconciled: nothing of it is uncertain, and what came in meanwhile was received."""
    if not await restores.is_settled(tx, pending.account_sid):
        return False
    if not pending.is_swept_for:
        return True
    if pending.swept_at is None or pending.swept_at < pending.restored_at:
        return False
    return not await recovered.are_waiting(tx, pending.account_sid, pending.swept_at)


def pair_up(senders: Sequence[RestoredSender], unknown: Iterable[ProviderMessage]) -> list[Ahead]:
    """Who was written to. A message from an address that is none of ours may be any Messaging Service's."""
    by_address = {address_on(sender.channel, sender.address): sender for sender in senders}
    of_services = [sender for sender in senders if sender.has_service]
    said: dict[tuple[str, str], list[ProviderMessage]] = {}
    known = {sender.id: sender for sender in senders}
    for message in unknown:
        channel, address = split_address(message.to)
        own = by_address.get(message.sender)
        for sender in [own] if own is not None else [one for one in of_services if one.channel is channel]:
            said.setdefault((sender.id, variants.canonical(address)), []).append(message)
    return [
        Ahead(
            sender=known[sender_id],
            contact=contact,
            said=tuple(sorted(lines, key=lambda line: (line.created_at, line.sid))[-LINES:]),
        )
        for (sender_id, contact), lines in said.items()
    ]


async def reconcile_pairs(tx: Writing, ahead: Sequence[Ahead], pending: Pending, now: datetime, ids: Ids) -> int:
    """Bring pairs to what the provider knows; how many conversations went to people. The caller commits."""
    pairs = await threads.read_pairs(tx, [(one.sender.workspace_id, one.contact, one.sender.id) for one in ahead])
    await _take_back(tx, [pair.thread.id for pair in pairs if pair.thread is not None], pending, now, ids)
    handed_over = 0
    for one, pair in zip(ahead, pairs, strict=True):
        if pair.thread is None:
            continue  # they met after the backup: nothing here can go wrong with them
        workspace, live = one.sender.workspace_id, pair.live
        if live is not None and await restores.hand_over(tx, workspace, live.id, NOTE, pending.restored_at):
            await _tell(tx, (workspace, live.id), now, ids)
            handed_over += 1
        an_id = pair.thread.last_conversation_id if live is None else live.id
        if an_id is not None:
            await write_down(
                tx,
                (workspace, an_id),
                one.said,
                account_sid=pending.account_sid,
                thread_id=pair.thread.id,
                author=Author.AGENT,
                now=now,
                ids=ids,
            )
    return handed_over


async def _tell(tx: Writing, key: tuple[str, str], now: datetime, ids: Ids) -> None:
    """Tell of a conversation that people have now, as of every hand-over."""
    event = events.make(ids, EventKind.CONVERSATION_HANDED_OVER, *key, now, note=NOTE, reason="restored")
    await events.insert_all(tx, [event], now)
    await await_people(tx, [key], now, ids)


async def _take_back(tx: Writing, thread_ids: Sequence[str], pending: Pending, now: datetime, ids: Ids) -> None:
    """Take out what waits on these threads since before the restore. What was asked for after it is wanted anew."""
    waiting = await restores.lock_waiting(tx, thread_ids, pending.restored_at)
    ended = [(one.message_id, one.shard) for one in waiting]
    await outbox.delete(tx, ended)
    await give_back(tx, ended)
    changes = [
        messages.StatusChange(
            workspace_id=one.workspace_id,
            conversation_id=one.conversation_id,
            seq=one.seq,
            status=DeliveryStatus.FAILED,
            reason=Reason.OVERTAKEN,
        )
        for one in waiting
    ]
    await messages.set_statuses(tx, changes)
    told = [
        events.make(
            ids,
            EventKind.MESSAGE_REFUSED,
            one.workspace_id,
            one.conversation_id,
            now,
            message_id=one.message_id,
            reason=Reason.OVERTAKEN.value,
            description=reasons.TABLE[Reason.OVERTAKEN].sentence,
        )
        for one in waiting
    ]
    await events.insert_all(tx, told, now)
