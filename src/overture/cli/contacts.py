"""The verbs of `overture contacts`."""

import json
from datetime import datetime

from msgspec import to_builtins
from rich.table import Table

from overture.cli import serving, telling
from overture.cli.screen import fit, for_ids, on_screen
from overture.client import Client
from overture.domain import identity
from overture.domain.errors import Unknown
from overture.settings import Settings
from overture.web.api.contact_shapes import ContactView, ThreadView
from overture.web.api.contacts import LinkedView

_MAKES = "`overture serve` makes it."


def show(settings: Settings, which: str, *, as_json: bool) -> None:
    """Print what is known of a contact, by its id or any of its addresses."""
    serving.require_data(settings, _MAKES)

    async def look() -> ContactView:
        async with serving.operator(settings) as client:
            return await _get(client, which)

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
    else:
        _print(found)


def link(settings: Settings, contact_id: str, address: str) -> None:
    """Link a further address to a contact."""
    serving.require_data(settings, _MAKES)

    async def ask() -> LinkedView:
        async with serving.operator(settings) as client:
            return await client.link_address(contact_id, address)

    linked = telling.run(ask())
    if not linked.changed:
        print(f"The contact {contact_id} is known by this address already.")
    elif linked.merged_contact_id is not None:
        print(f"The contact {linked.merged_contact_id} had this address; both are {contact_id} now.")
    else:
        print(f"The contact {contact_id} is known by this address from now on.")


def unlink(settings: Settings, contact_id: str, address: str) -> None:
    """Take an address away from a contact."""
    serving.require_data(settings, _MAKES)

    async def ask() -> LinkedView:
        async with serving.operator(settings) as client:
            return await client.unlink_address(contact_id, address)

    linked = telling.run(ask())
    print(f"The address is the contact {linked.parted_contact_id} now.")


async def _get(client: Client, which: str) -> ContactView:
    if identity.read(which) is None:
        return await client.get_contact(which)
    found = await client.find_contact(which)
    if found is None:
        raise Unknown("contact_unknown", "No contact has this address.", hint="Nobody wrote from it or was called.")
    return found


def _print(one: ContactView) -> None:
    lines = Table.grid(padding=(0, 2))
    lines.add_row("contact", one.contact_id)
    if one.name:
        lines.add_row("name", fit(one.name, 60))
    for n, address in enumerate(one.addresses):
        lines.add_row("" if n else "known by", fit(address.address, 140))
    lines.add_row("consent", f"opted out, {_at(one.opted_out_at)}" if one.opted_out_at else "may be written to")
    console = on_screen()
    console.print(lines)
    if not one.threads:
        return
    print()
    table = Table("sender", "writes to", "last heard, window", for_ids("conversation"), box=None, pad_edge=False)
    for thread in one.threads:
        table.add_row(
            f"{thread.channel}\n{thread.sender_number}", fit(thread.writes_to, 140), _heard(thread), _goes_on(thread)
        )
    console.print(table)


def _heard(thread: ThreadView) -> str:
    if thread.last_inbound_at is None:
        return "never"
    closes = "" if thread.window_closes_at is None else f"\nuntil {_at(thread.window_closes_at)}"
    return f"{_at(thread.last_inbound_at)}{closes}"


def _goes_on(thread: ThreadView) -> str:
    return "" if thread.conversation_id is None else f"{thread.conversation_id}\n{thread.mode}"


def _at(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
