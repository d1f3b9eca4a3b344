"""Caps on PostgreSQL: who accepts an opening and who takes back a reply never wait for each other in a circle."""

import asyncio

from overture.actions.end_conversation import end_conversation
from overture.actions.openings import Answer, Started
from overture.actions.reserve_openings import hold_caps
from overture.actions.start_conversation import start_conversations
from overture.domain.agent import EndReason
from overture.domain.rules import Applying, Cap, Measure, Rules
from overture.domain.sending import Facts
from overture.store.engine import Writing
from tests.scripted_twilio import Refuse
from tests.takings import taken
from tests.world import WORKSPACE, World, a_world

RULES = Rules(caps=[Cap(at_most=90, within_seconds=86_400, count=Measure.SEGMENTS)])


async def waits_or_is_done(world: World, other: asyncio.Event) -> None:
    """Until the other transaction waits for a lock, or has come to its end."""
    while not other.is_set():
        if await world.value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            return
        await asyncio.sleep(0.01)


async def test_an_end_that_takes_back_a_reply_and_an_accept_that_counts_it_do_not_wait_in_a_circle(
    postgresql_url: str,
) -> None:
    async with a_world(postgresql_url) as world:
        await world.rules(RULES)
        an_id = await world.starts()
        await world.sends()
        await world.hears("Monday")
        await world.takes_turns()
        world.twilio.script.append(Refuse(status=429, code=20429))
        await world.sends()  # the reply is counted, not yet taken in by the cap, and waits
        holds, ended = asyncio.Event(), asyncio.Event()

        async def accept(tx: Writing) -> list[Answer]:
            asked = world.asks(text="anew")
            facts = Facts(agent=None, sender_id=None, rules=Applying(workspace=RULES))
            await hold_caps(tx, [(0, asked, facts)], world.clock.now())
            holds.set()
            await waits_or_is_done(world, ended)
            return await start_conversations(tx, [asked], world.clock.now(), world.ids)

        async def end(tx: Writing) -> bool:
            return await end_conversation(
                tx,
                workspace_id=WORKSPACE,
                conversation_id=an_id,
                reason=EndReason.CANCELLED,
                now=world.clock.now(),
                ids=world.ids,
            )

        accepting = asyncio.create_task(world.store.write(accept))
        await holds.wait()
        assert await asyncio.wait_for(world.store.write(end), 10)
        ended.set()
        [answer] = await asyncio.wait_for(accepting, 10)
        assert isinstance(answer, Started)
        assert await taken(world, "segments") == 2  # the reply never left
