"""Merge two contacts that are one person, in one commit and with no conversation more than the person has hands.

One contact goes on, with the addresses, the threads, the ledger and the word on consent of both. Where both have a
thread with one sender, one of the two is kept (`domain/identity.py` says which); the other's conversation ends as
superseded, and what waited in it is taken back. What is at the provider already is settled where it is.
"""

from collections.abc import Sequence
from datetime import datetime

from overture.actions import change_consent
from overture.actions.cancel_deliveries import cancel_deliveries
from overture.domain import identity
from overture.domain.agent import EndReason
from overture.domain.channel import Channel
from overture.domain.event import EventKind
from overture.domain.identity import Thread
from overture.domain.ports import Ids
from overture.store import caps, contacts, conversations, events, identities
from overture.store.engine import Writing
from overture.store.identities import Contact, ThreadOf


async def merge_contacts(tx: Writing, stays: Contact, goes: Contact, now: datetime, ids: Ids) -> None:
    """Make two contacts, both locked as they were read, one. The caller commits."""
    workspace = stays.workspace_id
    own = {one.thread.sender_id: one for one in await identities.lock_threads(tx, workspace, stays.id)}
    others = await identities.lock_threads(tx, workspace, goes.id)
    last_in = await contacts.find_last_opt_ins(tx, [(workspace, stays.id), (workspace, goes.id)])
    await identities.merge(tx, stays, goes)
    await caps.merge_people(tx, workspace, stays.address, goes.address)
    for other in others:
        if (mine := own.get(other.thread.sender_id)) is None:
            await identities.hand_thread_to(tx, workspace, other.thread.id, stays.id)
            continue
        joined = identity.join(mine.thread, other.thread)
        await end_superseded(tx, workspace, [joined.given_up], now, ids)
        await identities.join_threads(tx, workspace, joined, stays.id)
    merged = events.make(
        ids, EventKind.CONTACT_MERGED, workspace, None, now, contact_id=stays.id, merged_contact_id=goes.id
    )
    await events.insert_all(tx, [merged], now)
    await _agree_on_narrow(tx, stays, goes, [*own.values(), *others], now, ids)
    since = identity.opted_out_since((stays.opted_out_at, goes.opted_out_at), tuple(last_in.values()))
    if since is None and stays.opted_out_at is None:
        return
    said = since or max(last_in.values())
    await _agree(tx, stays, goes, [*own.values(), *others], out=since is not None, at=said, now=now, ids=ids)


async def end_superseded(tx: Writing, workspace_id: str, threads: Sequence[Thread], now: datetime, ids: Ids) -> None:
    """End what is live in locked threads that give way, and take back what waits there."""
    live = [(one.id, one.live, one.epoch) for one in threads if one.live is not None]
    if not live:
        return
    await conversations.end_all(
        tx, [(workspace_id, an_id, epoch, EndReason.SUPERSEDED) for _, an_id, epoch in live], now
    )
    await cancel_deliveries(tx, live, now, ids)
    ended = [
        events.make(ids, EventKind.CONVERSATION_ENDED, workspace_id, an_id, now, reason=EndReason.SUPERSEDED.value)
        for _, an_id, _ in live
    ]
    await events.insert_all(tx, ended, now)


async def _agree(
    tx: Writing,
    stays: Contact,
    goes: Contact,
    threads: Sequence[ThreadOf],
    *,
    out: bool,
    at: datetime,
    now: datetime,
    ids: Ids,
) -> None:
    """Let what the person said last count for both: in the ledger, and for what goes on."""
    change = change_consent.Change(
        workspace_id=stays.workspace_id,
        contact_id=stays.id,
        contact_key=stays.address,
        shard=stays.shard,
        channel=threads[0].channel if threads else Channel.SMS.value,
        opted_out=out,
        source="merge",
        evidence=f"merged with contact {goes.id}",
        at=at,
    )
    await change_consent.change_consents(tx, [change], now, ids)


async def _agree_on_narrow(
    tx: Writing, stays: Contact, goes: Contact, threads: Sequence[ThreadOf], now: datetime, ids: Ids
) -> None:
    """Let every opt-out of one sender or Messaging Service that either had hold for both."""
    either = {**stays.opted_out_of, **goes.opted_out_of}
    changes = [
        change_consent.Change(
            workspace_id=stays.workspace_id,
            contact_id=stays.id,
            contact_key=stays.address,
            shard=stays.shard,
            channel=threads[0].channel if threads else Channel.SMS.value,
            opted_out=True,
            source="merge",
            evidence=f"merged with contact {goes.id}",
            at=at,
            of=(key,),
            whole=False,
        )
        for key, at in either.items()
        if key not in stays.opted_out_of or key not in goes.opted_out_of
    ]
    await change_consent.change_consents(tx, changes, now, ids)
