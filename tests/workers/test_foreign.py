"""Foreign messages: what left our number and was sent by somebody else is noted, or people take over; once."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from overture.domain.agent import PromptSpec
from overture.domain.conversation import Mode
from overture.domain.message import Author
from overture.store.engine import stored
from tests.scripted_twilio import Then
from tests.workers.sweeping import a_road, is_started, listens, looks_again, lost, polls, said
from tests.world import ACCOUNT, ADA, BOB, NOON, WHATSAPP, ScriptedModel, World, a_world

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


async def goes_by(world: World, way: str) -> None:
    """What becomes of foreign messages of every sender."""
    await world.change("UPDATE sender SET foreign_outbound = $1", way)


async def a_conversation(world: World, **given: Any) -> str:
    """A conversation that was opened an hour ago, its opening sent, with a queue that goes by sweeps; its id."""
    world.clock.passes(hours=-1)
    an_id = await world.starts(**given)
    await world.sends()
    world.clock.passes(hours=1)
    await listens(world)
    return an_id


@pytest.mark.parametrize(
    ("way", "noted", "mode"),
    [("note", True, Mode.BOT), ("takeover", True, Mode.HUMAN), ("ignore", False, Mode.BOT)],
)
async def test_a_foreign_message_is_noted_and_may_hand_the_conversation_over(
    world: World, way: str, noted: bool, mode: Mode
) -> None:
    an_id = await a_conversation(world)
    await goes_by(world, way)
    found = said(world, "Bob of the salon here.", at=5 * MINUTE)
    await is_started(world)
    lines = (await world.lines(an_id))[1:]
    assert [(line.text, line.author, line.provider_sid) for line in lines] == [
        ("Bob of the salon here.", Author.OPERATOR, found)
    ] * noted
    assert (await world.conversation(an_id)).mode is mode
    told = [(json.loads(row[0])["provider_sid"], row[1]) for row in await world.events("message.foreign")]
    assert told == [(found, an_id)] * noted
    over = [json.loads(row[0])["reason"] for row in await world.events("conversation.taken_over")]
    assert over == (["foreign_outbound"] if mode is Mode.HUMAN else [])


@pytest.mark.parametrize(
    ("change", "noted"),
    [("conversation SET variables = 'not JSON'", True), ("message SET body = 'not JSON'", False)],
)
async def test_what_cannot_be_read_keeps_no_queue_shut(world: World, change: str, noted: bool) -> None:
    an_id = await a_conversation(world)
    await goes_by(world, "takeover")
    said(world, "Bob of the salon here.", at=5 * MINUTE)
    await world.change(f"UPDATE {change}")
    await is_started(world)
    assert await world.value("SELECT count(*) FROM sender WHERE shut_at IS NOT NULL") == 0
    assert [row[1] for row in await world.events("conversation.taken_over")] == [an_id] * noted


async def test_a_takeover_silences_the_agent_at_once_and_takes_back_what_it_queued(world: World) -> None:
    an_id = await a_conversation(world)
    await goes_by(world, "takeover")
    await world.hears("Monday")
    await world.takes_turns()
    said(world, "I will call you.", at=MINUTE)
    posts = len(world.twilio.posts)
    await is_started(world)
    await world.hears("and?")
    await world.takes_turns()
    await world.sends(3)
    assert len(world.twilio.posts) == posts
    assert "and?" in (await world.texts(an_id))[-1]
    assert await world.value("SELECT count(*) FROM outbox") == 0


async def test_a_prompt_agent_reads_what_was_said_beside_it(database_url: str) -> None:
    model = ScriptedModel("As my colleague said.")
    async with a_world(database_url, model=model) as world:
        await world.saves(PromptSpec(name="Helper", instructions="Help."))
        await a_conversation(world)
        said(world, "We close at six.", at=5 * MINUTE)
        await is_started(world)
        await world.hears("When do you close?")
        await world.takes_turns()
        assert model.asked[0].lines[-2].text.endswith("We close at six.")


@pytest.mark.parametrize("state", ["sending", "uncertain"])
async def test_nothing_is_judged_while_something_of_ours_is_on_its_way_and_then_it_is(world: World, state: str) -> None:
    an_id = await a_conversation(world)
    await goes_by(world, "takeover")
    await world.hears("Monday")
    await world.takes_turns()
    world.twilio.script.append(Then.TAKE_AND_RESET)
    await world.sends()
    await world.change("UPDATE outbox SET state = $1", state)
    said(world, "foreign", at=MINUTE)
    road = await is_started(world)
    assert (await world.conversation(an_id)).mode is Mode.BOT
    world.clock.passes(minutes=3)
    await world.change("UPDATE outbox SET state = 'uncertain'")
    await world.settles()
    await looks_again(world, road, seconds=300)
    assert (await world.conversation(an_id)).mode is Mode.HUMAN
    assert [line.text for line in await world.lines(an_id) if line.author is Author.OPERATOR] == ["foreign"]


async def test_our_own_message_whose_answer_was_lost_is_never_foreign(world: World) -> None:
    """Not while it is looked for, not when a person decided over it, not when it turns up late."""
    await goes_by(world, "takeover")
    world.twilio.script.append(Then.TAKE_AND_RESET)
    an_id = await world.starts()
    await world.sends()
    await polls(world)
    road = await is_started(world)
    await world.change("UPDATE outbox SET state = 'needs_review'")
    await looks_again(world, road, seconds=300)
    await world.change("DELETE FROM outbox")
    await world.change("UPDATE attempt SET state = 'absent'")
    await looks_again(world, road, seconds=300)
    assert [line.author for line in await world.lines(an_id)] == [Author.CALLER]
    assert (await world.conversation(an_id)).mode is Mode.BOT


async def test_one_of_ours_that_the_provider_took_twice_is_not_foreign(world: World) -> None:
    an_id = await a_conversation(world)
    await goes_by(world, "takeover")
    said(world, "Hello Ada", at=HOUR - SECOND)
    await is_started(world)
    assert (await world.conversation(an_id)).mode is Mode.BOT


async def test_a_foreign_message_counts_once_however_often_it_is_read_and_moves_on(world: World) -> None:
    an_id = await a_conversation(world)
    await polls(world)
    road = await is_started(world)
    said(world, "foreign", status="sent")
    for _ in range(3):
        await looks_again(world, road)
    await is_started(world)
    world.twilio.taken[-1]["status"] = "delivered"
    await looks_again(world, road)
    lines = [line for line in await world.lines(an_id) if line.author is Author.OPERATOR]
    assert [(line.text, line.status) for line in lines] == [("foreign", "delivered")]


async def test_several_are_written_down_in_the_order_in_which_they_were_sent(sqlite_world: World) -> None:
    world = sqlite_world
    an_id = await a_conversation(world)
    for n in range(600):  # over two pages, and several commits
        said(
            world, f"line {n}" if n % 10 == 0 else f"to others {n}", at=HOUR / 2 - n * SECOND, to=[ADA, BOB][n % 10 > 0]
        )
    await is_started(world)
    assert (await world.texts(an_id))[1:] == [f"line {n}" for n in range(0, 600, 10)]


@pytest.mark.parametrize(
    "given",
    [
        {"at": 2 * HOUR},  # before the conversation
        {"at": timedelta(days=3)},  # before the activation
        {"at": MINUTE, "to": BOB},  # nobody talks with Bob
        {"at": MINUTE, "direction": "outbound-reply"},  # the provider's own answer to a keyword
        {"at": MINUTE, "status": "failed"},  # the contact never saw it
        {"at": MINUTE, "from": "+15559990000"},  # another number
        {"at": MINUTE, "from": None},  # a Messaging Service has not chosen yet
        {"at": MINUTE, "from": "Salon"},
        {"at": MINUTE, "to": None},
        {"at": MINUTE, "channel": WHATSAPP},  # another thread
    ],
    ids=str,
)
async def test_what_is_no_word_to_the_pair_of_a_live_conversation_changes_nothing(
    world: World, given: dict[str, Any]
) -> None:
    an_id = await a_conversation(world)
    await goes_by(world, "takeover")
    nowhere = "to" in given and given["to"] is None
    said(world, "hello", **given | ({"to": ADA} if nowhere else {}))
    if nowhere:
        world.twilio.taken[-1]["to"] = None
    await is_started(world)
    assert (await world.texts(an_id), (await world.conversation(an_id)).mode) == (["Hello Ada"], Mode.BOT)


async def test_a_conversation_that_people_carry_or_that_ended_is_not_handed_over_again(world: World) -> None:
    an_id = await a_conversation(world)
    await goes_by(world, "takeover")
    await world.change("UPDATE conversation SET mode = 'human'")
    said(world, "a person writes", at=MINUTE)
    road = await is_started(world)
    assert (await world.texts(an_id))[1:] == ["a person writes"]
    assert await world.events("conversation.taken_over") == []
    await world.change("UPDATE conversation SET mode = 'ended', ended_at = $1", stored(NOON))
    said(world, "after the end")
    await looks_again(world, road, seconds=301)
    await looks_again(world, road, seconds=301)
    assert (await world.texts(an_id))[1:] == ["a person writes"]


async def test_strange_texts_are_kept_as_they_are(world: World) -> None:
    an_id = await a_conversation(world)
    for text in ("a\0b", "", "🙂" * 2000, "'; DROP TABLE message; --"):
        said(world, text, at=MINUTE, num_media="2" if not text else "0")
    await is_started(world)
    texts = (await world.texts(an_id))[1:]
    assert sorted(texts) == sorted(["ab", "[file] [file]", "🙂" * 2000, "'; DROP TABLE message; --"])


async def test_a_restored_sender_is_judged_by_its_reconciliation_alone(world: World) -> None:
    an_id = await a_conversation(world)
    await goes_by(world, "takeover")
    await world.change("UPDATE sender SET restored_from = $1, restored_at = $1", stored(NOON))
    said(world, "of the original", at=MINUTE)
    await is_started(world)
    assert await world.texts(an_id) == ["Hello Ada"]


async def test_two_processes_that_read_at_once_note_it_once(postgresql_url: str) -> None:
    async with a_world(postgresql_url) as one, a_world(postgresql_url, furnish=False) as two:
        an_id = await a_conversation(one)
        await goes_by(one, "takeover")
        for world in (one, two):
            for n in range(20):
                said(world, f"line {n}", at=10 * MINUTE - n * SECOND, sid=f"SMd{n:031x}")
            lost(world, "and an answer", at=MINUTE)
        await asyncio.gather(a_road(one).look(), a_road(two).look())
        assert [text for text in await one.texts(an_id) if text.startswith("line")] == [f"line {n}" for n in range(20)]
        assert len(await one.events("conversation.taken_over")) == 1
        claimed = "SELECT count(DISTINCT sid) FROM attempt WHERE account_sid = $1 AND sid LIKE 'SMd%'"
        assert await one.value(claimed, ACCOUNT) == 20
