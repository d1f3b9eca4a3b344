"""The public URLs that a database is bound to: how a copy of it is told from the original.

Two servers must not answer the same contacts. Where the provider reaches a server is what no copy of a database takes
with it, so that is what tells them apart.
"""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit


def binding_urls(public_urls: Iterable[str]) -> tuple[str, ...]:
    """The URLs that bind: not those of loopback, where no provider in the world can reach anybody."""
    written = (url.rstrip("/") for url in public_urls)
    return tuple(dict.fromkeys(_plain(url) for url in written if not _is_loopback(urlsplit(url).hostname or "")))


def is_copy(bound: Iterable[str], public_urls: Iterable[str]) -> bool:
    """Whether a database that is bound to URLs is served somewhere else: one that they share is enough.

    A database that is bound to none can be anybody's. Without any public URL a server is somewhere else too.
    """
    known = set(bound)
    return bool(known) and known.isdisjoint(binding_urls(public_urls))


def _plain(url: str) -> str:
    """A URL as it is compared: scheme and host in small letters."""
    parts = urlsplit(url)
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()).geturl()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
