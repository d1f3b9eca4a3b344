"""The verbs of `overture accounts` and `overture secrets`."""

import json
from collections.abc import Mapping
from typing import Any

from msgspec import to_builtins
from rich.table import Table

from overture.cli import serving, telling
from overture.cli.screen import fit, for_ids, on_screen
from overture.settings import Settings
from overture.web.api.account_shapes import ProviderAccountView, RotatedSecrets

_ADDS = "`overture accounts add` sets one up."


def show_all(settings: Settings, *, as_json: bool) -> None:
    """Print the accounts."""
    serving.require_data(settings, _ADDS)

    async def look() -> list[ProviderAccountView]:
        async with serving.operator(settings) as client:
            return await client.list_accounts()

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
        return
    if not found:
        print(f"There are no accounts. {_ADDS}")
        return
    table = Table(for_ids("account"), "name", "from", "tokens", "API key", "API", box=None, pad_edge=False)
    for one in found:
        key = "none" if not one.has_api_key else f"…{one.api_key_ends_with or ''}"
        table.add_row(one.sid, fit(one.name or "", 40), one.origin, str(one.auth_tokens), key, one.urls.api)
    on_screen().print(table)
    for one in found:
        if one.problem is not None:
            print(f"{one.sid}: {one.problem}")


def show(settings: Settings, sid: str, *, as_json: bool) -> None:
    """Print one account."""
    serving.require_data(settings, _ADDS)

    async def look() -> ProviderAccountView:
        async with serving.operator(settings) as client:
            return await client.get_account(sid)

    _print(telling.run(look()), as_json=as_json)


def add(settings: Settings, sid: str, fields: Mapping[str, Any], *, as_json: bool) -> None:
    """Set an account up, or change the one that is there."""

    async def save() -> ProviderAccountView:
        async with serving.operator(settings) as client:
            return await client.save_account(sid, **fields)

    _print(telling.run(save()), as_json=as_json)


def update(settings: Settings, sid: str, fields: Mapping[str, Any], *, as_json: bool) -> None:
    """Change an account that is there."""
    if not fields:
        telling.stop(
            "Nothing was asked for.", hint="`overture accounts update --help` lists what can change.", status=2
        )
    serving.require_data(settings, _ADDS)

    async def change() -> ProviderAccountView:
        async with serving.operator(settings) as client:
            return await client.change_account(sid, **fields)

    _print(telling.run(change()), as_json=as_json)


def remove(settings: Settings, sid: str) -> None:
    """Take an account away."""
    serving.require_data(settings, _ADDS)

    async def take_away() -> None:
        async with serving.operator(settings) as client:
            await client.remove_account(sid)

    telling.run(take_away())
    print(f"The account {sid} is gone, and its credentials with it.")


def rotate_secrets(settings: Settings, *, as_json: bool) -> None:
    """Seal every stored secret anew with the first key."""
    serving.require_data(settings, _ADDS)

    async def rotate() -> RotatedSecrets:
        async with serving.operator(settings) as client:
            return await client.rotate_secrets()

    done = telling.run(rotate())
    if as_json:
        print(json.dumps(to_builtins(done), indent=2))
        return
    print(f"Sealed anew: {done.resealed}. Sealed with the first key before: {done.current}.")
    print("The other keys are needed no more, but for backups that were made before.")


def _print(one: ProviderAccountView, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(to_builtins(one), indent=2))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    place = " by way of ".join(filter(None, (one.region, one.edge)))
    for name, value in (
        ("account", one.sid),
        ("name", fit(one.name or "", 100)),
        ("set up by", "the settings" if one.origin == "settings" else "the API"),
        ("parent", one.parent_sid or ""),
        ("region", place),
        ("API", one.urls.api),
        ("content", one.urls.content),
        ("messaging", one.urls.messaging),
        ("media", one.urls.media),
        ("auth tokens", str(one.auth_tokens)),
        ("API key", f"…{one.api_key_ends_with or ''}" if one.has_api_key else "none"),
        ("problem", one.problem or ""),
    ):
        if value:
            table.add_row(name, value)
    on_screen().print(table)
