"""Caps: what counts into them, what is given back, when it frees, and who is told."""

import json
from typing import Any

import msgspec
import pytest

from overture.actions.drop_message import drop_message
from overture.actions.openings import Answer, Started
from overture.actions.start_conversation import dry_run
from overture.domain.agent import PromptSpec
from overture.domain.errors import Limited, NotAllowed, Refusal
from overture.domain.rules import Cap, Measure, Per, Rules
from overture.store import caps as counted
from overture.store import rules
from tests.scripted_twilio import Refuse, Then
from tests.takings import taken
from tests.world import BOB, BOOKER, SMS, WORKSPACE, World, add_sender

DAY, HOUR = 86_400, 3600
CARL = "+15550100003"
LONG = "x" * 200  # two segments


def cap(at_most: int, within: int = DAY, **given: Any) -> Cap:
    return Cap(at_most=at_most, within_seconds=within, **given)


async def caps_are(world: World, *given: Cap) -> None:
    await world.rules(Rules(caps=list(given)))


def refused(answer: Answer) -> Limited:
    assert isinstance(answer, Limited), answer
    assert answer.code == "cap_reached"
    return answer


async def used(world: World) -> int:
    """What messages take by their reservations: what is in flight or was taken."""
    return await taken(world)


async def counts(world: World) -> dict[str, int]:
    return {table: n for table, n in (await world.counts()).items() if n}


async def test_what_goes_over_a_cap_is_refused_until_enough_has_fallen_out_of_its_window(world: World) -> None:
    await caps_are(world, cap(2))
    await world.starts()
    world.clock.passes(hours=3)
    await world.starts(to_number=BOB)
    before = await counts(world)
    told = refused(await world.answers(to_number=CARL))
    assert (str(told), await counts(world)) == (
        "The workspace's cap of 2 messages in 1 day is reached: 2 of 2 messages is used.",
        before,
    )
    assert 20 * HOUR < told.retry_after_seconds <= 22 * HOUR + 1
    world.clock.passes(seconds=told.retry_after_seconds - 1)
    refused(await world.answers(to_number=CARL))
    world.clock.passes(seconds=1)
    await world.starts(to_number=CARL)
    refused(await world.answers(to_number="+15550100004"))


async def test_a_batch_is_counted_call_by_call(world: World) -> None:
    await caps_are(world, cap(3))
    answers = await world.starts_all(*(world.asks(to_number=f"+1555010010{n}") for n in range(5)))
    assert [isinstance(answer, Started) for answer in answers] == [True, True, True, False, False]
    answers = await world.starts_all(*(world.asks(to_number=f"+1555010020{n}") for n in range(3)))
    assert not any(isinstance(answer, Started) for answer in answers)
    assert await used(world) == 3


async def test_calls_of_one_batch_share_a_cap_whoever_their_agents_and_senders_are(world: World) -> None:
    other = "+15550107777"
    await add_sender(world, SMS, other)
    await world.saves(BOOKER, "free")
    await caps_are(world, cap(2), cap(3))
    asked = [
        world.asks(),
        world.asks(to_number=BOB, agent_id="free"),
        world.asks(to_number=CARL, from_number=other),
    ]
    answers = await world.starts_all(*asked)
    assert [type(answer) for answer in answers] == [Started, Started, Limited]
    assert [json.loads(buckets)[0][1] for (buckets,) in await world.rows("SELECT buckets FROM cap")] == [2]
    told = await world.rows("SELECT kind, data FROM event WHERE kind LIKE 'cap.%' ORDER BY id")
    assert sorted((kind, json.loads(data)["at_most"]) for kind, data in told) == [("cap.reached", 2)]
    refused(await world.answers(to_number=CARL))


async def test_what_is_refused_for_another_reason_counts_nothing(world: World) -> None:
    await caps_are(world, cap(1))
    await world.hears("STOP")
    answers = await world.starts_all(world.asks(), world.asks(to_number=BOB), world.asks(to_number=BOB))
    assert isinstance(answers[0], NotAllowed)
    assert [getattr(answer, "replayed", None) for answer in answers[1:]] == [False, True]  # a repeat is one opening


@pytest.mark.parametrize("count", list(Measure))
async def test_a_cap_of_zero_refuses_everything(world: World, count: Measure) -> None:
    await caps_are(world, cap(0, count=count))
    assert refused(await world.answers()).retry_after_seconds == DAY
    assert await counts(world) == {}


async def test_a_cap_per_contact_counts_each_apart_by_any_of_its_numbers(world: World) -> None:
    await caps_are(world, cap(1, per=Per.CONTACT))
    await world.starts(to_number="+5511987654321")
    refused(await world.answers(to_number="+551187654321", text="again"))  # the same person's number as it was before
    await world.starts(to_number=BOB)


async def test_a_cap_on_recipients_counts_people_once_and_from_when_they_were_last_written_to(world: World) -> None:
    await caps_are(world, cap(2, HOUR, count=Measure.RECIPIENTS))
    await world.starts()
    world.clock.passes(minutes=50)
    await world.starts(text="once more")
    await world.starts(to_number=BOB)
    refused(await world.answers(to_number=CARL))
    world.clock.passes(minutes=20)  # her first message is over, not her second
    refused(await world.answers(to_number=CARL))
    await world.starts(text="a third")
    world.clock.passes(minutes=45)
    await world.starts(to_number=CARL)
    refused(await world.answers(to_number="+15550100004"))


async def test_a_cap_on_segments_counts_what_a_text_takes_and_then_what_the_provider_says(world: World) -> None:
    await caps_are(world, cap(3, count=Measure.SEGMENTS))
    await world.starts(text=LONG)
    refused(await world.answers(to_number=BOB, text=LONG))
    await world.sends()  # the provider says that it was one segment
    await world.starts(to_number=BOB, text=LONG)
    refused(await world.answers(to_number=CARL))
    assert await used(world) == 3


async def test_a_text_in_parts_is_so_many_messages(world: World) -> None:
    await caps_are(world, cap(2))
    refused(await world.answers(text="word " * 700))
    await world.starts(text="word " * 500)
    assert await used(world) == 2


async def test_agents_and_senders_have_caps_of_their_own(world: World) -> None:
    await world.saves(msgspec.structs.replace(BOOKER, rules=Rules(caps=[cap(1)])))
    await world.saves(BOOKER, "other")
    await world.starts()
    assert str(refused(await world.answers(to_number=BOB))).startswith("The agent's cap of 1 message in 1 day")
    await world.starts(to_number=BOB, agent_id="other")
    sender = await world.value("SELECT id FROM sender WHERE channel = $1", SMS.value)
    await world.store.write(lambda tx: rules.set_of_sender(tx, WORKSPACE, sender, Rules(caps=[cap(1)])))
    await world.starts(to_number=CARL, agent_id="other")
    told = refused(await world.answers(to_number="+15550100004", agent_id="other"))
    assert str(told).startswith("The sender's cap of 1 message in 1 day")
    await add_sender(world, SMS, "+15551230002")
    await world.starts(to_number="+15550100004", agent_id="other", from_number="+15551230002")


async def test_a_raised_cap_goes_on_from_where_it_stood_and_the_smaller_of_two_binds(world: World) -> None:
    await caps_are(world, cap(1))
    await world.starts()
    await caps_are(world, cap(5), cap(2))
    await world.starts(to_number=BOB)
    assert "cap of 2 messages" in str(refused(await world.answers(to_number=CARL)))


async def test_another_workspace_has_its_own(world: World) -> None:
    await caps_are(world, cap(1))
    await world.starts()
    refused(await world.answers(to_number=BOB))
    await world.change("INSERT INTO workspace (id, name, created_at) VALUES ('other', 'other', 0)")
    await world.change("UPDATE sender SET workspace_id = 'other' WHERE channel = 'whatsapp'")
    await world.change("UPDATE sender SET channel = 'sms', address = '+15551239999' WHERE workspace_id = 'other'")
    await world.change("UPDATE agent SET workspace_id = 'other'")
    await world.change("UPDATE agent_version SET workspace_id = 'other'")
    await world.starts(workspace_id="other", from_number="+15551239999")


async def supersede(world: World) -> None:
    await world.starts(text="instead", agent_id="free")


async def opt_out(world: World) -> None:
    await world.hears("STOP")
    await world.sends()


async def expire(world: World) -> None:
    world.clock.passes(hours=5)
    await world.sends()


async def fail(world: World) -> None:
    world.twilio.script.append(Refuse(status=400, code=21211))
    await world.sends()


async def wait_too_long(world: World) -> None:
    for _ in range(60):
        world.twilio.script.append(Refuse(status=429, code=20429))
        world.clock.passes(minutes=10)
        await world.sends()


async def leave(world: World) -> None:
    await world.sends()


async def doubt(world: World) -> None:
    world.twilio.script.append(Then.TAKE_AND_RESET)
    await world.sends()


async def taken_and_failed(world: World) -> None:
    await world.sends()
    await world.is_told(world.twilio.taken[0], "failed", code=30003)


@pytest.mark.parametrize(
    ("ends", "left"),
    [
        (supersede, 0),
        (opt_out, 0),
        (expire, 0),
        (fail, 0),
        (wait_too_long, 0),
        (leave, 1),
        (doubt, 1),
        (taken_and_failed, 1),
    ],
)
@pytest.mark.promise("P24")
async def test_what_never_left_is_given_back_and_what_may_have_left_is_not(world: World, ends: Any, left: int) -> None:
    await world.saves(BOOKER, "free")
    await world.saves(msgspec.structs.replace(BOOKER, rules=Rules(caps=[cap(1)])))
    await world.starts()
    refused(await world.answers(to_number=BOB))
    await ends(world)
    assert await used(world) == left
    if left:
        refused(await world.answers(to_number=BOB))
    else:
        await world.starts(to_number=BOB)
        refused(await world.answers(to_number=CARL))


@pytest.mark.parametrize("tried", [False, True])
async def test_what_a_person_drops_is_given_back_only_if_it_was_never_tried(world: World, *, tried: bool) -> None:
    await caps_are(world, cap(1))
    await world.starts()
    if tried:
        await doubt(world)
    await world.change("UPDATE outbox SET state = 'needs_review'")
    message_id = await world.value("SELECT message_id FROM outbox")
    await world.store.write(
        lambda tx: drop_message(
            tx,
            workspace_id=WORKSPACE,
            message_id=message_id,
            note=None,
            by="kid",
            now=world.clock.now(),
            ids=world.ids,
        )
    )
    assert await used(world) == int(tried)


async def test_given_back_is_a_recipient_of_whom_nothing_left(world: World) -> None:
    await caps_are(world, cap(1, count=Measure.RECIPIENTS))
    await world.starts()
    await fail(world)
    await world.starts(to_number=BOB)
    refused(await world.answers(text="again"))


async def test_replies_count_into_segments_and_are_never_refused(world: World) -> None:
    await caps_are(world, cap(2, count=Measure.SEGMENTS), cap(9))
    await world.starts()
    await world.sends()
    await world.hears("Monday")
    await world.takes_turns()
    await world.hears("at noon")
    await world.takes_turns()
    await world.sends(3)
    assert len(world.twilio.taken) == 3
    told = refused(await world.answers(to_number=BOB))
    assert "3 of 2 segments" in str(told)
    refused(await world.answers(to_number=BOB))  # what the first refusal took in is kept
    await caps_are(world, cap(4, count=Measure.SEGMENTS), cap(3))
    await world.starts(to_number=BOB)
    refused(await world.answers(to_number=CARL))


async def test_of_an_agents_cap_on_segments_its_replies_count_as_well(world: World) -> None:
    await world.saves(msgspec.structs.replace(BOOKER, rules=Rules(caps=[cap(2, count=Measure.SEGMENTS)])))
    await world.starts()
    await world.sends()
    await world.hears("Monday")
    await world.takes_turns()
    await world.sends()
    refused(await world.answers(to_number=BOB))


async def test_without_caps_nothing_is_reserved(world: World) -> None:
    await world.starts()
    await world.sends()
    await world.hears("Monday")
    await world.takes_turns()
    await world.sends()
    assert await used(world) == 0
    assert await world.value("SELECT count(*) FROM cap") == 0


async def test_it_is_told_once_a_window_that_a_cap_is_nearly_and_wholly_used_up(world: World) -> None:
    await caps_are(world, cap(5), cap(1, HOUR, per=Per.CONTACT))
    for n in range(6):
        await world.answers(to_number=f"+1555010010{n}")
        world.clock.passes(minutes=1)
    [near], [reached] = await world.events("cap.nearly_reached"), await world.events("cap.reached")
    assert [json.loads(row[0])["used"] for row in (near, reached)] == [4, 5]
    told = json.loads(reached[0])
    assert (told["scope"], told["count"], told["at_most"], told["within_seconds"]) == ("workspace", "messages", 5, DAY)
    assert not any("+1555" in str(row[0]) for row in (near, reached))
    world.clock.passes(days=2)
    for n in range(5):
        await world.starts(to_number=f"+1555010020{n}")
    assert len(await world.events("cap.reached")) == 2


async def test_a_clock_that_steps_back_over_a_windows_end_opens_nothing(world: World) -> None:
    await caps_are(world, cap(1, HOUR))
    await world.starts()
    world.clock.passes(hours=3)
    await world.starts(to_number=BOB)
    world.clock.passes(hours=-3)
    refused(await world.answers(to_number=CARL))
    world.clock.passes(hours=-1)
    refused(await world.answers(to_number=CARL))


async def test_what_no_cap_asks_for_any_more_is_forgotten(world: World) -> None:
    await caps_are(world, cap(9, HOUR), cap(9, HOUR, per=Per.CONTACT))
    for n in range(4):
        await world.starts(to_number=f"+1555010010{n}")
    world.clock.passes(days=3)
    for n in range(4):
        await world.starts(to_number=f"+1555010020{n}")
    gone = [await world.store.write(lambda tx: counted.forget(tx, world.clock.now(), 3)) for _ in range(3)]
    assert gone == [3, 1, 0]  # so that what is much to forget keeps nobody waiting
    assert await world.value("SELECT count(*) FROM taking") == 4  # a row for each of the last four
    assert await world.value("SELECT count(*) FROM cap") == 1


async def test_a_dry_run_says_what_a_cap_and_a_country_would(world: World) -> None:
    await caps_are(world, cap(1))

    async def tried(**given: Any) -> Any:
        return await world.store.read(lambda tx: dry_run(tx, world.asks(**given), world.clock.now()))

    assert not isinstance(await tried(), Refusal)
    assert await world.value("SELECT count(*) FROM cap") == 0
    await world.starts()
    assert (await tried(to_number=BOB)).code == "cap_reached"
    await world.rules(Rules(countries=["DE"]))
    assert (await tried(to_number=BOB)).code == "country_not_allowed"


async def test_a_country_that_is_not_allowed_is_refused_by_name(world: World) -> None:
    await world.rules(Rules(countries=["US", "DE"]))
    await world.starts()
    answer = await world.answers(to_number="+33612345678")
    assert isinstance(answer, NotAllowed)
    assert (answer.code, answer.field) == ("country_not_allowed", "to_number")
    assert str(answer) == "The number belongs to FR. The workspace allows only DE, US."


async def test_a_conversation_that_the_agent_opens_itself_counts_as_one_message(world: World) -> None:
    await caps_are(world, cap(1), cap(1, count=Measure.SEGMENTS))
    await world.saves(PromptSpec(name="Writer", instructions="Write.", greeting_mode="dynamic"), "writer")
    await world.starts(agent_id="writer", text=None)
    refused(await world.answers(to_number=BOB))
