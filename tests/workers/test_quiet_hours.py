"""Nothing that nobody waits for leaves in quiet hours: not at the accept, not at the claim, whatever the clock does."""

from datetime import UTC, datetime, timedelta

import pytest

from overture.actions.openings import Started
from overture.domain.agent import OnActive, PromptSpec
from overture.domain.delivery import DeliveryStatus
from overture.domain.errors import NotAllowed
from overture.domain.quiet_hours import next_allowed
from overture.domain.rules import Applying, Days, QuietHours, Rules
from overture.store import quiet_hours
from overture.store.engine import instant, stored
from tests.world import BOOKER, WORKSPACE, ScriptedModel, World, a_world

BERLIN, LONDON, NEW_YORK, DALLAS, PACIFIC = (
    "+4930123456",
    "+442079460958",
    "+12125550100",
    "+12145550100",
    "+14155550100",
)
NIGHT = Rules(quiet_hours=QuietHours(start="20:00", end="09:00"))
EVENING = datetime(2026, 3, 3, 21, 0, tzinfo=UTC)  # 22:00 in Berlin
MORNING = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)
LAST_MINUTE = datetime(2026, 3, 3, 18, 59, 30, tzinfo=UTC)


async def waits(world: World) -> list[tuple[datetime, str | None]]:
    """When each message of the outbox is due, and what it waits for."""
    rows = await world.rows("SELECT due_at, waits_because FROM outbox ORDER BY created_at, seq")
    return [(instant(row[0]), row[1]) for row in rows]


async def test_an_opening_at_night_is_taken_and_leaves_in_the_morning(world: World) -> None:
    await world.rules(NIGHT)
    world.clock.at = EVENING
    answer = await world.answers(to_number=BERLIN)
    assert isinstance(answer, Started)
    assert answer.scheduled_for == MORNING
    [line] = await world.lines(answer.conversation_id)
    assert line.expires_at == MORNING + timedelta(hours=4)
    for when in (EVENING, EVENING + timedelta(hours=5), MORNING - timedelta(seconds=1)):
        world.clock.at = when
        await world.sends()
        assert await waits(world) == [(MORNING, "quiet_hours")]
    assert not world.twilio.posts
    world.clock.at = MORNING
    await world.sends()
    assert world.twilio.said == ["Hello Ada"]
    assert world.twilio.posts[0]["ValidityPeriod"] == str(4 * 3600)


async def test_by_day_nothing_waits_and_nothing_more_is_written(world: World) -> None:
    await world.rules(NIGHT)
    answer = await world.answers(to_number=BERLIN)
    assert isinstance(answer, Started)
    assert answer.scheduled_for is None
    await world.sends()
    assert len(world.twilio.taken) == 1
    assert await world.column("SELECT opening_due_at FROM conversation") == [None]


async def test_the_callers_time_zone_goes_before_the_numbers(world: World) -> None:
    await world.rules(NIGHT)
    world.clock.at = EVENING
    by_day = await world.answers(to_number=BERLIN, time_zone="America/Los_Angeles")
    assert isinstance(by_day, Started)
    assert by_day.scheduled_for is None
    await world.sends()
    assert len(world.twilio.taken) == 1
    world.clock.at = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)  # noon in Berlin, four in Los Angeles
    await world.starts(to_number=LONDON, time_zone="America/Los_Angeles", life=timedelta(days=1))
    await world.change("UPDATE outbox SET due_at = created_at")  # as if it had been due
    await world.sends()
    assert len(world.twilio.taken) == 1  # the claim knows it too
    assert [because for _, because in await waits(world)] == ["quiet_hours"]


async def test_what_would_be_late_is_refused_and_writes_nothing(world: World) -> None:
    await world.rules(NIGHT)
    world.clock.at = EVENING
    before = await world.counts()
    refused = await world.answers(to_number=BERLIN, life=timedelta(hours=11))
    assert isinstance(refused, NotAllowed)
    assert refused.code == "quiet_hours"
    assert await world.counts() == before
    taken = await world.answers(to_number=BERLIN, life=timedelta(hours=12))
    assert isinstance(taken, Started)
    [line] = await world.lines(taken.conversation_id)
    assert line.expires_at == EVENING + timedelta(hours=12)


async def test_what_is_overtaken_by_the_night_waits_where_it_has_the_time(world: World) -> None:
    await world.rules(NIGHT)
    world.clock.at = LAST_MINUTE
    an_id = await world.starts(to_number=BERLIN, life=timedelta(days=1), text="x" * 2000)
    late = await world.starts(to_number=BERLIN.replace("6", "7"))
    world.clock.passes(minutes=1)
    await world.sends(3)
    assert not world.twilio.posts
    assert await waits(world) == [(MORNING, "quiet_hours")] * 2  # both parts
    [line] = await world.lines(late)
    assert (line.status, line.reason) == (DeliveryStatus.FAILED, "expires_in_quiet_hours")
    [refused] = await world.events("message.refused")
    assert refused[1] == late
    world.clock.at = MORNING
    await world.sends(2)
    assert len(world.twilio.taken) == 2
    assert all(line.status is DeliveryStatus.QUEUED for line in await world.lines(an_id))


async def test_rules_that_come_after_the_accept_hold_at_the_claim(world: World) -> None:
    world.clock.at = EVENING
    await world.starts(to_number=BERLIN, life=timedelta(days=1))
    await world.rules(NIGHT)
    await world.sends()
    assert await waits(world) == [(MORNING, "quiet_hours")]


async def test_a_reply_is_never_held_and_passes_what_is(world: World) -> None:
    await world.rules(NIGHT)
    world.clock.at = EVENING
    await world.starts(to_number=BERLIN, text="Good morning!")
    await world.hears("anybody there?", by=BERLIN)
    await world.takes_turns()
    await world.sends(2)
    assert len(world.twilio.taken) == 1
    assert world.twilio.said != ["Good morning!"]
    world.clock.at = MORNING
    await world.sends()
    assert world.twilio.said[-1] == "Good morning!"


async def test_a_text_that_joins_by_night_waits_and_the_talk_goes_on(world: World) -> None:
    joining = type(BOOKER)(name="Booker", nodes=BOOKER.nodes, on_active=OnActive.JOIN)
    await world.saves(joining)
    await world.rules(NIGHT)
    an_id = await world.starts(to_number=BERLIN)
    await world.sends()
    world.clock.at = EVENING
    answer = await world.answers(to_number=BERLIN, text="One more thing")
    assert answer == Started(conversation_id=an_id, scheduled_for=MORNING)
    await world.hears("yes?", by=BERLIN)
    await world.takes_turns()
    await world.sends(2)
    assert len(world.twilio.taken) == 2
    assert "One more thing" not in world.twilio.said


async def test_an_opening_that_the_agent_composes_waits_too(database_url: str) -> None:
    async with a_world(database_url, model=ScriptedModel("Good morning, dear.")) as world:
        await world.saves(PromptSpec(name="P", instructions="Help.", greeting_mode="dynamic", rules=NIGHT))
        world.clock.at = EVENING
        answer = await world.answers(to_number=BERLIN, text=None)
        assert isinstance(answer, Started)
        assert answer.scheduled_for == MORNING
        await world.takes_turns()
        assert not await world.lines(answer.conversation_id)
        world.clock.at = MORNING
        await world.takes_turns()
        assert await world.texts(answer.conversation_id) == ["Good morning, dear."]
        world.clock.at = datetime(2026, 3, 4, 19, 30, tzinfo=UTC)  # and nobody sent it before the next night
        await world.change("UPDATE outbox SET expires_at = $1", stored(MORNING + timedelta(days=2)))
        await world.sends()
        assert not world.twilio.posts
        world.clock.at = MORNING + timedelta(days=1)
        await world.sends()
        assert world.twilio.said == ["Good morning, dear."]


async def test_no_conversation_ends_for_inactivity_before_its_opening_left(world: World) -> None:
    impatient = type(BOOKER)(name="Booker", nodes=BOOKER.nodes, inactivity_seconds=3600)
    await world.saves(impatient)
    await world.rules(NIGHT)
    world.clock.at = LAST_MINUTE
    await world.starts(to_number=BERLIN, life=timedelta(days=1))
    world.clock.passes(minutes=1)
    await world.sends()
    world.clock.passes(hours=3)
    await world.timers.look()
    assert len(await world.live()) == 1
    world.clock.at = MORNING
    await world.sends()
    assert len(world.twilio.taken) == 1
    world.clock.passes(hours=2)
    await world.timers.look()
    assert not await world.live()


@pytest.mark.promise("P14")
async def test_a_deferral_survives_a_restart_and_a_clock_that_steps_back(database_url: str) -> None:
    async with a_world(database_url) as world:
        await world.rules(NIGHT)
        world.clock.at = EVENING
        an_id = await world.starts(to_number=BERLIN)
    async with a_world(database_url, furnish=False) as world:
        kept = await world.store.read(lambda tx: quiet_hours.find_openings(tx, [(WORKSPACE, an_id)]))
        assert kept[WORKSPACE, an_id].due_at == MORNING
        world.clock.at = MORNING - timedelta(hours=1)
        await world.sends()
        await world.change("UPDATE outbox SET due_at = $1", stored(MORNING - timedelta(hours=2)))
        await world.sends()  # it was due, and the clock was set back into the night
        assert not world.twilio.posts
        assert await waits(world) == [(MORNING, "quiet_hours")]
        world.clock.at = MORNING
        await world.sends()
        assert world.twilio.said == ["Hello Ada"]


@pytest.mark.promise("P14")
async def test_no_jump_of_the_clock_sends_into_quiet_hours(world: World) -> None:
    hours = QuietHours(days=Days(sun="all_day"))
    await world.rules(Rules(quiet_hours=hours))
    applying = Applying(workspace=Rules(quiet_hours=hours))
    people = [f"{number[:-2]}{n:02}" for n in range(3) for number in (BERLIN, LONDON, NEW_YORK, DALLAS, PACIFIC)]
    world.clock.at = datetime(2026, 3, 6, 23, 30, tzinfo=UTC)  # a Friday; on Sunday clocks are set in New York
    asked = [world.asks(to_number=number, life=timedelta(days=6)) for number in people]
    assert all(isinstance(answer, Started) for answer in await world.starts_all(*asked))
    seen = 0
    for minutes in (0, 45, -90, 600, -600, 1440, -1440, 780, 33, 360, -59, 1440, 700, 1440, 60, 60, 60, 60, 60, 60):
        world.clock.passes(minutes=minutes)
        await world.change("UPDATE outbox SET due_at = $1 WHERE due_at > $1", stored(world.clock.at))  # all at once
        await world.sends()
        for message in world.twilio.posts[seen:]:
            assert next_allowed(applying, message["To"], world.clock.at) == world.clock.at
        seen = len(world.twilio.posts)
    assert sorted(message["To"] for message in world.twilio.posts) == sorted(people)  # each of them once
