"""Part an address from its contact: somebody else has it now, or it was never this person's.

An opt-out goes with the address and stays with the contact as well: of two people who may have said it, neither is
written to.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from overture.actions.merge_contacts import end_superseded
from overture.domain.channel import Channel
from overture.domain.event import EventKind
from overture.domain.identity import Address, Person
from overture.domain.ids import shard_for
from overture.domain.numbers import is_bsuid
from overture.domain.ports import Ids
from overture.domain.variants import canonical
from overture.store import contacts, events, identities
from overture.store.engine import Writing
from overture.store.identities import Contact, ThreadOf


async def pass_on(tx: Writing, of: Contact, key: str, to: Contact | None, at: datetime, now: datetime, ids: Ids) -> str:
    """Give a number to its new owner (None: a new contact); the owner's id. Contacts are locked. The caller commits.

    What goes on with the former owner over that number ends: it would be read by the new one.
    """
    owner = to or _alone(of, key, at, now, ids)
    await identities.move(tx, of, key, owner, at=at)
    threads = _over(key, await identities.lock_threads(tx, of.workspace_id, of.id))
    await end_superseded(tx, of.workspace_id, [one.thread for one in threads], now, ids)
    bsuid = next((one.key for one in of.person.addresses if is_bsuid(one.key)), None)
    for one in threads:
        if one.channel == Channel.WHATSAPP and bsuid is not None:
            there = msgspec.structs.replace(one.thread, contact_address=bsuid, last_inbound_at=None)
            await identities.set_thread(tx, of.workspace_id, there)
    if to is None:
        await _carry_opt_out(tx, of, owner, now, ids)
    await _tell(tx, of, owner, now, ids)
    return owner.id


async def set_apart(tx: Writing, of: Contact, key: str, now: datetime, ids: Ids) -> str:
    """Make an address a contact of its own again, with what is said over it; its id. The caller commits."""
    owner = _alone(of, key, now, now, ids)
    await identities.move(tx, of, key, owner, at=now)
    for one in _over(key, await identities.lock_threads(tx, of.workspace_id, of.id)):
        await identities.hand_thread_to(tx, of.workspace_id, one.thread.id, owner.id)
    await _carry_opt_out(tx, of, owner, now, ids)
    await _tell(tx, of, owner, now, ids)
    return owner.id


def _alone(of: Contact, key: str, at: datetime, now: datetime, ids: Ids) -> Contact:
    shard = shard_for(of.workspace_id, key)
    return Contact(
        workspace_id=of.workspace_id,
        person=Person(id=ids.new(now, shard), addresses=(Address(key=key, met_at=at),)),
        shard=shard,
        name=None,
        opted_out_at=of.opted_out_at,
        opted_out_of=of.opted_out_of,
    )


def _over(key: str, threads: Sequence[ThreadOf]) -> list[ThreadOf]:
    return [one for one in threads if canonical(one.thread.contact_address) == key]


async def _carry_opt_out(tx: Writing, of: Contact, owner: Contact, now: datetime, ids: Ids) -> None:
    """Write down in the ledger whence the address has its opt-out."""
    if of.opted_out_at is None:
        return
    line = contacts.ConsentChange(
        id=ids.new(now, owner.shard),
        shard=owner.shard,
        workspace_id=of.workspace_id,
        contact_id=owner.id,
        sender_id=None,
        channel=(Channel.WHATSAPP if is_bsuid(owner.address) else Channel.SMS).value,
        change="opt_out",
        source="parted",
        evidence=f"parted from contact {of.id}",
        at=of.opted_out_at,
    )
    await contacts.record_changes(tx, [line], now)


async def _tell(tx: Writing, of: Contact, owner: Contact, now: datetime, ids: Ids) -> None:
    parted = events.make(
        ids, EventKind.CONTACT_PARTED, of.workspace_id, None, now, contact_id=of.id, parted_contact_id=owner.id
    )
    await events.insert_all(tx, [parted], now)
