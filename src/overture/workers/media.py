"""The media's road: fetch what came with messages, and keep it."""

import asyncio
from typing import Final

from overture import log
from overture.actions.keep_medium import claim_media, keep_medium
from overture.domain.errors import Failure, Transient
from overture.domain.ports import FetchedMedium, MediaFetcher
from overture.store import media
from overture.store.engine import Store
from overture.store.media import ToFetch

_AT_ONCE: Final = 4  # of up to 16 MB each in memory

_log: Final = log.get(__name__)


class MediaRoad:
    """Fetches media, a few at a time."""

    def __init__(self, *, store: Store, fetcher: MediaFetcher) -> None:
        self._store: Final = store
        self._fetcher: Final = fetcher

    async def look(self) -> float | None:
        """Fetch what is due; the seconds until more may be."""
        asked = await self._store.write(lambda tx: claim_media(tx, _AT_ONCE, self._store.now()))
        await asyncio.gather(*(self._fetch(one) for one in asked))
        if asked:
            return 0
        now = self._store.now()
        due = await self._store.read(lambda tx: media.find_next_due(tx, now))
        return None if due is None else (due - now).total_seconds()

    async def _fetch(self, asked: ToFetch) -> None:
        result = await self._ask(asked)
        await self._store.write(lambda tx: keep_medium(tx, asked, result, self._store.now()))

    async def _ask(self, asked: ToFetch) -> FetchedMedium | Failure:
        try:
            fetched = await self._fetcher.fetch_medium(asked.account_sid, asked.url)
        except Failure as failure:
            _log.warning("medium_not_fetched", medium_id=asked.id, code=failure.code, why=failure.description)
            return failure
        except Exception:
            _log.exception("medium_broke", medium_id=asked.id)
            return Transient("media_unreachable", "The medium could not be fetched.")
        _log.info("medium_kept", medium_id=asked.id, size=len(fetched.body))
        return fetched
