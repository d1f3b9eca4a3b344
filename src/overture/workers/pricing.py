"""The prices' road: what the provider charged for messages of which the sweeps have not seen a price.

A price is there some minutes after a message left, and the sweep's overlap is a quarter of an hour; what is priced
later is asked for by its id, three times at most, and then let be.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from overture import log
from overture.actions.settle_prices import settle_prices
from overture.domain.errors import Failure
from overture.domain.ports import Provider
from overture.store import charges
from overture.store.charges import Unpriced
from overture.store.engine import Store

ROAD: Final = "prices"
AFTER: Final = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
"""When a message is asked for, counted from when it was written: Twilio prices nearly all within minutes."""

AT_MOST: Final = 20  # requests of one look; one look of a kind a minute
EVERY_SECONDS: Final = 60.0
_AT_ONCE: Final = 4  # sends need the provider's connections as well

_log: Final = log.get(__name__)


class PriceRoad:
    """Asks for prices, a few messages at a time."""

    def __init__(self, *, store: Store, provider: Provider) -> None:
        self._store: Final = store
        self._provider: Final = provider

    async def look(self) -> float | None:
        """Ask for what is old enough, each message once a kind of look."""
        if await self._store.read(charges.are_wanted):
            for number, age in enumerate(AFTER):
                await self._ask(await self._take(number, self._store.now() - age))
        return EVERY_SECONDS

    async def _take(self, number: int, written_by: datetime) -> list[Unpriced]:
        return await self._store.write(
            lambda tx: charges.take_unpriced(tx, number, written_by=written_by, limit=AT_MOST)
        )

    async def _ask(self, taken: Sequence[Unpriced]) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def ask(one: Unpriced) -> int:
            async with gate:
                return await self._settle(one)

        settled = sum(await asyncio.gather(*map(ask, taken)))
        if taken:
            _log.info("prices_fetched", asked=len(taken), settled=settled)

    async def _settle(self, one: Unpriced) -> int:
        """How many prices were news. Each is a commit of its own: none waits for another that holds it."""
        try:
            found = await self._provider.fetch(one.account_sid, one.sid)
        except Failure as failure:
            _log.warning("price_not_fetched", sid=one.sid, code=failure.code, why=failure.description)
            return 0
        if found is None or found.sid != one.sid:
            return 0
        return await self._store.write(lambda tx: settle_prices(tx, one.account_sid, [found]))
