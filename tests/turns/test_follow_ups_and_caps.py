"""Follow-ups beside what else is counted under their caps: whether they are said or not, nothing of it is forgotten."""

import pytest

from overture.actions import claim_turns
from overture.domain.errors import Limited
from overture.domain.rules import Cap, Rules
from overture.turns.run_turn import run_turn
from tests.turns.test_follow_ups import NUDGE, an_opened, ends, takes
from tests.world import World

CAP = Cap(at_most=2, within_seconds=86_400)
THIRD, FOURTH = "+14155550177", "+14155550178"


@pytest.mark.parametrize("what", ["refused by a rule", "taken over", "answered"])
async def test_what_was_given_back_stays_so_where_a_follow_up_is_not_said(world: World, what: str) -> None:
    """Its caps are held before it is known whether it is said, and whoever holds them takes in what stands beside."""
    await world.rules(Rules(caps=[CAP]))
    an_id = await an_opened(world)
    await ends(world, await world.starts(to_number=THIRD))  # gives back what its opening took
    world.clock.passes(hours=2)
    await world.timers.look()
    [claim] = await world.store.write(lambda tx: claim_turns.claim_turns(tx, 1, world.clock.now()))
    match what:
        case "refused by a rule":
            await world.rules(Rules(caps=[CAP], countries=["DE"]))
        case "taken over":
            await takes(world, an_id)
        case _:
            await world.hears("Monday")
    await run_turn(claim, store=world.store, model=world.model, ids=world.ids, signals=world.signals)
    await world.rules(Rules(caps=[CAP]))
    await world.starts(to_number=THIRD)
    assert NUDGE not in world.twilio.said
    assert isinstance(await world.answers(to_number=FOURTH), Limited)
