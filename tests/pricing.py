"""What the tests of prices share: a table in force, and what was expected and charged of messages."""

from typing import Any

from overture.domain import price_list
from overture.store import instances, prices
from overture.store.engine import Writing
from tests.world import WORKSPACE, World

HEAD = "channel,prefix,category,price,currency\n"
LIST = f"""{HEAD}sms,+1,,0.0079,USD
sms,+1555,,0.0083,USD
whatsapp,+,service,0.005,USD
whatsapp,+49,marketing,0.025,USD
whatsapp,+49,utility,0.004,USD
"""


async def has_prices(world: World, text: str = LIST) -> str:
    """A list is the workspace's table; its revision."""
    revision = world.ids.new(world.clock.now())

    async def bring(tx: Writing) -> None:
        await instances.add_workspace(tx, WORKSPACE, WORKSPACE, world.clock.now())
        await prices.replace(tx, WORKSPACE, revision, price_list.read(text.encode()))

    await world.store.write(bring)
    return revision


async def expected(world: World) -> list[tuple[Any, ...]]:
    """Segments, cost and currency of everything that was said to contacts, in order."""
    rows = await world.rows(
        "SELECT segments, cost_micros, cost_currency FROM message WHERE direction = 'out' ORDER BY created_at, seq"
    )
    return [tuple(row) for row in rows]


async def charged(world: World) -> list[tuple[Any, ...]]:
    """What each try was charged, in order."""
    rows = await world.rows("SELECT price_micros, price_currency FROM attempt ORDER BY message_id, number")
    return [tuple(row) for row in rows]
