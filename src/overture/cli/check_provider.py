"""The provider's accounts: credentials, senders, where their messages go, and the clock. Nothing is sent or changed."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from overture.adapters.clock import SystemClock
from overture.adapters.twilio.wiring import AccountLook, TwilioWiring
from overture.cli import serving, wiring_look
from overture.cli.finding import Finding, good, note, wrong
from overture.domain.account import Credentials, Origin, urls_of
from overture.domain.channel import WHATSAPP_PREFIX
from overture.domain.errors import Failure, Problem
from overture.domain.sender import SenderKind, kind_of
from overture.domain.wiring import SANDBOX, Facts, find_concerns, find_drift, make_plan
from overture.settings import AccountSettings, SenderSettings, Settings
from overture.web.api.account_shapes import ProviderAccountView, SenderView

_SKEW: Final = timedelta(seconds=60)  # windows and validity are counted in minutes; a clock that is off by one misleads
_MOST: Final = 20  # senders told of by name; of a thousand nobody reads more
_CONNECT: Final = "`overture twilio connect` leads its messages here."
_FRAGMENT_LOST: Final = "its webhook has lost what follows the #"


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Ask each account of the settings who it is, and look at its senders; then tell of the accounts kept here."""
    accounts, senders = await _kept(settings)
    if not settings.accounts and not accounts:
        yield wrong(
            "No Twilio account is set up.",
            "`overture twilio connect` asks for one, or set OVERTURE_TWILIO_ACCOUNT_SID and its token: docs/twilio.md.",
        )
        return
    if not settings.senders and not senders:
        yield wrong(
            "No sender is set up.", "Set OVERTURE_SENDERS, for example sms:+15551234567, or `overture senders add`."
        )
    for account in settings.accounts:
        async for finding in _look(account, settings):
            yield finding
    for kept in accounts:
        yield _look_at_kept(kept)
    for finding in _look_at_kept_senders(senders, {kept.sid for kept in accounts}):
        yield finding


async def _kept(settings: Settings) -> tuple[list[ProviderAccountView], list[SenderView]]:
    """The accounts that the settings do not have, and all senders in use; none where the house cannot be opened."""
    if not settings.data.exists():
        return [], []
    try:
        async with serving.operator(settings) as client:
            accounts = [one for one in await client.list_accounts() if one.origin is Origin.API]
            return accounts, await client.list_senders()
    except (Problem, OSError):
        return [], []  # what is wrong with the house is told in its own section


async def _look(account: AccountSettings, settings: Settings) -> AsyncIterator[Finding]:
    mine = [sender for sender in settings.senders if sender.account == account.sid]
    if not account.auth_tokens and any(sender.inbound == "webhook" for sender in mine):
        yield wrong(
            f"Account {account.sid} has no auth token, so none of its webhooks can be verified.",
            "Set OVERTURE_TWILIO_AUTH_TOKEN; an API key signs nothing.",
        )
    async with TwilioWiring(_credentials(account)) as wiring:
        try:
            facts = await wiring.read_account()
        except Failure as refused:
            mixed_up = await _find_mix_up(account, settings)
            yield mixed_up or wrong(f"Account {account.sid} at {account.base_url}: {refused.description}", refused.hint)
            return
        for finding in _look_at_account(facts):
            yield finding
        if account.auth_tokens and account.api_key_sid:
            async for finding in _look_at_key(account):
                yield finding
        try:
            found = await wiring_look.gather(wiring, facts)
        except Failure as refused:
            yield note(f"The account's numbers cannot be listed: {refused.description}", refused.hint)
        else:
            for finding in _look_at_senders(found, account, settings):
                yield finding
    for finding in judge_clock(facts.told_at):
        yield finding


async def _find_mix_up(account: AccountSettings, settings: Settings) -> Finding | None:
    """Whether the token of another account in the settings is this one's: two were swapped, or a parent's was given."""
    for other in settings.accounts:
        for token in other.auth_tokens:
            if other.sid == account.sid or token in account.auth_tokens:
                continue
            tried = Credentials(sid=account.sid, auth_tokens=(token,), urls=urls_of(account.base_url))
            async with TwilioWiring(tried) as wiring:
                try:
                    await wiring.read_account()
                except Failure:
                    continue
            hint = "Each account, each sub-account too, needs its own auth token: give each its own."
            return wrong(f"The auth token of account {account.sid} stands at account {other.sid}.", hint)
    return None


def _look_at_account(facts: AccountLook) -> list[Finding]:
    name = f" ({facts.name})" if facts.name else ""
    if facts.status != "active":
        return [wrong(f"Account {facts.sid}{name} is {facts.status}.", "Twilio's console says why.")]
    found = [good(f"Account {facts.sid}{name} knows these credentials.")]
    if facts.owner_sid != facts.sid:
        found.append(good(f"It is a sub-account of {facts.owner_sid}, and signs with its own auth token."))
    if facts.type == "Trial":
        told = f"Account {facts.sid} is a trial: it writes only to numbers verified in Twilio's console."
        found.append(note(told, "Upgrade it before others are written to."))
    return found


async def _look_at_key(account: AccountSettings) -> AsyncIterator[Finding]:
    """Sending goes by the API key where there is one."""
    by_key = Credentials(
        sid=account.sid,
        api_key_sid=account.api_key_sid,
        api_key_secret=account.api_key_secret,
        urls=urls_of(account.base_url),
    )
    async with TwilioWiring(by_key) as wiring:
        try:
            await wiring.read_account()
        except Failure as refused:
            hint = "Correct OVERTURE_TWILIO_API_KEY_SID and OVERTURE_TWILIO_API_KEY_SECRET, or take both out."
            yield wrong(f"The API key of account {account.sid}, which sends: {refused.description}", hint)


def _look_at_senders(facts: Facts, account: AccountSettings, settings: Settings) -> list[Finding]:
    mine = [sender for sender in settings.senders if sender.account == account.sid]
    asked = [_address(sender) for sender in mine]
    public_url = settings.public_urls[0] if settings.public_urls else "https://not.set"
    plan = make_plan(facts, public_url=public_url, asked=asked)
    drift = find_drift(plan, settings.public_urls) if settings.public_urls else {}
    found = [_look_at_sender(one, dict(plan.skipped), drift) for one in mine]
    concerns = find_concerns(facts)
    told = dict.fromkeys(concern for address in asked for concern in concerns.get(address, ()))
    notes = [note(f"{one}.", "Twilio's console is where that is changed.") for one in list(told)[:_MOST]]
    if len(found) > _MOST:
        others = [one for one in found if one.hint is not None]
        summary = f"{len(found) - len(others)} of {len(found)} senders belong to the account and lead here."
        found = [good(summary), *others[:_MOST]]
    return [*found, *notes]


def _look_at_sender(sender: SenderSettings, skipped: Mapping[str, str], drift: Mapping[str, str]) -> Finding:
    shown, address = f"{sender.channel}:{sender.address}", _address(sender)
    if address == SANDBOX or kind_of(address) is SenderKind.SHORT_CODE:
        return note(f"{shown}: {skipped.get(address, 'it is not listed')}.")
    if address in skipped:
        hint = "Use a number with the SMS capability." if "SMS" in skipped[address] else "Correct OVERTURE_SENDERS."
        told = skipped[address].removeprefix("it ")
        return wrong(f"{shown} {told}.", hint)
    if sender.inbound == "poll":
        return good(f"{shown} belongs to the account, whose list is read every three seconds for what comes to it.")
    if address in drift:
        if drift[address].startswith(_FRAGMENT_LOST):
            return note(f"{shown}: {drift[address]}.", _CONNECT)
        return wrong(f"{shown}: {drift[address]}.", _CONNECT)
    return good(f"{shown} belongs to the account.")


def judge_clock(told_at: datetime | None) -> list[Finding]:
    """Whether our clock is the provider's, by the date of one of its answers."""
    skew = None if told_at is None else SystemClock().now() - told_at
    if skew is None or abs(skew) <= _SKEW:
        return []
    off = f"{abs(skew).total_seconds():.0f} s {'ahead of' if skew > timedelta() else 'behind'}"
    return [wrong(f"This machine's clock is {off} the provider's.", "Let it be set over the network (NTP).")]


def _look_at_kept(kept: ProviderAccountView) -> Finding:
    """What can be told of an account whose secrets only the server has."""
    name = f" ({kept.name})" if kept.name else ""
    if kept.problem is not None:
        hint = "docs/operations.md tells of the key that seals secrets."
        return wrong(f"Account {kept.sid}{name}: {kept.problem}", hint)
    tokens = "1 auth token" if kept.auth_tokens == 1 else f"{kept.auth_tokens} auth tokens"
    hint = f"`overture twilio connect --dry-run --account-sid {kept.sid}` asks its provider where its messages go."
    return note(f"Account {kept.sid}{name} is kept by the server, with {tokens}; its provider was not asked.", hint)


def _look_at_kept_senders(senders: list[SenderView], accounts: set[str]) -> list[Finding]:
    stopped = [
        wrong(
            f"Nothing leaves by {one.channel}:{one.address}: {one.stopped_because or 'it was stopped'}",
            "It tries again at the next start, or when its account is saved anew.",
        )
        for one in senders
        if one.stopped_at is not None
    ]
    silent = [one for one in senders if one.account_sid in accounts and not one.listens]
    if not silent:
        return stopped[:_MOST]
    shown = ", ".join(f"{one.channel}:{one.address}" for one in silent[:3]) + (", ..." if len(silent) > 3 else "")
    told = f"No webhook has come yet for {len(silent)} of the senders kept here ({shown})."
    return [*stopped[:_MOST], note(told, "Write to it once from a phone: what comes shows that its wiring is right.")]


def _address(sender: SenderSettings) -> str:
    return f"{WHATSAPP_PREFIX}{sender.address}" if sender.channel == "whatsapp" else sender.address


def _credentials(account: AccountSettings) -> Credentials:
    return Credentials(
        sid=account.sid,
        auth_tokens=account.auth_tokens,
        api_key_sid=account.api_key_sid,
        api_key_secret=account.api_key_secret,
        urls=urls_of(account.base_url),
    )
