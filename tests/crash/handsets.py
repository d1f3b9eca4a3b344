"""A life of Handset, from the inside: as its command would run it, on any free port."""

import asyncio
import signal
from collections.abc import Callable

from handset import config
from handset.app import Handset
from handset.serving import Server
from tests.crash.lives import HandsetLife


class _Announcing(Server):
    def __init__(self, handset: Handset, say: Callable[[str], None]) -> None:
        super().__init__(handset, host="127.0.0.1", port=0, obeys_signals=False)
        self._say = say

    def announce(self, address: str) -> None:
        """Tell the harness where it listens."""
        self._say(address)


def serve(life: HandsetLife, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM."""
    asyncio.run(_serve(life, say))


async def _serve(life: HandsetLife, say: Callable[[str], None]) -> None:
    server = _Announcing(Handset(config.of(life.config)), say)

    def stop() -> None:
        server.should_exit = True

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    await server.serve()
