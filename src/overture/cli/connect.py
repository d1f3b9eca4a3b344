"""`overture twilio connect`: look, explain, ask, remember what was there, activate the senders, set the webhooks.

Every step may be done again: whoever is broken off in the middle runs it again and it finishes.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

import msgspec
from msgspec import Struct
from rich.console import Console

from overture.adapters.twilio.wiring import AccountLook, TwilioWiring
from overture.cli import credentials, serving, setting_places, telling, wiring_look, wiring_show
from overture.client import Client
from overture.domain import public_address
from overture.domain.account import Credentials, Origin
from overture.domain.channel import WHATSAPP_PREFIX
from overture.domain.errors import Refusal
from overture.domain.remembered_wiring import remember
from overture.domain.wiring import Change, Plan, Setting, make_plan, webhook_url
from overture.settings import Settings

_BATCH: Final = 200  # places remembered in one commit


class Asked(Struct, frozen=True, kw_only=True):
    """What of it: one sender alone, with an agent of its own; only to look; without asking."""

    only: str | None = None
    agent: str | None = None
    dry_run: bool = False
    yes: bool = False


def connect(
    settings: Settings, given: Credentials, *, only: str | None, agent: str | None, dry_run: bool, yes: bool
) -> None:
    """Lead an account's messages here. Raises Stop."""
    screen = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    house = serving.operator(settings)
    asked = Asked(only=_address(only), agent=agent, dry_run=dry_run, yes=yes)
    telling.run(lead_here(screen, house, settings, given, asked))


async def lead_here(
    screen: Console,
    house: AbstractAsyncContextManager[Client],
    settings: Settings,
    given: Credentials,
    asked: Asked,
) -> None:
    """Lead an account's messages here, by way of the server in `house`. Raises Stop, or a Problem."""
    public_url = _public_url(settings, given)
    async with TwilioWiring(given) as wiring:
        account, plan = await _look(screen, wiring, given, settings, public_url=public_url, only=asked.only)
        needed = [change for change in plan.changes if change.is_needed]
        _explain(screen, plan, needed, public_url)
        if asked.only is not None and not plan.changes:
            why = dict(plan.skipped).get(asked.only, "it is not there")
            telling.stop(f"{asked.only} cannot be connected: {why}.")
        if asked.dry_run:
            screen.print("Nothing was changed (--dry-run).")
            return
        if needed and not asked.yes and not _agreed(f"Set {_count(len(needed), 'webhook')}? [y/N] "):
            telling.stop("Nothing was changed.")
        async with house as client:
            await _keep_account(client, settings, given, account)
            await _remember(client, given.sid, needed)
            made, refused = await _activate(screen, client, given.sid, plan.changes, agent=asked.agent)
            plan = _without(plan, refused)
            needed = [change for change in plan.changes if change.is_needed]
            gone = await _set_all(screen, wiring, client, needed)
            for sender_id in (made[address] for change in gone for address in change.addresses if address in made):
                await client.remove_sender(sender_id)
        _conclude(screen, plan, needed, gone)


async def _look(
    screen: Console,
    wiring: TwilioWiring,
    given: Credentials,
    settings: Settings,
    *,
    public_url: str,
    only: str | None,
) -> tuple[AccountLook, Plan]:
    with wiring_show.progress() as shown:
        task = shown.add_task("Looking at the account", total=None)
        account = await setting_places.persistently(wiring.read_account)
        facts = await setting_places.persistently(
            lambda: wiring_look.gather(wiring, account, told=lambda n: shown.update(task, completed=n))
        )
    wiring_show.line(
        screen, f"Account {account.sid}{f' ({account.name})' if account.name else ''} is {account.status}."
    )
    if account.owner_sid != account.sid:
        wiring_show.line(screen, f"It is a sub-account of {account.owner_sid}, and signs with its own auth token.")
    elif given.auth_tokens and (subs := await wiring.list_sub_accounts()):
        told = (
            f"It has {_count(len(subs), 'sub-account')}, which are connected one by one, each with its own auth token."
        )
        wiring_show.line(screen, told)
    asked = [
        f"{WHATSAPP_PREFIX if one.channel == 'whatsapp' else ''}{one.address}"
        for one in settings.senders
        if one.account == given.sid
    ]
    plan = make_plan(facts, public_url=public_url, only=only, asked=asked)
    for warning in plan.warnings:
        wiring_show.line(screen, warning)
    return account, plan


def _explain(screen: Console, plan: Plan, needed: Sequence[Change], public_url: str) -> None:
    ready = [change for change in plan.changes if not change.is_needed]
    if needed:
        screen.print(f"\nTo be set to {webhook_url(public_url)}:")
        wiring_show.changes(screen, needed)
    if ready:
        screen.print("\nSet already:")
        wiring_show.changes(screen, ready)
    if plan.skipped:
        screen.print("\nNot to be connected:")
        for address, why in plan.skipped[: wiring_show.MOST]:
            wiring_show.line(screen, f"  {address}: {why}.")
        if len(plan.skipped) > wiring_show.MOST:
            screen.print(f"  ... and {len(plan.skipped) - wiring_show.MOST} more.")
    screen.print()


async def _keep_account(client: Client, settings: Settings, given: Credentials, account: AccountLook) -> None:
    """Keep the account where the settings do not have it."""
    if any(one.sid == given.sid for one in settings.accounts):
        return
    parent = account.owner_sid if account.owner_sid != account.sid else None
    await client.save_account(
        given.sid,
        name=account.name[:100] or None,
        parent_sid=parent,
        auth_token=given.auth_tokens[0],
        api_url=given.urls.api,
    )


async def _remember(client: Client, account_sid: str, needed: Sequence[Change]) -> None:
    earlier = {one.sid: one for one in await client.list_wirings()}
    for start in range(0, len(needed), _BATCH):
        some = needed[start : start + _BATCH]
        which = [remember(earlier.get(change.sid), change, account_sid=account_sid) for change in some]
        await client.remember_wirings(which)


async def _activate(
    screen: Console,
    client: Client,
    account_sid: str,
    changes: Sequence[Change],
    *,
    agent: str | None,
) -> tuple[dict[str, str], set[str]]:
    """Activate the senders that are not in use yet: their ids by address, and the addresses that were refused.

    Those of the settings stay as they are.
    """
    turned_down: set[str] = set()
    known = {f"{one.channel}:{one.address}": one for one in await client.list_senders()}
    made: dict[str, str] = {}
    addresses = [address for change in changes for address in change.addresses]
    with wiring_show.progress() as shown:
        for address in shown.track(addresses, description="Activating senders"):
            channel = "whatsapp" if address.startswith(WHATSAPP_PREFIX) else "sms"
            bare = address.removeprefix(WHATSAPP_PREFIX)
            one = known.get(f"{channel}:{bare}")
            if one is not None and (one.origin is Origin.SETTINGS or agent is None):
                continue
            fields = {} if agent is None else {"agent": agent}
            try:
                saved = await client.save_sender(account_sid=account_sid, channel=channel, address=bare, **fields)
            except Refusal as refused:
                wiring_show.line(screen, f"{address} is no sender yet: {refused.description} {refused.hint or ''}")
                turned_down.add(address)
                continue
            if one is None:
                made[address] = saved.id
    return made, turned_down


def _without(plan: Plan, refused: Collection[str]) -> Plan:
    """The plan without places none of whose senders is ours: nobody would answer what comes from there."""
    kept = tuple(change for change in plan.changes if not set(change.addresses) <= set(refused))
    return msgspec.structs.replace(plan, changes=kept)


async def _set_all(screen: Console, wiring: TwilioWiring, client: Client, needed: Sequence[Change]) -> list[Change]:
    """Set every place; those that are no more."""
    gone: list[Change] = []

    async def one(change: Change) -> Setting | None:
        return await wiring.change(change.place, change.sid, change.becomes)

    with wiring_show.progress() as shown:
        task = shown.add_task("Setting webhooks", total=len(needed))
        async for change, now in setting_places.each(needed, one):
            shown.advance(task)
            named = wiring_show.place(change.place, change.addresses, change.name, change.sid)
            if now is None:
                gone.append(change)
                await client.forget_wiring(change.sid)
                wiring_show.line(screen, f"{named} is no longer there, and was left out.")
            elif now != change.becomes:
                wiring_show.line(screen, f"{named} is set to {wiring_show.setting(now)} all the same.")
    return gone


def _conclude(screen: Console, plan: Plan, needed: Sequence[Change], gone: Sequence[Change]) -> None:
    done = len(needed) - len(gone)
    senders = sum(len(change.addresses) for change in plan.changes) - sum(len(change.addresses) for change in gone)
    if done:
        screen.print(f"Set {_count(done, 'webhook')}; {_count(senders, 'sender')} connected.")
        screen.print(
            "`overture twilio disconnect` gives back what was there; `overture doctor` sees whether it stays so."
        )
    elif gone:
        telling.stop("Nothing is left to be connected.")
    elif plan.changes:
        screen.print(f"There was nothing to set: {_count(senders, 'sender')} connected.")
    else:
        telling.stop("The account has nothing that could be connected.")


def _public_url(settings: Settings, given: Credentials) -> str:
    """The address that the provider is to call. Raises Stop where it could not."""
    hint = "Set OVERTURE_PUBLIC_URL to the https address under which the provider reaches this server."
    if not settings.public_urls:
        telling.stop("No public address is set, so there is nothing to connect to.", hint=hint)
    url = settings.public_urls[0]
    objection = public_address.objection(url, is_rehearsal=public_address.is_local(given.urls.api))
    if objection is not None:
        telling.stop(f"{url} {objection}.", hint=hint)
    return url


def _address(only: str | None) -> str | None:
    return None if only is None else only.strip().removeprefix("sms:")


def _agreed(question: str) -> bool:
    return credentials.ask(question).casefold() in {"y", "yes"}


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
