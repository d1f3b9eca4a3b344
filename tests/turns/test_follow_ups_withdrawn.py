"""A follow-up that waits to leave when its contact writes is withdrawn, and the agent answers as if it had not spoken.

Quiet hours hold it here, or a sender that rests.
"""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from overture.actions import claim_turns
from overture.actions.commit_turn import Lost
from overture.domain.agent import After, Ask, FlowSpec, Node, PromptSpec
from overture.domain.conversation import Mode
from overture.domain.rules import Cap, QuietHours, Rules
from overture.domain.tool import FollowUpTool
from overture.store.engine import stored
from overture.store.messages import Message
from overture.turns.run_turn import run_turn
from tests.people import takes
from tests.scripted_twilio import Hold, Refuse
from tests.takings import taken
from tests.turns.test_follow_ups import an_opened, passes
from tests.turns.test_follow_ups_of_models import asks
from tests.turns.test_tools import BOOKED, Model, booking
from tests.world import BOOKER, World

LONDON = "+447700900123"
FROM_HALF_PAST_TWO = QuietHours(start="14:30", end="16:00", stricter_states=False)

CALLER = FlowSpec(
    name="Caller",
    nodes={
        "start": Node(
            say="Which day suits you?", ask=Ask(slot="day"), after=After(silence="2h", goto="nudge"), goto="done"
        ),
        "nudge": Node(
            say="Shall we call you instead?",
            ask=Ask(slot="call", type="yes_no"),
            after=After(silence="1h", goto="more"),
            goto="bye",
        ),
        "more": Node(say="Do you want to end here?", ask=Ask(slot="ends", type="yes_no"), goto="bye"),
        "bye": Node(say="We will call you.", end="completed"),
        "done": Node(say="See you on {day}.", end="completed"),
    },
)
KEEPER = """
kind: flow
name: Keeper
tools:
  - kind: http
    name: keep
    method: POST
    url: "{url}/bookings"
    timeout_seconds: 0.4
    save: {{reference: $.ref}}
nodes:
  start: {{say: "Which day?", ask: {{slot: day}}, after: {{silence: 2h, goto: keep}}, goto: bye}}
  keep: {{call: {{tool: keep}}, goto: kept}}
  kept: {{say: "I keep {{reference}} for you. Shall I?", ask: {{slot: wanted, type: yes_no}}, goto: bye}}
  bye: {{say: "Good.", end: completed}}
"""
ASKED, NUDGE, MORE = "Which day suits you?", "Shall we call you instead?", "Do you want to end here?"
ANSWER = "See you on Monday."


def at_node(spec: FlowSpec, **nodes: Node) -> FlowSpec:
    return FlowSpec(name=spec.name, nodes=spec.nodes | nodes)


async def a_waiting(world: World, spec: FlowSpec = CALLER, *caps: Cap) -> str:
    """A conversation whose follow-up was written, and met quiet hours before it could leave."""
    await world.rules(Rules(quiet_hours=FROM_HALF_PAST_TWO, caps=list(caps)))
    an_id = await an_opened(world, spec, to_number=LONDON)
    world.clock.passes(hours=2)
    await world.timers.look()
    await world.takes_turns()
    world.clock.passes(hours=1)
    await world.sends()
    assert world.twilio.said == [ASKED]
    assert await waits(world) == ["quiet_hours"]
    return an_id


async def rests(world: World, *, on: bool = True) -> None:
    """The sender sends nothing, or does again."""
    at = stored(world.clock.now() + timedelta(days=1)) if on else None
    await world.change("UPDATE sender SET stopped_at = $1, stopped_because = 'test'", at)


async def waits(world: World) -> list[str | None]:
    return await world.column("SELECT waits_because FROM outbox ORDER BY seq")


async def writes(world: World, text: str, by: str = LONDON) -> None:
    """The contact writes and is answered; whatever may leave then or later leaves."""
    await world.hears(text, by=by)
    await world.takes_turns()
    await world.sends(3)
    world.clock.passes(hours=2)
    await world.sends(3)


async def dropped(world: World) -> list[str]:
    return [json.loads(data)["reason"] for data, _ in await world.events("follow_up.dropped")]


async def line(world: World, an_id: str, text: str) -> Message:
    [found] = [one for one in await world.lines(an_id) if one.text == text]
    return found


async def test_what_quiet_hours_hold_is_withdrawn_and_the_agent_answers_the_question_that_was_read(
    world: World,
) -> None:
    an_id = await a_waiting(world)
    await writes(world, "Monday")
    assert world.twilio.said == [ASKED, ANSWER]
    kept = await line(world, an_id, NUDGE)
    assert (kept.status, kept.reason) == ("failed", "contact_wrote")
    assert await dropped(world) == ["contact_wrote"]
    [(data, _)] = await world.events("message.refused")
    assert (json.loads(data)["message_id"], json.loads(data)["reason"]) == (kept.id, "contact_wrote")


async def test_what_it_took_of_caps_is_given_back(world: World) -> None:
    cap = Cap(at_most=2, within_seconds=86_400)
    await a_waiting(world, CALLER, cap)
    assert await taken(world) == 2
    await world.hears("Monday", by=LONDON)
    assert await taken(world) == 1


async def test_a_webhook_that_comes_twice_withdraws_it_once(world: World) -> None:
    an_id = await a_waiting(world)
    written = world.written("Monday", by=LONDON)
    for _ in range(2):
        await world.keeps(written)
        await world.handles()
    await world.takes_turns()
    await world.sends(3)
    assert await dropped(world) == ["contact_wrote"]
    assert (await world.texts(an_id))[2] == "> Monday"
    assert world.twilio.said == [ASKED, ANSWER]


@pytest.mark.parametrize("at_once", [True, False])
async def test_all_that_wait_behind_a_resting_sender_are_withdrawn(world: World, at_once: bool) -> None:
    an_id = await an_opened(world, CALLER)
    await rests(world)
    await passes(world, hours=2)
    await passes(world, hours=0 if at_once else 1)
    said = [ASKED, NUDGE] if at_once else [ASKED, NUDGE, MORE]
    assert await world.texts(an_id) == said
    await world.hears("Monday")
    await rests(world, on=False)
    await world.takes_turns()
    await world.sends(4)
    assert world.twilio.said == [ASKED, ANSWER]
    assert await dropped(world) == ["contact_wrote"]


async def test_one_that_is_in_flight_goes_on_and_is_answered(world: World) -> None:
    await an_opened(world, CALLER)
    world.clock.passes(hours=2)
    await world.timers.look()
    await world.takes_turns()
    held = Hold()
    world.twilio.script.append(held)
    await world.out.look()
    await held.landed.wait()
    await world.hears("Yes please")
    held.released.set()
    await world.out.drain()
    await world.takes_turns()
    await world.sends(2)
    assert world.twilio.said == [ASKED, NUDGE, "We will call you."]
    assert await dropped(world) == []


async def test_where_both_happen_at_once_it_is_either_read_and_answered_or_was_never_said(world: World) -> None:
    await an_opened(world, CALLER)
    world.clock.passes(hours=2)
    await world.timers.look()
    await world.takes_turns()
    await asyncio.gather(world.out.look(), world.hears("Yes please"))
    await world.out.drain()
    await world.takes_turns()
    await world.sends(3)
    none: list[str] = []
    left = [ASKED, NUDGE, "We will call you."], none
    withdrawn = [ASKED, "See you on Yes please."], ["contact_wrote"]
    assert (world.twilio.said, await dropped(world)) in (left, withdrawn)


async def test_one_that_comes_back_from_a_failed_try_is_withdrawn_when_its_next_is_due(world: World) -> None:
    """It was in flight when the contact wrote; the agent reads them as an answer to it, for it may have arrived."""
    an_id = await an_opened(world, CALLER)
    world.twilio.script.append(Refuse(status=429, code=20429))
    await passes(world, hours=2)
    assert (await world.rows("SELECT state, tries FROM outbox"))[0] == ("queued", 1)
    await world.change("UPDATE outbox SET state = 'sending'")
    await world.hears("Hello?")
    await world.change("UPDATE outbox SET state = 'queued'")
    world.clock.passes(minutes=10)
    await world.sends()
    assert world.twilio.said == [ASKED]
    assert (await line(world, an_id, NUDGE)).reason == "contact_wrote"
    assert await dropped(world) == ["contact_wrote"]


async def test_the_rest_of_one_that_has_begun_to_leave_is_said_with_the_answer(world: World) -> None:
    spec = at_node(
        CALLER,
        nudge=Node(say="Are you still there?", goto="again"),
        again=Node(say=NUDGE, ask=CALLER.nodes["nudge"].ask),
    )
    an_id = await an_opened(world, spec)
    world.clock.passes(hours=2)
    await world.timers.look()
    await world.takes_turns()
    await world.sends()
    assert world.twilio.said == [ASKED, "Are you still there?"]
    await writes(world, "Yes I am", by=(await world.column("SELECT contact_address FROM thread"))[0])
    assert world.twilio.said == [ASKED, "Are you still there?", NUDGE]
    assert [one.reason for one in await world.lines(an_id) if one.text == NUDGE] == ["said_in_answer", None]


async def test_one_of_an_older_version_is_said_with_the_answer(world: World) -> None:
    """It kept no place to go back to."""
    an_id = await a_waiting(world)
    await world.change("UPDATE turn SET went_on_from = NULL")
    await writes(world, "Monday")
    assert world.twilio.said == [ASKED, NUDGE]
    assert (await world.conversation(an_id)).place == "nudge"


async def test_what_its_tool_changed_stays_and_is_told_with_the_answer(database_url: str) -> None:
    async with booking(database_url, BOOKED, text=KEEPER) as (world, server, an_id):
        await world.sends()
        await world.takes_turns()
        await rests(world)
        await passes(world, hours=2)
        assert len(server.requests) == 1
        await world.hears("Monday")
        await world.takes_turns()
        await rests(world, on=False)
        await world.sends(3)
        assert world.twilio.said == ["Which day?", "I keep A17 for you. Shall I?"]
        reasons = [one.reason for one in await world.lines(an_id) if one.text == world.twilio.said[1]]
        assert reasons == ["said_in_answer", None]
        assert len(server.requests) == 1


async def test_one_that_handed_over_is_withdrawn_and_people_have_the_conversation(world: World) -> None:
    an_id = await a_waiting(world, at_node(CALLER, nudge=Node(say=NUDGE, hand_over="They are silent.")))
    await writes(world, "Monday")
    assert world.twilio.said == [ASKED]
    assert (await world.conversation(an_id)).mode is Mode.HUMAN
    assert (await line(world, an_id, NUDGE)).reason == "contact_wrote"


async def test_one_that_ended_the_conversation_does_not_come_after_a_new_one(world: World) -> None:
    an_id = await a_waiting(world, at_node(CALLER, nudge=Node(say="Goodbye then.", end="completed")))
    await writes(world, "Monday")
    assert "Goodbye then." not in world.twilio.said
    assert (await line(world, an_id, "Goodbye then.")).reason == "contact_wrote"


@pytest.mark.parametrize("what", ["STOP", "taken over"])
async def test_what_ends_it_anyway_ends_it_as_ever(world: World, what: str) -> None:
    an_id = await a_waiting(world)
    if what == "STOP":
        await world.hears("STOP", by=LONDON)
    else:
        await takes(world, an_id)
    await writes(world, "Monday")
    assert world.twilio.said == [ASKED]
    reason = "recipient_opted_out" if what == "STOP" else "cancelled"
    assert (await line(world, an_id, NUDGE)).reason == reason
    assert await dropped(world) == []


async def test_a_turn_that_goes_on_from_one_is_lost_with_it(world: World) -> None:
    await an_opened(world, CALLER)
    await rests(world)
    await passes(world, hours=2)
    world.clock.passes(hours=1)
    await world.timers.look()
    [claim] = await world.store.write(lambda tx: claim_turns.claim_turns(tx, 1, world.clock.now()))
    await world.hears("Monday")
    lost = await run_turn(claim, store=world.store, model=world.model, ids=world.ids, signals=world.signals)
    assert isinstance(lost, Lost)
    await rests(world, on=False)
    await world.takes_turns()
    await world.sends(3)
    assert world.twilio.said == [ASKED, ANSWER]


async def test_openings_and_replies_are_left_alone(world: World) -> None:
    await world.rules(Rules(quiet_hours=QuietHours(start="11:00", end="15:00", stricter_states=False)))
    await world.saves(BOOKER)
    an_id = await world.starts(text=None, to_number=LONDON)
    await world.sends()
    await rests(world)
    await world.hears("Monday", by=LONDON)
    await world.takes_turns()
    await world.hears("Wait a moment", by=LONDON)
    assert await waits(world) == ["quiet_hours", None]
    await rests(world, on=False)
    await world.sends()
    world.clock.passes(hours=3, minutes=1)
    await world.sends()
    asked, answered = (one.text for one in await world.lines(an_id) if one.direction == "out")
    assert world.twilio.said == [answered, asked]


async def test_another_contacts_follow_up_is_left_alone(world: World) -> None:
    await a_waiting(world)
    await world.hears("Monday", by="+447700900199")
    assert await waits(world) == ["quiet_hours"]


async def test_a_model_is_not_shown_what_was_withdrawn(world: World) -> None:
    model = Model(asks(after="2h", about="the day"), "I will.", "Have you decided?", "Great.")
    world.turns = type(world.turns)(store=world.store, model=model, ids=world.ids, signals=world.signals)
    spec: Any = PromptSpec(name="Helper", instructions="Help.", greeting="Hi there!", tools=[FollowUpTool()])
    await world.saves(spec)
    await world.starts(text=None)
    await world.sends()
    await world.hears("Ask me again in two hours.")
    await passes(world)
    await rests(world)
    await passes(world, hours=2)
    await world.hears("I have")
    await world.takes_turns()
    shown = [one.text for one in model.asked[-1].lines]
    assert not any("Have you decided?" in text for text in shown)
    assert shown[-1] == "I have"
