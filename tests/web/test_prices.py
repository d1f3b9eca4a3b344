"""The routes of prices and spending: a table is brought whole, looked at, exported and cleared; sums by day."""

from typing import Any

import pytest

from overture.domain import price_list
from overture.domain.access import Scope
from overture.domain.model_use import Use
from overture.store import instances, model_use
from overture.store.engine import Writing
from tests.pricing import HEAD, LIST
from tests.web.asgi import Client, Reply
from tests.web.conftest import AGENT, FOREIGN, SMS_SENDER, WORKSPACE, World

PRICES, EXPORT, SPEND = "/overture/v1/prices", "/overture/v1/prices/export", "/overture/v1/spend"
ADA = "+15559876543"
UNKNOWN = {"amount": None, "currency": None, "is_known": False}


async def bring(world: World, text: str | bytes = LIST, client: Client | None = None) -> Reply:
    """A table is brought, over the API, to a workspace that is on disk."""

    async def add(tx: Writing) -> None:
        for workspace_id in (WORKSPACE, FOREIGN):
            await instances.add_workspace(tx, workspace_id, workspace_id, world.store.now())

    await world.store.write(add)
    body = text if isinstance(text, bytes) else text.encode()
    return await (client or world.client).call("PUT", PRICES, body=body)


def asked(**changes: Any) -> dict[str, Any]:
    """A call for a conversation with Ada over SMS."""
    call = {
        "agent_id": AGENT,
        "channel": "sms",
        "to_number": ADA,
        "from_number": SMS_SENDER,
        "initial_message": "Hello Ada",
    }
    return {**call, **changes}


async def cost_of_dry_run(world: World) -> Any:
    """What the dry run tells of the cost."""
    return (await world.client.post("/v2/chat/outbound?dry_run=true", asked())).json["response"]["cost"]


async def test_a_table_is_brought_looked_at_exported_and_cleared(world: World) -> None:
    none = (await world.client.get(PRICES)).json
    assert none == {"revision": None, "currency": None, "total": 0, "prices": []}
    assert (await world.client.get(EXPORT)).body.decode() == HEAD
    saved = await bring(world)
    assert (saved.status, saved.json["currency"], saved.json["total"]) == (200, "USD", 5)
    page = (await world.client.get(f"{PRICES}?limit=2&offset=1")).json
    assert (page["revision"], page["total"], len(page["prices"])) == (saved.json["revision"], 5, 2)
    for_number = (await world.client.get(f"{PRICES}?number=%2B4915112345678")).json["prices"]
    assert for_number == [
        {"channel": "whatsapp", "prefix": "+", "category": "service", "price": "0.005"},
        {"channel": "whatsapp", "prefix": "+49", "category": "marketing", "price": "0.025"},
        {"channel": "whatsapp", "prefix": "+49", "category": "utility", "price": "0.004"},
    ]
    export = await world.client.get(EXPORT)
    assert export.headers["content-type"] == "text/csv; charset=utf-8"
    assert set(price_list.read(export.body).rows) == set(price_list.read(LIST.encode()).rows)
    assert (await bring(world, export.body)).json["total"] == 5
    for _ in range(2):
        assert (await world.client.delete(PRICES)).status == 204
    assert (await world.client.get(PRICES)).json == none


async def test_where_a_line_is_wrong_nothing_is_kept_and_each_is_named(world: World) -> None:
    await bring(world)
    reply = await bring(world, f"{HEAD}sms,+1,,1,EUR\nsms,+2,,x,EUR\nsms,+3,,1,USD\n")
    assert (reply.status, reply.json["code"], reply.json["field"]) == (400, "prices_invalid", "body")
    assert reply.json["detail"].splitlines() == [
        "Line 3: price 'x' is no decimal number.",
        "Line 4: its currency is USD, that of the rows before EUR; a table has one.",
    ]
    assert (await world.client.get(PRICES)).json["currency"] == "USD"


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"\xff\xfe", 400), (b"\x00", 400), (b"{}", 400), (b"x" * (price_list.MOST_BYTES + 1), 413)],
)
async def test_what_is_no_list_is_refused(world: World, body: bytes, status: int) -> None:
    assert (await bring(world, body)).status == status


@pytest.mark.parametrize("query", ["number=1", "number=", "number=%2B1x", "limit=0", "limit=1001", "offset=-1"])
async def test_a_question_that_makes_no_sense_is_refused(world: World, query: str) -> None:
    assert (await world.client.get(f"{PRICES}?{query}")).status == 400


async def test_a_table_is_its_workspaces_alone(world: World) -> None:
    await bring(world)
    assert (await world.foreign.get(PRICES)).json["total"] == 0
    assert (await world.foreign.get(f"{PRICES}?number={ADA.replace('+', '%2B')}")).json["prices"] == []
    await bring(world, f"{HEAD}sms,+,,9,EUR\n", world.foreign)
    await world.foreign.delete(PRICES)
    assert await cost_of_dry_run(world) == {"amount": "0.0083", "currency": "USD", "is_known": True}


async def test_who_may_only_read_changes_nothing(world: World) -> None:
    await bring(world)
    reader = world.client.with_key(await world.key(Scope.READ))
    assert (await bring(world, client=reader)).status == 403
    assert (await reader.delete(PRICES)).status == 403
    assert (await reader.get(EXPORT)).status == 200


async def test_a_dry_run_and_a_conversation_tell_the_cost(world: World) -> None:
    assert await cost_of_dry_run(world) == UNKNOWN
    await bring(world)
    assert await cost_of_dry_run(world) == {"amount": "0.0083", "currency": "USD", "is_known": True}
    an_id = (await world.client.post("/v2/chat/outbound", asked())).json["response"]["conversation_id"]
    [line] = (await world.client.get(f"/overture/v1/conversations/{an_id}/messages")).json["messages"]
    expected = {"estimated": "0.0083", "charged": None, "currency": "USD", "charged_currency": None}
    assert (line["segments"], line["cost"]) == (1, expected)
    assert (await world.client.get(f"/overture/v1/deliveries/{line['id']}")).json["cost"] == expected
    [listed] = (await world.client.get("/overture/v1/deliveries?state=queued")).json["deliveries"]
    assert listed["cost"] == expected


async def test_amounts_are_texts_that_no_reader_rounds(world: World) -> None:
    await bring(world, f"{HEAD}sms,+,,999999.999999,USD\n")
    told = (await world.client.post("/v2/chat/outbound?dry_run=true", asked(initial_message="a" * 161))).body
    assert b'"amount":"1999999.999998"' in told


async def test_what_was_spent_is_told_for_days_of_utc(world: World) -> None:
    await bring(world)
    await world.client.post("/v2/chat/outbound", asked())
    told = (await world.client.get(f"{SPEND}?by=sender")).json
    empty = {"key": "", "name": "", "messages": 0, "segments": 0, "not_estimated": 0, "not_charged": 0, "amounts": []}
    assert (told["by"], told["spend"], told["total"]) == ("sender", [], empty)  # nothing has left yet
    days = (await world.client.get(f"{SPEND}?from=2026-03-01&to=2026-03-01")).json
    assert (days["from"], days["to"], days["by"]) == ("2026-03-01", "2026-03-01", "day")
    assert (await world.foreign.get(SPEND)).json["spend"] == []


@pytest.mark.parametrize(
    "query",
    [
        *("by=country", "by=", "from=yesterday", "from=2026-02-30", "from=2026-03-02&to=2026-03-01"),
        *("from=2020-01-01&to=2026-01-01", "to=9999-12-31", "from=0001-01-01&to=0001-01-02", "to=%00"),
    ],
)
async def test_days_that_make_no_sense_are_refused(world: World, query: str) -> None:
    reply = await world.client.get(f"{SPEND}?{query}")
    assert (reply.status, reply.json["code"]) == (400, "invalid_request")


async def test_what_models_took_is_told_by_day_and_by_agent_beside_what_messages_cost(world: World) -> None:
    """Another workspace's is not told, nor what was only reserved and given back."""
    now = world.store.now()
    day = model_use.day_of(now)
    paid = Use(input_tokens=300, output_tokens=20, micros=760, currency="USD")
    free = Use(input_tokens=10, output_tokens=1)

    async def used(tx: Writing) -> None:
        for workspace_id, agent_id, use, requests in (
            (WORKSPACE, AGENT, paid, 1),
            (WORKSPACE, AGENT, paid, 2),
            (WORKSPACE, "gone", free, 1),
            (FOREIGN, AGENT, paid, 1),
        ):
            await model_use.add(tx, workspace_id, agent_id, day, use, requests=requests, sign=1)
        await model_use.hold(tx, WORKSPACE, AGENT, day)

    await world.store.write(used)
    today = now.date().isoformat()
    told = {"requests": 3, "input_tokens": 600, "output_tokens": 40, "cost": "0.00152", "currency": "USD"}
    unpriced = {"requests": 1, "input_tokens": 10, "output_tokens": 1, "cost": None, "currency": None}
    by_day = (await world.client.get(SPEND)).json["models"]
    assert by_day == [{"key": today, "name": today, **unpriced}, {"key": today, "name": today, **told}]
    by_agent = (await world.client.get(f"{SPEND}?by=agent")).json["models"]
    assert [(one["key"], one["requests"]) for one in by_agent] == [("gone", 1), (AGENT, 3)]
    assert (await world.client.get(f"{SPEND}?by=sender")).json["models"] == []
