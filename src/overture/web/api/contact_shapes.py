"""What our own API tells of a contact: its addresses, its word on consent, and its threads."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from overture.domain import window
from overture.domain.channel import Channel
from overture.domain.conversation import Mode
from overture.domain.numbers import is_bsuid
from overture.store.identities import Contact, ThreadOf


class AddressKind(StrEnum):
    """What an address is."""

    NUMBER = "number"
    BSUID = "bsuid"


class AddressView(Struct, frozen=True, kw_only=True):
    """An address of a contact. A number that people have in several forms is told in one of them."""

    address: str
    kind: AddressKind
    met_at: Annotated[datetime, Meta(description="When it was first known to be this contact's.")]


class ThreadView(Struct, frozen=True, kw_only=True):
    """What goes on between a contact and one of your senders."""

    thread_id: str
    channel: Channel
    sender_number: str
    writes_to: Annotated[str, Meta(description="The form of the contact's address that messages go to.")]
    last_inbound_at: datetime | None
    window_closes_at: Annotated[datetime | None, Meta(description="Of WhatsApp: until when free text may be sent.")]
    conversation_id: Annotated[str | None, Meta(description="The conversation that goes on.")]
    mode: Annotated[Mode | None, Meta(description="Who carries it.")]


class ContactView(Struct, frozen=True, kw_only=True):
    """A person with whom conversations are held. `addresses` begins with the one that was known first."""

    contact_id: str
    name: str | None
    addresses: list[AddressView]
    opted_out: bool
    opted_out_at: datetime | None
    opted_out_of: Annotated[
        dict[str, datetime],
        Meta(
            description="Opt-outs of one sender (sender:ID) or Messaging Service (service:SID) alone, and since when."
        ),
    ]
    threads: list[ThreadView]


def view_of(contact: Contact, threads: Sequence[ThreadOf]) -> ContactView:
    """A contact as the API tells it."""
    return ContactView(
        contact_id=contact.id,
        name=contact.name,
        addresses=[
            AddressView(
                address=one.key,
                kind=AddressKind.BSUID if is_bsuid(one.key) else AddressKind.NUMBER,
                met_at=one.met_at,
            )
            for one in contact.person.addresses
        ],
        opted_out=contact.opted_out_at is not None,
        opted_out_at=contact.opted_out_at,
        opted_out_of=dict(contact.opted_out_of),
        threads=[_thread(one) for one in threads],
    )


def _thread(one: ThreadOf) -> ThreadView:
    channel = Channel(one.channel)
    return ThreadView(
        thread_id=one.thread.id,
        channel=channel,
        sender_number=one.sender_address,
        writes_to=one.thread.contact_address,
        last_inbound_at=one.thread.last_inbound_at,
        window_closes_at=window.closes_at(one.thread.last_inbound_at) if channel is Channel.WHATSAPP else None,
        conversation_id=one.thread.live,
        mode=one.thread.mode,
    )
