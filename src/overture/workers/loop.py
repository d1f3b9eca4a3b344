"""The loop under every road: look, work while there is something, wait for a signal or the next due time.

A failure of the database is waited out; anything else is logged and tried again. Nothing here ends a process.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from overture import log
from overture.domain.errors import Unavailable
from overture.store.signals import Signals

LONGEST_WAIT_SECONDS: Final = 1.0  # the truth is what a look finds: a lost hint costs at most this
_PAUSE_SECONDS: Final = 0.5

_log: Final = log.get(__name__)


async def run(
    road: str,
    look: Callable[[], Awaitable[float | None]],
    *,
    signals: Signals,
    stopping: asyncio.Event,
    longest_wait_seconds: float = LONGEST_WAIT_SECONDS,
) -> None:
    """Look again and again until told to stop.

    `look` does what is due and gives the seconds to wait for more: 0 to look again at once, None for as long as usual.
    """
    while not stopping.is_set():
        try:
            wait = await look()
        except Unavailable as away:
            _log.warning("road_waits", road=road, code=away.code, why=away.description)
            wait = _PAUSE_SECONDS
            await _rest(stopping, wait)
            continue
        except Exception:
            _log.exception("road_stumbles", road=road)
            await _rest(stopping, _PAUSE_SECONDS)
            continue
        if wait is None or wait > 0:
            await signals.wait(road, longest_wait_seconds if wait is None else min(wait, longest_wait_seconds))


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return
