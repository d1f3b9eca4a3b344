"""The media's road: fetch what came with messages, have voice notes written down, and keep both."""

import asyncio
from typing import Final

from overture import log
from overture.actions.keep_medium import awaits_words, claim_media, keep_medium
from overture.domain.errors import Failure, Transient
from overture.domain.ports import FetchedMedium, MediaFetcher, Transcriber
from overture.store import media
from overture.store.engine import Store
from overture.store.media import ToFetch
from overture.store.signals import Signals

_AT_ONCE: Final = 4  # of up to 16 MB each in memory

_log: Final = log.get(__name__)


class MediaRoad:
    """Fetches media, a few at a time. Without a transcriber voice notes stay what they are."""

    def __init__(
        self, *, store: Store, fetcher: MediaFetcher, signals: Signals, transcriber: Transcriber | None = None
    ) -> None:
        self._store: Final = store
        self._fetcher: Final = fetcher
        self._signals: Final = signals
        self._transcriber: Final = transcriber

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
        spoken = await self._write_down(asked, result)
        if await self._store.write(lambda tx: keep_medium(tx, asked, result, self._store.now(), spoken=spoken)):
            self._signals.wake(f"words:{asked.conversation_id}")

    async def _write_down(self, asked: ToFetch, result: FetchedMedium | Failure) -> str | None:
        """The words of a voice note, None where nobody can tell them: then the agent asks for them in writing."""
        if self._transcriber is None or isinstance(result, Failure) or not result.content_type.startswith("audio/"):
            return None
        if not await self._store.read(lambda tx: awaits_words(tx, asked)):
            return None
        try:
            spoken = await self._transcriber.transcribe(result)
        except Failure as failure:
            _log.warning("voice_note_not_written_down", medium_id=asked.id, code=failure.code, why=failure.description)
            return None
        except Exception:
            _log.exception("transcription_broke", medium_id=asked.id)
            return None
        _log.info("voice_note_written_down", medium_id=asked.id, length=len(spoken))
        return spoken

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
