"""Fetches what MediaUrl names, as Twilio does before it sends, and refuses what is too large or of a wrong kind.

Only from this machine and private networks: Handset asks nobody else. A medium elsewhere is believed, its kind guessed
from its name. Limits after "accepted content types" and the WhatsApp media pages; the codes of SMS are inferred.
"""

import asyncio
import ipaddress
import mimetypes
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from handset.state.nouns import Fate, Medium, Message
from handset.state.store import Store

MB: Final = 1024 * 1024
MMS_LIMIT, WHATSAPP_LIMIT, IMAGE_LIMIT = 5 * MB, 16 * MB, 5 * MB
KINDS: Final = ("image/", "audio/", "video/", "text/", "application/")
TIMEOUT: Final = aiohttp.ClientTimeout(total=20, connect=5)
UNKNOWN: Final = "application/octet-stream"


def is_near(url: str) -> bool:
    """Whether an address is on this machine or in a private network, without asking anybody for its name."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def guessed(url: str) -> str:
    """The kind of a medium by its address."""
    try:
        return mimetypes.guess_type(urlsplit(url).path)[0] or UNKNOWN
    except ValueError:
        return UNKNOWN


def refusal(content_type: str, size: int, *, whatsapp: bool) -> int | None:
    """The code with which a medium is refused; None if it goes."""
    if not content_type.startswith(KINDS):
        return 63021 if whatsapp else 12300
    if whatsapp:
        return 63034 if size > (IMAGE_LIMIT if content_type.startswith("image/") else WHATSAPP_LIMIT) else None
    return 30019 if size > MMS_LIMIT else None


class Fetcher:
    """Fetches in the background; whoever waits for a message's media is told when all are there, or never will be."""

    def __init__(self, *, store: Store, then: Callable[[Message], None]) -> None:
        self._store = store
        self._then = then
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Take up what was left."""
        for medium in self._store.waiting_media():
            self._spawn(medium)

    async def stop(self) -> None:
        """Break off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def expect(self, message: Message) -> None:
        """Put a new message's media on record, and fetch them."""
        for url in message.media_urls:
            medium = Medium(
                sid=self._store.new_sid("ME"),
                account_sid=message.account_sid,
                message_sid=message.sid,
                content_type=guessed(url),
                created_at=message.created_at,
                source=url,
                waiting=is_near(url),
            )
            self._store.put_medium(medium)
            if medium.waiting:
                self._spawn(medium)

    def _spawn(self, medium: Medium) -> None:
        task = asyncio.create_task(self._fetch(medium))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetch(self, medium: Medium) -> None:
        asked_for = self._store.find_message(medium.message_sid)
        content_type, content, code = await _get(medium, whatsapp=asked_for is not None and asked_for.is_whatsapp)
        if self._store.find_medium(medium.sid) is None:
            return  # forgotten meanwhile
        self._store.put_medium(
            msgspec.structs.replace(medium, content_type=content_type, content=content, waiting=False)
        )
        message = self._store.find_message(medium.message_sid)
        if message is None:
            return
        if code is not None and message.fate is None:
            message = msgspec.structs.replace(message, fate=Fate(status="failed", code=code))
            self._store.put_message(message)
        self._then(message)


async def _get(medium: Medium, *, whatsapp: bool) -> tuple[str, bytes | None, int | None]:
    missing = 63019 if whatsapp else 11200
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(medium.source or "") as response,
        ):
            if response.status != 200:
                return medium.content_type, None, missing
            content = b""
            async for chunk in response.content.iter_chunked(65_536):
                content += chunk
                if len(content) > WHATSAPP_LIMIT:
                    break
            content_type = response.content_type
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return medium.content_type, None, missing
    code = refusal(content_type, len(content), whatsapp=whatsapp)
    return content_type, None if code is not None else content, code
