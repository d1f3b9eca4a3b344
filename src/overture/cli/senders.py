"""The verbs of `overture senders`."""

import json
from collections.abc import Mapping
from typing import Any

from msgspec import to_builtins
from rich.table import Table

from overture.cli import serving, telling
from overture.cli.screen import for_ids, on_screen
from overture.client import Client
from overture.domain.sender import InboundWay
from overture.settings import Settings
from overture.web.api.account_shapes import SenderView

_ADDS = "`overture senders add` sets one up."


def show_all(settings: Settings, *, as_json: bool) -> None:
    """Print the senders in use."""
    serving.require_data(settings, _ADDS)

    async def look() -> list[SenderView]:
        async with serving.operator(settings) as client:
            return await client.list_senders()

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
        return
    if not found:
        print(f"There are no senders. {_ADDS}")
        return
    table = Table(for_ids("sender"), "from", "kind", "STOP by", "agent", "state", box=None, pad_edge=False)
    for one in found:
        state = one.stopped_because or _way(one)
        names = f"{_named(one)}\n{one.account_sid}"
        table.add_row(names, one.origin, one.kind, one.keyword_handling, one.agent or "", state)
    on_screen().print(table)


def add(settings: Settings, which: str, account: str | None, fields: Mapping[str, Any], *, as_json: bool) -> None:
    """Activate a sender, or change the one that is there."""
    channel, address = _parts(which)

    async def save() -> SenderView:
        async with serving.operator(settings) as client:
            account_sid = account or await _only_account(client)
            return await client.save_sender(account_sid=account_sid, channel=channel, address=address, **fields)

    _print(telling.run(save()), as_json=as_json)


def update(settings: Settings, which: str, fields: Mapping[str, Any], *, as_json: bool) -> None:
    """Change a sender in use."""
    if not fields:
        telling.stop("Nothing was asked for.", hint="`overture senders update --help` lists what can change.", status=2)
    serving.require_data(settings, _ADDS)

    async def change() -> SenderView:
        async with serving.operator(settings) as client:
            return await client.change_sender((await _find(client, which)).id, **fields)

    _print(telling.run(change()), as_json=as_json)


def remove(settings: Settings, which: str) -> None:
    """Retire a sender."""
    serving.require_data(settings, _ADDS)

    async def retire() -> SenderView:
        async with serving.operator(settings) as client:
            found = await _find(client, which)
            await client.remove_sender(found.id)
            return found

    print(f"The sender {_named(telling.run(retire()))} is retired; what was said stays on record.")


def _parts(which: str) -> tuple[str, str]:
    channel, colon, address = which.partition(":")
    if not colon or channel not in ("sms", "whatsapp"):
        hint = "Write sms:+15551234567 or whatsapp:+15551234567."
        telling.stop(f"{which!r} names no sender.", hint=hint, status=telling.MISUSED)
    return channel, address


async def _only_account(client: Client) -> str:
    accounts = await client.list_accounts()
    if not accounts:
        telling.stop("There is no account.", hint="`overture accounts add SID` sets one up.")
    if len(accounts) > 1:
        telling.stop(f"There are {len(accounts)} accounts.", hint="Say which: --account SID.", status=telling.MISUSED)
    return accounts[0].sid


async def _find(client: Client, which: str) -> SenderView:
    """The sender of an id, or of a channel and an address. Raises Stop."""
    found = [one for one in await client.list_senders() if which in (one.id, _named(one))]
    if not found:
        telling.stop(f"There is no sender {which}.", hint="`overture senders list` shows them.")
    return found[0]


def _way(one: SenderView) -> str:
    if one.inbound is InboundWay.POLL:
        return "polls"
    return "listens" if one.listens else "no webhook yet"


def _named(one: SenderView) -> str:
    return f"{one.channel}:{one.address}"


def _print(one: SenderView, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(to_builtins(one), indent=2))
        return
    print(f"{_named(one)} ({one.kind}) is a sender of {one.account_sid}: {one.id}")
    if not one.listens and one.inbound is InboundWay.WEBHOOK:
        print("Set its webhook (docs/twilio.md), and write to it once: then it is swept for what webhooks lose.")
