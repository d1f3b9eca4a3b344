"""A server that nobody can reach: without a public address, a phone types and is answered, by polling alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from handset.testing import RunningHandset, running
from overture import settings
from overture.actions.openings import Started
from overture.bootstrap import WORKSPACE, House
from overture.domain.channel import Channel
from overture.domain.sending import Start
from overture.store import agents
from overture.store.engine import instant
from overture.store.statement import Query
from overture.web.parts import Parts
from tests.world import ADA, AGENT, BOB, BOOKER, OURS


@asynccontextmanager
async def laptop(folder: Path, handset: RunningHandset) -> AsyncIterator[tuple[House, Parts]]:
    """A house without a public address, whose sender is polled."""
    house = House(
        settings.read(
            {
                "OVERTURE_DATA": str(folder),
                "OVERTURE_TWILIO_ACCOUNT_SID": handset.account_sid,
                "OVERTURE_TWILIO_AUTH_TOKEN": handset.auth_token,
                "OVERTURE_TWILIO_BASE_URL": handset.base_url,
                "OVERTURE_SENDERS": f"sms:{OURS}={AGENT}",
                "OVERTURE_INBOUND": "poll",
                "OVERTURE_QUIET_SECONDS": "0",
            }
        )
    )
    try:
        parts = await house.open()
        await house.store.write(lambda tx: agents.save(tx, WORKSPACE, AGENT, BOOKER, {}, house.store.now()))
        house.start_roads()
        yield house, parts
    finally:
        await house.close()


async def test_a_real_phone_talks_to_a_laptop_that_no_webhook_reaches(tmp_path: Path) -> None:
    async with running({"numbers": [{"address": OURS}]}) as handset:
        await handset.types(BOB, OURS, "from before")
        async with laptop(tmp_path, handset) as (house, parts):

            async def statuses() -> list[str]:
                rows = await house.store.read(
                    lambda tx: tx.all(Query("SELECT status FROM message WHERE direction = 'out' ORDER BY created_at"))
                )
                return [row[0] for row in rows]

            start = Start(
                workspace_id=WORKSPACE, agent_id=AGENT, channel=Channel.SMS, to_number=ADA, from_number=OURS,
                text="Hello Ada", digest="a",
            )  # fmt: skip
            assert isinstance(await parts.starts.submit(start), Started)

            async def is_answered() -> bool:
                return await handset.received_by(ADA) == ["Hello Ada", "Monday it is. At what time?"]

            [[activated]] = await house.store.read(lambda tx: tx.all(Query("SELECT activated_at FROM sender")))
            later = instant(activated) + timedelta(seconds=1)  # the provider's times are whole seconds
            await handset.wait_for(lambda: house.store.now() > later)
            await handset.wait_for(lambda: handset.received_by(ADA))
            await handset.types(ADA, OURS, "Monday")
            await handset.wait_for(is_answered, timeout=20)

            async def is_delivered() -> bool:
                return await statuses() == ["delivered", "delivered"]

            await handset.wait_for(is_delivered, timeout=20)
            assert await handset.received_by(BOB) == []
            asked = [m for m in await handset.messages() if m["direction"] != "inbound" and m.get("status_callback")]
            assert (asked, await handset.webhooks()) == ([], [])
            assert [task.get_name() for task in asyncio.all_tasks() if task.done()] == []
