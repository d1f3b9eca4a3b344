"""A bound for what an endpoint answers: whoever sends without an end is cut off, and fills no memory of ours."""

from collections.abc import AsyncIterator
from typing import Final

import httpx2

MOST: Final = 2_000_000  # bytes: the longest answer that we ask for is a hundredth of it


class TooMuchError(httpx2.TransportError):
    """The answer is longer than any that could be wanted."""


class BoundedTransport(httpx2.AsyncHTTPTransport):
    """The library's transport, whose answers end after so many bytes. They are asked for unpacked."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer, its body bounded."""
        request.headers["accept-encoding"] = "identity"  # a few packed bytes may be gigabytes
        response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Bounded(response.stream)
        return response


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream: Final = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MOST
        async for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise TooMuchError(f"more than {MOST} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
