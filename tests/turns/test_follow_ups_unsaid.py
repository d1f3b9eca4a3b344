"""Follow-ups that come to nothing leave everything as it was: what their caps counted, and where their agent stood."""

import pytest

from overture.actions import claim_turns
from overture.domain.agent import After, Ask, FlowSpec, Node, Prompt
from overture.domain.errors import Limited
from overture.domain.model_budget import Limits
from overture.domain.rules import Cap, QuietHours, Rules
from overture.turns.run_turn import run_turn
from tests.people import ends, gives_back, takes
from tests.turns.test_follow_ups import NUDGE, an_opened, passes, told
from tests.world import World

CAP = Cap(at_most=2, within_seconds=86_400)
LONDON = "+447700900123"
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


async def test_a_flow_that_may_not_ask_its_model_keeps_its_open_question(world: World) -> None:
    nodes = {
        "start": Node(
            say="Which day suits you?", ask=Ask(slot="day"), after=After(silence="2h", goto="coaxes"), goto="time"
        ),
        "time": Node(
            say="{day} at what time?",
            ask=Ask(slot="time", type="choice", choices=["nine", "ten"]),
            after=After(silence="2h", goto="coaxes"),
            goto="done",
        ),
        "coaxes": Node(prompt=Prompt(instructions="Coax them into answering."), goto="start"),
        "done": Node(say="See you on {day} at {time}.", end="completed"),
    }
    an_id = await an_opened(world, FlowSpec(name="Coaxer", nodes=nodes, limits=Limits(tokens_per_conversation=1)))
    await world.hears("Monday")
    await passes(world, minutes=1)
    await passes(world, hours=2)
    assert await told(world, "dropped") == ["nothing_said"]
    kept = await world.conversation(an_id)
    assert (kept.place, kept.expects) == ("time", "choice")
    await world.hears("nine")
    await passes(world, minutes=1)
    assert world.twilio.said[-1] == "See you on Monday at nine."


async def test_a_follow_up_that_a_person_took_back_is_not_said_after_all(world: World) -> None:
    """It was under the rules of openings; once it is nobody's follow-up any more, it is no reply either."""
    await world.rules(Rules(quiet_hours=QuietHours(start="14:30", end="16:00", stricter_states=False)))
    an_id = await an_opened(world, to_number=LONDON)
    await world.hears("👍", by=LONDON)
    await passes(world, minutes=1)
    said = list(world.twilio.said)
    world.clock.passes(hours=2)
    await world.timers.look()
    await world.takes_turns()
    assert (await world.lines(an_id))[-1].text == NUDGE
    world.clock.passes(hours=1)
    await world.sends()
    await takes(world, an_id)
    await gives_back(world, an_id)
    await world.takes_turns()
    await world.sends(2)
    assert world.twilio.said == said
