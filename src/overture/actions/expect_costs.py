"""Expect costs: count the segments of what is about to be said, and price it by the table in force."""

from collections.abc import Sequence

import msgspec

from overture.domain import cost
from overture.store import prices
from overture.store.engine import Reading
from overture.store.messages import NewMessage
from overture.store.threads import Pair


async def expect_costs(tx: Reading, lines: Sequence[NewMessage], pair: Pair | None) -> list[NewMessage]:
    """Outgoing messages between a pair, each with its segments and its cost; as they are over the API."""
    if pair is None or not lines:
        return list(lines)
    table = await prices.find_in_force(tx, lines[0].workspace_id, pair.prices_revision)
    counted = [cost.of_reply(line.body, pair.channel, pair.contact_address, table) for line in lines]
    return [
        msgspec.structs.replace(line, segments=one.segments, cost=one.cost)
        for line, one in zip(lines, counted, strict=True)
    ]
