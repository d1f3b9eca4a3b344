"""Whether the provider can call an address of ours.

Twilio refuses callback addresses on private hosts and with underscores in the host (error 21609), and what people write
would travel readable over http. A stand-in on this machine may call this machine.
"""

import ipaddress
from urllib.parse import urlsplit


def is_local(url: str) -> bool:
    """Whether an address is one of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def objection(url: str, *, is_rehearsal: bool) -> str | None:
    """Why the provider cannot or should not call an address, as the end of a sentence; None where it can.

    In a rehearsal the provider is a stand-in on this machine.
    """
    host = urlsplit(url).hostname or ""
    if is_local(url) and is_rehearsal:
        return None
    if is_local(url) or _is_private(host):
        return "is an address that the provider cannot reach"
    if "_" in host:
        return "has an underscore in its host, which Twilio refuses (error 21609)"
    if url.startswith("http://"):
        return "is not https: what people write would travel readable"
    return None


def _is_private(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host
