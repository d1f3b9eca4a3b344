"""The verbs of `overture keys`."""

import json
from datetime import datetime, timedelta

from msgspec import to_builtins
from rich.console import Console
from rich.table import Table

from overture.adapters.clock import SystemClock
from overture.cli import screen, serving, telling
from overture.domain.access import Scope
from overture.settings import Settings
from overture.web.api.keys import CreatedKeyView, KeyView

_USUAL = (Scope.SEND, Scope.READ, Scope.WRITE)
_MAKES = "`overture keys create NAME` makes it."


def create(settings: Settings, *, name: str, scopes: list[str], days: int | None) -> None:
    """Make a key, and print its text alone on standard output, so that it can be piped into a vault."""
    known = {scope.value for scope in Scope}
    if wrong := [scope for scope in scopes if scope not in known]:
        hint = f"Scopes are {', '.join(scope.value for scope in Scope)}."
        telling.stop(f"{wrong[0]!r} is no scope.", hint=hint, status=telling.MISUSED)
    expires_at = None if days is None else SystemClock().now() + timedelta(days=days)
    asked = [Scope(scope) for scope in scopes] or list(_USUAL)

    async def make() -> CreatedKeyView:
        async with serving.operator(settings) as client:
            return await client.create_key(name, asked, expires_at=expires_at)

    made = telling.run(make())
    print(made.key)
    until = "" if made.expires_at is None else f" until {_day(made.expires_at)}"
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"The key {made.kid} may {', '.join(made.scopes)}{until}. It is shown this once: keep it safe.", markup=False
    )


def show(settings: Settings, *, as_json: bool) -> None:
    """Print the keys."""
    serving.require_data(settings, _MAKES)

    async def look() -> list[KeyView]:
        async with serving.operator(settings) as client:
            return await client.list_keys()

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
        return
    if not found:
        print("There are no keys. `overture keys create NAME` makes one.")
        return
    table = Table("id", "name", "may", "made", "state", box=None, pad_edge=False)
    for key in found:
        table.add_row(key.kid, key.name, ", ".join(key.scopes), _day(key.created_at), _state(key))
    screen.on_screen().print(table)


def revoke(settings: Settings, which: str) -> None:
    """Take a key out of use, known by its id or by a name that no other key in use has."""
    serving.require_data(settings, _MAKES)

    async def end() -> KeyView:
        async with serving.operator(settings) as client:
            found = _find(await client.list_keys(), which)
            await client.revoke_key(found.kid)
            return found

    ended = telling.run(end())
    print(f"The key {ended.kid} ({ended.name}) is revoked. Other server processes refuse it within a minute.")


def _find(keys: list[KeyView], which: str) -> KeyView:
    """The key of an id, else the one of a name. Raises Stop."""
    by_id = [key for key in keys if key.kid == which]
    named = [key for key in keys if key.name == which]
    found = by_id or [key for key in named if key.revoked_at is None] or named[:1]
    if not found:
        telling.stop(f"There is no key {which}.", hint="`overture keys list` shows them.")
    if len(found) > 1:
        ids = ", ".join(key.kid for key in found)
        telling.stop(f"{len(found)} keys are called {which}: {ids}.", hint="Give the id of one.")
    return found[0]


def _state(key: KeyView) -> str:
    if key.revoked_at is not None:
        return f"revoked {_day(key.revoked_at)}"
    if key.expires_at is not None:
        past = key.expires_at <= SystemClock().now()
        return f"{'expired' if past else 'until'} {_day(key.expires_at)}"
    return "in use"


def _day(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d}"
