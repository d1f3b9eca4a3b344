"""The public address, which the provider calls and signs for: a signature covers it to the letter."""

from collections.abc import AsyncIterator

from overture.cli.finding import Finding, good, note, wrong
from overture.domain import public_address
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
    all_local = bool(settings.accounts) and all(
        public_address.is_local(account.base_url) for account in settings.accounts
    )
    for url in settings.public_urls:
        yield _look(url, is_rehearsal=all_local)


def _look(url: str, *, is_rehearsal: bool) -> Finding:
    if (objection := public_address.objection(url, is_rehearsal=is_rehearsal)) is not None:
        return wrong(f"{url} {objection}.", _HINT)
    if public_address.is_local(url):
        return good(f"{url} is of this machine, and so is the provider's stand-in.")
    return good(f"{url}; webhooks come to {url}/webhooks/twilio/inbound.")
