"""Vectors of texts from any endpoint that speaks OpenAI's embeddings.

Its address is the operator's own, so it may be private, as a model's may. What it answers is read as a stranger's.
"""

from collections.abc import Sequence
from typing import Final

import aiohttp
import msgspec
from msgspec import Struct

from overture.domain.errors import Failure, Misconfigured, Permanent, Transient

MOST_TEXTS: Final = 32  # of one request
LARGEST: Final = 8 * 1024 * 1024  # bytes of an answer: 32 vectors of 4,096 numbers with twenty digits are a third of it
_AGAIN: Final = frozenset({408, 409, 425, 429})


class _Vector(Struct, frozen=True):
    index: int
    embedding: list[float]


class _Answer(Struct, frozen=True):
    data: list[_Vector]


class OpenAIEmbeddings:
    """Asks one endpoint for vectors; its session is opened with the first request."""

    def __init__(self, *, base_url: str, model: str, api_key: str = "") -> None:
        self.model: Final = model
        self._url: Final = base_url.rstrip("/") + "/embeddings"
        self._api_key: Final = api_key
        self._opened: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close the session."""
        if self._opened is not None:
            await self._opened.close()

    async def embed(self, texts: Sequence[str], *, timeout_seconds: float) -> list[list[float]]:
        """A vector of each text, in order, all of one length. Raises Transient, Permanent or Misconfigured."""
        headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        asked = {"model": self.model, "input": list(texts), "encoding_format": "float"}
        try:
            async with self._session().post(
                self._url,
                json=asked,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout_seconds),
            ) as response:
                if response.status != 200:
                    raise _verdict(response.status)
                body = await _read(response)
        except TimeoutError as silent:
            raise Transient("embedding_timeout", "The embedding endpoint did not answer in time.") from silent
        except (aiohttp.ClientError, OSError) as broken:
            raise Transient("embedding_unreachable", "The embedding endpoint could not be reached.") from broken
        return _vectors(body, len(texts))

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None or self._opened.closed:
            self._opened = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        return self._opened


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > LARGEST:
            raise Transient("embedding_unreadable", "The embedding endpoint answered more than is read.")
    return bytes(body)


def _vectors(body: bytes, wanted: int) -> list[list[float]]:
    try:
        data = msgspec.json.decode(body, type=_Answer).data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise Transient("embedding_unreadable", "The embedding endpoint's answer cannot be read.") from wrong
    by_index = {one.index: one.embedding for one in data}
    if len(data) != wanted or set(by_index) != set(range(wanted)):
        raise Transient("embedding_incomplete", "The embedding endpoint answered other vectors than were asked for.")
    if len({len(one) for one in by_index.values()}) > 1 or not all(by_index.values()):
        raise Transient("embedding_uneven", "The embedding endpoint answered vectors of several lengths, or of none.")
    return [by_index[index] for index in range(wanted)]


def _verdict(status: int) -> Failure:
    code = f"embedding_http_{status}"
    if status in _AGAIN or status >= 500 or status < 400:
        return Transient(code, f"The embedding endpoint answered {status}.")
    if status in (401, 403, 404):
        hint = "Check its address, its API key and the model's name."
        return Misconfigured(code, f"The embedding endpoint answered {status}.", hint=hint)
    return Permanent(code, f"The embedding endpoint refused the request with {status}.")
