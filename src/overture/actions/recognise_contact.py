"""Recognise who wrote, where a webhook names them by two addresses, before anything else is made of it.

The everyday case, both addresses are known to be one contact's, costs one read for a whole batch. Else the contacts
are locked, read again and decided over one message at a time; an address that another process took meanwhile is
decided over again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeAlias, assert_never

import msgspec

from overture.actions.merge_contacts import merge_contacts
from overture.actions.part_address import pass_on
from overture.domain import identity
from overture.domain.channel import Channel, address_on, split_address
from overture.domain.identity import Address, Known, Link, Meet, Merge, PassOn, Person, Stale, Told, Verdict
from overture.domain.ids import shard_for
from overture.domain.numbers import is_bsuid
from overture.domain.ports import Ids, Inbound
from overture.store import contacts, identities, senders
from overture.store.engine import Writing
from overture.store.identities import Contact

Asked: TypeAlias = tuple[int, Inbound, senders.Sender]
_ROUNDS: Final = 16  # each is lost only to another process that took one of the two addresses meanwhile


async def recognise_contacts(tx: Writing, batch: Sequence[Asked], now: datetime, ids: Ids) -> list[Asked]:
    """Write down what messages tell of their writers; the messages, each from who wrote it. The caller commits."""
    told = {n: one for n, message, sender in batch if (one := _told(message, sender, now)) is not None}
    if not told:
        return list(batch)
    asked = [(sender.workspace_id, key) for n, _, sender in batch if n in told for key in _keys(told[n])]
    known = await identities.find_by_addresses(tx, asked)
    recognised = []
    for n, message, sender in batch:
        is_new = n in told and not _is_known(told[n], sender.workspace_id, known)
        recognised.append((n, await _recognise(tx, told[n], message, sender, now, ids) if is_new else message, sender))
    return recognised


def _told(message: Inbound, sender: senders.Sender, now: datetime) -> Told | None:
    if message.also_known_as is None:
        return None
    both = identity.tell_apart(split_address(message.contact)[1], split_address(message.also_known_as)[1])
    if both is None:
        return None
    at = now if message.received_at is None else min(message.received_at, now)
    return Told(number=both[0], bsuid=both[1], sender_id=sender.id, at=at)


def _keys(told: Told) -> tuple[str, str]:
    return told.number, told.bsuid


def _is_known(told: Told, workspace_id: str, known: dict[tuple[str, str], Contact]) -> bool:
    number, bsuid = (known.get((workspace_id, key)) for key in _keys(told))
    return number is not None and bsuid is not None and number.id == bsuid.id


async def _recognise(
    tx: Writing, told: Told, message: Inbound, sender: senders.Sender, now: datetime, ids: Ids
) -> Inbound:
    workspace = sender.workspace_id
    for _ in range(_ROUNDS):
        people = await lock_people(tx, workspace, _keys(told))
        if people is None:
            continue
        by_number, by_bsuid = (people.get(key) for key in _keys(told))
        verdict = identity.decide(told, _person(by_number), _person(by_bsuid))
        if await _apply(tx, verdict, told, message, sender, (by_number, by_bsuid), now, ids):
            await identities.note_meeting(tx, workspace, told.bsuid, sender.id)
            if isinstance(verdict, Stale):
                return msgspec.structs.replace(message, contact=address_on(Channel.WHATSAPP, told.bsuid))
            return message
    raise RuntimeError("a contact could not be recognised in one commit")


async def lock_people(tx: Writing, workspace_id: str, keys: Sequence[str]) -> dict[str, Contact] | None:
    """Who is known by these addresses, held until the commit; None where they changed meanwhile."""
    asked = [(workspace_id, key) for key in keys]
    before = await identities.find_by_addresses(tx, asked)
    if not before:
        return {}
    await identities.lock(tx, workspace_id, [one.id for one in before.values()])
    after = await identities.find_by_addresses(tx, asked)
    if {one.id for one in after.values()} - {one.id for one in before.values()}:
        return None
    return {key: contact for (_, key), contact in after.items()}


def _person(contact: Contact | None) -> Person | None:
    return None if contact is None else contact.person


async def _apply(
    tx: Writing,
    verdict: Verdict,
    told: Told,
    message: Inbound,
    sender: senders.Sender,
    known: tuple[Contact | None, Contact | None],
    now: datetime,
    ids: Ids,
) -> bool:
    """Do what was decided; False where an address went to somebody else meanwhile."""
    people = {contact.id: contact for contact in known if contact is not None}
    match verdict:
        case Known() | Stale():
            return True
        case Meet():
            return await _meet(tx, told, message, sender, now, ids)
        case Link(person_id=an_id, key=key):
            met_by = sender.id if is_bsuid(key) else None
            return await identities.add(tx, people[an_id], key, met_by=met_by, at=told.at)
        case Merge(stays=stays, goes=goes):
            await merge_contacts(tx, people[stays], people[goes], now, ids)
            return True
        case PassOn(key=key, of=of, to=to):
            owner_id = await pass_on(tx, people[of], key, None if to is None else people[to], told.at, now, ids)
            if to is not None:
                return True
            owner = await identities.find(tx, sender.workspace_id, owner_id)
            return owner is not None and await identities.add(tx, owner, told.bsuid, met_by=sender.id, at=told.at)
        case _ as never:
            assert_never(never)


async def _meet(tx: Writing, told: Told, message: Inbound, sender: senders.Sender, now: datetime, ids: Ids) -> bool:
    """Keep a new contact by the address that wrote, and the other one with it."""
    wrote = identity.read(message.contact)
    first, further = _keys(told) if wrote == told.number else (told.bsuid, told.number)
    shard = shard_for(sender.workspace_id, first)
    new = contacts.NewContact(
        workspace_id=sender.workspace_id,
        address=first,
        id=ids.new(now, shard),
        shard=shard,
        name=message.profile_name,
        met_by=sender.id if is_bsuid(first) else None,
    )
    if not await contacts.insert_new(tx, [new], now):
        return False
    contact = Contact(
        workspace_id=new.workspace_id,
        person=Person(id=new.id, addresses=(Address(key=first, met_at=now),)),
        shard=shard,
        name=new.name,
        opted_out_at=None,
    )
    return await identities.add(tx, contact, further, met_by=sender.id if is_bsuid(further) else None, at=now)
