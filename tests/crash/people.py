"""The people of a case: clients who ask for conversations, and contacts who read and type on Handset's phones."""

import asyncio
from collections import Counter
from typing import Any, Final

import aiohttp
import msgspec

from tests.crash.keeper import Keeper
from tests.crash.record import Asked, Typed
from tests.crash.script import PEOPLE, Person, Word
from tests.crash.timescale import Timescale

_READ: Final = frozenset({"sent", "delivered", "read"})
_PATIENCE: Final = aiohttp.ClientTimeout(total=30)  # real seconds, for calls that take some milliseconds
_PAUSE_SECONDS: Final = 0.02  # real; between a call that failed and the next, while the harness hears of the death


class Clients:
    """Everybody who calls the API. Each call has a key of its own, kept over all its repetitions."""

    def __init__(self, session: aiohttp.ClientSession, keeper: Keeper, key: str) -> None:
        self._session: Final = session
        self._keeper: Final = keeper
        self._headers: Final = {"Authorization": f"Bearer {key}"}
        self._asked: Final[dict[str, Asked]] = {}
        self.refused: Final[list[str]] = []
        self._tasks: Final = [
            asyncio.create_task(self._ask(person, f"{person.name}-{n}"))
            for person in PEOPLE
            for n in range(1, person.openings + 1)
        ]

    @property
    def asked(self) -> tuple[Asked, ...]:
        """What was asked for so far, with the answers that were read."""
        return tuple(self._asked.values())

    @property
    def are_done(self) -> bool:
        """Whether everybody has an answer or has given up."""
        return all(task.done() for task in self._tasks)

    async def close(self) -> None:
        """Stop asking; raises what broke a client."""
        for task in self._tasks:
            task.cancel()
        for broken in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(broken, Exception):
                raise broken

    async def _ask(self, person: Person, key: str) -> None:
        asked = Asked(key=key, person=person.name, sender=person.sender, to=person.address, text=person.opening)
        self._asked[key] = asked
        while True:
            base_url = await self._keeper.up()
            try:
                status, answer = await self._call(base_url, person, key)
            except (aiohttp.ClientError, TimeoutError):
                status, answer = 0, {}
            if status == 200:
                an_id = answer["response"]["conversation_id"]
                self._asked[key] = msgspec.structs.replace(asked, conversation_id=an_id, answers=(an_id,))
                return
            if status not in {0, 409, 429, 500, 503}:
                self.refused.append(f"{key} was refused with {status}: {answer}")
                return
            if not person.insists:
                return
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _call(self, base_url: str, person: Person, key: str) -> tuple[int, Any]:
        headers = {**self._headers, "Idempotency-Key": key}
        async with self._session.post(
            f"{base_url}/v2/chat/outbound", json=person.request(), headers=headers, timeout=_PATIENCE
        ) as response:
            return response.status, await response.json(content_type=None)


class Contacts:
    """Everybody who is written to: reads what reaches their phone, and types their lines when it is time for them."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, clock: Timescale) -> None:
        self._session: Final = session
        self._base_url: Final = base_url
        self._clock: Final = clock
        self._read: Final[set[str]] = set()
        self._count: Final[Counter[str]] = Counter()
        self._said: Final[Counter[str]] = Counter()
        self._by_address: Final = {person.address: person for person in PEOPLE}
        self._typing = 0
        self.typed: Final[list[Typed]] = []
        self._task: Final = asyncio.create_task(self._follow())

    def have_read(self, sids: set[str]) -> bool:
        """Whether they have seen all of these, and have typed everything that follows from it."""
        return sids <= self._read and not self._typing

    async def close(self) -> None:
        """Put the phones away; raises what broke them."""
        broken = self._task.exception() if self._task.done() else None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if broken is not None:
            raise broken

    async def _follow(self) -> None:
        """Read along from the beginning. Whatever is typed is typed before the next message is read."""
        self._typing += 1
        for person in PEOPLE:
            await self._go_on(person)
        self._typing -= 1
        no_end = aiohttp.ClientTimeout(total=None)
        url = f"{self._base_url}/handset/v1/events"
        async with self._session.get(url, params={"after": "begin"}, timeout=no_end) as response:
            kind = ""
            async for raw in response.content:
                name, _, value = raw.decode().rstrip("\n").partition(": ")
                if name == "event":
                    kind = value
                elif name == "data" and kind == "reset":
                    for message in await self._messages():
                        await self._look(message)
                elif name == "data" and kind == "message":
                    await self._look(msgspec.json.decode(value))

    async def _messages(self) -> list[dict[str, Any]]:
        async with self._session.get(f"{self._base_url}/handset/v1/messages", timeout=_PATIENCE) as response:
            return list((await response.json())["messages"])

    async def _look(self, message: dict[str, Any]) -> None:
        is_ours = message["direction"] != "inbound" and message["status"] in _READ
        if not is_ours or message["sid"] in self._read:
            return
        self._typing += 1
        self._read.add(message["sid"])
        person = self._by_address.get(message["to"])
        if person is not None and not message["auto"]:
            self._count[person.name] += 1
            await self._go_on(person)
        self._typing -= 1

    async def _go_on(self, person: Person) -> None:
        while (done := self._said[person.name]) < len(person.steps):
            step = person.steps[done]
            if self._count[person.name] < step.after or (step.after == 0 and done):
                return
            self._said[person.name] += 1
            for word in step.words:
                await self._type(person, word)

    async def _type(self, person: Person, word: Word) -> None:
        body = {"from": person.address, "to": person.sender, "body": word.body, "fields": {}}
        at = self._clock.now()
        async with self._session.post(f"{self._base_url}/handset/v1/inbound", json=body, timeout=_PATIENCE) as response:
            response.raise_for_status()
            sid = (await response.json())["sid"]
        self.typed.append(
            Typed(
                sid=sid,
                person=person.name,
                sender=person.sender,
                contact=person.address,
                body=word.body,
                at=at,
                echo=word.echo,
                is_owed=word.is_owed,
            )
        )
