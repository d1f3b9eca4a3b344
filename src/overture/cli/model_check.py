"""The verbs of `overture model`."""

import json
from typing import Final

from msgspec import to_builtins
from rich.table import Table

from overture.cli import serving, telling
from overture.cli.screen import on_screen
from overture.settings import Settings
from overture.web.api.models import ModelCheck, ModelList

_PATIENCE_SECONDS: Final = 180.0  # a check is some eight requests of 20 seconds at most
_WORKS: Final = {True: "yes", False: "no", None: "-"}


def check(settings: Settings, name: str | None, *, as_json: bool) -> None:
    """Check an endpoint and print what was found. Raises Stop where it is of no use."""

    async def ask() -> ModelCheck:
        async with serving.operator(settings, _PATIENCE_SECONDS) as client:
            return await client.check_model(name)

    found = telling.run(ask())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
    else:
        _show(found)
    if not found.usable:
        telling.stop("The endpoint is of no use to agents as it is. What was known of it is kept.")


def _show(found: ModelCheck) -> None:
    table = Table("what", "works", "why", box=None, pad_edge=False)
    for one in found.tried:
        table.add_row(one.what.value, _WORKS[one.works], one.why + (f"\n{one.hint}" if one.hint else ""))
    on_screen().print(table)
    if found.usable:
        print(f"It answers as {found.answered_as or 'a model without a name'}.")
        for sentence in found.quirks:
            print(sentence)


def show_all(settings: Settings, *, as_json: bool) -> None:
    """Print the endpoints."""

    async def look() -> ModelList:
        async with serving.operator(settings) as client:
            return await client.list_models()

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
        return
    if not found.models:
        print("No model is set up; flow agents need none, prompt agents do.")
        return
    table = Table("name", "model", "address", "checked", "cannot", box=None, pad_edge=False)
    for one in found.models:
        at = "never" if one.checked is None else f"{one.checked.checked_at:%Y-%m-%d %H:%M}"
        cannot = ", ".join(tried.what for tried in one.checked.tried if not tried.works) if one.checked else ""
        table.add_row(one.name, one.model, one.base_url, at, cannot)
    on_screen().print(table)
