"""Where the roads were once walked off: each of these once ended in a lost line, a second message or a leak."""

import msgspec
import pytest

from overture.actions.adopt_settings import adopt_settings
from overture.domain import consent
from overture.domain.agent import EndReason, OnActive
from overture.domain.conversation import Mode
from overture.domain.errors import Refusal
from overture.store import senders
from overture.store.engine import stored
from tests.world import AGENT, BOOKER, NOON, SMS, WHATSAPP, WORKSPACE, World, add_sender

IMAGE = {"NumMedia": "1", "MediaUrl0": "https://api.twilio.com/2010-04-01/x", "MediaContentType0": "image/png"}


@pytest.mark.promise("P22")
@pytest.mark.parametrize("given", [IMAGE, {"ButtonText": "No thanks", "ButtonPayload": "STOP"}])
async def test_a_stop_counts_whatever_comes_with_it(world: World, given: dict[str, str]) -> None:
    an_id = await world.starts()
    await world.hears("STOP" if given is IMAGE else "No thanks", **given)
    await world.takes_turns()
    assert (await world.conversation(an_id)).end_reason is EndReason.OPT_OUT
    said = ["> [image] STOP"] if given is IMAGE else ["> No thanks", consent.CONFIRMATION]
    assert await world.texts(an_id) == ["Hello Ada", *said]


@pytest.mark.promise("P22")
async def test_who_opts_out_at_a_sender_that_is_no_longer_used_is_not_written_to_from_another(world: World) -> None:
    await world.starts()
    old = await world.value("SELECT id FROM sender WHERE channel = 'sms'")
    await world.store.write(lambda tx: senders.retire(tx, WORKSPACE, old, world.clock.now()))
    await add_sender(world, SMS, "+15551230009")
    await world.hears("STOP")
    answer = await world.answers(from_number="+15551230009", text="Hello again")
    assert isinstance(answer, Refusal)
    assert answer.code == "recipient_opted_out"


async def test_a_sender_that_is_no_longer_used_opens_nothing(world: World) -> None:
    old = await world.value("SELECT id FROM sender WHERE channel = 'sms'")
    await world.store.write(lambda tx: senders.retire(tx, WORKSPACE, old, world.clock.now()))
    await world.hears("Hello?")
    assert await world.column("SELECT state FROM inbox") == ["unrouted"]
    assert await world.value("SELECT count(*) FROM conversation") == 0


async def test_a_window_counts_from_the_receipt_not_from_the_handling(world: World) -> None:
    if not await world.value("SELECT count(*) FROM sender WHERE channel = 'whatsapp'"):
        await add_sender(world, WHATSAPP)
    await world.keeps(world.written("hello", channel=WHATSAPP))
    world.clock.passes(hours=10)
    await world.handles()
    world.clock.passes(hours=15)
    answer = await world.answers(channel=WHATSAPP)
    assert isinstance(answer, Refusal)
    assert answer.code == "window_closed"


async def test_a_call_that_joined_is_known_when_it_is_repeated(world: World) -> None:
    await world.saves(msgspec.structs.replace(BOOKER, on_active=OnActive.JOIN))
    first = await world.starts(text="Hello Ada")
    world.clock.passes(minutes=5)
    for _ in range(3):
        assert await world.starts(text="One more thing") == first
        world.clock.passes(seconds=2)
    assert await world.texts(first) == ["Hello Ada", "One more thing"]


@pytest.mark.promise("P7")
async def test_a_clock_that_steps_back_does_not_turn_the_order_of_a_conversation(world: World) -> None:
    await world.saves(msgspec.structs.replace(BOOKER, on_active=OnActive.JOIN))
    await world.starts(text="first")
    world.clock.passes(seconds=-10)
    await world.starts(text="second")
    world.clock.passes(minutes=1)
    await world.sends(rounds=3)
    assert [post["Body"] for post in world.twilio.posts] == ["first", "second"]


@pytest.mark.promise("P16")
async def test_a_line_is_answered_however_many_of_ours_stand_before_it(world: World) -> None:
    await world.saves(msgspec.structs.replace(BOOKER, on_active=OnActive.JOIN))
    an_id = await world.starts()
    for n in range(170):
        await world.starts(text=f"note {n}")
    await world.hears("Monday")
    world.clock.passes(seconds=30)
    await world.takes_turns()
    assert (await world.texts(an_id))[-1] == "Monday it is. At what time?"


@pytest.mark.promise("P16")
async def test_a_line_that_waits_for_its_answer_is_not_ended_by_the_clock(world: World) -> None:
    an_id = await world.starts()
    world.clock.passes(hours=1)
    await world.hears("Monday")
    world.clock.passes(hours=80)
    await world.timers.look()
    assert (await world.conversation(an_id)).mode is Mode.BOT
    await world.takes_turns()
    assert (await world.texts(an_id))[-1] == "Monday it is. At what time?"


async def test_a_contact_who_opted_out_gets_no_turn_although_a_conversation_is_live(world: World) -> None:
    an_id = await world.starts()
    await world.change("UPDATE contact SET opted_out_at = $1", stored(NOON))
    await world.hears("Monday")
    world.clock.passes(minutes=1)
    await world.takes_turns()
    assert await world.texts(an_id) == ["Hello Ada", "> Monday"]


async def test_an_agent_that_was_deleted_is_not_brought_back_by_its_contact(world: World) -> None:
    an_id = await world.starts()
    await world.hears("Monday")
    world.clock.passes(seconds=30)
    await world.takes_turns()
    await world.change("UPDATE conversation SET mode = 'ended', end_reason = 'completed', ended_at = $1", stored(NOON))
    await world.change("UPDATE agent SET deleted_at = $1 WHERE id = $2", stored(NOON), AGENT)
    await world.hears("One more question")
    assert [one.id for one in await world.live()] == []
    assert (await world.conversation(an_id)).mode is Mode.ENDED


async def test_settings_that_name_no_sender_retire_none(world: World) -> None:
    before = await world.column("SELECT id FROM sender WHERE removed_at IS NULL ORDER BY id")
    await world.store.write(lambda tx: adopt_settings(tx, WORKSPACE, [], world.clock.now(), world.ids))
    assert await world.column("SELECT id FROM sender WHERE removed_at IS NULL ORDER BY id") == before != []


async def test_an_uncertain_message_whose_list_cannot_be_read_ends_with_a_person(world: World) -> None:
    await world.starts()
    await world.change("UPDATE sender SET account_sid = $1", "AC" + "f" * 32)
    await world.sends()
    await world.change("UPDATE outbox SET state = 'uncertain', attempt = 1, started_at = $1", stored(NOON))
    world.clock.passes(hours=5)
    await world.settles()
    assert await world.column("SELECT state FROM outbox") == ["needs_review"]
