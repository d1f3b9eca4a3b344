"""An opening that a person took back and gave back is said after all, and counts under its caps like any other."""

import pytest

from overture.domain.errors import Limited
from overture.domain.rules import Cap, Measure, Rules
from tests.people import ends, gives_back, takes
from tests.turns.test_follow_ups import NUDGER
from tests.world import World


@pytest.mark.parametrize("count", [Measure.MESSAGES, Measure.RECIPIENTS])
async def test_what_is_said_after_all_counts_once(world: World, count: Measure) -> None:
    await world.rules(Rules(caps=[Cap(count=count, at_most=1, within_seconds=86_400)]))
    await world.saves(NUDGER)
    an_id = await world.starts(text=None)
    await world.takes_turns()
    for _ in range(2):
        await takes(world, an_id)
        await gives_back(world, an_id)
    assert isinstance(await world.answers(to_number="+14155550177"), Limited)
    await ends(world, an_id)
    await world.starts(to_number="+14155550177")
    await world.sends(2)
    assert len(world.twilio.said) == 1
