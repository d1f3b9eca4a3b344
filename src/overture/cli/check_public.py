"""The public address, which the provider calls and signs for.

Twilio refuses callback addresses on private hosts and with underscores in the host (error 21609), and a signature
covers the address as Twilio called it: what is set here must be that address to the letter.
"""

import ipaddress
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from overture.cli.finding import Finding, good, note, wrong
from overture.settings import Settings

_HINT = "Set OVERTURE_PUBLIC_URL to the https address under which the provider reaches this server."


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Look at the public addresses; nothing is called."""
    if not settings.public_urls:
        if settings.senders and all(sender.inbound == "poll" for sender in settings.senders):
            yield good("No public address is set, and none is needed: every sender is polled.")
        elif settings.accounts:
            yield wrong("No public address is set, so no webhook can be verified and no delivery is reported.", _HINT)
        else:
            yield note("No public address is set.", _HINT)
        return
    all_local = bool(settings.accounts) and all(is_local(account.base_url) for account in settings.accounts)
    for url in settings.public_urls:
        yield _look(url, is_rehearsal=all_local)


def is_local(url: str) -> bool:
    """Whether an address is one of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _look(url: str, *, is_rehearsal: bool) -> Finding:
    host = urlsplit(url).hostname or ""
    if is_local(url) and is_rehearsal:
        return good(f"{url} is of this machine, and so is the provider's stand-in.")
    if is_local(url) or _is_private(host):
        return wrong(f"{url} is an address that the provider cannot reach.", _HINT)
    if "_" in host:
        return wrong(f"{url} has an underscore in its host, which Twilio refuses (error 21609).", "Use another name.")
    if url.startswith("http://"):
        return wrong(f"{url} is not https: what people write would travel readable.", _HINT)
    return good(f"{url}; webhooks come to {url}/webhooks/twilio/inbound.")


def _is_private(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host
