"""People and their conversations, over HTTP: who waits for one, taking over, writing, handing back, ending."""

from datetime import timedelta
from typing import Any

import pytest

from overture.actions.hand_over import HandOver, hand_over
from overture.domain.channel import Channel
from overture.store.engine import stored
from overture.store.statement import Command, Query
from tests.web.asgi import Reply
from tests.web.conftest import AGENT, SMS_SENDER, WHATSAPP_SENDER, WORKSPACE, World

ADA, BOB = "+15550100001", "+15550100002"
TEMPLATE = "HX" + "0" * 32
PATH = "/overture/v1/conversations"


async def a_conversation(world: World, to: str = ADA, channel: Channel = Channel.SMS) -> str:
    """The id of a conversation whose opening waits to be sent."""
    sender = SMS_SENDER if channel is Channel.SMS else WHATSAPP_SENDER
    asked: dict[str, Any] = {"agent_id": AGENT, "channel": channel.value, "to_number": to, "from_number": sender}
    asked |= {"initial_message": "Hello"} if channel is Channel.SMS else {"template": {"content_sid": TEMPLATE}}
    reply = await world.client.post("/v2/chat/outbound", asked)
    return str(reply.json["response"]["conversation_id"])


async def do(world: World, an_id: str, verb: str, body: Any = None, **headers: str) -> Reply:
    return await world.client.post(f"{PATH}/{an_id}/{verb}", {} if body is None else body, headers=headers)


async def shown(world: World, an_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await world.client.get(f"{PATH}/{an_id}")).json
    return found


async def lines(world: World, an_id: str) -> list[tuple[str, str, str | None]]:
    """Author, text and state of each message."""
    found = (await world.client.get(f"{PATH}/{an_id}/messages")).json["messages"]
    return [(line["author"], line["text"], line["state"]) for line in found]


async def change(world: World, sql: str, *scalars: Any) -> None:
    await world.store.write(lambda tx: tx.run(Command(sql), *scalars))


async def kinds(world: World) -> list[str]:
    """The kinds of the events of conversations, in order."""
    query = Query("SELECT kind FROM event WHERE kind LIKE 'conversation.%' ORDER BY at, id")
    return [row[0] for row in await world.store.read(lambda tx: tx.all(query))]


async def is_handed_over(world: World, an_id: str, note: str) -> None:
    """An agent lets go of its conversation."""
    over = HandOver(workspace_id=WORKSPACE, conversation_id=an_id, reason="asked", note=note)
    await world.store.write(lambda tx: hand_over(tx, [over], world.store.now(), world.parts.ids))


async def test_a_takeover_takes_back_what_waits_and_is_told_once(world: World) -> None:
    an_id = await a_conversation(world)
    taken = await do(world, an_id, "takeover", {"by": "Bo", "note": "She is a friend."})
    assert taken.json == {
        "conversation_id": an_id,
        "mode": "human",
        "taken_by": "Bo",
        "changed": True,
        "already_at_provider": [],
    }
    assert (await do(world, an_id, "takeover", {"by": "Bo"})).json["changed"] is False
    assert await lines(world, an_id) == [("caller", "Hello", "failed")]
    present = await shown(world, an_id)
    assert (present["mode"], present["taken_by"], present["note"]) == ("human", "Bo", "She is a friend.")
    assert (present["waits_since"], present["contact_number"]) == (None, ADA)
    assert await kinds(world) == ["conversation.started", "conversation.taken_over"]
    assert (await do(world, an_id, "takeover", {"by": "Cy"})).json["changed"] is True  # another person may


async def test_what_is_at_the_provider_already_is_shown_as_such(world: World) -> None:
    an_id = await a_conversation(world)
    await change(world, "UPDATE outbox SET state = 'sending'")
    taken = await do(world, an_id, "takeover")
    [message] = (await world.client.get(f"{PATH}/{an_id}/messages")).json["messages"]
    assert (taken.json["already_at_provider"], message["state"]) == ([message["id"]], "sending")
    assert taken.json["taken_by"]  # the key's name, where no other is given


async def test_who_waits_for_a_person_is_listed_the_longest_first(world: World) -> None:
    ids = [await a_conversation(world, f"+1555010{n:04}") for n in range(4)]
    for n, an_id in enumerate(reversed(ids[1:])):
        await is_handed_over(world, an_id, f"Wants a person, {n}.")
        at = stored(world.store.now() - timedelta(minutes=30 - n))
        await change(world, "UPDATE conversation SET last_activity_at = $2 WHERE id = $1", an_id, at)
    first = (await world.client.get(f"{PATH}?waiting=true&limit=2")).json
    assert [one["conversation_id"] for one in first["conversations"]] == [ids[3], ids[2]]
    assert first["conversations"][0]["note"] == "Wants a person, 0."
    assert 1790 < first["conversations"][0]["waits_seconds"] < 1900
    rest = (await world.client.get(f"{PATH}?waiting=true&limit=2&cursor={first['next_cursor']}")).json
    assert ([one["conversation_id"] for one in rest["conversations"]], rest["next_cursor"]) == ([ids[1]], "")
    await do(world, ids[3], "takeover")
    waiting = (await world.client.get(f"{PATH}?waiting=true&mode=human")).json["conversations"]
    assert [one["conversation_id"] for one in waiting] == [ids[2], ids[1]]
    by_mode = {}
    for query in ("mode=bot", "mode=human", "mode=paused", "mode=ended", "live=true", ""):
        listed = (await world.client.get(f"{PATH}?{query}")).json["conversations"]
        by_mode[query] = [ids.index(one["conversation_id"]) for one in listed]
    assert by_mode == {
        "mode=bot": [0],
        "mode=human": [3, 2, 1],
        "mode=paused": [],
        "mode=ended": [],
        "live=true": [3, 2, 1, 0],
        "": [3, 2, 1, 0],
    }
    page = (await world.client.get(f"{PATH}?limit=3")).json
    after = (await world.client.get(f"{PATH}?limit=3&cursor={page['next_cursor']}")).json
    assert [one["conversation_id"] for one in after["conversations"]] == [ids[0]]


async def test_a_person_writes_and_their_message_goes_the_way_of_all_messages(world: World) -> None:
    an_id = await a_conversation(world)
    wrote = await do(world, an_id, "messages", {"text": "Bo here.", "take_over": True, "by": "Bo"})
    assert wrote.status == 200
    long = "A sentence that goes on. " * 100
    again = await do(world, an_id, "messages", {"text": long})
    assert len(again.json["message_ids"]) > 1
    said = await lines(world, an_id)
    assert said[:2] == [("caller", "Hello", "failed"), ("operator", "Bo here.", "queued")]
    assert {author for author, _, _ in said[1:]} == {"operator"}
    assert " ".join(text for _, text, _ in said[2:]).split() == long.split()
    assert world.woken.count("outbox") >= 2
    assert (await shown(world, an_id))["taken_by"] == "Bo"  # who else writes leaves it to them


async def test_a_message_with_a_key_is_written_once(world: World) -> None:
    an_id, other = await a_conversation(world), await a_conversation(world, BOB)
    body, key = {"text": "Once.", "take_over": True}, {"Idempotency-Key": "k 1"}
    replies = [await do(world, an_id, "messages", body, **key) for _ in range(2)]
    assert replies[0].json == replies[1].json
    assert ["overture-replayed" in reply.headers for reply in replies] == [False, True]
    assert [text for _, text, _ in await lines(world, an_id)] == ["Hello", "Once."]
    for reply in (
        await do(world, an_id, "messages", {"text": "Twice."}, **key),
        await do(world, other, "messages", body, **key),
    ):
        assert (reply.status, reply.json["code"]) == (422, "idempotency_key_reused")
    await do(world, an_id, "end")
    assert (await do(world, an_id, "messages", body, **key)).json == replies[0].json  # whatever became of it
    started = {"agent_id": AGENT, "channel": "sms", "to_number": "+15550100009", "from_number": SMS_SENDER}
    assert (await world.client.post("/v2/chat/outbound", started, headers=key)).status == 422
    assert [text for _, text, _ in await lines(world, other)] == ["Hello"]


async def test_beside_the_agent_only_who_says_so_writes(world: World) -> None:
    an_id = await a_conversation(world)
    refused = await do(world, an_id, "messages", {"text": "Hi"})
    assert (refused.status, refused.json["code"], refused.json["field"]) == (409, "agent_has_it", "take_over")
    assert "take_over" in refused.json["hint"]
    assert (await do(world, an_id, "messages", {"text": "Hi", "take_over": False})).status == 200
    assert (await shown(world, an_id))["mode"] == "bot"
    assert [state for _, _, state in await lines(world, an_id)] == ["queued", "queued"]
    await do(world, an_id, "takeover")
    assert [state for _, _, state in await lines(world, an_id)] == ["failed", "queued"]  # a person's own goes on


async def test_whatsapp_takes_only_a_template_outside_the_window(world: World) -> None:
    an_id = await a_conversation(world, channel=Channel.WHATSAPP)
    refused = await do(world, an_id, "messages", {"text": "Hi", "take_over": True})
    assert (refused.status, refused.json["code"]) == (400, "window_closed")
    assert "template" in refused.json["hint"]
    assert (await shown(world, an_id))["mode"] == "bot"  # a refusal takes nothing over
    template = {"content_sid": TEMPLATE, "variables": {"1": "Ada"}}
    assert (await do(world, an_id, "messages", {"template": template, "take_over": True})).status == 200
    await change(world, "UPDATE thread SET last_inbound_at = $1", stored(world.store.now()))
    assert (await do(world, an_id, "messages", {"text": "Hi"})).status == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "message_missing"),
        ({"text": "Hi", "template": {"content_sid": TEMPLATE}}, 400, "message_missing"),
        ({"text": " \n "}, 400, "message_empty"),
        ({"text": ""}, 400, "invalid_request"),
        ({"text": "x" * 10_001}, 400, "invalid_request"),
        ({"text": 7}, 400, "invalid_request"),
        ({"text": "a\0b"}, 400, "invalid_request"),
        ({"template": {"content_sid": "HX1"}}, 400, "invalid_request"),
        ({"template": {"content_sid": TEMPLATE, "variables": {"1": ["a"]}}}, 400, "template_variables"),
        ({"text": "Hi", "by": ""}, 400, "invalid_request"),
        ([], 400, "invalid_request"),
    ],
)
async def test_what_cannot_be_written_is_refused_and_changes_nothing(
    world: World, body: Any, status: int, code: str
) -> None:
    an_id = await a_conversation(world)
    await do(world, an_id, "takeover", {"by": "Bo"})
    before = await world.rows()
    refused = await do(world, an_id, "messages", body)
    assert (refused.status, refused.json["code"]) == (status, code)
    assert refused.headers["content-type"] == "application/problem+json"
    assert await world.rows() == before


async def test_who_opted_out_is_not_written_to(world: World) -> None:
    an_id = await a_conversation(world)
    await change(world, "UPDATE contact SET opted_out_at = $1", stored(world.store.now()))
    refused = await do(world, an_id, "messages", {"text": "Hi", "take_over": True})
    assert (refused.status, refused.json["code"]) == (400, "recipient_opted_out")


async def test_what_has_ended_is_in_nobodys_hands(world: World) -> None:
    an_id = await a_conversation(world)
    assert (await do(world, an_id, "end")).json["reason"] == "completed"
    for verb, body in (("takeover", {}), ("messages", {"text": "Hi", "take_over": True}), ("handback", {})):
        refused = await do(world, an_id, verb, body)
        assert (refused.status, refused.json["code"]) == (409, "conversation_ended")
        assert refused.json["hint"]
    assert (await do(world, an_id, "end")).json == {"conversation_id": an_id, "changed": False, "reason": "completed"}


async def test_an_end_lets_a_persons_last_word_go_out(world: World) -> None:
    an_id = await a_conversation(world)
    await do(world, an_id, "messages", {"text": "Goodbye!", "take_over": True})
    ended = await do(world, an_id, "end", {"note": "All said."})
    assert ended.json["reason"] == "handed_over"
    assert [state for _, _, state in await lines(world, an_id)] == ["failed", "queued"]
    query = Query("SELECT o.epoch = v.epoch FROM outbox o JOIN conversation v ON v.id = o.conversation_id")
    [row] = await world.store.read(lambda tx: tx.all(query))
    assert row[0]
    chat = (await world.client.get(f"/v2/chat/{an_id}")).json["response"]
    assert chat["chat_status"] == "completed"


async def test_what_was_handed_back_is_the_agents(world: World) -> None:
    an_id = await a_conversation(world)
    await do(world, an_id, "messages", {"text": "Bo here.", "take_over": True})
    back = await do(world, an_id, "handback", {"say": "Over to our assistant."})
    assert back.json == {"conversation_id": an_id, "mode": "bot", "changed": True, "answers": False}
    assert [text for _, text, _ in await lines(world, an_id)] == ["Hello", "Bo here.", "Over to our assistant."]
    assert [state for _, _, state in await lines(world, an_id)] == ["failed", "queued", "queued"]
    assert (await do(world, an_id, "handback")).json["changed"] is False
    present = await shown(world, an_id)
    assert (present["mode"], present["taken_by"], present["note"]) == ("bot", None, None)
    assert (await kinds(world))[-2:] == ["conversation.taken_over", "conversation.handed_back"]


@pytest.mark.parametrize("query", ["mode=nobody", "waiting=perhaps", "cursor=x", "cursor=9.", "limit=0", "limit=201"])
async def test_a_list_that_is_asked_for_wrongly_says_so(world: World, query: str) -> None:
    reply = await world.client.get(f"{PATH}?{query}")
    assert reply.status == (200 if query == "cursor=9." else 400)


async def test_a_deleted_conversation_is_not_there(world: World) -> None:
    an_id = await a_conversation(world)
    await world.client.call("DELETE", f"/v2/chat/{an_id}")
    assert (await world.client.get(f"{PATH}/{an_id}")).status == 404
    for verb in ("takeover", "messages", "handback", "end"):
        assert (await do(world, an_id, verb, {"text": "Hi"} if verb == "messages" else {})).status == 404
    assert (await world.client.get(PATH)).json["conversations"] == []


async def test_what_became_of_notices_is_shown_with_their_conversation_alone(world: World) -> None:
    an_id, other = await a_conversation(world), await a_conversation(world, "+15550100007")
    assert (await shown(world, an_id))["notices"] == []
    await change(
        world,
        "INSERT INTO notice (id, shard, workspace_id, conversation_id, kind, body, url, state, tries, reason, due_at,"
        " created_at) VALUES ('n1', 0, $1, $2, 'conversation.unattended', '{}', 'https://a.example', 'waiting', 3,"
        " 'The server answered 500.', 1, 1)",
        WORKSPACE,
        an_id,
    )
    [notice] = (await shown(world, an_id))["notices"]
    assert {name: notice[name] for name in ("notice_id", "kind", "state", "tries", "reason", "finished_at")} == {
        "notice_id": "n1",
        "kind": "conversation.unattended",
        "state": "waiting",
        "tries": 3,
        "reason": "The server answered 500.",
        "finished_at": None,
    }
    assert (await shown(world, other))["notices"] == []


async def test_a_conversation_tells_what_its_models_took(world: World) -> None:
    an_id = await a_conversation(world)
    assert (await shown(world, an_id))["model_use"] == []
    insert = """
        INSERT INTO step (turn_id, number, shard, workspace_id, conversation_id, kind, state, request, started_at,
                          input_tokens, output_tokens, cost_micros, cost_currency, is_guess)
        VALUES ('t', $3, 0, $1, $2, 'model', 'done', '', 1, 300, 20, 760, 'USD', $4)
    """
    await change(world, insert, WORKSPACE, an_id, 0, False)
    await change(world, insert, WORKSPACE, an_id, 1, True)
    assert (await shown(world, an_id))["model_use"] == [
        {"requests": 2, "guessed": 1, "input_tokens": 600, "output_tokens": 40, "cost": "0.00152", "currency": "USD"}
    ]
