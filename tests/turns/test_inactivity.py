"""A conversation that rests too long ends, unless a person has it in hand."""

from overture.domain.agent import EndReason
from overture.domain.conversation import Mode
from tests.world import World


async def test_a_conversation_that_rests_too_long_ends(world: World) -> None:
    an_id = await world.starts()
    world.clock.passes(hours=71, minutes=59)
    await world.timers.look()
    assert (await world.conversation(an_id)).mode is Mode.BOT
    world.clock.passes(minutes=1)
    await world.timers.look()
    conversation = await world.conversation(an_id)
    assert (conversation.mode, conversation.end_reason) == (Mode.ENDED, EndReason.INACTIVITY_TIMEOUT)
    assert await world.value("SELECT count(*) FROM timer") == 0
    assert (await world.lines(an_id))[0].reason == "cancelled"  # it never left, and says so


async def test_activity_puts_the_end_off(world: World) -> None:
    an_id = await world.starts()
    world.clock.passes(hours=71)
    await world.hears("Monday")
    await world.takes_turns()
    world.clock.passes(hours=2)
    await world.timers.look()
    world.clock.passes(hours=69)
    await world.timers.look()
    assert (await world.conversation(an_id)).mode is Mode.BOT
    world.clock.passes(hours=1)
    await world.timers.look()
    assert (await world.conversation(an_id)).end_reason is EndReason.INACTIVITY_TIMEOUT


async def test_a_conversation_in_human_hands_is_not_ended_by_the_clock(world: World) -> None:
    an_id = await world.starts()
    await world.change("UPDATE conversation SET mode = 'human'")
    for _ in range(3):
        world.clock.passes(hours=73)
        await world.timers.look()
    assert (await world.conversation(an_id)).mode is Mode.HUMAN
    assert await world.value("SELECT count(*) FROM timer") == 1
