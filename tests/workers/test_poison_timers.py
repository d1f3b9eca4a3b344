"""Timers of what cannot be read: each is put off alone, and those beside it fire."""

from overture.domain.conversation import Mode
from tests.world import BOB, World


async def test_timers_of_a_conversation_that_cannot_be_read_stop_no_other(world: World) -> None:
    bad, good = await world.starts(), await world.starts(to_number=BOB)
    await world.sends(2)
    await world.change("UPDATE conversation SET variables = 'not JSON' WHERE id = $1", bad)
    world.clock.passes(days=30)
    await world.timers.look()
    await world.timers.look()
    assert (await world.conversation(good)).mode is Mode.ENDED
    assert await world.column("SELECT mode FROM conversation WHERE id = $1", bad) == [Mode.BOT]
    await world.change("UPDATE conversation SET variables = '{}' WHERE id = $1", bad)
    world.clock.passes(hours=2)
    await world.timers.look()
    assert (await world.conversation(bad)).mode is Mode.ENDED
