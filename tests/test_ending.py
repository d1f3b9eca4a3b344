"""A server that is told to stop is gone within 25 seconds, with exit status 0, whatever hangs."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from overture import settings
from overture.bootstrap import House
from overture.domain.channel import Channel
from overture.domain.sending import Start
from overture.store import agents
from overture.web import serving as serving_doors
from overture.workers import ending
from tests.scripted_twilio import Hold, ScriptedTwilio
from tests.world import ACCOUNT, BOOKER, OURS, StillClock

pytestmark = pytest.mark.promise("P18")

LIMIT = 25
SERVE = "import asyncio; from overture import bootstrap, settings; asyncio.run(bootstrap.serve(settings.read()))"


class Cord:
    """A cable to the database that can be pulled: from then on nothing passes, and nobody is told."""

    def __init__(self, url: str) -> None:
        self._there = urlsplit(url)
        self._open = asyncio.Event()
        self._open.set()
        self.url = ""
        self._carrying: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    def pull(self) -> None:
        """Let nothing pass any more."""
        self._open.clear()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        folder = parse_qs(self._there.query).get("host")
        port = self._there.port or 5432
        there, back = (
            await asyncio.open_unix_connection(f"{folder[0]}/.s.PGSQL.{port}")
            if folder
            else await asyncio.open_connection(self._there.hostname, port)
        )
        self._writers += [writer, back]
        for source, sink in ((reader, back), (there, writer)):
            self._carrying.add(asyncio.create_task(self._carry(source, sink)))

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                await self._open.wait()
                sink.write(data)
                await sink.drain()
        sink.close()

    @asynccontextmanager
    async def laid(self) -> AsyncIterator["Cord"]:
        """Listen on a free port of loopback."""
        server = await asyncio.start_server(self.connect, "127.0.0.1", 0)
        user = self._there.netloc.rpartition("@")[0]
        here = f"{user}@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.url = self._there._replace(netloc=here, query="sslmode=disable").geturl()
        try:
            yield self
        finally:
            server.close()
            for task in self._carrying:
                task.cancel()
            await asyncio.gather(*self._carrying, return_exceptions=True)
            for writer in self._writers:
                writer.close()
            for writer in self._writers:
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def environment(twilio: ScriptedTwilio, database_url: str, folder: Path, **more: str) -> dict[str, str]:
    return {
        "OVERTURE_DATA": str(folder),
        "OVERTURE_DATABASE_URL": database_url,
        "OVERTURE_PORT": str(free_port()),
        "OVERTURE_TWILIO_ACCOUNT_SID": ACCOUNT,
        "OVERTURE_TWILIO_AUTH_TOKEN": "a token",
        "OVERTURE_TWILIO_BASE_URL": twilio.base_url,
        "OVERTURE_SENDERS": f"sms:{OURS}",
        **more,
    }


async def queue(given: dict[str, str], count: int) -> None:
    """Start conversations in a house whose workers do not run."""
    house = House(settings.read(given))
    parts = await house.open()
    await house.store.write(lambda tx: agents.save(tx, "default", "booker", BOOKER, {}, house.store.now()))
    await asyncio.gather(
        *(
            parts.starts.submit(
                Start(
                    workspace_id="default",
                    agent_id="booker",
                    channel=Channel.SMS,
                    to_number=f"+1555020{n:04}",
                    from_number=OURS,
                    digest=str(n),
                    text=f"Hello {n}",
                )
            )
            for n in range(count)
        )
    )
    await house.close()


@asynccontextmanager
async def serving(given: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, env={**os.environ, **given}, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield server
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()


async def stops_in_time(server: asyncio.subprocess.Process) -> float:
    """The seconds that it takes to end after SIGTERM, with exit status 0."""
    began = time.monotonic()
    server.send_signal(signal.SIGTERM)
    _, errors = await asyncio.wait_for(server.communicate(), LIMIT + 5)
    took = time.monotonic() - began
    assert server.returncode == 0, errors.decode()[-3000:]
    assert took <= LIMIT
    return took


async def test_it_waits_for_no_provider_that_never_answers(database_url: str, tmp_path: Path) -> None:
    async with ScriptedTwilio(StillClock(), ACCOUNT).listening() as twilio:
        held = [Hold() for _ in range(30)]
        twilio.script += held
        given = environment(twilio, database_url, tmp_path)
        await queue(given, 30)
        async with serving(given) as server:
            await asyncio.wait_for(held[9].landed.wait(), 60)
            await stops_in_time(server)


async def test_it_waits_for_no_database_that_is_away(postgresql_url: str, tmp_path: Path) -> None:
    async with Cord(postgresql_url).laid() as cord, ScriptedTwilio(StillClock(), ACCOUNT).listening() as twilio:
        held = [Hold() for _ in range(5)]
        twilio.script += held
        given = environment(twilio, cord.url, tmp_path)
        await queue(given, 10)
        async with serving(given) as server:
            await asyncio.wait_for(held[4].landed.wait(), 60)
            cord.pull()
            await stops_in_time(server)


async def test_roads_drains_and_closes_that_hang_take_no_longer_than_they_may() -> None:
    async def hangs() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async def breaks() -> None:
        raise ZeroDivisionError("broke")

    closed: list[str] = []

    async def closes() -> None:
        closed.append("closed")

    limits = ending.Limits(roads_seconds=0.2, drains_seconds=0.2, closes_seconds=0.2)
    road = asyncio.create_task(hangs())
    async with asyncio.timeout(5):
        await ending.end([road], [breaks, hangs], [breaks, closes, hangs], limits=limits)
    assert closed == ["closed"]
    assert road.done()


def test_the_limits_and_the_doors_last_answers_keep_within_what_supervisors_give() -> None:
    limits = ending.Limits()
    assert serving_doors.LAST_ANSWERS_SECONDS + limits.total_seconds <= LIMIT
    assert limits.drains_seconds >= ending.SENDS_SECONDS
    assert limits.drains_seconds >= ending.TURNS_SECONDS
