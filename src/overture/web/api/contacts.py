"""Contacts: who is known by which addresses, what goes on with them, and a person's word that two are one."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from overture.actions.link_address import Linked, link_address, unknown, unlink_address
from overture.domain import identity
from overture.domain.access import Scope
from overture.domain.errors import Invalid
from overture.store import identities
from overture.store.engine import Reading
from overture.store.identities import Contact
from overture.web.api.contact_shapes import ContactView, view_of
from overture.web.routes import Call, delete, get, post

_LONGEST: Final = 200  # a BSUID has 137 characters at most


class FindContacts(Struct, frozen=True, kw_only=True):
    """Whom to look for."""

    address: Annotated[
        str, Meta(min_length=1, max_length=_LONGEST, description="A number (+ as %2B) in any of its forms, or a BSUID.")
    ]


class ContactList(Struct, frozen=True, kw_only=True):
    """The contact that has an address, or nobody."""

    contacts: list[ContactView]


class LinkAddress(Struct, frozen=True, kw_only=True):
    """A further address of a person."""

    address: Annotated[
        str, Meta(min_length=1, max_length=_LONGEST, description="A number in any of its forms, or a BSUID.")
    ]


class LinkedView(Struct, frozen=True, kw_only=True):
    """What became of a contact's addresses; `changed` is false where it was so before.

    `merged_contact_id` is the contact that became this one, `parted_contact_id` the new one of an address taken away.
    """

    contact_id: str
    changed: bool
    merged_contact_id: str | None
    parted_contact_id: str | None


@get("/overture/v1/contacts", may=Scope.READ, asks=FindContacts, gives=ContactList, tag="Contacts", refusals=(400,))
async def find_contacts(call: Call[None, FindContacts]) -> ContactList:
    """Find the contact that has an address.

    Whichever address of a person is asked for, the contact is the same. An empty list where nobody has it.
    """
    key = identity.read(call.query.address)
    if key is None:
        raise Invalid(
            "address_invalid",
            "The address is neither a number nor a BSUID.",
            field="address",
            hint="Write the plus of a number as %2B: ?address=%2B15550100001.",
        )
    asked = (call.workspace_id, key)

    async def look(tx: Reading) -> list[ContactView]:
        found = (await identities.find_by_addresses(tx, [asked])).get(asked)
        return [] if found is None else [await _view(tx, found)]

    return ContactList(contacts=await call.parts.store.read(look))


@get("/overture/v1/contacts/{contact_id}", may=Scope.READ, gives=ContactView, tag="Contacts", refusals=(404,))
async def get_contact(call: Call[None, None]) -> ContactView:
    """Tell what is known of a contact.

    Its addresses, its word on consent, and its threads: for each sender the address that is written to, until when
    WhatsApp's window is open, and the conversation that goes on. A contact that became another one is no more.
    """
    an_id = call.path["contact_id"]

    async def look(tx: Reading) -> ContactView:
        found = await identities.find(tx, call.workspace_id, an_id)
        if found is None:
            raise unknown(an_id)
        return await _view(tx, found)

    return await call.parts.store.read(look)


@post(
    "/overture/v1/contacts/{contact_id}/aliases",
    may=Scope.WRITE,
    takes=LinkAddress,
    gives=LinkedView,
    tag="Contacts",
    example={"address": "US.13491208655302741918"},
    refusals=(400, 404),
)
async def link_contact_address(call: Call[LinkAddress, None]) -> LinkedView:
    """Link a further address to a contact.

    Another contact that has it becomes this one: with its threads, its consent and what was said. Of two live
    conversations with one sender a person's is kept before an agent's, then the older one; the other ends as
    `superseded`, and what waits in it is taken back. An opt-out of either holds, unless the other opted in after it.
    A second call changes nothing.
    """
    linked = await call.parts.store.write(
        lambda tx: link_address(
            tx,
            workspace_id=call.workspace_id,
            contact_id=call.path["contact_id"],
            address=call.body.address,
            now=call.now,
            ids=call.parts.ids,
        )
    )
    return _linked(linked)


@delete(
    "/overture/v1/contacts/{contact_id}/aliases/{address}",
    may=Scope.WRITE,
    gives=LinkedView,
    tag="Contacts",
    refusals=(400, 404),
)
async def unlink_contact_address(call: Call[None, None]) -> LinkedView:
    """Take an address away from a contact.

    It becomes a contact of its own, with the threads that were written to it last and what goes on there. An opt-out
    holds for both from then on. A contact keeps its last address.
    """
    linked = await call.parts.store.write(
        lambda tx: unlink_address(
            tx,
            workspace_id=call.workspace_id,
            contact_id=call.path["contact_id"],
            address=call.path["address"],
            now=call.now,
            ids=call.parts.ids,
        )
    )
    return _linked(linked)


def _linked(linked: Linked) -> LinkedView:
    return LinkedView(
        contact_id=linked.contact_id,
        changed=linked.changed,
        merged_contact_id=linked.merged,
        parted_contact_id=linked.parted,
    )


async def _view(tx: Reading, contact: Contact) -> ContactView:
    return view_of(contact, await identities.list_threads(tx, contact.workspace_id, contact.id))
