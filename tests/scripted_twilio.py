"""A stand-in for Twilio's Messages resource that does as a test says: takes, refuses, breaks off, or holds its answer.

Handset is the faithful one. This one is for bad days to order: each POST takes the next step of the script, and what
landed is listed afterwards, whether or not its answer arrived.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from enum import Enum, auto
from typing import Any, TypeAlias

from aiohttp import web

from overture.domain.ports import Clock


class Then(Enum):
    """What happens to a POST, besides being refused with a status and a code."""

    TAKE = auto()
    TAKE_AND_RESET = auto()
    RESET = auto()
    TAKE_AND_FAIL = auto()
    FAIL = auto()


@dataclass(frozen=True, kw_only=True)
class Refuse:
    """An answer that takes nothing."""

    status: int
    code: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Hold:
    """The message is taken, and the answer held back until `released`."""

    landed: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


Step: TypeAlias = Then | Refuse | Hold


class ScriptedTwilio:
    """`posts` holds every form that came, `taken` every message that the provider now has, oldest first.

    `posted` is set with the first post; `fetched` holds the SIDs that were asked for singly.
    """

    def __init__(self, clock: Clock, account_sid: str) -> None:
        self._clock = clock
        self._account_sid = account_sid
        self.base_url = ""
        self.script: deque[Step] = deque()
        self.posts: list[dict[str, str]] = []
        self.posted = asyncio.Event()
        self.taken: list[dict[str, Any]] = []
        self.listings = 0
        self.arriving: deque[dict[str, str]] = deque()
        self.lists: deque[Refuse | None] = deque()
        self.fetched: list[str] = []

    @property
    def said(self) -> list[str]:
        """The texts that were taken, in order."""
        return [message["body"] for message in self.taken]

    def take(self, form: dict[str, str], *, at: datetime | None = None) -> dict[str, Any]:
        """Keep a message as if it had been posted."""
        record = {
            "sid": f"SM{len(self.taken) + 1:032x}",
            "date_created": format_datetime(at or self._clock.now()),
            "direction": "outbound-api",
            "status": "queued",
            "to": form["To"],
            "from": form.get("From", ""),
            "body": form.get("Body", ""),
            "callback": form.get("StatusCallback", ""),
        }
        self.taken.append(record)
        return record

    async def post(self, request: web.Request) -> web.Response:
        """One POST, by the script."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.posts.append(form)
        self.posted.set()
        step = self.script.popleft() if self.script else Then.TAKE
        match step:
            case Refuse(status=status, code=code, headers=headers):
                body = {} if code is None else {"code": code, "message": "refused", "status": status}
                return web.json_response(body, status=status, headers=headers)
            case Hold(landed=landed, released=released):
                record = self.take(form)
                landed.set()
                await released.wait()
                return _created(record)
            case Then.TAKE:
                return _created(self.take(form))
            case Then.FAIL | Then.TAKE_AND_FAIL:
                if step is Then.TAKE_AND_FAIL:
                    self.take(form)
                return web.Response(status=500)
            case Then.RESET | Then.TAKE_AND_RESET:
                if step is Then.TAKE_AND_RESET:
                    self.take(form)
                assert request.transport is not None
                request.transport.close()
                return web.Response(status=500)

    async def list(self, request: web.Request) -> web.Response:
        """A page of the messages (to and from an address, where asked for), newest first.

        After a page that is not the last, one of `arriving` is taken: the next page repeats what it pushed on. `lists`
        says of the next pages whether they are refused.
        """
        self.listings += 1
        refused = self.lists.popleft() if self.lists else None
        if refused is not None:
            return web.json_response({"code": refused.code}, status=refused.status, headers=refused.headers)
        to, sender = request.query.get("To"), request.query.get("From")
        size, number = int(request.query.get("PageSize", "50")), int(request.query.get("Page", "0"))
        found = [m for m in reversed(self.taken) if to in (None, m["to"]) and sender in (None, m["from"])]
        end = (number + 1) * size
        following = None if end >= len(found) else str(request.rel_url.update_query({"Page": str(number + 1)}))
        if self.arriving and following is not None:
            self.take(self.arriving.popleft())
        return web.json_response({"messages": found[number * size : end], "next_page_uri": following})

    async def fetch(self, request: web.Request) -> web.Response:
        """One message by its SID, as it is now."""
        sid = request.match_info["sid"]
        self.fetched.append(sid)
        found = next((message for message in self.taken if message["sid"] == sid), None)
        return web.Response(status=404) if found is None else web.json_response(found)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["ScriptedTwilio"]:
        """Serve on a free port of loopback."""
        path = f"/2010-04-01/Accounts/{self._account_sid}/Messages.json"
        app = web.Application()
        app.router.add_post(path, self.post)
        app.router.add_get(path, self.list)
        app.router.add_get(path.replace(".json", "/{sid}.json"), self.fetch)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handle_signals=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()


def _created(record: dict[str, Any]) -> web.Response:
    return web.Response(status=201, text=json.dumps({**record, "num_segments": "1"}), content_type="application/json")
