"""Handset for tests: in this process, on a free port, spoken to over HTTP as any other would.

async with running({"numbers": [{"address": "+15551234567", "inbound_url": url}]}) as handset:
    await handset.types("+15550100001", "+15551234567", "hello")
    await handset.wait_for(lambda: answered(handset), timeout=5)
"""

import asyncio
import base64
import contextlib
import inspect
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import aiohttp
import msgspec
from aiohttp import web
from multidict import CIMultiDict

from handset import config as configs
from handset.app import Handset
from handset.serving import Server

PAUSE_SECONDS: Final = 0.02  # between two looks at a condition
Json = dict[str, Any]


class RunningHandset:
    """A Handset that listens at `base_url`; the methods are HTTP requests to it."""

    def __init__(self, base_url: str, config: configs.Config, session: aiohttp.ClientSession) -> None:
        self.base_url: Final = base_url
        self.config: Final = config
        self._session = session

    @property
    def account_sid(self) -> str:
        """The first account's SID."""
        return self.config.accounts[0].sid

    @property
    def auth_token(self) -> str:
        """The first account's auth token."""
        return self.config.accounts[0].auth_token

    async def types(
        self, phone: str, to: str, body: str, *, fields: dict[str, str] | None = None, **beside: Any
    ) -> str:
        """Type a message on a handset, with a `location`, a `contact`, `reply_to` beside it; its SID."""
        typed = {"from": phone, "to": to, "body": body, "fields": fields or {}, **beside}
        answer = await self._ask("POST", "/handset/v1/inbound", json=typed)
        return str(answer["sid"])

    async def sends_file(self, phone: str, to: str, content: bytes, content_type: str, *, body: str = "") -> str:
        """Send a file from a handset; the SID of the message."""
        media = [{"content_type": content_type, "content": base64.b64encode(content).decode()}]
        typed = msgspec.json.encode({"from": phone, "to": to, "body": body, "media": media})
        headers = {"Content-Type": "application/json"}
        answer = await self._ask("POST", "/handset/v1/inbound", data=io.BytesIO(typed), headers=headers)
        return str(answer["sid"])

    async def taps(self, sid: str, choice: str) -> str:
        """Tap a button or a row of a message, by its id or its title; the SID of what that says."""
        return str((await self._ask("POST", "/handset/v1/taps", json={"message": sid, "choice": choice}))["sid"])

    async def reacts(self, sid: str, emoji: str, *, tell: bool = False) -> None:
        """React to a message on a handset."""
        await self._ask("POST", "/handset/v1/reactions", json={"message": sid, "emoji": emoji, "tell": tell})

    async def decides(self, sid: str, approval: str, **decision: str) -> Json:
        """Move the approval of a template."""
        return await self._ask("PUT", f"/handset/v1/templates/{sid}", json={"approval": approval, **decision})

    async def recalls(self, *past: Json) -> list[str]:
        """Put messages from before into the list; their SIDs."""
        return list((await self._ask("POST", "/handset/v1/history", json=past))["sids"])

    async def puts_phone(self, address: str, **identity: Any) -> Json:
        """Add a phone, or give one another name and identity."""
        return await self._ask("POST", "/handset/v1/phones", json={"address": address, **identity})

    async def messages(self, address: str | None = None) -> list[Json]:
        """Messages to and from an address (None: all), oldest first."""
        params = {} if address is None else {"address": address}
        return list((await self._ask("GET", "/handset/v1/messages", params=params))["messages"])

    async def received_by(self, phone: str) -> list[str]:
        """The texts that reached a handset, oldest first."""
        reached = {"sent", "delivered", "read"}
        return [m["body"] for m in await self.messages(phone) if m["to"] == phone and m["status"] in reached]

    async def webhooks(self) -> list[Json]:
        """Every webhook, oldest first."""
        return list((await self._ask("GET", "/handset/v1/webhooks"))["webhooks"])

    async def phones(self) -> list[Json]:
        """Every handset."""
        return list((await self._ask("GET", "/handset/v1/phones"))["phones"])

    async def opts_in(self, phone: str, to: str) -> None:
        """Lift the block between a phone and a sender."""
        await self._ask("POST", "/handset/v1/opt-ins", json={"from": phone, "to": to})

    async def forgets(self) -> None:
        """Forget messages, webhooks, windows and opt-outs."""
        await self._ask("DELETE", "/handset/v1")

    async def faults(self, *rules: Json | str) -> list[str]:
        """Let these rules stand, by their fields or by short names such as `500_landed`; their ids."""
        return [str((await self._ask("POST", "/handset/v1/faults", json=rule))["id"]) for rule in rules]

    async def standing_faults(self) -> list[Json]:
        """The rules that stand, each with how many it has `seen` and on how many it has `acted`."""
        return list((await self._ask("GET", "/handset/v1/faults"))["faults"])

    async def lift_faults(self, *ids: str) -> None:
        """End these rules; all of them if none is named."""
        for path in [f"/{identifier}" for identifier in ids] or [""]:
            await self._ask("DELETE", f"/handset/v1/faults{path}")

    async def acts(self, kind: str | None = None) -> list[Json]:
        """Every fault that acted (of one kind), oldest first."""
        params = {} if kind is None else {"kind": kind}
        return list((await self._ask("GET", "/handset/v1/faults/acts", params=params))["acts"])

    async def clock(self) -> Json:
        """The clock's `now`, and its line: `at`, `real_at`, `rate`."""
        return await self._ask("GET", "/handset/v1/clock")

    async def sets_clock(
        self, at: datetime | None = None, *, real_at: datetime | None = None, rate: float = 1.0
    ) -> Json:
        """Let the clock show `at` when the machine shows `real_at` (this instant unless given), and go by `rate`."""
        line = {"at": at and at.isoformat(), "real_at": real_at and real_at.isoformat(), "rate": rate}
        return await self._ask("PUT", "/handset/v1/clock", json=line)

    async def advances(self, seconds: float) -> Json:
        """Let the clock jump ahead."""
        return await self._ask("POST", "/handset/v1/clock/advance", json={"seconds": seconds})

    async def posts(self, **form: str) -> Json:
        """Send a message through the REST API, as the first account; what Twilio's API answers."""
        path = f"/2010-04-01/Accounts/{self.account_sid}/Messages.json"
        auth = aiohttp.encode_basic_auth(self.account_sid, self.auth_token)
        async with self._session.post(self.base_url + path, data=form, headers={"Authorization": auth}) as response:
            answer: Json = await response.json()
            return answer

    async def wait_for(self, predicate: Callable[[], Awaitable[Any] | Any], timeout: float = 5.0) -> Any:  # noqa: ASYNC109 - a test says how long
        """Wait until the predicate (plain or async) answers something true, and give that; else TimeoutError."""
        async with asyncio.timeout(timeout):
            while True:
                found = predicate()
                if inspect.isawaitable(found):
                    found = await found
                if found:
                    return found
                await asyncio.sleep(PAUSE_SECONDS)

    async def wait_for_status(self, sid: str, status: str, timeout: float = 5.0) -> Json:  # noqa: ASYNC109 - a test says how long
        """Wait until a message has that status, and give it."""

        async def reached() -> Json | None:
            return next((m for m in await self.messages() if m["sid"] == sid and m["status"] == status), None)

        found: Json = await self.wait_for(reached, timeout)
        return found

    async def _ask(self, method: str, path: str, **given: Any) -> Json:
        async with self._session.request(method, self.base_url + path, **given) as response:
            if response.status >= 400:
                raise AssertionError(f"{method} {path}: {response.status} {await response.text()}")
            answer: Json = {} if response.status == 204 else await response.json()
            return answer


@dataclass(frozen=True, kw_only=True)
class Received:
    """A webhook as it came in. `url` is the address that was called, as a signature is made over it."""

    url: str
    path: str
    params: dict[str, str]
    headers: CIMultiDict[str]
    method: str = "POST"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a receiver answers; `after` holds the answer back until it is set."""

    body: str = "<?xml version='1.0' encoding='UTF-8'?><Response/>"
    status: int = 200
    content_type: str = "text/xml"
    headers: dict[str, str] = field(default_factory=dict)
    after: asyncio.Event | None = None


class Receiver:
    """A small HTTP server that stands where a developer's own would: it keeps what it gets, and answers as told."""

    def __init__(self) -> None:
        self.received: Final[list[Received]] = []
        self.base_url = ""
        self._answers: dict[str, list[Answer]] = {}

    def url(self, path: str) -> str:
        """The address of a path here."""
        return self.base_url + path

    def answers(self, path: str, *answers: Answer) -> None:
        """Answer requests for a path with these in turn, the last one for ever."""
        self._answers[path] = list(answers)

    def at(self, path: str) -> list[Received]:
        """What came in for a path."""
        return [received for received in self.received if received.path == path]

    async def handle(self, request: web.Request) -> web.Response:
        """Keep one request, and answer it."""
        body = (await request.read()).decode()
        received = Received(
            url=self.base_url + request.raw_path,
            path=request.path,
            params=dict(parse_qsl(body, keep_blank_values=True)),
            headers=CIMultiDict(request.headers),
            method=request.method,
        )
        self.received.append(received)
        queue = self._answers.get(request.path, [Answer()])
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if answer.after is not None:
            await answer.after.wait()
        return web.Response(
            text=answer.body, status=answer.status, content_type=answer.content_type, headers=answer.headers
        )


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free loopback port, until the block ends."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield receiver
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def running(
    config: configs.Config | dict[str, Any] | None = None, *, data: Path | None = None, port: int = 0
) -> AsyncIterator[RunningHandset]:
    """A Handset in this event loop, on a free loopback port, until the block ends."""
    settings = configs.of({} if config is None else config)
    server = Server(Handset(settings, data=data), host="127.0.0.1", port=port, obeys_signals=False)
    serving = asyncio.create_task(server.serve())
    try:
        while server.address is None:
            if serving.done():
                await serving
                raise RuntimeError("Handset did not start")
            await asyncio.sleep(0.005)
        async with aiohttp.ClientSession() as session:
            yield RunningHandset(server.address, settings, session)
    finally:
        server.should_exit = True
        await serving
