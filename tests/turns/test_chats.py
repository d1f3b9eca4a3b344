"""Chats over the API: no provider between, no outbox, and the reply is the answer."""

from typing import Any

from overture.actions.open_chat import Opened, open_chat
from overture.actions.say_in_chat import Said, say_in_chat
from overture.domain.errors import Refusal
from tests.turns.test_follow_ups import ASKED, NUDGE, NUDGER, passes
from tests.world import WORKSPACE, World

CHAT = "0192f0c1-2345-7abc-8def-0123456789ab"


async def opens(world: World, **changes: Any) -> Opened | Refusal:
    given: dict[str, Any] = {"workspace_id": WORKSPACE, "chat_id": CHAT, "agent_id": "booker", "metadata": {}}
    now = world.clock.now()
    return await world.store.write(lambda tx: open_chat(tx, now=now, ids=world.ids, **(given | changes)))


async def says(world: World, text: str) -> Said | Refusal:
    now = world.clock.now()
    return await world.store.write(
        lambda tx: say_in_chat(tx, workspace_id=WORKSPACE, chat_id=CHAT, text=text, now=now, ids=world.ids)
    )


async def test_a_chat_over_the_api_needs_no_outbox(world: World) -> None:
    opened = await opens(world)
    assert isinstance(opened, Opened)
    assert opened.created
    for text in ("Monday", "ten"):
        assert isinstance(await says(world, text), Said)
        await world.takes_turns()
    assert await world.texts(CHAT) == [
        "Hello! Which day suits you?",
        "> Monday",
        "Monday it is. At what time?",
        "> ten",
        "See you on Monday at ten.",
    ]
    counts = await world.counts()
    assert (counts["outbox"], counts["thread"], counts["contact"], counts["attempt"]) == (0, 0, 0, 0)
    ended = await says(world, "more")
    assert isinstance(ended, Refusal)
    assert ended.code == "chat_ended"


async def test_a_chat_is_opened_once(world: World) -> None:
    await opens(world)
    again = await opens(world)
    assert isinstance(again, Opened)
    assert not again.created
    other = await opens(world, metadata={"other": 1})
    assert isinstance(other, Refusal)
    assert other.code == "chat_exists"
    assert await world.texts(CHAT) == ["Hello! Which day suits you?"]


async def test_silence_counts_from_the_opening_of_a_chat(world: World) -> None:
    await world.saves(NUDGER)
    await opens(world)
    await world.takes_turns()
    assert await world.texts(CHAT) == [ASKED]
    await passes(world, hours=1, minutes=59)
    assert await world.texts(CHAT) == [ASKED]
    await passes(world, minutes=1)
    assert await world.texts(CHAT) == [ASKED, NUDGE]
    assert isinstance(await says(world, "Monday"), Said)
    await world.takes_turns()
    assert (await world.texts(CHAT))[-1] == "See you on Monday."


async def test_who_writes_before_the_clock_of_a_chat_is_set_is_answered_once(world: World) -> None:
    await world.saves(NUDGER)
    await opens(world)
    assert isinstance(await says(world, "Monday"), Said)
    await passes(world, hours=3)
    assert await world.texts(CHAT) == [ASKED, "> Monday", "See you on Monday."]


async def test_a_repeated_text_while_its_turn_runs_is_the_same_line(world: World) -> None:
    await opens(world)
    first = await says(world, "Monday")
    assert await says(world, "Monday") == first
    await world.takes_turns()
    assert await says(world, "Monday") != first


async def test_a_phone_conversation_is_no_chat(world: World) -> None:
    an_id = await world.starts()
    now = world.clock.now()
    refused = await world.store.write(
        lambda tx: say_in_chat(tx, workspace_id=WORKSPACE, chat_id=an_id, text="Hi", now=now, ids=world.ids)
    )
    assert isinstance(refused, Refusal)
    assert refused.code == "wrong_channel"
