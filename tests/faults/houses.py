"""A whole house on its roads, in this process, with a clock that a test can move and a provider that keeps everything.

Callers come over ASGI, through the door of the machine's owner; the database, its connections and the roads are those
of a server.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from overture import settings
from overture.adapters.clock import SystemClock
from overture.bootstrap import WORKSPACE, House
from overture.settings import Settings
from overture.store import agents
from overture.store.engine import Store, Writing
from overture.store.signals import Signals
from overture.store.statement import Query, Row
from tests.scripted_twilio import ScriptedTwilio
from tests.timed_store import TimedStore
from tests.web.asgi import Client, Reply, signed_form
from tests.world import ACCOUNT, BOOKER, OURS, open_store

TOKEN: Final = "hunter22 of the account"
PUBLIC_URL: Final = "https://overture.example"
OPENING: Final = "Hello! Which day suits you?"
ANSWER: Final = "Monday it is. At what time?"
PAUSE_SECONDS: Final = 0.02  # between two looks at a condition


class MovingClock:
    """The system's clock, ahead or behind by what a test says."""

    def __init__(self) -> None:
        self._system: Final = SystemClock()
        self.ahead = timedelta()

    def now(self) -> datetime:
        """The time that it shows."""
        return self._system.now() + self.ahead

    def jumps(self, **length: float) -> None:
        """Move it: `hours=2`, `days=-1`."""
        self.ahead += timedelta(**length)


class Running:
    """A house on its roads, and who calls it."""

    def __init__(self, house: House, client: Client, twilio: ScriptedTwilio, clock: MovingClock) -> None:
        self.house: Final = house
        self.client: Final = client
        self.twilio: Final = twilio
        self.clock: Final = clock
        self.answers: Final[Counter[int]] = Counter()

    async def asks(self, to_number: str, **more: Any) -> Reply:
        """One call for a conversation, which may be repeated."""
        body = {"agent_id": "booker", "channel": "sms", "to_number": to_number, "from_number": OURS, **more}
        reply = await self.client.post("/v2/chat/outbound", body, headers={"Idempotency-Key": to_number})
        self.answers[reply.status] += 1
        return reply

    async def hears(self, sid: str, contact: str, text: str) -> Reply:
        """One webhook of what a contact wrote."""
        form = {"MessageSid": sid, "AccountSid": ACCOUNT, "From": contact, "To": OURS, "Body": text, "NumMedia": "0"}
        path = "/webhooks/twilio/inbound"
        _, signature = signed_form(PUBLIC_URL + path, TOKEN, form)
        reply = await self.client.call(
            "POST", path, body=urlencode(form).encode(), headers={"x-twilio-signature": signature}
        )
        self.answers[reply.status] += 1
        return reply

    async def until_taken(self, doing: Callable[[], Awaitable[Reply]], within: float = 30.0) -> Reply:
        """Repeat a call while it is answered 503; its first other answer. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while True:
                reply = await doing()
                if reply.status != 503:
                    assert reply.status in (200, 204), reply.body
                    return reply
                await asyncio.sleep(PAUSE_SECONDS)

    async def rows(self, sql: str) -> list[Row]:
        """The rows of a query."""
        return list(await self.house.store.read(lambda tx: tx.all(Query(sql))))

    async def until(self, condition: Callable[[], Awaitable[bool]], within: float = 60.0) -> None:
        """Wait for a condition. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while True:
                if await condition():
                    return
                await asyncio.sleep(PAUSE_SECONDS)

    async def is_quiet(self) -> bool:
        """Nothing waits to be handled, answered or sent."""
        waiting = "SELECT count(*) FROM inbox WHERE state = 'new'", "SELECT count(*) FROM outbox"
        due = "SELECT count(*) FROM conversation WHERE turn_due_at IS NOT NULL"
        return not any([(await self.rows(sql))[0][0] for sql in (*waiting, due)])

    async def comes_to_rest(self, within: float = 60.0) -> None:
        """Let leases run out and uncertain messages be looked for, by half minutes, until nothing waits."""
        async with asyncio.timeout(within):
            while not await self.is_quiet():
                try:
                    await self.until(self.is_quiet, 2.5)  # a road looks once a second
                except TimeoutError:
                    self.clock.jumps(seconds=31)

    def roads_that_ended(self) -> list[str]:
        """The workers that are no longer there."""
        return [road.get_name() for road in self.house._roads if road.done()]


async def call_on(house: Running, dice: random.Random, stopping: asyncio.Event, told: list[str]) -> None:
    """A caller who opens conversations, each of which answers, and repeats a call that is answered 503."""
    while not stopping.is_set():
        contact = f"+1555{dice.randrange(10**7):07}"
        if contact not in told:
            await house.until_taken(lambda contact=contact: house.asks(contact))  # type: ignore[misc]
            told.append(contact)
            await house.until_taken(lambda contact=contact: house.hears(sid_of(contact), contact, "Monday"))  # type: ignore[misc]
        await asyncio.sleep(0.01)


def sid_of(contact: str) -> str:
    """The SID of what a contact writes."""
    return f"SM{int(contact[1:]):032x}"


@asynccontextmanager
async def callers(house: Running, count: int = 4) -> AsyncIterator[list[str]]:
    """So many callers at once; the contacts whose conversations were acknowledged."""
    stopping, told = asyncio.Event(), list[str]()
    async with asyncio.TaskGroup() as together:
        for n in range(count):
            together.create_task(call_on(house, random.Random(n), stopping, told))
        try:
            yield told
        finally:
            stopping.set()


async def more(house: Running, told: list[str], count: int) -> None:
    """Wait until so many more conversations were acknowledged."""
    wanted = len(told) + count

    async def enough() -> bool:
        return len(told) >= wanted

    await house.until(enough)


async def is_carried_out_once(house: Running, told: list[str]) -> None:
    """Every acknowledged conversation was opened once, and every acknowledged line was answered once."""
    await house.comes_to_rest()
    said = Counter((message["to"], message["body"]) for message in house.twilio.taken)
    assert set(said.values()) == {1}
    for body in (OPENING, ANSWER):
        assert {to for to, text in said if text == body} == set(told)
    assert house.roads_that_ended() == []


def settings_of(url: str, folder: Path, twilio: ScriptedTwilio) -> Settings:
    """The settings of such a house."""
    return settings.read(
        {
            "OVERTURE_DATA": str(folder),
            "OVERTURE_DATABASE_URL": url,
            "OVERTURE_PUBLIC_URL": PUBLIC_URL,
            "OVERTURE_TWILIO_ACCOUNT_SID": ACCOUNT,
            "OVERTURE_TWILIO_AUTH_TOKEN": TOKEN,
            "OVERTURE_TWILIO_BASE_URL": twilio.base_url,
            "OVERTURE_SENDERS": f"sms:{OURS}",
            "OVERTURE_QUIET_SECONDS": "0",
        }
    )


@asynccontextmanager
async def running(url: str, folder: Path, *, timed: bool = True) -> AsyncIterator[Running]:
    """A house on its roads. `timed`: the test's clock tells the time, also where the database has one of its own."""
    clock = MovingClock()

    def make_store(read: Settings, _signals: Signals) -> Store:
        store = open_store(read.database_url, clock)
        return TimedStore(store, clock) if timed else store

    async with ScriptedTwilio(clock, ACCOUNT).listening() as twilio:
        house = House(settings_of(url, folder, twilio), make_store=make_store)
        try:
            parts = await house.open()
            await house.store.write(lambda tx: _furnish(tx, house))
            house.start_roads()
            yield Running(house, Client(house.make_app(parts, trusted=True)), twilio, clock)
        finally:
            await house.close()


async def _furnish(tx: Writing, house: House) -> None:
    await agents.save(tx, WORKSPACE, "booker", BOOKER, {}, house.store.now())
