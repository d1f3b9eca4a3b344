"""The demo's kill switch: an address on loopback, told to Handset's page alone, that kills Overture when called."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable

from aiohttp import web


class Switch:
    """Calls what it is wired to. `url` is where it is pressed; nobody can guess it."""

    def __init__(self) -> None:
        self.url = ""
        self._pressed: Callable[[], bool] = lambda: False

    def wire(self, pressed: Callable[[], bool]) -> None:
        """What a press does; it tells whether there was anything to do."""
        self._pressed = pressed

    async def press(self, _: web.Request) -> web.Response:
        """Press it once."""
        if self._pressed():
            return web.Response(text="Overture was killed; it is started again.")
        return web.Response(text="Overture is not running just now; it is on its way back.", status=409)


@contextlib.asynccontextmanager
async def listening(host: str) -> AsyncIterator[Switch]:
    """A switch on a free port, until the block ends."""
    switch, secret = Switch(), secrets.token_urlsafe(16)
    app = web.Application()
    app.router.add_post(f"/{secret}/kill", switch.press)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0).start()
        switch.url = f"http://{host}:{runner.addresses[0][1]}/{secret}/kill"
        yield switch
    finally:
        await runner.cleanup()
