"""What stored messages take of the caps they fall under, read past the product."""

import json

from tests.world import World


async def takings(world: World) -> list[tuple[str, int]]:
    """(Cap, amount) of every message that takes anything of one, recipients among them."""
    kept = await world.rows("SELECT takes FROM taking ORDER BY message_id")
    people = await world.rows("SELECT cap, amount FROM reservation WHERE amount > 0 ORDER BY message_id")
    found = [(name, amount) for (takes,) in kept for name, _, amount in json.loads(takes) if amount]
    return found + [(name, amount) for name, amount in people]


async def taken(world: World, start: str = "") -> int:
    """How much of it is taken, of caps whose name starts so."""
    return sum(amount for name, amount in await takings(world) if name.startswith(start))
