"""A stand-in for the Content API that does as a test says: answers, hangs, breaks, forgets a template, approves one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

SID: Final = "HX" + "0" * 31 + "1"
NEXT: Final = "HX" + "0" * 31 + "2"


class ScriptedContent:
    """`known` holds the templates by SID, `asked` the path of every request. `bad` answers in place of all of it.

    While `released` is cleared every answer waits for it; `arrived` is set with a request.
    """

    def __init__(self) -> None:
        self.base_url = ""
        self.known: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.bad: Callable[[], web.Response] | None = None
        self.arrived: Final = asyncio.Event()
        self.released: Final = asyncio.Event()
        self.released.set()

    def has(self, sid: str = SID, **changes: Any) -> None:
        """A template is there: an approved greeting of one placeholder, changed as told."""
        approval = {"status": changes.pop("approval", "approved"), "category": changes.pop("category", "UTILITY")}
        approval |= {"rejection_reason": changes.pop("rejection", "")}
        types = {"twilio/text": {"body": changes.pop("body", "Hello {{1}}!")}}
        given = {"sid": sid, "friendly_name": "greeting", "language": "en", "variables": {"1": "you"}, "types": types}
        self.known[sid] = {**given, **changes, "approval_requests": approval}

    async def list(self, request: web.Request) -> web.Response:
        """All templates with their approvals, on one page."""
        return web.json_response({"contents": [*self.known.values()], "meta": {"next_page_url": None}})

    async def fetch(self, request: web.Request) -> web.Response:
        """One template."""
        found = self.known.get(request.match_info["sid"])
        return _none() if found is None else web.json_response(found)

    async def fetch_approval(self, request: web.Request) -> web.Response:
        """One template's approval."""
        found = self.known.get(request.match_info["sid"])
        return _none() if found is None else web.json_response({"whatsapp": found["approval_requests"]})

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["ScriptedContent"]:
        """Serve on a free port of loopback."""

        @web.middleware
        async def by_script(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            self.asked.append(request.path)
            self.arrived.set()
            await self.released.wait()
            return await handler(request) if self.bad is None else self.bad()

        app = web.Application(middlewares=[by_script])
        app.router.add_get("/v1/ContentAndApprovals", self.list)
        app.router.add_get("/v1/Content/{sid}", self.fetch)
        app.router.add_get("/v1/Content/{sid}/ApprovalRequests", self.fetch_approval)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handle_signals=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()


def _none() -> web.Response:
    return web.json_response({"code": 20404, "message": "not found", "status": 404}, status=404)
