"""The provider's accounts: credentials, senders, where their webhooks go, and the clock. Nothing is sent or changed."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from overture.adapters.clock import SystemClock
from overture.adapters.twilio.client import TwilioAccount, TwilioClient
from overture.adapters.twilio.wire import OwnedNumber
from overture.cli import serving
from overture.cli.finding import Finding, good, note, wrong
from overture.domain.account import Origin
from overture.domain.errors import Failure, Problem
from overture.domain.sender import SenderKind, kind_of
from overture.settings import AccountSettings, SenderSettings, Settings
from overture.web.api.account_shapes import ProviderAccountView, SenderView

_SKEW: Final = timedelta(seconds=60)  # windows and validity are counted in minutes; a clock that is off by one misleads
_SECONDS: Final = 5.0
_INBOUND: Final = "/webhooks/twilio/inbound"


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Ask each account who it is, and look for our senders among its numbers."""
    stored, senders = await _of_the_api(settings)
    for one in stored:
        yield _look_at_stored(one)
    if not settings.accounts and not stored:
        variables = "OVERTURE_TWILIO_ACCOUNT_SID and OVERTURE_TWILIO_AUTH_TOKEN"
        hint = f"Set {variables}, or use `overture accounts add`; docs/twilio.md leads through it."
        yield wrong("No Twilio account is set up.", hint)
        return
    if not settings.senders and not senders:
        yield wrong(
            "No sender is set up.", "Set OVERTURE_SENDERS, for example sms:+15551234567, or `overture senders add`."
        )
    client = TwilioClient(accounts={account.sid: _account(account) for account in settings.accounts}, secret=b"")
    try:
        for account in settings.accounts:
            async for finding in _look(client, account, settings):
                yield finding
    finally:
        await client.aclose()


async def _of_the_api(settings: Settings) -> tuple[list[ProviderAccountView], list[SenderView]]:
    """The accounts and senders that the server keeps itself; none where it cannot be asked, which is told elsewhere."""
    if not settings.data.exists():
        return [], []
    try:
        async with serving.operator(settings) as client:
            accounts, senders = await client.list_accounts(), await client.list_senders()
    except (Problem, OSError):
        return [], []
    return (
        [one for one in accounts if one.origin is Origin.API],
        [one for one in senders if one.origin is Origin.API],
    )


def _look_at_stored(one: ProviderAccountView) -> Finding:
    """What can be told of an account whose secrets only the server has."""
    if one.problem is not None:
        return wrong(f"Account {one.sid}: {one.problem}", "docs/operations.md tells of the key that seals secrets.")
    tokens = "1 auth token" if one.auth_tokens == 1 else f"{one.auth_tokens} auth tokens"
    return good(f"Account {one.sid} is kept by the server, with {tokens}.")


async def _look(client: TwilioClient, account: AccountSettings, settings: Settings) -> AsyncIterator[Finding]:
    mine = [sender for sender in settings.senders if sender.account == account.sid]
    if not account.auth_tokens and any(sender.inbound == "webhook" for sender in mine):
        yield wrong(
            f"Account {account.sid} has no auth token, so none of its webhooks can be verified.",
            "Set OVERTURE_TWILIO_AUTH_TOKEN; an API key signs nothing.",
        )
    try:
        facts = await client.check_credentials(account.sid)
    except Failure as refused:
        yield wrong(f"Account {account.sid} at {account.base_url}: {refused.description}", refused.hint)
        return
    name = f" ({facts.friendly_name})" if facts.friendly_name else ""
    if facts.status not in (None, "active"):
        yield wrong(f"Account {account.sid}{name} is {facts.status}.", "Twilio's console says why.")
    else:
        yield good(f"Account {account.sid}{name} knows these credentials.")
    if facts.type == "Trial":
        yield note(f"Account {account.sid} is a trial: it writes only to numbers verified in Twilio's console.")
    async for finding in _look_for_senders(client, account, settings):
        yield finding
    skew = await _clock_skew(account.base_url)
    if skew is not None and abs(skew) > _SKEW:
        off = f"{abs(skew).total_seconds():.0f} s {'ahead of' if skew > timedelta() else 'behind'}"
        yield wrong(f"This machine's clock is {off} the provider's.", "Let it be set over the network (NTP).")


async def _look_for_senders(
    client: TwilioClient, account: AccountSettings, settings: Settings
) -> AsyncIterator[Finding]:
    mine = [sender for sender in settings.senders if sender.account == account.sid]
    try:
        owned = {number.phone_number: number for number in await client.list_numbers(account.sid)}
    except Failure as refused:
        yield note(f"The account's numbers cannot be listed: {refused.description}", refused.hint)
        return
    for sender in mine:
        yield _look_at_sender(sender, owned.get(sender.address), settings.public_urls)


def _look_at_sender(sender: SenderSettings, number: OwnedNumber | None, public_urls: Sequence[str]) -> Finding:
    shown = f"{sender.channel}:{sender.address}"
    if sender.channel == "whatsapp":
        return note(f"{shown}: whether a WhatsApp sender is online is shown in Twilio's console alone.")
    if kind_of(sender.address) is SenderKind.SHORT_CODE:
        return note(f"{shown} is a short code, which is not listed among the account's numbers.")
    if number is None:
        return wrong(f"{shown} is none of the account's numbers.", "Correct OVERTURE_SENDERS, or buy the number.")
    if not number.capabilities.sms:
        return wrong(f"{shown} cannot send or receive SMS.", "Use a number with the SMS capability.")
    if sender.inbound == "poll":
        return good(f"{shown} belongs to the account, whose list is read every three seconds for what comes to it.")
    wanted = [url + _INBOUND for url in public_urls]
    if sender.messaging_service_sid is None and (number.sms_url or "").partition("#")[0] not in wanted:
        to = wanted[0] if wanted else f"the public address, with {_INBOUND}"
        return wrong(f"{shown}: its messages go to {number.sms_url or 'nowhere'}.", f"Set its webhook to {to}.")
    return good(f"{shown} belongs to the account.")


async def _clock_skew(base_url: str) -> timedelta | None:
    """How far our clock is ahead of the provider's, by the Date of an answer; None where it tells none."""
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.head(base_url) as answer:
            date = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None
    return SystemClock().now() - date if date.tzinfo else None


def _account(account: AccountSettings) -> TwilioAccount:
    return TwilioAccount(
        sid=account.sid,
        auth_token=account.auth_tokens[0] if account.auth_tokens else "",
        api_key_sid=account.api_key_sid,
        api_key_secret=account.api_key_secret,
        base_url=account.base_url,
    )
