"""Which IP addresses belong to the open internet: nobody's own network, no machine's own services.

The standard library knows IANA's registries as they were when it was released. What it lets pass, and what carries
another address within it, stands here. Sources: IANA's special-purpose address registries; RFC 4291 (2.5.5), RFC 6052,
RFC 8215, RFC 3056, RFC 4380; 192.0.0.192 is where Oracle's cloud tells machines their credentials.
"""

import ipaddress
from typing import Final

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")  # an IPv4 address as IPv6 once wrote it
_CLOSED: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "fec0::/10", "2001::/23", "3fff::/20", "5f00::/16")
)


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and (ip in _NAT64 or ip in _COMPATIBLE):
            inner = ipaddress.IPv4Address(ip.packed[-4:])
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _CLOSED)
