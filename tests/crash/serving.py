"""A life of the server, from the inside."""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp

from overture import bootstrap, log, settings
from overture.adapters.twilio.accounts import TwilioAccounts
from overture.bootstrap import House, doors
from overture.bootstrap.doors import ClosingProvider
from overture.settings import Settings
from overture.store.engine import Store
from overture.store.signals import Signals
from overture.web.parts import Parts
from tests.crash import boundaries, bugs, timescale
from tests.crash.boundaries import Boundaries, CountedStore
from tests.crash.lives import ServerLife
from tests.crash.timescale import ScaledStore


class CountedHouse(House):
    """The house, with its doors counted."""

    def __init__(self, read: Settings, stopping: asyncio.Event | None, life: ServerLife, passed: Boundaries) -> None:
        self._passed = passed

        def make_store(given: Settings, signals: Signals) -> Store:
            store: Store = ScaledStore(doors.open_store(given, signals), life.timescale)
            return CountedStore(store if life.bug is None else bugs.with_bug(life.bug, store), passed)

        def make_provider(given: Settings, secret: bytes, accounts: TwilioAccounts) -> ClosingProvider:
            return boundaries.counted_provider(doors.open_provider(given, secret, accounts), passed)

        super().__init__(read, stopping, make_store=make_store, make_provider=make_provider)

    def make_app(self, parts: Parts, *, trusted: bool = False) -> ASGIApp:
        """The application, counted at the door that the world comes through."""
        app = super().make_app(parts, trusted=trusted)
        return app if trusted else boundaries.counted_app(app, self._passed)


def serve(life: ServerLife, say: Callable[[str], None]) -> None:
    """Serve until a signal; `say` is called as soon as connections are taken."""
    read = settings.read(life.environment)
    log.configure("warning", "text")
    passed = Boundaries(
        life.boundaries, clock=life.timescale, stop_at=life.stop_at, stop_of=life.stop_of, number=life.stop_by
    )

    async def serve() -> None:
        await bootstrap.serve(
            read,
            ready=lambda host, port: say(f"http://{host}:{port}"),
            make_house=lambda given, stopping: CountedHouse(given, stopping, life, passed),
        )

    timescale.run(serve, life.timescale.rate)
