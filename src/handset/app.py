"""The composition root: a configuration becomes running parts behind one ASGI application."""

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handset.api.accounts import Accounts
from handset.api.media import Media
from handset.api.messaging import Services
from handset.api.numbers import Numbers
from handset.api.routes import Api
from handset.api.senders import Senders
from handset.approvals import Approvals
from handset.carrier.carrier import Carrier
from handset.clock import Clock
from handset.config import Config
from handset.content import Content
from handset.faults.api import FaultsApi
from handset.faults.plan import Plan
from handset.inspection import Inspection
from handset.keyboard import Keyboard
from handset.monitor import Monitor
from handset.phone.page import Page
from handset.sids import Sids
from handset.state.feed import Feed
from handset.state.journal import Journal
from handset.state.store import Store
from handset.wire.line import Wire
from handset.wire.requests import TWILIO_PATHS


class Handset:
    """All the parts, and the application that serves them."""

    def __init__(self, config: Config, *, data: Path | None = None, clock: Clock | None = None) -> None:
        sids = Sids(seed=config.seed)
        self.feed: Final = Feed(boot=Sids(seed=None).new("FE"))
        self.store: Final = Store(sids=sids, feed=self.feed, journal=Journal(data) if data is not None else None)
        clock = clock or Clock(config.clock)
        clock.on_change(self.store.tell_clock)
        self.plan: Final = Plan(store=self.store, clock=clock, seed=config.seed, rules=config.faults)
        self.carrier: Final = Carrier(config=config, store=self.store, clock=clock, plan=self.plan)
        keyboard = Keyboard(self.carrier, base_url=config.base_url)
        inspection = Inspection(carrier=self.carrier, feed=self.feed, keyboard=keyboard)
        page = Page(config=config, carrier=self.carrier, feed=self.feed, inspection=inspection, plan=self.plan)
        routes = [
            *Accounts(config=config).routes(),
            *Numbers(config=config, carrier=self.carrier).routes(),
            *Services(config=config, carrier=self.carrier).routes(),
            *Senders(config=config, carrier=self.carrier).routes(),
            *Media(config=config, carrier=self.carrier).routes(),
            *Api(config=config, carrier=self.carrier).routes(),
            *Content(config=config, carrier=self.carrier).routes(),
            *Monitor(config=config, store=self.store).routes(),
            *inspection.routes(),
            *Approvals(carrier=self.carrier).routes(),
            *FaultsApi(plan=self.plan, store=self.store).routes(),
            *page.routes(),
        ]
        starlette = Starlette(routes=routes, lifespan=self._live)
        self._wire = Wire(starlette, plan=self.plan, clock=clock, feed=self.feed)
        self.app: Final[ASGIApp] = TwilioHeaders(self._wire)

    def hang_up(self) -> None:
        """End the open streams and the held requests, so that the server can stop."""
        self._wire.close()
        self.feed.close()

    @contextlib.asynccontextmanager
    async def _live(self, _: Starlette) -> AsyncIterator[None]:
        await self.carrier.start()
        try:
            yield
        finally:
            await self.carrier.stop()
            self.store.close()


class TwilioHeaders:
    """The headers that Twilio's answers were seen to carry, on the paths that are Twilio's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._sids = Sids(seed=None)
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not scope["path"].startswith(TWILIO_PATHS):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        self._running += 1
        running = self._running

        async def send_with_headers(message: Message) -> None:
            # a load balancer's own page has none of them
            if message["type"] == "http.response.start" and not _is_html(message):
                headers = MutableHeaders(scope=message)
                headers["Twilio-Request-Id"] = self._sids.new("RQ")
                headers["Twilio-Request-Duration"] = f"{time.perf_counter() - began:.3f}"
                headers["Twilio-Concurrent-Requests"] = str(running)
                headers["X-API-Domain"] = "api.twilio.com"
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            self._running -= 1


def _is_html(message: Message) -> bool:
    return Headers(raw=message["headers"]).get("content-type", "").startswith("text/html")
