"""Follow-ups: an agent speaks up though nobody has written, once, and only where an opening might leave."""

import json
from typing import Any

import msgspec
import pytest

from overture.domain.agent import After, Ask, FlowSpec, Node, TemplateUse, Wait
from overture.domain.conversation import Mode
from overture.domain.rules import Cap, QuietHours, RequireConsent, Rules
from overture.domain.template import Approval, Category
from overture.domain.template import Template as Known
from overture.store import follow_ups, people, templates, turns
from overture.store.follow_ups import Pending
from tests.people import ends, gives_back, takes
from tests.world import ACCOUNT, WHATSAPP, WORKSPACE, World

NUDGER = FlowSpec(
    name="Nudger",
    nodes={
        "start": Node(
            say="Which day suits you?", ask=Ask(slot="day"), after=After(silence="2h", goto="nudge"), goto="done"
        ),
        "nudge": Node(
            say="Are you still there?", ask=Ask(slot="day"), after=After(silence="2h", goto="nudge"), goto="done"
        ),
        "done": Node(say="See you on {day}.", end="completed"),
    },
)
ASKED, NUDGE = "Which day suits you?", "Are you still there?"


async def an_opened(world: World, spec: FlowSpec = NUDGER, **changes: Any) -> str:
    """A conversation whose opening has left, and whose agent has set its clock."""
    await world.saves(spec)
    an_id = await world.starts(**({"text": None} | changes))
    await world.takes_turns()
    await world.sends()
    return an_id


async def passes(world: World, **length: float) -> None:
    """Time passes; timers fire, turns are taken, and what may leave leaves."""
    world.clock.passes(**length)
    await world.timers.look()
    await world.takes_turns()
    await world.sends(2)


async def told(world: World, kind: str) -> list[str]:
    return [json.loads(data)["reason"] for data, _ in await world.events(f"follow_up.{kind}")]


async def pending(world: World, an_id: str) -> Pending | None:
    return await world.store.read(lambda tx: follow_ups.find(tx, WORKSPACE, an_id))


async def test_an_agent_speaks_up_where_nobody_has_answered(world: World) -> None:
    an_id = await an_opened(world)
    await passes(world, hours=1, minutes=59)
    assert world.twilio.said == [ASKED]
    await passes(world, minutes=1)
    assert world.twilio.said == [ASKED, NUDGE]
    taken = await world.store.read(lambda tx: turns.list_of_conversation(tx, WORKSPACE, an_id))
    assert [(turn.trigger, turn.outcome) for turn in taken] == [("opening", "silent"), ("follow_up", "replied")]
    await world.hears("Monday")
    await world.takes_turns()
    await world.sends()
    assert world.twilio.said[-1] == "See you on Monday."


async def test_to_somebody_silent_it_speaks_up_twice_and_no_more(world: World) -> None:
    an_id = await an_opened(world)
    for _ in range(6):
        await passes(world, hours=2, minutes=1)
    assert world.twilio.said == [ASKED, NUDGE, NUDGE]
    assert await told(world, "dropped") == ["too_many_follow_ups"]
    assert await pending(world, an_id) is None


async def test_an_agent_says_how_often_it_may(world: World) -> None:
    await an_opened(world, msgspec.structs.replace(NUDGER, max_follow_ups=1))
    for _ in range(3):
        await passes(world, hours=3)
    assert world.twilio.said == [ASKED, NUDGE]


async def test_once_the_contact_has_written_it_counts_anew(world: World) -> None:
    an_id = await an_opened(world)
    for _ in range(3):
        await passes(world, hours=2, minutes=1)
    assert await told(world, "dropped") == ["too_many_follow_ups"]
    await world.hears("👍")  # answers nothing, so it is asked again
    await passes(world)
    said = len(world.twilio.said)
    kept = await pending(world, an_id)
    assert kept is not None
    assert kept.in_a_row == 0
    await passes(world, hours=2, minutes=1)
    assert world.twilio.said[said:] == [NUDGE]


@pytest.mark.parametrize("moment", ["before it fires", "before it is claimed"])
async def test_what_is_written_meanwhile_is_answered_instead(world: World, moment: str) -> None:
    await an_opened(world)
    world.clock.passes(hours=2)
    if moment == "before it fires":
        await world.hears("Monday")
        await world.timers.look()
    else:
        await world.timers.look()
        await world.hears("Monday")
    await world.takes_turns()
    await world.sends(3)
    assert world.twilio.said == [ASKED, "See you on Monday."]


@pytest.mark.parametrize("moment", ["before it fires", "before it is claimed"])
@pytest.mark.parametrize("what", ["taken over", "taken and given back", "ended", "STOP"])
async def test_no_follow_up_outlives_what_came_between(world: World, moment: str, what: str) -> None:
    an_id = await an_opened(world)
    world.clock.passes(hours=2)
    if moment == "before it is claimed":
        await world.timers.look()
    match what:
        case "taken over":
            await takes(world, an_id)
        case "taken and given back":
            await takes(world, an_id)
            await gives_back(world, an_id)
        case "ended":
            await ends(world, an_id)
        case _:
            await world.hears("STOP")
    await passes(world, hours=3)
    assert NUDGE not in world.twilio.said
    if moment == "before it fires" and what != "STOP":
        assert await told(world, "dropped") == ["stale"]


async def test_a_timer_that_fires_twice_speaks_once(world: World) -> None:
    await an_opened(world)
    world.clock.passes(hours=2)
    await world.timers.look()
    await world.change(
        "INSERT INTO timer (due_at, conversation_id, kind, shard, workspace_id, epoch, after_seq)"
        " SELECT 1, id, 'follow_up', shard, workspace_id, epoch, last_seq FROM conversation"
    )
    await world.timers.look()
    await world.takes_turns()
    await world.timers.look()
    await world.takes_turns()
    await world.sends(3)
    assert world.twilio.said == [ASKED, NUDGE]


async def test_quiet_hours_put_it_off_and_it_is_told(world: World) -> None:
    await world.rules(Rules(quiet_hours=QuietHours(start="13:00", end="09:00", stricter_states=False)))
    an_id = await an_opened(world, to_number="+447700900123")
    assert world.twilio.said == [ASKED]
    await passes(world, hours=2)
    assert world.twilio.said == [ASKED]
    assert await told(world, "deferred") == ["quiet_hours"]
    kept = await pending(world, an_id)
    assert kept is not None
    assert kept.waits == "quiet_hours"
    shown = await world.store.read(lambda tx: people.find(tx, WORKSPACE, an_id))
    assert shown is not None
    assert (shown.follow_up_at, shown.follow_up_waits) == (kept.next_at, "quiet_hours")
    await passes(world, hours=18, minutes=59)
    assert world.twilio.said == [ASKED]
    await passes(world, minutes=2)
    assert world.twilio.said == [ASKED, NUDGE]


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (Rules(countries=["DE"]), "country_not_allowed"),
        (Rules(caps=[Cap(at_most=0, within_seconds=86_400)]), "cap_reached"),
        (Rules(require_consent=RequireConsent.ENFORCE), "consent_missing"),
    ],
)
async def test_what_the_rules_refuse_an_opening_they_refuse_a_follow_up(
    world: World, rules: Rules, reason: str
) -> None:
    await an_opened(world)
    await world.rules(rules)
    await passes(world, hours=2)
    assert world.twilio.said == [ASKED]
    assert await told(world, "dropped") == [reason]


async def test_a_follow_up_counts_under_caps(world: World) -> None:
    await world.rules(Rules(caps=[Cap(at_most=2, within_seconds=86_400)]))
    await an_opened(world)
    for _ in range(3):
        await passes(world, hours=2, minutes=1)
    assert world.twilio.said == [ASKED, NUDGE]
    assert await told(world, "dropped") == ["cap_reached"]


FALLBACK = TemplateUse(content_sid="HX" + "3" * 32, variables={})


async def a_silent_whatsapp(world: World, spec: FlowSpec) -> str:
    await world.is_heard_before(WHATSAPP)
    an_id = await an_opened(world, spec, channel=WHATSAPP)
    assert world.twilio.said == [ASKED]
    await world.change("UPDATE thread SET last_inbound_at = NULL")
    return an_id


async def test_past_the_window_without_a_template_it_is_dropped(world: World) -> None:
    an_id = await a_silent_whatsapp(world, NUDGER)
    await passes(world, hours=2)
    assert await told(world, "dropped") == ["window_closed"]
    assert len(await world.lines(an_id)) == 1


async def test_past_the_window_the_fallback_template_goes_in_its_place_once(world: World) -> None:
    an_id = await a_silent_whatsapp(world, msgspec.structs.replace(NUDGER, fallback_template=FALLBACK))
    given = {"content_sid": FALLBACK.content_sid, "account_sid": ACCOUNT, "name": "again", "language": "en"}
    text = [{"type": "twilio/text", "text": "We have a question for you."}]
    approved = {"approval": Approval.APPROVED, "category": Category.UTILITY, "contents": text}
    known = msgspec.convert({**given, **approved}, Known)
    await world.store.write(lambda tx: templates.save(tx, WORKSPACE, [known], world.clock.now()))
    await passes(world, hours=2)
    assert world.twilio.posts[-1].get("ContentSid") == FALLBACK.content_sid
    await passes(world, hours=2, minutes=1)  # the same template twice says nothing new
    assert await told(world, "dropped") == ["window_closed"]
    assert len(await world.lines(an_id)) == 2


async def test_a_wait_goes_on_by_itself_or_with_the_contact(world: World) -> None:
    nodes = {
        "start": Node(say="I am looking it up.", wait=Wait(length="1h"), goto="asks"),
        "asks": Node(say="Shall I book it?", ask=Ask(slot="yes", type="yes_no"), goto="done"),
        "done": Node(say="Done.", end="completed"),
    }
    waiter = FlowSpec(name="Waiter", nodes=nodes)
    await an_opened(world, waiter)
    await passes(world, hours=1)
    assert world.twilio.said == ["I am looking it up.", "Shall I book it?"]
    await an_opened(world, waiter)
    await world.hears("And?")
    await passes(world)
    await passes(world, hours=3)
    assert world.twilio.said[2:] == ["I am looking it up.", "Shall I book it?"]


async def test_a_follow_up_keeps_the_conversation_in_the_agents_hands(world: World) -> None:
    an_id = await an_opened(world)
    await passes(world, hours=2)
    assert (await world.conversation(an_id)).mode is Mode.BOT
