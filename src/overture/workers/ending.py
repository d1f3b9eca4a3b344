"""The end of a process: what runs comes to its end, what hangs is let go, all within the time that supervisors give.

Supervisors kill after 25 or 30 seconds. Five of them belong to the doors, whose open requests get their last answers
first; the rest is shared out here. Whatever is let go is found again by whoever comes next: a send's claim runs out
and its fate is looked for, a turn is claimed anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from overture import log

TURNS_SECONDS: Final = 7.0
SENDS_SECONDS: Final = 8.5  # the provider client's own limit, and the record of what came of it
NOTICES_SECONDS: Final = 3.5  # one that is cut off is told again

Step = Callable[[], Awaitable[object]]

_log: Final = log.get(__name__)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long each part of an end may take."""

    roads_seconds: float = 3.5  # a look is one claim; one that takes longer waits for a database that is away
    drains_seconds: float = 9.5
    closes_seconds: float = 6.0

    @property
    def total_seconds(self) -> float:
        """How long an end takes at most."""
        return self.roads_seconds + self.drains_seconds + self.closes_seconds


_LIMITS: Final = Limits()


async def end(
    roads: Sequence["asyncio.Task[None]"],
    drains: Iterable[Step],
    closes: Iterable[Step],
    *,
    limits: Limits = _LIMITS,
) -> None:
    """End the roads, which were told to stop; then what they began, side by side; then close one thing after another.

    Takes no longer than the limits and raises nothing: what went wrong is told, and does not keep the rest.
    """
    await _end_roads(roads, limits.roads_seconds)
    await _within(limits.drains_seconds, "drain", asyncio.gather(*(_told("drain", drain()) for drain in drains)))
    await _within(limits.closes_seconds, "close", _one_after_another(closes))


async def _end_roads(roads: Sequence["asyncio.Task[None]"], seconds: float) -> None:
    if not roads:
        return
    _, late = await asyncio.wait(roads, timeout=seconds * 6 / 7)
    for road in late:
        _log.warning("road_cut_off", road=road.get_name())
        road.cancel()
    if late:
        await asyncio.wait(late, timeout=seconds / 7)


async def _one_after_another(steps: Iterable[Step]) -> None:
    for step in steps:
        await _told("close", step())


async def _within(seconds: float, what: str, doing: Awaitable[object]) -> None:
    try:
        async with asyncio.timeout(seconds):
            await doing
    except TimeoutError:
        _log.warning("stop_cut_off", what=what, seconds=seconds)


async def _told(what: str, doing: Awaitable[object]) -> None:
    try:
        await doing
    except Exception:
        _log.exception("stop_stumbles", what=what)
