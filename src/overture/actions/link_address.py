"""Link an address to a contact, or take one away from it: what the provider does not tell, a person may know."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.actions.merge_contacts import merge_contacts
from overture.actions.part_address import set_apart
from overture.domain import identity
from overture.domain.errors import Conflict, Invalid, Unknown
from overture.domain.ports import Ids
from overture.store import identities, senders
from overture.store.engine import Writing
from overture.store.identities import Contact

_ROUNDS: Final = 16  # each is lost only to another process that changed one of the two contacts meanwhile


class Linked(Struct, frozen=True, kw_only=True):
    """What became of a contact's addresses. `merged` or `parted` is the other contact, where there was or is one."""

    contact_id: str
    changed: bool
    merged: str | None = None
    parted: str | None = None


async def link_address(
    tx: Writing, *, workspace_id: str, contact_id: str, address: str, now: datetime, ids: Ids
) -> Linked:
    """Let a contact be known by an address; who had it before becomes this contact. The caller commits.

    Raises Unknown for a contact that is none, Invalid for an address that nobody can have.
    """
    for _ in range(_ROUNDS):
        contact = await _get_contact(tx, workspace_id, contact_id)
        key = await _read(tx, workspace_id, address)
        if contact.person.find(key) is not None:
            return Linked(contact_id=contact_id, changed=False)
        other = await _find_by(tx, workspace_id, key)
        locked = [contact_id] if other is None else [contact_id, other.id]
        await identities.lock(tx, workspace_id, locked)
        contact, again = await _get_contact(tx, workspace_id, contact_id), await _find_by(tx, workspace_id, key)
        if (None if again is None else again.id) != (None if other is None else other.id):
            continue
        if again is None:
            if await identities.add(tx, contact, key, met_by=None, at=now):
                return Linked(contact_id=contact_id, changed=True)
        elif again.id != contact_id:
            await merge_contacts(tx, contact, again, now, ids)
            return Linked(contact_id=contact_id, changed=True, merged=again.id)
    raise Conflict("contact_changing", "The contact is being changed by others.", hint="Try again.")


async def unlink_address(
    tx: Writing, *, workspace_id: str, contact_id: str, address: str, now: datetime, ids: Ids
) -> Linked:
    """Make one of a contact's addresses a contact of its own, with what is said over it. The caller commits.

    Raises Unknown for a contact or an address that it does not have, Conflict for its only one.
    """
    await _get_contact(tx, workspace_id, contact_id)
    await identities.lock(tx, workspace_id, [contact_id])
    contact = await _get_contact(tx, workspace_id, contact_id)
    key = identity.read(address) or address
    if contact.person.find(key) is None:
        raise Unknown("address_unknown", "The contact is not known by this address.", field="address")
    if len(contact.person.addresses) == 1:
        raise Conflict(
            "last_address",
            "It is the contact's only address.",
            field="address",
            hint="Link another one first.",
        )
    owner = await set_apart(tx, contact, key, now, ids)
    return Linked(contact_id=contact_id, changed=True, parted=owner)


def unknown(contact_id: str) -> Unknown:
    """The refusal of an id that names no contact."""
    return Unknown("contact_unknown", f"There is no contact {contact_id}.", field="contact_id")


async def _get_contact(tx: Writing, workspace_id: str, contact_id: str) -> Contact:
    contact = await identities.find(tx, workspace_id, contact_id)
    if contact is None:
        raise unknown(contact_id)
    return contact


async def _find_by(tx: Writing, workspace_id: str, key: str) -> Contact | None:
    return (await identities.find_by_addresses(tx, [(workspace_id, key)])).get((workspace_id, key))


async def _read(tx: Writing, workspace_id: str, address: str) -> str:
    key = identity.read(address)
    if key is None:
        raise Invalid(
            "address_invalid",
            "The address is neither a number nor a BSUID.",
            field="address",
            hint="Write +15550100001 (in a URL %2B for the plus) or US.13491208655302741918.",
        )
    if any((await senders.find_by_number(tx, [(workspace_id, key)])).values()):
        raise Invalid("address_is_ours", "The address is one of your senders.", field="address")
    return key
