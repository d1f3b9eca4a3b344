"""Voice notes written down by any endpoint that speaks OpenAI's audio transcriptions.

The endpoint is the operator's own, named in the settings; it is followed nowhere else. One request, one answer: who
waits for the words has seconds, not tries.
"""

from typing import Final

import aiohttp
import msgspec
from msgspec import Struct

from overture.domain.errors import Misconfigured, Permanent, Transient
from overture.domain.ports import FetchedMedium

TIMEOUT_SECONDS: Final = 15.0  # whoever sent the note is waiting, and the turn waits no longer than twenty
_LARGEST_ANSWER: Final = 256 * 1024  # bytes; an hour of speech is a fifth of it
_ENDINGS: Final = {
    "audio/ogg": "ogg",
    "audio/opus": "ogg",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/aac": "m4a",
    "audio/amr": "amr",
    "audio/wav": "wav",
    "audio/webm": "webm",
}
"""What endpoints tell a format by: the file's name."""


class _Spoken(Struct, frozen=True):
    text: str


_SPOKEN: Final = msgspec.json.Decoder(_Spoken)


class OpenAITranscriber:
    """A Transcriber; its session is opened with the first request."""

    def __init__(
        self, *, base_url: str, model: str, api_key: str = "", timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self._url: Final = f"{base_url.rstrip('/')}/audio/transcriptions"
        self._model: Final = model
        self._api_key: Final = api_key
        self._timeout: Final = aiohttp.ClientTimeout(total=timeout_seconds, connect=min(5.0, timeout_seconds))
        self._opened: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close the session."""
        if self._opened is not None:
            await self._opened.close()

    async def transcribe(self, medium: FetchedMedium) -> str:
        """The words of a recording, empty where it has none. Raises Transient, Permanent or Misconfigured."""
        form = aiohttp.FormData()
        form.add_field("model", self._model)
        form.add_field("response_format", "json")
        name = f"voice.{_ENDINGS.get(medium.content_type, 'ogg')}"
        form.add_field("file", medium.body, filename=name, content_type="application/octet-stream")
        headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        try:
            async with self._session().post(self._url, data=form, headers=headers, allow_redirects=False) as response:
                return await _read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as away:
            raise Transient("transcription_unreachable", "The transcription endpoint did not answer.") from away

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None or self._opened.closed:
            self._opened = aiohttp.ClientSession(
                timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self._opened


async def _read(response: aiohttp.ClientResponse) -> str:
    match response.status:
        case 200:
            pass
        case 401 | 403 | 404:
            raise Misconfigured(
                "transcription_refused",
                f"The transcription endpoint answered {response.status}.",
                hint="Check its address, its key and the model's name.",
            )
        case status if status >= 500 or status in (408, 425, 429):
            raise Transient("transcription_unreachable", f"The transcription endpoint answered {status}.")
        case status:
            raise Permanent("transcription_refused", f"The transcription endpoint answered {status}.")
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise Permanent("transcription_unreadable", "The transcription endpoint's answer is too large.")
    try:
        return _SPOKEN.decode(body).text.strip()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as unreadable:
        raise Permanent(
            "transcription_unreadable", "The transcription endpoint's answer cannot be read."
        ) from unreadable
