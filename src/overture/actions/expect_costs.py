"""Expect costs: count the segments of what is about to be said, and price it by the table in force."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from overture.domain import cost, window
from overture.domain.message import Template
from overture.domain.prices import PriceTable
from overture.domain.template import Known
from overture.store import prices, templates, threads
from overture.store.engine import Reading
from overture.store.messages import NewMessage
from overture.store.threads import Pair


async def expect_costs(tx: Reading, lines: Sequence[NewMessage], pair: Pair | None, now: datetime) -> list[NewMessage]:
    """Outgoing messages between a pair, each with its segments and its cost; as they are over the API."""
    if pair is None or not lines:
        return list(lines)
    table = await prices.find_in_force(tx, lines[0].workspace_id, pair.prices_revision)
    known = await _find_templates(tx, lines, pair, table)
    is_open = window.is_open(pair.last_inbound_at, now)
    counted = [
        cost.of_reply(
            line.body, pair.channel, pair.contact_address, table, template=known.get(line.id), is_open=is_open
        )
        for line in lines
    ]
    return [
        msgspec.structs.replace(line, segments=one.segments, cost=one.cost)
        for line, one in zip(lines, counted, strict=True)
    ]


async def _find_templates(
    tx: Reading, lines: Sequence[NewMessage], pair: Pair, table: PriceTable | None
) -> dict[str, Known]:
    """What is known of the lines' templates, by line; where none is one, or nothing has a price, nothing is asked."""
    used = [(line, line.body) for line in lines if isinstance(line.body, Template)]
    if not used or table is None:
        return {}
    _, _, account_sid = (await threads.find_numbers(tx, [pair.thread_id]))[pair.thread_id]
    keys = {line.id: (line.workspace_id, account_sid, body.content_sid) for line, body in used}
    found = await templates.find(tx, keys.values())
    return {an_id: found[key] for an_id, key in keys.items() if key in found}
