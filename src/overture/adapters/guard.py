"""A guard on outgoing requests: no address that others name may lead into our own network.

The check is made on the very addresses that are connected to (after the name was resolved, for each connection anew),
so that a name which points elsewhere a moment later gains nothing. Source: OWASP, Server Side Request Forgery
Prevention; the special ranges stand in `domain/open_internet`.
"""

import ipaddress
import socket
from collections.abc import Collection
from typing import Final

from aiohttp import abc, resolver
from yarl import URL

from overture.domain.open_internet import is_public


class Refused(OSError):
    """The address is not one that a stranger may send us to."""


def refuse_private(url: URL, *, trusted: Collection[URL] = ()) -> None:
    """Raise Refused for a URL that may not be asked at all: another scheme, a login in it, a private IP address.

    The origins of `trusted` are the operator's own and pass. A name is checked when it is resolved.
    """
    if url.scheme not in ("http", "https") or not url.host or url.user is not None or url.password is not None:
        raise Refused("no plain http or https address")
    if url.origin() in trusted:
        return
    if _is_ip(url.host) and not is_public(url.host):
        raise Refused("an address inside a private network")


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


class GuardedResolver(abc.AbstractResolver):
    """Resolves names, but for those that lead to a private address; hosts of `trusted` are the operator's own."""

    def __init__(self, *, trusted: Collection[URL] = ()) -> None:
        self._inner: Final = resolver.ThreadedResolver()
        self._trusted: Final = trusted

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[abc.ResolveResult]:
        """The addresses of a host. Raises Refused where any of them is private."""
        found = await self._inner.resolve(host, port, family)
        if not all(is_public(one["host"]) for one in found) and host not in {origin.host for origin in self._trusted}:
            raise Refused("a name that leads into a private network")
        return found

    async def close(self) -> None:
        """Let go of what was opened."""
        await self._inner.close()
