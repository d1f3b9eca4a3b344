"""A webhook is kept and answered, and that is all that is done in its request, however busy the house is."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.faults.houses import Running, call_on, running, sid_of
from tests.reaching import Reached
from tests.sizes import size
from tests.web.conftest import TABLES
from tests.web.conftest import World as Web
from tests.web.test_webhooks import INBOUND, deliver

WEBHOOKS = size(small=200, full=5_000)
AT_ONCE = 4


@pytest.mark.promise("P3")
async def test_nothing_but_its_row_is_written_in_a_webhooks_request(web: Web) -> None:
    before = await web.rows()
    assert (await deliver(web, "/webhooks/twilio/inbound", INBOUND)).status == 200
    after = await web.rows()
    assert {table for table in TABLES if after[table] != before[table]} == {"inbox"}
    assert after["inbox"] == before["inbox"] + 1


@asynccontextmanager
async def busy(house: Running) -> AsyncIterator[None]:
    """Conversations are opened, sent and answered all the time."""
    stopping, told = asyncio.Event(), list[str]()
    async with asyncio.TaskGroup() as together:
        for n in range(2):
            together.create_task(call_on(house, random.Random(n), stopping, told))
        try:
            yield
        finally:
            stopping.set()


@pytest.mark.promise("P3")
async def test_webhooks_are_answered_at_once_while_turns_and_sends_run(
    database_url: str, tmp_path: Path, reached: Reached
) -> None:
    took: list[float] = []

    async def write(n: int) -> None:
        contact = f"+1555{6_000_000 + n:07}"
        began = time.perf_counter()
        reply = await house.hears(sid_of(contact), contact, "Hello?")
        took.append(time.perf_counter() - began)
        assert reply.status == 200

    async with running(database_url, tmp_path) as house, busy(house):
        for n in range(0, WEBHOOKS, AT_ONCE):
            await asyncio.gather(*(write(n + k) for k in range(AT_ONCE)))
    took.sort()
    median, slowest = took[len(took) // 2] * 1000, took[len(took) * 99 // 100] * 1000
    reached(
        f"{WEBHOOKS} webhooks, {AT_ONCE} at once: all 200; p50 {median:.0f} ms, p99 {slowest:.0f} ms, in one process "
        "with its callers, roads and provider"
    )
