"""A message that was sent twice: what one attempt achieved is not undone by the other."""

from overture.domain.delivery import DeliveryStatus
from tests.scripted_twilio import Then
from tests.world import World


async def test_an_attempt_that_failed_takes_nothing_from_one_that_arrived(world: World) -> None:
    """Both landed: the second fails after the first was delivered. The contact has the message."""
    world.twilio.script.append(Then.RESET)
    an_id = await world.starts()
    await world.sends()
    for _ in range(5):
        world.clock.passes(seconds=31)
        await world.settles()
    await world.sends()
    first = world.twilio.take(world.twilio.posts[0])
    second = world.twilio.taken[0]
    assert first["callback"] != second["callback"]
    await world.is_told(first, "sent", "delivered")
    await world.is_told(second, "sent", "undelivered", code=30007)
    [line] = await world.lines(an_id)
    assert line.status is DeliveryStatus.DELIVERED
    assert line.possible_duplicate
