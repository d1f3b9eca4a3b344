"""Messages of unknown fate: found out by callback or by the provider's list, never repeated blindly."""

from typing import Any

import pytest

from overture.domain.delivery import DeliveryStatus
from overture.domain.message import Template
from tests.scripted_twilio import Refuse, Then
from tests.workers.test_outbox import claim, state
from tests.world import ADA, OURS, World


async def an_uncertain_message(world: World, bad: Then = Then.TAKE_AND_RESET, **asked: Any) -> str:
    world.twilio.script.append(bad)
    an_id = await world.starts(**asked)
    await world.sends()
    assert [row[0] for row in await state(world)] == ["uncertain"]
    return an_id


@pytest.mark.promise("P2")
async def test_a_callback_that_names_message_and_attempt_settles_it(world: World) -> None:
    an_id = await an_uncertain_message(world)
    await world.is_told(world.twilio.taken[0], "sent")
    assert await state(world) == []
    [line] = await world.lines(an_id)
    assert (line.status, line.provider_sid) == (DeliveryStatus.SENT, world.twilio.taken[0]["sid"])
    assert await world.column("SELECT state FROM attempt") == ["accepted"]


async def test_a_callback_without_our_mark_settles_nothing(world: World) -> None:
    await an_uncertain_message(world)
    await world.keeps(world.reported(world.twilio.taken[0], "sent", anonymous=True))
    await world.handles()
    assert await state(world) == [("uncertain", 1, False)]


@pytest.mark.promise("P2")
async def test_the_list_settles_it(world: World) -> None:
    an_id = await an_uncertain_message(world)
    await world.settles()
    assert world.twilio.listings == 0  # a callback usually tells by then
    world.clock.passes(seconds=31)
    await world.settles()
    assert await state(world) == []
    [line] = await world.lines(an_id)
    assert line.provider_sid == world.twilio.taken[0]["sid"]
    assert not line.possible_duplicate
    await world.sends()
    assert len(world.twilio.posts) == 1


async def test_a_message_that_never_landed_is_sent_once_more_and_flagged(world: World) -> None:
    an_id = await an_uncertain_message(world, Then.RESET)
    for seconds in (31, 30, 30):
        world.clock.passes(seconds=seconds)
        await world.settles()
        assert [row[0] for row in await state(world)] == ["uncertain"]  # two looks, but not before the settle time
    world.clock.passes(seconds=30)
    await world.settles()
    assert await state(world) == [("queued", 1, True)]
    await world.sends()
    assert world.twilio.said == ["Hello Ada"]
    assert (await world.lines(an_id))[0].possible_duplicate
    assert await world.column("SELECT state FROM attempt ORDER BY number") == ["absent", "accepted"]


async def test_a_second_time_a_person_looks_at_it(world: World) -> None:
    an_id = await an_uncertain_message(world, Then.RESET)
    world.twilio.script.append(Then.RESET)
    for _ in range(6):
        world.clock.passes(seconds=31)
        await world.settles()
        await world.sends()
    for _ in range(6):
        world.clock.passes(seconds=31)
        await world.settles()
        await world.sends()
    assert await state(world) == [("needs_review", 2, True)]
    assert len(world.twilio.posts) == 2
    assert len(await world.events("message.needs_review")) == 1
    assert (await world.lines(an_id))[0].reason == "needs_review"
    await world.starts(text="The next one goes all the same.")
    await world.sends()
    assert world.twilio.said == ["The next one goes all the same."]


async def test_an_expired_one_is_not_sent_again(world: World) -> None:
    await an_uncertain_message(world, Then.RESET)
    world.clock.passes(hours=4)
    for _ in range(3):
        world.clock.passes(seconds=31)
        await world.settles()
        await world.sends()
    assert [row[0] for row in await state(world)] == ["needs_review"]
    assert len(world.twilio.posts) == 1


async def test_a_look_that_failed_proves_nothing(world: World) -> None:
    await an_uncertain_message(world, Then.RESET)
    account = dict(world.client._accounts)
    world.client._accounts = {}
    for _ in range(8):
        world.clock.passes(seconds=31)
        await world.settles()
    assert await state(world) == [("uncertain", 1, False)]
    world.client._accounts = account


async def test_a_message_that_belongs_to_an_attempt_is_not_matched_twice(world: World) -> None:
    """The same words went out a minute before: their SID is taken, so the second is not there."""
    await world.starts(text="Same words")
    await world.sends()
    world.clock.passes(seconds=30)
    await an_uncertain_message(world, Then.RESET, text="Same words", idempotency_key="again")
    for _ in range(5):
        world.clock.passes(seconds=31)
        await world.settles()
    assert await state(world) == [("queued", 1, True)]


async def test_two_of_the_same_words_need_two_sids(world: World) -> None:
    await an_uncertain_message(world, Then.TAKE_AND_RESET, text="Same words")
    world.clock.passes(seconds=31)
    await world.settles()
    await an_uncertain_message(world, Then.TAKE_AND_RESET, text="Same words", idempotency_key="again")
    world.clock.passes(seconds=31)
    await world.settles()
    assert await state(world) == []
    sids = await world.column("SELECT sid FROM attempt ORDER BY started_at")
    assert sids == [taken["sid"] for taken in world.twilio.taken]


@pytest.mark.parametrize(
    "other",
    [
        {"To": "+15559990000", "From": OURS, "Body": "Hello Ada"},
        {"To": ADA, "From": "+15559990000", "Body": "Hello Ada"},
        {"To": ADA, "From": OURS, "Body": "Something else"},
    ],
)
async def test_somebody_elses_message_is_not_ours(world: World, other: dict[str, str]) -> None:
    await an_uncertain_message(world, Then.RESET)
    world.twilio.take(other)
    world.clock.passes(seconds=31)
    await world.settles()
    assert await state(world) == [("uncertain", 1, False)]


async def test_an_older_message_of_the_same_words_is_not_ours(world: World) -> None:
    world.twilio.take({"To": ADA, "From": OURS, "Body": "Hello Ada"})
    world.clock.passes(minutes=5)
    await an_uncertain_message(world, Then.RESET)
    world.clock.passes(seconds=31)
    await world.settles()
    assert await state(world) == [("uncertain", 1, False)]


async def test_a_template_is_found_by_address_and_time(world: World) -> None:
    template = Template(content_sid="HX" + "0" * 32)
    await an_uncertain_message(world, Then.TAKE_AND_RESET, text=None, template=template)
    world.twilio.taken[0]["body"] = "Rendered by the provider"
    world.clock.passes(seconds=31)
    await world.settles()
    assert await state(world) == []


@pytest.mark.promise("P2")
async def test_a_process_that_died_while_sending_leaves_an_uncertain_message(world: World) -> None:
    await world.starts()
    [claimed] = await claim(world)
    await world.client.send(claimed)  # and then it died
    world.clock.passes(seconds=29)
    await world.settles()
    assert await state(world) == [("sending", 1, False)]
    world.clock.passes(seconds=2)
    await world.settles()
    assert await state(world) == []  # found on the list in the same breath
    assert len(world.twilio.posts) == 1


async def test_a_process_that_died_before_sending_is_made_up_for(world: World) -> None:
    await world.starts()
    await claim(world)
    for _ in range(5):
        world.clock.passes(seconds=31)
        await world.settles()
    await world.sends()
    assert world.twilio.said == ["Hello Ada"]


async def test_a_second_sid_for_one_attempt_is_kept_and_flagged(world: World) -> None:
    an_id = await world.starts()
    await world.sends()
    twin = world.twilio.take(world.twilio.posts[0])
    await world.is_told(world.twilio.taken[0], "delivered")
    await world.is_told(twin, "sent", "delivered")
    [line] = await world.lines(an_id)
    assert line.possible_duplicate
    assert (line.status, line.provider_sid) == (DeliveryStatus.DELIVERED, world.twilio.taken[0]["sid"])
    assert await world.rows("SELECT sid, message_id, number, status FROM second_sid") == [
        (twin["sid"], line.id, 1, "delivered")
    ]


async def test_a_callback_of_the_first_attempt_takes_the_resend_back(world: World) -> None:
    await an_uncertain_message(world, Then.RESET)
    for _ in range(5):
        world.clock.passes(seconds=31)
        await world.settles()
    assert await state(world) == [("queued", 1, True)]
    late = world.twilio.take(world.twilio.posts[0])
    await world.is_told(late, "sent")
    await world.sends()
    assert len(world.twilio.posts) == 1
    assert await state(world) == []


async def test_a_refused_attempt_that_did_arrive_is_settled_by_its_callback(world: World) -> None:
    world.twilio.script.append(Refuse(status=429))
    await world.starts()
    await world.sends()
    late = world.twilio.take(world.twilio.posts[0])
    await world.is_told(late, "delivered")
    world.clock.passes(minutes=1)
    await world.sends()
    assert len(world.twilio.posts) == 1
