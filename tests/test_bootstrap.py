"""The house as a whole, with Handset for Twilio: it stops without losing or repeating anything."""

import asyncio
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from handset.testing import RunningHandset, running
from overture import settings
from overture.bootstrap import WORKSPACE, House
from overture.domain.channel import Channel
from overture.domain.errors import Misconfigured
from overture.domain.sending import Start
from overture.settings import Settings
from overture.store import agents
from overture.store.statement import Query
from tests.world import BOOKER, OURS

PHONES = [f"+15550200{n:03}" for n in range(150)]  # more than are in flight at once
SERVE = "import asyncio; from overture import bootstrap, settings; asyncio.run(bootstrap.serve(settings.read()))"


@asynccontextmanager
async def a_handset(port: int) -> AsyncIterator[RunningHandset]:
    """Handset, with our number and our address in it."""
    inbound = f"http://127.0.0.1:{port}/webhooks/twilio/inbound"
    async with running({"numbers": [{"address": OURS, "inbound_url": inbound}], "phones": []}) as handset:
        yield handset


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def environment(handset: RunningHandset, database_url: str, folder: Path, port: int) -> dict[str, str]:
    return {
        "OVERTURE_DATA": str(folder),
        "OVERTURE_DATABASE_URL": database_url,
        "OVERTURE_PORT": str(port),
        "OVERTURE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "OVERTURE_TWILIO_ACCOUNT_SID": handset.account_sid,
        "OVERTURE_TWILIO_AUTH_TOKEN": handset.auth_token,
        "OVERTURE_TWILIO_BASE_URL": handset.base_url,
        "OVERTURE_SENDERS": f"sms:{OURS}",
    }


async def queue_openings(read: Settings) -> None:
    """Start a conversation with every phone, in a house whose workers do not run."""
    house = House(read)
    parts = await house.open()
    await house.store.write(lambda tx: agents.save(tx, WORKSPACE, "booker", BOOKER, {}, house.store.now()))
    asked = [
        Start(
            workspace_id=WORKSPACE,
            agent_id="booker",
            channel=Channel.SMS,
            to_number=phone,
            from_number=OURS,
            digest=phone,
            text=f"Hello {phone}",
        )
        for phone in PHONES
    ]
    await asyncio.gather(*(parts.starts.submit(one) for one in asked))
    await house.close()


async def sent_to_each(handset: RunningHandset) -> Counter[str]:
    return Counter(message["to"] for message in await handset.messages())


async def left_to_do(house: House) -> int:
    row = await house.store.read(lambda tx: tx.one(Query("SELECT count(*) FROM outbox")))
    assert row is not None
    return int(row[0])


@pytest.mark.promise("P18")
async def test_a_house_that_closes_with_sends_in_flight_loses_and_repeats_nothing(
    database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    async with a_handset(port) as handset:
        read = settings.read(environment(handset, database_url, tmp_path, port))
        await queue_openings(read)
        for _ in range(2):
            house = House(read)
            await house.open()
            house.start_roads()
            before = len(await handset.messages())
            await handset.wait_for(lambda before=before: more_than(handset, before), 10)  # type: ignore[misc]
            await asyncio.wait_for(house.close(), 25)
        house = House(read)
        await house.open()
        house.start_roads()

        async def done() -> bool:
            return await left_to_do(house) == 0

        await handset.wait_for(done, 20)
        await house.close()
        assert await sent_to_each(handset) == Counter(PHONES)


async def more_than(handset: RunningHandset, count: int) -> bool:
    """Some more messages were posted, or none are left."""
    return len(await handset.messages()) > min(count, len(PHONES) - 1)


@pytest.mark.promise("P18")
async def test_a_server_that_is_told_to_stop_drains_and_exits_with_0(database_url: str, tmp_path: Path) -> None:
    port = free_port()
    async with a_handset(port) as handset:
        given = environment(handset, database_url, tmp_path, port)
        await queue_openings(settings.read(given))
        for told in (signal.SIGTERM, signal.SIGINT):
            before = len(await handset.messages())
            server = await serving(given)
            await handset.wait_for(lambda before=before: more_than(handset, before), 20)  # type: ignore[misc]
            server.send_signal(told)
            _, errors = await asyncio.wait_for(server.communicate(), 25)
            assert server.returncode == 0, errors.decode()
        server = await serving(given)

        async def all_sent() -> bool:
            return len(await handset.messages()) >= len(PHONES)

        await handset.wait_for(all_sent, 20)
        server.terminate()
        await server.communicate()
        assert await sent_to_each(handset) == Counter(PHONES)


async def serving(given: dict[str, str]) -> asyncio.subprocess.Process:
    """A server of its own process, once it takes connections."""
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, env={**os.environ, **given}, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        while server.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", int(given["OVERTURE_PORT"]))
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                break
    return server


async def test_a_conversation_runs_from_its_opening_to_its_end(database_url: str, tmp_path: Path) -> None:
    port, ada = free_port(), PHONES[0]
    async with a_handset(port) as handset:
        given = environment(handset, database_url, tmp_path, port) | {"OVERTURE_QUIET_SECONDS": "0"}
        await queue_openings(settings.read(given))
        server = await serving(given)

        async def heard(text: str) -> bool:
            return text in await handset.received_by(ada)

        await handset.wait_for(lambda: heard(f"Hello {ada}"), 20)
        await handset.types(ada, OURS, "Monday")
        await handset.wait_for(lambda: heard("Monday it is. At what time?"), 20)
        await handset.types(ada, OURS, "ten")
        await handset.wait_for(lambda: heard("See you on Monday at ten."), 20)
        server.terminate()
        await server.communicate()
        assert len(await handset.received_by(ada)) == 3


async def test_a_second_server_on_one_sqlite_database_is_refused_and_the_first_goes_on(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with a_handset(free_port()) as handset:
        read = settings.read(environment(handset, sqlite_url, tmp_path, 0))
        first, second = House(read), House(read)
        await first.open()
        with pytest.raises(Misconfigured):
            await second.open()
        await second.close()
        assert await first.store.read(lambda tx: tx.one(Query("SELECT 1"))) is not None
        await first.close()


async def test_a_house_keeps_its_identity_and_its_senders(database_url: str, tmp_path: Path) -> None:
    async with a_handset(free_port()) as handset:
        given = environment(handset, database_url, tmp_path, 0)
        seen = []
        for senders in (f"sms:{OURS}", f"sms:{OURS}=booker,sms:+15557770000", "sms:+15557770000", f"sms:{OURS}"):
            house = House(settings.read({**given, "OVERTURE_SENDERS": senders}))
            await house.open()
            rows = await house.store.read(
                lambda tx: tx.all(
                    Query("SELECT address, id, activated_at FROM sender WHERE removed_at IS NULL ORDER BY address")
                )
            )
            instance = await house.store.read(lambda tx: tx.all(Query("SELECT id, callback_secret FROM instance")))
            seen.append(({row[0]: (row[1], row[2]) for row in rows}, [tuple(row) for row in instance]))
            await house.close()
        assert [sorted(addresses) for addresses, _ in seen] == [
            [OURS],
            [OURS, "+15557770000"],
            ["+15557770000"],
            [OURS],
        ]
        assert len({found[OURS] for found, _ in seen if OURS in found}) == 1
        assert len({tuple(instance) for _, instance in seen}) == 1
