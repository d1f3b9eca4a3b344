"""The rules of sending in combination: caps, quiet hours, people and ends that meet in one conversation."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from overture.actions.openings import Answer, Started
from overture.actions.write_message import Message, write_message
from overture.domain.agent import EndReason, OnActive, PromptSpec
from overture.domain.errors import Limited
from overture.domain.rules import Cap, Measure, QuietHours, RequireConsent, Rules
from tests.people import ends, gives_back, takes
from tests.pricing import has_prices
from tests.takings import taken, takings
from tests.world import BOB, BOOKER, WORKSPACE, ScriptedModel, World, a_world

DAY = 86_400
BERLIN = "+4930123456"
NIGHT = Rules(quiet_hours=QuietHours(start="20:00", end="09:00"))
EVENING = datetime(2026, 3, 3, 21, 0, tzinfo=UTC)  # 22:00 in Berlin
MORNING = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)
WRITER = PromptSpec(name="Writer", instructions="Write.", greeting_mode="dynamic")


async def caps_are(world: World, *given: Cap) -> None:
    await world.rules(Rules(caps=list(given)))


def cap(at_most: int, count: Measure = Measure.MESSAGES) -> Cap:
    return Cap(at_most=at_most, within_seconds=DAY, count=count)


def is_refused(answer: Answer) -> bool:
    return isinstance(answer, Limited) and answer.code == "cap_reached"


async def test_what_an_agent_composes_to_open_with_counts_into_segments_and_money(database_url: str) -> None:
    async with a_world(database_url, model=ScriptedModel("Good day!")) as world:
        await has_prices(world)
        await caps_are(world, cap(2, Measure.SEGMENTS), cap(8_300, Measure.MONEY))
        await world.saves(WRITER, "writer")
        await world.starts(agent_id="writer", text=None)
        await world.takes_turns()
        await world.sends()
        assert len(world.twilio.taken) == 1
        took = sorted(await takings(world))
        assert [(name.split()[0], amount) for name, amount in took] == [("money", 8_300), ("segments", 1)]
        assert is_refused(await world.answers(to_number=BOB))


@pytest.mark.parametrize("how", ["ended", "STOP", "superseded"])
async def test_what_an_agent_was_to_compose_is_given_back_where_its_conversation_ends_before(
    world: World, how: str
) -> None:
    await caps_are(world, cap(2))
    await world.saves(WRITER, "writer")
    an_id = await world.starts(agent_id="writer", text=None)
    match how:
        case "ended":
            await ends(world, an_id)
        case "STOP":
            await world.hears("STOP")
        case _:
            await world.starts(text="anew")
            await world.sends()
    held = 1 if how == "superseded" else 0
    assert await taken(world) == held


async def test_what_an_agent_composed_is_given_back_where_it_never_left(database_url: str) -> None:
    async with a_world(database_url, model=ScriptedModel("Good day!")) as world:
        await caps_are(world, cap(1))
        await world.saves(WRITER, "writer")
        await world.starts(agent_id="writer", text=None)
        await world.takes_turns()
        assert is_refused(await world.answers(to_number=BOB))
        world.clock.passes(hours=5)  # it expires
        await world.sends()
        assert not world.twilio.posts
        await world.starts(to_number=BOB)


async def test_what_people_write_has_its_cost_and_counts_as_replies_do(world: World) -> None:
    await has_prices(world)
    await caps_are(world, cap(20_000, Measure.MONEY))
    an_id = await world.starts()
    await world.sends()
    asked = Message(
        workspace_id=WORKSPACE, conversation_id=an_id, by="Eve", digest="d", text="x" * 300, takes_over=True
    )
    await world.store.write(lambda tx: write_message(tx, asked, world.clock.now(), world.ids))
    await world.sends()
    assert len(world.twilio.taken) == 2
    *_, line = await world.lines(an_id)
    assert (line.segments, None if line.cost is None else line.cost.micros) == (2, 16_600)
    assert is_refused(await world.answers(to_number=BOB))


@pytest.mark.promise("P14")
async def test_an_opening_that_was_taken_back_and_is_said_again_keeps_quiet_hours(world: World) -> None:
    await world.rules(NIGHT)
    world.clock.at = EVENING
    an_id = await world.starts(to_number=BERLIN, text=None)
    await takes(world, an_id)
    world.clock.passes(minutes=1)
    await gives_back(world, an_id)
    await world.sends()
    assert not world.twilio.posts
    world.clock.at = MORNING
    await world.sends()
    assert world.twilio.said == ["Hello! Which day suits you?"]


async def test_what_joins_takes_nothing_from_what_is_known_of_the_recipients_time(world: World) -> None:
    await world.saves(msgspec.structs.replace(BOOKER, on_active=OnActive.JOIN))
    await world.rules(NIGHT)
    world.clock.at = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)  # four in Los Angeles
    answer = await world.answers(to_number=BERLIN, time_zone="America/Los_Angeles", life=timedelta(days=3))
    assert isinstance(answer, Started)
    assert answer.scheduled_for == datetime(2026, 3, 3, 17, 0, tzinfo=UTC)
    await world.answers(to_number=BERLIN, text="One more thing", life=timedelta(days=3))
    await world.change("UPDATE outbox SET due_at = created_at")  # as if they had been due
    await world.sends(2)
    assert not world.twilio.posts


async def test_an_opening_that_the_end_of_its_conversation_passes_does_not_leave_after_it(world: World) -> None:
    await world.rules(NIGHT)
    world.clock.at = EVENING
    an_id = await world.starts(to_number=BERLIN, text="Good morning!")
    for text in ("Monday", "at noon"):
        await world.hears(text, by=BERLIN)
        await world.takes_turns()
        await world.sends()
    assert (await world.conversation(an_id)).end_reason is EndReason.COMPLETED
    assert len(world.twilio.taken) == 2
    world.clock.at = MORNING
    await world.sends()
    assert "Good morning!" not in world.twilio.said
    assert (await world.lines(an_id))[0].reason == "cancelled"


async def test_what_joins_without_consent_is_told_as_what_opens_is(world: World) -> None:
    await world.saves(msgspec.structs.replace(BOOKER, on_active=OnActive.JOIN))
    await world.rules(Rules(require_consent=RequireConsent.WARN))
    an_id = await world.starts()
    [[started, _]] = await world.events("conversation.started")
    assert json.loads(started)["warnings"] == ["consent_missing"]
    assert not await world.events("consent.missing")
    joined = await world.answers(text="One more thing")
    assert joined == Started(conversation_id=an_id, warnings=("consent_missing",))
    assert [row[1] for row in await world.events("consent.missing")] == [an_id]


@pytest.mark.parametrize(
    ("lengths", "fit"),
    [
        ((1, 1, 2, 1, 2, 2, 1), (1, 1, 1, 1, 1, 0, 0)),
        ((2, 2, 2, 2, 1, 1), (1, 1, 1, 0, 1, 0)),
        ((1,) * 9, (1,) * 7 + (0, 0)),
        ((2, 1, 2, 1, 2, 1), (1, 1, 1, 1, 0, 1)),
    ],
)
async def test_openings_of_one_batch_are_counted_by_their_lengths_in_any_order(
    world: World, lengths: tuple[int, ...], fit: tuple[int, ...]
) -> None:
    await caps_are(world, cap(7, Measure.SEGMENTS))
    texts = ["Hello" if length == 1 else "x" * 200 for length in lengths]
    answers = await world.starts_all(
        *(world.asks(to_number=f"+1555010010{n}", text=text) for n, text in enumerate(texts))
    )
    assert [isinstance(answer, Started) for answer in answers] == [bool(one) for one in fit]
    left = sum(length for length, one in zip(lengths, fit, strict=True) if one)
    assert await taken(world) == left
    assert [sum(n for _, n in json.loads(told)) for (told,) in await world.rows("SELECT buckets FROM cap")] == [left]
