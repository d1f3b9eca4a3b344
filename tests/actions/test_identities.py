"""A contact is an address with aliases: whoever writes by whichever of them has one thread, one window, one word."""

from typing import Any

import pytest

from overture.domain.agent import EndReason
from overture.domain.conversation import Mode
from overture.store import identities
from overture.store.engine import stored
from tests.world import ADA, BOB, NOON, SMS, WHATSAPP, WORKSPACE, World

ADAS = "US.13491208655302741918"
BOBS = "US.2"
BOTH = {"channel": WHATSAPP, "by": ADA, "ExternalUserId": f"whatsapp:{ADAS}"}
HIDDEN = {"channel": WHATSAPP, "by": ADAS, "ExternalUserId": f"whatsapp:{ADAS}"}


async def people(world: World) -> list[list[str]]:
    """Everybody's addresses, the first one in front, the oldest contact first."""
    ids = await world.column("SELECT id FROM contact WHERE alias_of IS NULL ORDER BY id")
    found = [await world.store.read(lambda tx, an_id=an_id: identities.find(tx, WORKSPACE, an_id)) for an_id in ids]
    return [[address.key for address in one.person.addresses] for one in found if one is not None]


async def test_a_number_and_a_bsuid_in_one_webhook_are_one_contact(world: World) -> None:
    an_id = await world.starts(channel=WHATSAPP, text=None, template=None) if False else None
    await world.change("UPDATE sender SET inbound_agent_id = 'booker'")
    await world.hears("hello", **BOTH)
    await world.hears("it is me", **HIDDEN)
    assert an_id is None
    assert await people(world) == [[ADA, ADAS]]
    [live] = await world.live()
    assert await world.texts(live.id) == ["> hello", "> it is me"]
    assert await world.column("SELECT contact_address FROM thread") == [ADAS]
