"""Which addresses a tool may be given: the open internet over https, and what the operator named besides.

Hosts are read strictly, because each reader of a loose one makes something else of it: `0x7f.1`, `2130706433` and
`localhost。` all lead home. What a name leads to is checked again when it is resolved, by the adapter.
Sources: WHATWG URL, host parsing; RFC 6761 and RFC 6762 for names that never leave a network.
"""

import ipaddress
import re
from typing import Final, Self, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

from overture.domain.open_internet import is_public

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_AUTHORITY: Final = re.compile(r"(https?)://([^/?#]*)")
_NAME: Final = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_HOME: Final = (".local", ".localhost", ".internal", ".intranet", ".lan", ".home.arpa", ".onion")
_RESERVED_PORTS: Final = 1024  # below it mail, databases and shells listen, which a request could be read as a word to


class Reach(Struct, frozen=True, kw_only=True):
    """What tools may reach besides the open internet: hosts by their names or addresses, and networks."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[_Network, ...] = ()

    @classmethod
    def read(cls, listed: tuple[str, ...]) -> Self:
        """From names, addresses and networks in CIDR notation. Raises ValueError for what is none of them."""
        hosts: set[str] = set()
        networks: list[_Network] = []
        for text in listed:
            try:
                networks.append(ipaddress.ip_network(text))
            except ValueError:
                if not _NAME.fullmatch(text.lower()) or len(text) > 253:
                    raise ValueError(
                        f"{text[:100]!r} is no host, no address and no network such as 10.0.0.0/8."
                    ) from None
                hosts.add(text.lower())
        return cls(hosts=frozenset(hosts), networks=tuple(networks))

    def includes(self, host: str) -> bool:
        """Whether a host, as a name or as an address, was named by the operator."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return host.lower() in self.hosts
        return any(address in network for network in self.networks)


NOWHERE: Final = Reach()


class Surroundings(Struct, frozen=True, kw_only=True):
    """What a server's settings give its agents: the names of the secrets there are, and what tools may reach.

    `models` are the names of the model endpoints, None where they are not known; `priced` those of them that have a
    price, with None among them where the first one has.
    """

    secrets: frozenset[str] = frozenset()
    reach: Reach = NOWHERE
    models: frozenset[str] | None = None
    priced: frozenset[str | None] = frozenset()


def objection(url: str, reach: Reach) -> str | None:
    """Why a tool may not be given an address, as the end of a sentence; None where it may."""
    return unreadable(url) or out_of_reach(url, reach)


def unreadable(url: str) -> str | None:
    """Why an address is none that everybody reads alike, as the end of a sentence; None where it is one."""
    if _UNSAFE.search(url):
        return "has a space, a backslash or a control character"
    match = _AUTHORITY.match(url)
    if match is None:
        return "does not begin with https:// and a host"
    if any(char in match[2] for char in "{}<>"):
        return "has a placeholder in its host, which must be fixed"
    if "@" in match[2]:
        return "has a login; put it into a header, as a secret"
    if "%" in match[2] or not match[2].isascii():
        return "has a host that is not plain ASCII; write an international name as xn--"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "has a host or a port that cannot be read"
    return _object_to_host(host, match[2])


def _object_to_host(host: str, authority: str) -> str | None:
    try:
        is_v6 = isinstance(ipaddress.ip_address(host), ipaddress.IPv6Address)
    except ValueError:
        return None if _NAME.fullmatch(host) and len(host) <= 253 else "has a host that is no name and no address"
    return None if is_v6 == authority.startswith("[") else "has a host that cannot be read"


def out_of_reach(url: str, reach: Reach) -> str | None:
    """Why a readable address may not be reached, as the end of a sentence; None where it may."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if reach.includes(host):
        return None
    try:
        ipaddress.ip_address(host)
        private = not is_public(host)
    except ValueError:
        private = "." not in host or host.endswith(_HOME)
    if private:
        return "lies inside a private network, and the setting tools_may_reach does not name it"
    if parts.scheme != "https":
        return "is not https, and the setting tools_may_reach does not name its host"
    if port is not None and port < _RESERVED_PORTS and port not in (80, 443):
        return f"has the port {port}, where no web server listens, and tools_may_reach does not name its host"
    return None
