"""One case, from a furnished database to a record: the server dies at its boundary, is started again, comes to rest."""

import asyncio
import os
import signal
import sqlite3
import time
import zlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg

from handset.config import DEFAULT_ACCOUNT_SID, DEFAULT_AUTH_TOKEN
from overture import bootstrap
from overture.domain.consent import CONFIRMATION
from tests.crash import books, boundaries, plans, script, timescale
from tests.crash.keeper import Keeper
from tests.crash.lives import HandsetLife, Process, ServerLife
from tests.crash.people import Clients, Contacts
from tests.crash.record import Case, OptOut, Record, Taken
from tests.crash.timescale import Timescale

FASTEST: Final = 40.0  # a settle time of 120 s is 3 s; a stall of the machine must stay well below that
_CALM: Final = 2.0  # processes that want to run, for each of the machine's cores
PATIENCE: Final = timedelta(minutes=45)  # shown; longer than a reply lives, so that nothing can still be on its way
_WATCH_SECONDS: Final = 0.005  # real; between two looks at how far the server is
_SOMEBODY: Final = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1
"""
_LOOK_SECONDS: Final = 0.05  # real; between two looks at whether all has come to rest
_IS_SWEPT: Final = hasattr(bootstrap, "SweepRoad")  # whether this server reads the provider's list for lost webhooks


def environment(folder: Path, database_url: str, port: int, provider_url: str) -> dict[str, str]:
    """The server's settings, as an operator would give them."""
    return {
        "OVERTURE_DATA": str(folder),
        "OVERTURE_DATABASE_URL": database_url,
        "OVERTURE_PORT": str(port),
        "OVERTURE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "OVERTURE_TWILIO_ACCOUNT_SID": DEFAULT_ACCOUNT_SID,
        "OVERTURE_TWILIO_AUTH_TOKEN": DEFAULT_AUTH_TOKEN,
        "OVERTURE_TWILIO_BASE_URL": provider_url,
        "OVERTURE_SENDERS": f"sms:{script.SMS_SENDER},{script.WHATSAPP_SENDER}={script.AGENT}",
    }


async def play(case: Case, folder: Path, database_url: str, *, port: int, key: str) -> Record:
    """Play a case on a furnished database, with its logs in a folder."""
    return await _Play(case, folder, database_url, port, key).record()


class _Play:
    """One case while it is played."""

    def __init__(self, case: Case, folder: Path, database_url: str, port: int, key: str) -> None:
        self._case: Final = case
        self._plan: Final = plans.BY_NAME[case.plan]
        self._folder: Final = folder
        self._database_url: Final = database_url
        self._port: Final = port
        self._key: Final = key
        self._clock: Final[Timescale] = timescale.beginning_now(_rate())
        self._books: Final = books.Reader(database_url)
        self._provider_url = ""
        self._restarts = 0

    async def record(self) -> Record:
        """Play it, and say what happened."""
        began = time.monotonic()
        handset = Process(HandsetLife(config=self._config(), log=self._folder / "handset.log"))
        try:
            self._provider_url = await handset.ready
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                return await self._play(session, began)
        finally:
            await handset.end(signal.SIGKILL)
            await self._books.close()

    def _config(self) -> dict[str, Any]:
        clock = self._clock
        seed = zlib.crc32(repr(self._case).encode())
        return {
            **script.handset_config(port=self._port, seed=seed),
            "clock": {"at": clock.at.isoformat(), "real_at": clock.real_at.isoformat(), "rate": clock.rate},
            "faults": [{**rule, "seed": seed} for rule in self._plan.rules],
        }

    def _life(self, number: int) -> ServerLife:
        stops = {1: None if self._plan.restarts_database else self._case.kill, 2: self._case.again}
        return ServerLife(
            environment=environment(self._folder, self._database_url, self._port, self._provider_url),
            timescale=self._clock,
            boundaries=self._folder / f"boundaries-{number}",
            log=self._folder / f"server-{number}.log",
            stop_at=stops.get(number),
            stop_of=self._case.of if number == 1 else None,
            stop_by=self._plan.stop_by,
            bug=self._case.bug,
        )

    async def _play(self, session: aiohttp.ClientSession, began: float) -> Record:
        keeper = Keeper(self._life)
        await asyncio.wait_for(keeper.up(), 60)
        contacts = Contacts(session, self._provider_url, self._clock)
        clients = Clients(session, keeper, self._key)
        restarting = asyncio.create_task(self._restart_database(keeper))
        try:
            left = await self._rest(session, keeper, clients, contacts)
            left += clients.refused + await self._books.stranded()
        finally:
            restarting.cancel()
            await asyncio.gather(restarting, return_exceptions=True)
            await keeper.close()
            await contacts.close()
            await clients.close()
        stood = await self._books.read()
        taken, faults = await self._handset(session)
        passed = [one for life in keeper.lives for one in boundaries.read(life.boundaries)]
        return Record(
            case=self._case,
            asked=clients.asked,
            typed=tuple(contacts.typed),
            taken=taken,
            conversations=stood.conversations,
            lines=stood.lines,
            attempts=stood.attempts,
            opt_outs=tuple(_opt_out(contact, at, passed) for contact, at in stood.opt_outs.items()),
            deaths=tuple(keeper.deaths),
            left=tuple(left),
            restarts=self._restarts,
            faults=faults,
            confirmation=CONFIRMATION,
            fixed=script.FIXED,
            given_up=script.GIVEN_UP,
            may_repeat=self._plan.may_repeat,
            is_swept=_IS_SWEPT,
            boundaries=tuple(one.name for one in boundaries.read(keeper.lives[0].boundaries)),
            seconds=round(time.monotonic() - began, 3),
        )

    async def _restart_database(self, keeper: Keeper) -> None:
        """Have PostgreSQL go down at the case's boundary, where the plan says so, and come back by itself.

        One of its processes is killed, at which it ends all others, forgets what was not committed, and recovers from
        its log: an immediate restart, for all that its clients can tell.
        """
        if not self._plan.restarts_database or self._case.kill is None:
            return
        passed = 0
        while passed < self._case.kill:
            await asyncio.sleep(_WATCH_SECONDS)
            passed = len(boundaries.read(keeper.lives[0].boundaries))
        connection: Any = await asyncpg.connect(self._database_url, timeout=30)
        try:
            pid = await connection.fetchval(_SOMEBODY)
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                self._restarts += 1
        finally:
            connection.terminate()

    async def _rest(
        self, session: aiohttp.ClientSession, keeper: Keeper, clients: Clients, contacts: Contacts
    ) -> list[str]:
        """Wait until nothing is on its way anywhere; what still was when patience ended."""
        left = ["nothing was looked at"]
        ends = time.monotonic() + self._clock.real_seconds(PATIENCE)
        needed = timedelta(seconds=self._plan.rests_seconds)
        before: dict[str, Any] = {}
        since: datetime | None = None
        while time.monotonic() < ends and not keeper.has_given_up:
            snapshot = await self._snapshot(session)
            left = await self._still(snapshot, keeper, clients, contacts)
            if left or snapshot != before:
                before, since = snapshot, None
            elif since is None:
                since = self._clock.now()  # what left after the snapshot and before the books shows in the next one
            elif self._clock.now() - since >= needed:
                return []
            await asyncio.sleep(_LOOK_SECONDS)
        return left or ["something went on and on"]

    async def _still(
        self,
        snapshot: dict[str, Any],
        keeper: Keeper,
        clients: Clients,
        contacts: Contacts,
    ) -> list[str]:
        """What is still on its way, as far as the first place that has something."""
        if not keeper.is_up:
            return ["the server is not up"]
        if not clients.are_done:
            return ["a client waits for an answer"]
        moving = [f"{m['sid']} is {m['status']}" for m in snapshot["messages"] if m["status"] in {"queued", "sent"}]
        moving += [f"webhook {w['id']} is under way" for w in snapshot["webhooks"] if not w["finished"]]
        if moving:
            return moving
        reached = {m["sid"] for m in snapshot["messages"] if m["status"] == "delivered"}
        if not contacts.have_read(reached):
            return ["a contact has not read everything"]
        try:
            due = await self._books.due()
            heard = await self._books.heard()
        except (OSError, sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError) as away:
            return [f"the database does not answer: {away}"]
        return due or [f"{typed.sid} was not heard" for typed in contacts.typed if _IS_SWEPT and typed.sid not in heard]

    async def _snapshot(self, session: aiohttp.ClientSession) -> dict[str, Any]:
        async with session.get(f"{self._provider_url}/handset/v1/messages") as messages:
            taken = (await messages.json())["messages"]
        async with session.get(f"{self._provider_url}/handset/v1/webhooks") as webhooks:
            return {"messages": taken, "webhooks": (await webhooks.json())["webhooks"]}

    async def _handset(self, session: aiohttp.ClientSession) -> tuple[tuple[Taken, ...], int]:
        """Handset's own record: every message in the order in which it took them, and how many faults acted."""
        snapshot = await self._snapshot(session)
        async with session.get(f"{self._provider_url}/handset/v1/faults") as answer:
            faults = sum(rule["acted"] for rule in (await answer.json())["faults"])
        told = {
            webhook["message_sid"]
            for webhook in snapshot["webhooks"]
            if webhook["kind"] == "inbound" and webhook["status"] is not None and webhook["status"] < 300
        }
        return tuple(
            Taken(
                sid=message["sid"],
                sender=message["from"] or "",
                to=message["to"],
                body=message["body"],
                inbound=message["direction"] == "inbound",
                status=message["status"],
                at=datetime.fromisoformat(message["created_at"]),
                error_code=message["error_code"],
                auto=message["auto"],
                is_told=message["direction"] != "inbound" or message["sid"] in told,
            )
            for message in snapshot["messages"]
        ), faults


def _opt_out(contact: str, at: datetime, passed: list[boundaries.Passed]) -> OptOut:
    """An opt-out with the instant by which it was on disk: the boundary after its commit.

    Where the server died between the two, the last boundary of all: that is later, and so on the safe side.
    """
    later = [one for one in passed if one.at >= at]
    known = [one.at for one in later if one.name.startswith("after the commit of") and "consent" in one.name.split()]
    return OptOut(contact=contact, at=at, known_at=min(known or [one.at for one in later[-1:]], default=at))


def _rate() -> float:
    """How much faster than the machine's the time of a case is: less where the machine is busy with other things.

    A database or a provider that answers late because nobody gives it a core is a fault that no plan ordered.
    """
    crowd = os.getloadavg()[0] / (os.cpu_count() or 1)
    return FASTEST * min(1.0, _CALM / max(crowd, _CALM))
