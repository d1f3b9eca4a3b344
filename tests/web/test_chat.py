"""Chats in the hosted platform's shapes: opened, spoken in, looked at, listed, deleted."""

import asyncio
import re
from uuid import UUID

import pytest

from overture.actions.end_conversation import end_conversation
from overture.domain.agent import EndReason
from overture.store.engine import Store
from tests.web.conftest import AGENT, PROMPT_AGENT, SMS_SENDER, WORKSPACE, World, make_world
from tests.web.talking import ScriptedModel, agents_answer

CHAT = "7d0c4a52-5b0e-4c4e-9f55-0d6c3b5f6c11"
NOWHERE = "7d0c4a52-5b0e-4c4e-9f55-0d6c3b5f6c99"
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


async def open_chat(world: World, chat_id: str = CHAT, agent_id: str = PROMPT_AGENT) -> None:
    """Open a chat that must open."""
    reply = await world.client.post(f"/v2/chat/{chat_id}", {"model_id": agent_id})
    assert reply.status == 200, reply.body


async def test_a_new_chat_begins_with_the_agents_greeting(world: World) -> None:
    reply = await world.client.post(f"/v2/chat/{CHAT}", {"model_id": PROMPT_AGENT, "metadata": {"a": 1}})
    assert reply.status == 200
    assert reply.json["status"] == "ok"
    chat = reply.json["response"]
    assert chat["chat_id"] == CHAT
    assert chat["chat_status"] == "ongoing"
    assert chat["conversation_history"] == []
    assert chat["transcript"] == "Agent: Hi there!"
    assert INSTANT.fullmatch(chat["start_timestamp"])
    opening = chat["initial_message"]
    assert set(opening) == {"agent_message", "current_state", "timestamp", "turn_number"}
    assert (opening["agent_message"], opening["current_state"], opening["turn_number"]) == (
        "Hi there!",
        "greeting_state",
        1,
    )


async def test_the_same_chat_is_found_again_and_another_is_refused(world: World) -> None:
    asked = {"model_id": PROMPT_AGENT, "metadata": {"a": 1}}
    await world.client.post(f"/v2/chat/{CHAT}", asked)
    again = await world.client.post(f"/v2/chat/{CHAT.upper()}", asked)
    assert again.status == 200
    assert [line["message"] for line in again.json["response"]["conversation_history"]] == ["Hi there!"]
    for other in ({**asked, "model_id": AGENT}, {**asked, "metadata": {}}):
        refused = await world.client.post(f"/v2/chat/{CHAT}", other)
        assert (refused.status, refused.detail["code"]) == (400, "chat_exists")
        assert "already exists with different configuration" in refused.detail["description"]
    assert await world.count("conversation") == 1


@pytest.mark.parametrize(
    ("asked", "status", "agent"),
    [
        ({"agent_id": PROMPT_AGENT}, 200, PROMPT_AGENT),
        ({"agent_id": "nobody", "model_id": PROMPT_AGENT}, 200, PROMPT_AGENT),  # model_id goes before it
        ({"agent_id": PROMPT_AGENT, "model_id": None}, 200, PROMPT_AGENT),
        ({}, 400, "model_id"),
        ({"agent_id": None}, 400, "model_id"),
        ({"agent_id": ""}, 400, "agent_id"),
        ({"agent_id": 5}, 400, "agent_id"),
    ],
)
async def test_a_chats_agent_has_two_names(world: World, asked: dict[str, object], status: int, agent: str) -> None:
    reply = await world.client.post(f"/v2/chat/{CHAT}", asked)
    assert reply.status == status, reply.body
    assert agent == (reply.json["response"]["agent_id"] if status == 200 else reply.detail["field"])


async def test_a_conversation_tells_whom_it_goes_to(world: World) -> None:
    asked = {"agent_id": AGENT, "channel": "sms", "to_number": "+15559876543", "from_number": SMS_SENDER}
    an_id = (await world.client.post("/v2/chat/outbound", asked)).json["response"]["conversation_id"]
    assert (await world.client.get(f"/v2/chat/{an_id}")).json["response"]["contact_number"] == "+15559876543"
    await open_chat(world)
    assert (await world.client.get(f"/v2/chat/{CHAT}")).json["response"]["contact_number"] is None


async def test_a_chat_may_get_its_id_from_the_server(world: World) -> None:
    reply = await world.client.post("/v2/chat", {"model_id": PROMPT_AGENT})
    assert UUID(reply.json["response"]["chat_id"]).version == 7


async def test_a_message_is_answered_by_the_agent(world: World) -> None:
    await open_chat(world)
    async with agents_answer(world, ScriptedModel("At ten, then.")):
        reply = await world.client.post(f"/v2/chat/{CHAT}/messages", {"message": "Tuesday?"})
    assert reply.status == 200, reply.body
    assert reply.json["status"] == "ok"
    answer = reply.json["response"]
    assert set(answer) == {"agent_message", "current_state", "timestamp", "turn_number"}
    assert (answer["agent_message"], answer["current_state"], answer["turn_number"]) == (
        "At ten, then.",
        "main_state",
        3,
    )
    chat = (await world.client.get(f"/v2/chat/{CHAT}")).json["response"]
    assert [(line["turn_number"], line["agent_id"], line["message"]) for line in chat["conversation_history"]] == [
        (1, PROMPT_AGENT, "Hi there!"),
        (2, "user", "Tuesday?"),
        (3, PROMPT_AGENT, "At ten, then."),
    ]
    assert chat["transcript"] == "Agent: Hi there!\nUser: Tuesday?\nAgent: At ten, then."
    log = chat["fsm_log"][PROMPT_AGENT]
    assert {"current_state", "current_turn", "event_summary", "events", "execution_stats", "variables"} <= set(log)
    assert log["current_state"] == "main_state"


async def test_a_flow_collects_what_its_log_shows(world: World) -> None:
    await open_chat(world, agent_id=AGENT)
    async with agents_answer(world):
        reply = await world.client.post(f"/v2/chat/{CHAT}/messages", {"message": "Tuesday"})
    assert reply.json["response"]["agent_message"] == "Noted."
    chat = (await world.client.get(f"/v2/chat/{CHAT}")).json["response"]
    assert chat["chat_status"] == "completed"
    assert chat["fsm_log"][AGENT]["variables"] == {"day": {"value": "Tuesday", "collected": True}}
    late = await world.client.post(f"/v2/chat/{CHAT}/messages", {"message": "Hello?"})
    assert (late.status, late.detail["code"]) == (400, "chat_ended")
    assert "chat has ended" in late.detail["description"]


async def test_a_repeated_text_while_its_turn_runs_gets_that_turns_answer(world: World) -> None:
    await open_chat(world)
    model = ScriptedModel("Yes.")
    model.may_speak.clear()
    async with agents_answer(world, model):
        calls = [
            asyncio.create_task(world.client.post(f"/v2/chat/{CHAT}/messages", {"message": "Open?"})) for _ in range(3)
        ]
        await asyncio.wait_for(model.was_asked.wait(), 10)
        model.may_speak.set()
        replies = await asyncio.gather(*calls)
    assert [reply.status for reply in replies] == [200] * 3
    assert len({reply.body for reply in replies}) == 1
    assert await world.count("message") == 3


async def test_a_reply_that_takes_too_long_is_pending(store: Store) -> None:
    world = await make_world(store, reply_wait_seconds=0.3)
    await open_chat(world)
    reply = await world.client.post(f"/v2/chat/{CHAT}/messages", {"message": "Anybody?"})
    assert (reply.status, reply.detail["code"]) == (504, "reply_pending")
    chat = (await world.client.get(f"/v2/chat/{CHAT}")).json["response"]
    assert chat["conversation_history"][-1]["message"] == "Anybody?"


async def test_a_chat_that_is_deleted_while_its_reply_is_awaited_is_gone(world: World) -> None:
    await open_chat(world)
    waiting = asyncio.create_task(world.client.post(f"/v2/chat/{CHAT}/messages", {"message": "Anybody?"}))
    assert await world.parts.signals.wait("turns", 10)  # the message is on disk
    assert (await world.client.delete(f"/v2/chat/{CHAT}")).status == 200
    assert (await waiting).status == 404


async def test_a_deleted_chat_is_gone(world: World) -> None:
    await open_chat(world)
    reply = await world.client.delete(f"/v2/chat/{CHAT}")
    assert (reply.status, reply.json) == (200, {"status": "ok"})
    for gone in (
        await world.client.get(f"/v2/chat/{CHAT}"),
        await world.client.delete(f"/v2/chat/{CHAT}"),
        await world.client.post(f"/v2/chat/{CHAT}/messages", {"message": "Hello?"}),
    ):
        assert (gone.status, gone.detail["code"]) == (404, "chat_unknown")
        assert "does not exist" in gone.detail["description"]
    assert (await world.client.get("/v2/chat")).json["response"]["chats"] == []


async def test_an_outbound_conversation_is_a_chat_too(world: World) -> None:
    asked = {"agent_id": AGENT, "channel": "sms", "to_number": "+15559876543", "from_number": SMS_SENDER}
    an_id = (await world.client.post("/v2/chat/outbound", asked)).json["response"]["conversation_id"]
    chat = (await world.client.get(f"/v2/chat/{an_id}")).json["response"]
    assert (chat["channel"], chat["agent_id"], chat["chat_status"]) == ("sms", AGENT, "ongoing")
    assert chat["initial_message"]["agent_message"] == "Hello, it is the salon."
    wrong = await world.client.post(f"/v2/chat/{an_id}/messages", {"message": "Hello"})
    assert (wrong.status, wrong.detail["code"]) == (400, "wrong_channel")
    lines = (await world.client.get(f"/overture/v1/conversations/{an_id}/messages")).json
    assert lines["has_more"] is False
    [line] = lines["messages"]
    assert (line["seq"], line["direction"], line["author"], line["status"]) == (1, "out", "agent", None)
    assert line["possible_duplicate"] is False


@pytest.mark.parametrize(("reason", "status"), [(EndReason.HANDED_OVER, "completed"), (EndReason.OPT_OUT, "cancelled")])
async def test_an_ended_chat_says_how(world: World, reason: EndReason, status: str) -> None:
    await open_chat(world)
    await world.store.write(
        lambda tx: end_conversation(
            tx,
            workspace_id=WORKSPACE,
            conversation_id=CHAT,
            reason=reason,
            now=world.store.now(),
            ids=world.parts.ids,
        )
    )
    assert (await world.client.get(f"/v2/chat/{CHAT}")).json["response"]["chat_status"] == status


async def test_pages_of_chats_hold_every_chat_once_newest_first(world: World) -> None:
    made = []
    for number in range(7):
        agent = AGENT if number % 2 else PROMPT_AGENT
        made.append((await world.client.post("/v2/chat", {"model_id": agent})).json["response"]["chat_id"])
    found, cursor = [], ""
    while True:
        page = (await world.client.get(f"/v2/chat?limit=3&cursor={cursor}")).json["response"]
        assert set(page) == {"chats", "has_more", "next_cursor"}
        found += [chat["chat_id"] for chat in page["chats"]]
        cursor = page["next_cursor"]
        assert page["has_more"] is bool(cursor)
        if not cursor:
            break
    assert found == made[::-1]
    of_one = (await world.client.get(f"/v2/chat?agent_id={AGENT}&limit=200")).json["response"]["chats"]
    assert [chat["chat_id"] for chat in of_one] == made[1::2][::-1]
    assert {"chat_id", "chat_status", "start_timestamp"} <= set(of_one[0])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("cursor=%21", "cursor"),
        ("cursor=bm90IGEgY3Vyc29y", "cursor"),
        ("cursor=" + "x" * 201, "cursor"),
        ("cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5IGE", "cursor"),
        ("agent_id=%00", None),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(world: World, query: str, field: str | None) -> None:
    reply = await world.client.get(f"/v2/chat?{query}")
    assert (reply.status, reply.detail["code"], reply.detail["field"]) == (400, "invalid_request", field)


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "field"),
    [
        ("/v2/chat/not-a-uuid", {"model_id": AGENT}, 400, "invalid_request", "chat_id"),
        (f"/v2/chat/{CHAT}", {}, 400, "invalid_request", "model_id"),
        (f"/v2/chat/{CHAT}", {"model_id": "nobody"}, 400, "agent_unknown", "model_id"),
        (f"/v2/chat/{CHAT}", {"model_id": AGENT, "metadata": []}, 400, "invalid_request", "metadata"),
        (f"/v2/chat/{NOWHERE}/messages", {"message": "Hello"}, 404, "chat_unknown", "chat_id"),
        ("/v2/chat/%00/messages", {"message": "Hello"}, 404, "route_unknown", None),
        (f"/v2/chat/{NOWHERE}/messages", {"message": ""}, 400, "invalid_request", "message"),
        (f"/v2/chat/{NOWHERE}/messages", {"message": "  "}, 400, "invalid_request", "message"),
        (f"/v2/chat/{NOWHERE}/messages", {"message": None}, 400, "invalid_request", "message"),
        (f"/v2/chat/{NOWHERE}/messages", {"message": "x" * 10_001}, 400, "invalid_request", "message"),
        (f"/v2/chat/{NOWHERE}/messages", {"message": "x" * 70_000}, 413, "body_too_large", None),
    ],
)
async def test_a_bad_chat_call_leaves_nothing_behind(
    world: World, path: str, body: object, status: int, code: str, field: str | None
) -> None:
    before = await world.rows()
    reply = await world.client.post(path, body)
    assert (reply.status, reply.detail["code"], reply.detail["field"]) == (status, code, field)
    assert await world.rows() == before
