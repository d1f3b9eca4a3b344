"""A thousand calls at once with one Idempotency-Key, at one process or at several: one conversation, one message."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from overture.store.statement import Query
from tests.reaching import Reached
from tests.web import conftest as web_parts
from tests.web.conftest import AGENT, SMS_SENDER
from tests.web.conftest import World as Web

CALLS = 1_000
PROCESSES = 3
HEADERS = {"Idempotency-Key": "the same for all"}
ASKED = {
    "agent_id": AGENT,
    "channel": "sms",
    "to_number": "+15559876543",
    "from_number": SMS_SENDER,
    "initial_message": "Hello",
}


async def another_process(stack: AsyncExitStack, url: str) -> Web:
    """The application once more, with connections of its own, over a database that is furnished."""
    store = web_parts.open_store(url)
    await store.open()
    stack.push_async_callback(store.close)
    return await web_parts.make_world(store)


@pytest.mark.promise("P25")
async def test_a_thousand_calls_with_one_key_open_one_conversation(
    web: Web, database_url: str, reached: Reached
) -> None:
    async with AsyncExitStack() as stack:
        doors = [web.client]
        if not database_url.startswith("sqlite:"):  # one process is all that SQLite lets in
            doors += [(await another_process(stack, database_url)).client for _ in range(PROCESSES - 1)]
        calls = (
            doors[n % len(doors)].post("/v2/chat/outbound" if n % 2 else "/api/chat/outbound", ASKED, headers=HEADERS)
            for n in range(CALLS)
        )
        replies = await asyncio.gather(*calls)
        assert Counter(reply.status for reply in replies) == {200: CALLS}
        assert len({reply.body for reply in replies}) == 1
        assert sum("overture-replayed" not in reply.headers for reply in replies) == 1
        assert {table: await web.count(table) for table in ("conversation", "message", "outbox", "idempotency")} == {
            "conversation": 1,
            "message": 1,
            "outbox": 1,
            "idempotency": 1,
        }
        reached(f"{CALLS} calls at {len(doors)} processes: 1 conversation, the same answer to each")


@pytest.mark.promise("P25")
async def test_of_calls_with_one_key_and_different_bodies_one_body_wins(web: Web, database_url: str) -> None:
    async with AsyncExitStack() as stack:
        doors = [web.client]
        if not database_url.startswith("sqlite:"):
            doors += [(await another_process(stack, database_url)).client for _ in range(PROCESSES - 1)]
        calls = (
            doors[n % len(doors)].post(
                "/v2/chat/outbound", {**ASKED, "initial_message": f"Hello {n % 5}"}, headers=HEADERS
            )
            for n in range(200)
        )
        replies = await asyncio.gather(*calls)
        assert Counter(reply.status for reply in replies) == {200: 40, 422: 160}
        assert len({reply.body for reply in replies if reply.status == 200}) == 1
        refused = {reply.detail["code"] for reply in replies if reply.status == 422}
        assert refused == {"idempotency_key_reused"}
        assert await web.count("message") == 1
        kept = await web.store.read(lambda tx: tx.all(Query("SELECT key FROM idempotency")))
        assert [row[0] for row in kept] == [HEADERS["Idempotency-Key"]]
