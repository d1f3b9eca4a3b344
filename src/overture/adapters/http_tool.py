"""HTTP tools: requests to servers that authors of agents named, guarded and bounded.

A request leads to an address of the open internet, or to one the operator named, and nowhere else: names are resolved
once for each connection, and what was checked is what is connected to. Redirects are not followed, nothing is taken
from the environment, and nothing is sent twice: aiohttp would repeat a GET, PUT or DELETE whose connection breaks.
"""

import socket
from collections.abc import Mapping
from typing import Final

import aiohttp
from aiohttp import abc, resolver
from yarl import URL

from overture.adapters import guard
from overture.domain import tool_address
from overture.domain.errors import Misconfigured, OutcomeUnknown, Permanent, Unreachable
from overture.domain.open_internet import is_public
from overture.domain.tool import HttpAnswer, HttpRequest
from overture.domain.tool_address import Reach
from overture.domain.tool_secrets import SECRET

LARGEST: Final = 256 * 1024  # bytes that are read of an answer; a model is shown far less
_CONNECT_SECONDS: Final = 5.0
_SHORTEST_HIDDEN: Final = 6  # characters of a secret that is taken out of answers; a shorter one stands in any text
_PLAIN: Final = frozenset({"", "identity"})


class HttpTools:
    """A ToolCaller; its session is opened with the first call. `names` resolves names, the system does unless given."""

    def __init__(self, *, secrets: Mapping[str, str], reach: Reach, names: abc.AbstractResolver | None = None) -> None:
        self._secrets: Final = secrets
        self._reach: Final = reach
        self._names: Final = names
        self._opened: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close the session."""
        if self._opened is not None:
            await self._opened.close()

    async def call(self, request: HttpRequest, *, timeout_seconds: float) -> HttpAnswer:
        """One call, whatever status it is answered with; nothing is retried inside and no redirect is followed.

        Raises Unreachable, Permanent or Misconfigured where nothing was sent, OutcomeUnknown where it may have been
        acted upon.
        """
        if (wrong := tool_address.objection(request.url, self._reach)) is not None:
            raise Permanent("tool_address_refused", f"The tool's address {wrong}.")
        headers, used = self._headers(request)
        try:
            async with self._session().request(
                request.method,
                URL(request.url, encoded=True),
                headers=headers,
                data=None if request.body is None else request.body.encode(),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
            ) as response:
                return await _read(response, used)
        except aiohttp.InvalidURL as wrong:
            raise Permanent("tool_address_refused", "The tool's address cannot be read.") from wrong
        except (aiohttp.ConnectionTimeoutError, _Nowhere) as away:
            if isinstance(away.__cause__, guard.Refused):
                raise Permanent("tool_address_refused", f"The tool's address is {away.__cause__}.") from away
            raise Unreachable("tool_unreachable", "The tool's server could not be reached.") from away
        except TimeoutError as silent:
            raise OutcomeUnknown("tool_silent", "The tool's server did not answer in time.") from silent
        except (aiohttp.ClientError, _Broken, OSError, ValueError) as broken:
            raise OutcomeUnknown("tool_broken", "The tool's server broke off, or its answer is no HTTP.") from broken

    def _headers(self, request: HttpRequest) -> tuple[dict[str, str], list[bytes]]:
        """The headers with their secrets, and the secrets that went into them."""
        headers = {"Accept": "application/json", "User-Agent": "Overture"}
        used: list[bytes] = []
        for name, text in request.headers.items():
            filled = text
            for wanted in SECRET.findall(text):
                secret = self._secrets.get(wanted)
                if secret is None:
                    raise Misconfigured(
                        "tool_secret_missing",
                        f"The secret {wanted} of a tool is not set.",
                        hint=f"Set OVERTURE_SECRET_{wanted}, or {wanted} under [secrets] in the settings' file.",
                    )
                used += [secret.encode()] if len(secret) >= _SHORTEST_HIDDEN else []
                filled = filled.replace(f"{{secret:{wanted}}}", secret)
            if not filled.isprintable():
                raise Misconfigured("tool_header_unreadable", f"The header {name} of a tool holds what no header can.")
            headers[name] = filled
        headers["Accept-Encoding"] = "identity"  # a small answer that unpacks into gigabytes is not asked for
        return headers, used

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None or self._opened.closed:
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=_Resolver(self._reach, self._names or resolver.ThreadedResolver()),
                    limit=100,
                    force_close=True,
                    use_dns_cache=False,
                ),
                middlewares=(_once,),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._opened


class _Nowhere(Exception):
    """No connection came about."""


class _Broken(Exception):
    """A connection broke while it was used."""


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request; failures after which aiohttp would send it again are told under other names."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError as away:
        raise _Nowhere from (away.__cause__ or away)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as broken:
        raise _Broken from broken


class _Resolver(abc.AbstractResolver):
    """Resolves names whose every address is of the open internet, or named by the operator."""

    def __init__(self, reach: Reach, names: abc.AbstractResolver) -> None:
        self._inner: Final = names
        self._reach: Final = reach

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[abc.ResolveResult]:
        """The addresses of a host. Raises Refused where any of them may not be reached."""
        found = await self._inner.resolve(host, port, family)
        if not self._reach.includes(host) and not all(self._may_reach(one["host"]) for one in found):
            raise guard.Refused("a name that leads into a private network")
        return found

    def _may_reach(self, address: str) -> bool:
        return is_public(address) or self._reach.includes(address)

    async def close(self) -> None:
        """Let go of what was opened."""
        await self._inner.close()


async def _read(response: aiohttp.ClientResponse, used: list[bytes]) -> HttpAnswer:
    """What was answered. Its status is known: what breaks off after that leaves no doubt about the call."""
    chunks: list[bytes] = []
    size, is_whole = 0, response.headers.get("Content-Encoding", "").lower() in _PLAIN
    try:
        async for chunk in response.content.iter_chunked(16 * 1024):
            size += len(chunk)
            chunks.append(chunk)
            if size > LARGEST:
                is_whole = False
                break
    except (aiohttp.ClientError, TimeoutError, OSError):
        is_whole = False
    body = b"".join(chunks)[:LARGEST]
    for secret in used:
        body = body.replace(secret, b"[secret]")
    return HttpAnswer(
        status=response.status, content_type=response.content_type[:200].lower(), body=body, is_whole=is_whole
    )
