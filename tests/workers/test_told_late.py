"""What is told late of a message that failed and goes again: it takes no try back, makes none more, and hides none."""

import pytest

from overture.actions.record_outcome import Outcome, record_outcomes
from overture.domain.delivery import DeliveryStatus
from overture.domain.errors import OutcomeUnknown
from overture.domain.message import Text
from tests.scripted_twilio import Hold
from tests.workers.test_going_again import CONGESTED, a_failed_message, line_of
from tests.workers.test_outbox import claim, state
from tests.world import World


@pytest.mark.promise("P9")
async def test_an_answer_that_comes_after_its_failure_was_told_takes_no_new_attempt_back(world: World) -> None:
    held = Hold()
    world.twilio.script.append(held)
    an_id = await world.starts()
    await world.out.look()
    await held.landed.wait()
    await world.is_told(world.twilio.taken[0], "sent", "failed", code=CONGESTED)
    held.released.set()
    await world.out.drain()
    assert await state(world) == [("queued", 1, False)]
    assert await line_of(world, an_id) == (DeliveryStatus.QUEUED, CONGESTED, "twilio_30017")
    world.clock.passes(minutes=5)
    await world.sends()
    assert world.twilio.said == ["Hello Ada", "Hello Ada"]


async def test_silence_after_its_failure_was_told_makes_nothing_uncertain(world: World) -> None:
    await a_failed_message(world, CONGESTED, "failed")
    message_id = await world.value("SELECT message_id FROM outbox")
    silence = Outcome(message_id=message_id, attempt=1, result=OutcomeUnknown("twilio_no_answer", "No answer."))
    await world.store.write(lambda tx: record_outcomes(tx, [silence], world.clock.now(), world.ids))
    assert await state(world) == [("queued", 1, False)]
    assert await world.column("SELECT state FROM attempt") == ["accepted"]


@pytest.mark.promise("P7")
async def test_a_message_whose_next_try_is_due_goes_before_what_was_said_after_it_and_alone(world: World) -> None:
    await a_failed_message(world, CONGESTED)
    await world.hears("Monday")
    await world.takes_turns()
    world.clock.passes(minutes=5)
    [first] = await claim(world)
    assert first.body == Text(text="Hello Ada")
    assert await claim(world) == []


@pytest.mark.promise("P2")
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_what_was_failed_and_arrived_after_it_went_again_is_flagged(world: World, order: tuple[int, int]) -> None:
    an_id = await a_failed_message(world)
    world.clock.passes(minutes=10)
    await world.sends()
    await world.is_told(world.twilio.taken[order[0]], "delivered")
    assert not (await world.lines(an_id))[0].possible_duplicate
    await world.is_told(world.twilio.taken[order[1]], "delivered")
    [line] = await world.lines(an_id)
    assert (line.status, line.possible_duplicate) == (DeliveryStatus.DELIVERED, True)
