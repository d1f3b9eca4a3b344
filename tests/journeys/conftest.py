"""A demo that runs while the journeys last: Overture, Handset, agents and phones, over HTTP and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final

import aiohttp
import pytest

from tests.cli.commands import KEY, SECONDS, running

GRACE: Final = "whatsapp:+15559876543"
OUR_WHATSAPP: Final = "whatsapp:+15551234567"
OPENING: Final = "Hi! How can I help you today?"
REACHED: Final = frozenset({"sent", "delivered", "read"})


class Phones:
    """The phones, as Handset shows them, and Overture's address and key."""

    def __init__(self, http: aiohttp.ClientSession, overture_url: str, handset_url: str, key: str) -> None:
        self.overture_url: Final = overture_url
        self.handset_url: Final = handset_url
        self.key: Final = key
        self._http: Final = http

    async def received(self, phone: str) -> list[str]:
        """The texts that reached a phone, oldest first."""
        async with self._http.get(f"{self.handset_url}/handset/v1/messages", params={"address": phone}) as answer:
            messages: list[dict[str, Any]] = (await answer.json())["messages"]
        return [m["body"] for m in messages if m["to"] == phone and m["status"] in REACHED]

    async def types(self, phone: str, to: str, body: str) -> None:
        """Type on a phone."""
        typed = {"from": phone, "to": to, "body": body}
        async with self._http.post(f"{self.handset_url}/handset/v1/inbound", json=typed) as answer:
            assert answer.status == 201

    async def chat(self, conversation_id: str) -> dict[str, Any]:
        """A conversation, as the API tells it."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with self._http.get(f"{self.overture_url}/v2/chat/{conversation_id}", headers=headers) as answer:
            assert answer.status == 200
            told: dict[str, Any] = (await answer.json())["response"]
            return told

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait until something holds."""
        try:
            async with asyncio.timeout(15):
                while not await holds():  # noqa: ASYNC110 - it happens in another process
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(f"never happened: {what}; Grace's phone shows {await self.received(GRACE)}")


@pytest.fixture(scope="session")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """The running demo: Overture's address, Handset's, and the key."""
    folder = tmp_path_factory.mktemp("demo")
    with running(folder, "demo", "--port", "0", "--handset-port", "0", "--data", "data") as demo:
        handset_url = demo.until(r"Phones +(http://\S+)")[1]
        overture_url = demo.until(r"API documentation +(http://\S+)/docs")[1]
        key = demo.until(KEY.pattern)[0]
        demo.until(f"Booking to Grace: {OPENING[:-1]}")
        demo.until("delivered")
        yield overture_url, handset_url, key


@pytest.fixture
async def phones(addresses: tuple[str, str, str]) -> AsyncIterator[Phones]:
    """The demo's phones."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as http:
        yield Phones(http, *addresses)
