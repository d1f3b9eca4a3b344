"""PostgreSQL is stopped dead and started again, or cuts every connection, in the middle of everything.

Callers are told 503 meanwhile and are served again within five seconds, by the same process; what was answered with
200 is carried out once.
"""

import asyncio
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests import databases
from tests.databases import Restartable
from tests.faults.houses import callers, is_carried_out_once, more, running
from tests.reaching import Reached
from tests.sizes import size

RESTARTS = size(small=3, full=50)
BACK_WITHIN = 5.0


@pytest.fixture(scope="module")
def server() -> Iterator[Restartable]:
    """A PostgreSQL server of its own, which no other test uses."""
    with databases.restartable() as server:
        yield server


async def cut_every_connection(url: str) -> None:
    """What an administrator does, or a failover."""
    connection = await asyncpg.connect(url)
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    await connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    await connection.close()


@pytest.mark.promise("P11")
@pytest.mark.promise("P1")
async def test_a_database_that_is_restarted_is_served_from_again_within_seconds(
    server: Restartable, tmp_path: Path, reached: Reached
) -> None:
    url, longest, dice = server.create(), 0.0, random.Random(11)
    async with running(url, tmp_path) as house:
        async with callers(house) as told:
            for _ in range(RESTARTS):
                await more(house, told, 3)
                await asyncio.sleep(dice.random() * 0.05)  # in the middle of anything
                await asyncio.to_thread(server.stop_at_once)
                reply = await house.asks("+15559999999")
                assert (reply.status, reply.detail["code"]) == (503, "storage_away")
                assert int(reply.headers["retry-after"]) >= 1
                assert (await house.hears("SM" + "e" * 32, "+15559999999", "Hello?")).status == 503
                await asyncio.to_thread(server.start)
                began = time.monotonic()
                await house.until_taken(lambda: house.asks("+15558888888"), BACK_WITHIN)
                longest = max(longest, time.monotonic() - began)
        told.append("+15558888888")
        await house.until_taken(lambda: house.hears("SM" + "d" * 32, "+15558888888", "Monday"))
        await is_carried_out_once(house, told)
    assert set(house.answers) <= {200, 503}
    reached(
        f"{RESTARTS} immediate restarts: {house.answers[503]} calls answered 503, {len(told)} conversations opened "
        f"and answered once each, served again {longest:.1f} s after the start at most"
    )


@pytest.mark.promise("P11")
async def test_connections_that_are_cut_in_the_middle_of_anything_cost_nothing(
    postgresql_url: str, tmp_path: Path, reached: Reached
) -> None:
    dice = random.Random(12)
    async with running(postgresql_url, tmp_path) as house:
        async with callers(house) as told:
            for _ in range(RESTARTS * 3):
                await more(house, told, 1)
                await asyncio.sleep(dice.random() * 0.05)
                await cut_every_connection(postgresql_url)
        await is_carried_out_once(house, told)
    assert set(house.answers) <= {200, 503}
    reached(f"{RESTARTS * 3} times every connection cut: {len(told)} conversations opened and answered once each")


def test_a_restartable_server_keeps_what_was_committed(server: Restartable) -> None:
    """The fault is the one that is meant: a stop without a word, from which the server recovers by itself."""
    url = server.create()

    async def write(sql: str) -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(sql)
        await connection.close()

    asyncio.run(write("CREATE TABLE kept (a int); INSERT INTO kept VALUES (1)"))
    server.stop_at_once()
    with pytest.raises((OSError, asyncpg.CannotConnectNowError, subprocess.SubprocessError)):
        asyncio.run(write("INSERT INTO kept VALUES (2)"))
    server.start()
    asyncio.run(write("INSERT INTO kept VALUES (3)"))
