"""Pools, the senders' pace and their queues over the API."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from overture.store.engine import Writing
from overture.store.statement import Command, Query
from tests.web.asgi import Reply
from tests.web.conftest import AGENT, SMS_SENDER, World

POOLS, SENDERS, QUEUES = "/overture/v1/pools", "/overture/v1/senders", "/overture/v1/queues"
SID = "AC" + "7" * 32


async def save(world: World, **fields: Any) -> Reply:
    asked = {"name": "spring", "pace_per_second": 2.5, "senders": [], **fields}
    return await world.client.put(POOLS, {name: value for name, value in asked.items() if value is not ...})


async def activate(world: World, **fields: Any) -> Reply:
    assert (await world.client.post("/overture/v1/accounts", {"sid": SID, "auth_token": "a token"})).status == 200
    return await world.client.post(SENDERS, {"account_sid": SID, "channel": "sms", "address": "+15551230077", **fields})


async def ours(world: World) -> list[str]:
    return [one["id"] for one in (await world.client.get(SENDERS)).json["senders"]]


async def test_a_pool_is_made_changed_and_taken_away(world: World) -> None:
    first, second = await ours(world)
    made = await save(world, senders=[second, first, first], kind="brand")
    no_limit = dict.fromkeys(("recipients_a_day", "recipients_used", "recipients_free_at"))
    shown = {"name": "spring", "kind": "brand", "pace_per_second": 2.5, "senders": sorted([first, second])} | no_limit
    assert (made.status, made.json) == (200, shown)
    assert "outbox" in world.woken
    await save(world, pace_per_second=1, senders=[first])  # the same name once more
    changed = {"name": "spring", "kind": "free", "pace_per_second": 1.0, "senders": [first]} | no_limit
    assert (await world.client.get(POOLS)).json == {"pools": [changed]}
    assert (await world.client.call("DELETE", f"{POOLS}/spring")).status == 204
    assert (await world.client.get(POOLS)).json == {"pools": []}
    gone = await world.client.call("DELETE", f"{POOLS}/spring")
    assert (gone.status, gone.json["code"]) == (404, "pool_unknown")


@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        ({"pace_per_second": 0}, "invalid_request", "pace_per_second"),
        ({"pace_per_second": -1}, "invalid_request", "pace_per_second"),
        ({"pace_per_second": 10_001}, "invalid_request", "pace_per_second"),
        ({"pace_per_second": 0.0009}, "invalid_request", "pace_per_second"),
        ({"pace_per_second": "2"}, "invalid_request", "pace_per_second"),
        ({"pace_per_second": None}, "invalid_request", "pace_per_second"),
        ({"pace_per_second": ...}, "invalid_request", "pace_per_second"),
        ({"pace_per_second": None, "recipients_a_day": 0}, "invalid_request", "recipients_a_day"),
        ({"recipients_a_day": -250}, "invalid_request", "recipients_a_day"),
        ({"recipients_a_day": 2.5}, "invalid_request", "recipients_a_day"),
        ({"recipients_a_day": "250"}, "invalid_request", "recipients_a_day"),
        ({"recipients_a_day": True}, "invalid_request", "recipients_a_day"),
        ({"recipients_a_day": 10_000_001}, "invalid_request", "recipients_a_day"),
        ({"recipients_a_day": 2**80}, "invalid_request", "recipients_a_day"),
        ({"senders": ["nobody"]}, "sender_unknown", "senders"),
        ({"senders": ["' OR 1=1 --"]}, "sender_unknown", "senders"),
        ({"senders": "nobody"}, "invalid_request", "senders"),
        ({"kind": "sender"}, "invalid_request", "kind"),
        ({"kind": "crowd"}, "invalid_request", "kind"),
        ({"name": ""}, "invalid_request", "name"),
        ({"name": " "}, "invalid_request", "name"),
        ({"name": "a\nb"}, "invalid_request", "name"),
        ({"name": "a/b"}, "invalid_request", "name"),
        ({"name": ".."}, "invalid_request", "name"),
        ({"name": "x" * 65}, "invalid_request", "name"),
        ({"name": 5}, "invalid_request", "name"),
    ],
)
async def test_what_can_be_no_pool_is_refused_by_name(
    world: World, asked: dict[str, Any], code: str, field: str
) -> None:
    reply = await save(world, **asked)
    assert (reply.status, reply.json["code"], reply.json["field"]) == (400, code, field), reply.body
    assert (await world.client.get(POOLS)).json == {"pools": []}


@pytest.mark.parametrize("pace", [b"NaN", b"Infinity", b"1e999", b"-1e999"])
async def test_what_is_no_number_is_no_pace(world: World, pace: bytes) -> None:
    body = b'{"name": "spring", "senders": [], "pace_per_second": ' + pace + b"}"
    assert (await world.client.call("PUT", POOLS, body=body)).status == 400
    assert (await world.client.get(POOLS)).json == {"pools": []}


@pytest.mark.promise("P28")
async def test_a_sender_of_another_workspace_is_none_of_ours(world: World) -> None:
    [an_id, _] = await ours(world)
    reply = await world.foreign.put(POOLS, {"name": "theirs", "pace_per_second": 1, "senders": [an_id]})
    assert (reply.status, reply.json["code"]) == (400, "sender_unknown")


async def test_a_sender_has_a_pace_of_its_own(world: World) -> None:
    made = (await activate(world, pace_per_second=0.5)).json
    assert made["pace_per_second"] == 0.5
    at = f"{SENDERS}/{made['id']}"
    assert (await world.client.get(at)).json["pace_per_second"] == 0.5
    assert (await world.client.get(POOLS)).json == {"pools": []}  # it is the sender's
    for pace in (4, None):
        changed = await world.client.call("PATCH", at, body=json.dumps({"pace_per_second": pace}).encode())
        assert changed.json["pace_per_second"] == pace
        assert (await world.client.get(at)).json["pace_per_second"] == pace
    refused = await world.client.call("PATCH", at, body=b'{"pace_per_second": 0}')
    assert (refused.status, refused.json["field"]) == (400, "pace_per_second")


async def test_a_full_queue_is_told_at_the_call_and_by_itself(world: World) -> None:
    found = (await world.client.get(SENDERS)).json["senders"]
    [sender] = [one for one in found if one["channel"] == "sms" and one["address"] == SMS_SENDER]
    await save(world, pace_per_second=0.001, senders=[sender["id"]], kind="campaign")
    replies = []
    for n in range(16):
        asked = {"agent_id": AGENT, "channel": "sms", "to_number": f"+1555987{n:04}", "from_number": SMS_SENDER}
        replies.append(await world.client.post("/v2/chat/outbound", asked))
    assert [reply.status for reply in replies] == [200] * 15 + [429]
    assert replies[-1].detail["code"] == "queue_full"
    assert int(replies[-1].headers["retry-after"]) > 500
    assert "campaign spring" in replies[-1].detail["description"]
    shown = (await world.client.get(QUEUES)).json["queues"]
    [told] = [one for one in shown if one["sender_id"] == sender["id"]]
    assert (told["openings"], told["replies"], told["later"]) == (15, 0, 0)
    assert (told["pool"], told["pace_per_second"]) == ("campaign spring", 0.001)
    assert 14_000 < told["estimated_seconds"] <= 15_000
    [other] = [one for one in shown if one["sender_id"] != sender["id"]]
    assert (other["pool"], other["pace_per_second"], other["estimated_seconds"]) == (None, None, None)


async def test_a_portfolio_tells_how_many_people_it_may_still_write_to(world: World) -> None:
    found = (await world.client.get(SENDERS)).json["senders"]
    [whatsapp] = [one["id"] for one in found if one["channel"] == "whatsapp"]
    asked = {"kind": "whatsapp_portfolio", "senders": [whatsapp], "pace_per_second": None}
    made = (await save(world, recipients_a_day=2, **asked)).json
    assert (made["pace_per_second"], made["recipients_a_day"], made["recipients_used"]) == (None, 2, 0)
    hour = int(world.store.now().timestamp()) // 3600 * 3600
    rows = [("p1", hour - 7200), ("p2", hour), ("p3", hour - 90_000)]

    async def count(tx: Writing) -> None:
        [row] = await tx.all(Query("SELECT id FROM pool WHERE name = 'spring'"))
        for contact, bucket in rows:
            await tx.run(
                Command(
                    "INSERT INTO recipient (pool_id, contact_id, shard, bucket, message_id) VALUES ($1,$2,0,$3,$2)"
                ),
                row[0],
                contact,
                bucket,
            )

    await world.store.write(count)
    [shown] = (await world.client.get(POOLS)).json["pools"]
    assert (shown["recipients_used"], shown["recipients_a_day"]) == (2, 2)
    free_at = datetime.fromtimestamp(hour - 7200 + 90_000, UTC)
    assert datetime.fromisoformat(shown["recipients_free_at"]) == free_at
    queues = (await world.client.get(QUEUES)).json["queues"]
    told = {one["sender_id"]: (one["recipients_used"], one["recipients_a_day"], one["pool"]) for one in queues}
    assert told.pop(whatsapp) == (2, 2, None)
    assert set(told.values()) == {(None, None, None)}
    assert (await world.foreign.get(POOLS)).json == {"pools": []}
