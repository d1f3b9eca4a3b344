"""`overture twilio disconnect`: give each place back what it was set to, unless somebody has changed it since."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from rich.console import Console

from overture.adapters.twilio.wiring import TwilioWiring
from overture.cli import credentials, serving, setting_places, telling, wiring_show
from overture.client import Client
from overture.domain.account import Credentials, Origin
from overture.domain.channel import WHATSAPP_PREFIX
from overture.domain.remembered_wiring import Remembered, Undoing, undo
from overture.domain.wiring import Setting
from overture.settings import Settings

Found = tuple[Remembered, Undoing, Setting | None]


def disconnect(settings: Settings, given: Credentials, *, only: str | None, dry_run: bool, yes: bool) -> None:
    """Give an account's senders back. Raises Stop."""
    screen = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    address = None if only is None else only.strip().removeprefix("sms:")
    house = serving.operator(settings)
    telling.run(give_back(screen, house, given, only=address, dry_run=dry_run, yes=yes))


async def give_back(
    screen: Console,
    house: AbstractAsyncContextManager[Client],
    given: Credentials,
    *,
    only: str | None = None,
    dry_run: bool = False,
    yes: bool = False,
) -> None:
    """Give an account's senders back, by way of the server in `house`. Raises Stop, or a Problem."""
    async with house as client, TwilioWiring(given) as wiring:
        kept = [one for one in await client.list_wirings() if one.account_sid == given.sid]
        which = [one for one in kept if only is None or only in one.addresses]
        if not which:
            what = f"{only} was" if only is not None else f"Nothing of account {given.sid} was"
            telling.stop(f"{what} {'not ' if only is not None else ''}connected from here.")
        found = await _look(wiring, which)
        _explain(screen, found)
        if dry_run:
            screen.print("Nothing was changed (--dry-run).")
            return
        restoring = [one for one, undoing, _ in found if undoing is Undoing.RESTORE]
        if not yes and credentials.ask("Disconnect? [y/N] ").casefold() not in {"y", "yes"}:
            telling.stop("Nothing was changed.")
        await _retire(screen, client, given.sid, [address for one in which for address in one.addresses])
        await _restore(screen, wiring, client, restoring)
        for one, undoing, _ in found:
            if undoing is not Undoing.RESTORE:
                await client.forget_wiring(one.sid)
        screen.print(f"Given back: {len(restoring)} of {len(found)}.")


async def _look(wiring: TwilioWiring, which: Sequence[Remembered]) -> list[Found]:
    found: list[Found] = []

    async def one(kept: Remembered) -> Setting | None:
        return await wiring.find(kept.place, kept.sid)

    with wiring_show.progress() as shown:
        task = shown.add_task("Looking at the account", total=len(which))
        async for kept, now in setting_places.each(which, one):
            shown.advance(task)
            found.append((kept, undo(kept, now), now))
    return sorted(found, key=lambda each: (each[1] is not Undoing.CHANGED, each[0].addresses))


def _explain(screen: Console, found: Sequence[Found]) -> None:
    for kept, undoing, now in found[: wiring_show.MOST]:
        wiring_show.line(screen, f"  {wiring_show.place(kept.place, kept.addresses, '', kept.sid)}")
        match undoing:
            case Undoing.RESTORE:
                wiring_show.line(screen, f"    now: {wiring_show.setting(kept.became)}")
                wiring_show.line(screen, f"    then: {wiring_show.setting(kept.before)}")
            case Undoing.RESTORED:
                wiring_show.line(screen, f"    now: {wiring_show.setting(kept.before)}, as before")
            case Undoing.CHANGED:
                shown = wiring_show.setting(now) if now is not None else "nowhere"
                wiring_show.line(screen, f"    now: {shown}")
                theirs = f"somebody set that since; it stays. Before us it was {wiring_show.setting(kept.before)}"
                wiring_show.notes(screen, [theirs])
            case Undoing.GONE:
                wiring_show.line(screen, "    it is no longer there")
    if len(found) > wiring_show.MOST:
        screen.print(f"  ... and {len(found) - wiring_show.MOST} more.")
    screen.print()


async def _restore(screen: Console, wiring: TwilioWiring, client: Client, which: Sequence[Remembered]) -> None:
    async def one(kept: Remembered) -> Setting | None:
        return await wiring.change(kept.place, kept.sid, kept.before)

    with wiring_show.progress() as shown:
        task = shown.add_task("Giving back", total=len(which))
        async for kept, now in setting_places.each(which, one):
            shown.advance(task)
            if now is not None and now != kept.before:
                named = wiring_show.place(kept.place, kept.addresses, "", kept.sid)
                wiring_show.line(screen, f"{named} is set to {wiring_show.setting(now)} all the same.")
            await client.forget_wiring(kept.sid)


async def _retire(screen: Console, client: Client, account_sid: str, addresses: Sequence[str]) -> None:
    """Retire the senders first: the sweep would find, and answer, what is written to them from now on."""
    given_back = set(addresses)
    for sender in await client.list_senders():
        prefix = WHATSAPP_PREFIX if sender.channel == "whatsapp" else ""
        if sender.account_sid != account_sid or prefix + sender.address not in given_back:
            continue
        if sender.origin is Origin.API:
            await client.remove_sender(sender.id)
        else:
            told = f"{prefix}{sender.address} is a sender of the settings: take it out of OVERTURE_SENDERS as well,"
            wiring_show.line(screen, f"{told} or what is written to it is still answered.")
