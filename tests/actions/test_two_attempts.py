"""A message that was sent twice: what one attempt achieved is not undone by the other."""

from overture.domain.delivery import DeliveryStatus
from tests.scripted_twilio import Refuse, Then
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


async def test_nobody_is_asked_about_a_second_attempt_when_the_first_arrived(world: World) -> None:
    """The second attempt's fate cannot be told, for no list can be read: the contact has the message all the same."""
    world.twilio.script += [Then.RESET, Then.RESET]
    an_id = await world.starts()
    await world.sends()
    for _ in range(5):
        world.clock.passes(seconds=31)
        await world.settles()
    await world.sends()
    await world.is_told(world.twilio.take(world.twilio.posts[0]), "sent", "delivered")
    world.twilio.lists.extend([Refuse(status=500)] * 10)
    world.clock.passes(hours=5)
    await world.settles()
    [line] = await world.lines(an_id)
    assert (line.status, line.possible_duplicate) == (DeliveryStatus.DELIVERED, True)
    assert await world.value("SELECT count(*) FROM outbox") == 0
    assert await world.events("message.needs_review") == []
