"""The verbs of `overture prices`, and `overture spend`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import to_builtins
from rich.table import Table

from overture.cli import serving, telling
from overture.cli.screen import fit, on_screen
from overture.domain import price_list
from overture.domain.spending import By
from overture.settings import Settings
from overture.web.api.prices import Prices, SavedPrices
from overture.web.api.spend import ModelSpendView, SpendList, SpendView, SumView

_MAKES = "`overture serve` makes it."
_NONE = "There is no price table. `overture prices import FILE.csv` brings one."


def bring(settings: Settings, file: Path) -> None:
    """Let a file's prices be the table."""
    serving.require_data(settings, _MAKES)
    with file.open("rb") as opened:
        raw = opened.read(price_list.MOST_BYTES + 1)
    if len(raw) > price_list.MOST_BYTES:
        telling.stop(
            f"{file} is longer than {price_list.MOST_BYTES // 1024**2} MiB.",
            hint=f"A table has {price_list.MOST_ROWS:,} rows at most.",
            status=telling.MISUSED,
        )

    async def send() -> SavedPrices:
        async with serving.operator(settings) as client:
            return await client.import_prices(raw)

    saved = telling.run(send())
    print(f"{saved.total} {'price is' if saved.total == 1 else 'prices are'} in force, in {saved.currency}.")


def show(settings: Settings, number: str | None, *, limit: int, offset: int, as_json: bool) -> None:
    """Print the prices, or those that count for a number."""
    serving.require_data(settings, _MAKES)

    async def look() -> Prices:
        async with serving.operator(settings) as client:
            return await client.list_prices(number=number, limit=limit, offset=offset)

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
        return
    if found.revision is None:
        print(_NONE)
        return
    if not found.prices:
        print("No price is known for this number." if number is not None else "There are no more.")
        return
    table = Table("channel", "prefix", "category", "price", box=None, pad_edge=False)
    for one in found.prices:
        table.add_row(one.channel, one.prefix, one.category or "segment", f"{one.price} {found.currency}")
    on_screen().print(table)
    if number is None and (seen := offset + len(found.prices)) < found.total:
        print(f"There are {found.total} in all: --offset {seen}")


def export(settings: Settings) -> None:
    """Write the prices to standard output, as a file that the import takes."""
    serving.require_data(settings, _MAKES)

    async def fetch() -> str:
        async with serving.operator(settings) as client:
            return await client.export_prices()

    sys.stdout.write(telling.run(fetch()))


def clear(settings: Settings) -> None:
    """Take the prices away."""
    serving.require_data(settings, _MAKES)

    async def take_away() -> None:
        async with serving.operator(settings) as client:
            await client.clear_prices()

    telling.run(take_away())
    print("There is no price table any more; what messages cost is not known before the provider says.")


def spend(settings: Settings, *, first: str | None, last: str | None, by: str, as_json: bool) -> None:
    """Print what was spent."""
    if by not in list(By):
        telling.stop(f"--by: {by!r} is none of {', '.join(By)}.", status=telling.MISUSED)
    serving.require_data(settings, _MAKES)
    query = {"by": by} | ({} if first is None else {"from": first}) | ({} if last is None else {"to": last})

    async def look() -> SpendList:
        async with serving.operator(settings) as client:
            return await client.list_spend(**query)

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
        return
    print(f"{found.from_} to {found.to}, days of UTC")
    if not found.spend:
        print("Nothing was sent.")
    else:
        _print_messages(found, by)
    if found.models:
        _print_models(found.models, by)


def _print_messages(found: SpendList, by: str) -> None:
    table = Table(by, "messages", "segments", "estimated", "charged", "not known", box=None, pad_edge=False)
    for one in found.spend:
        _add(table, fit(one.name or one.key, 60), one)
    if len(found.spend) > 1:
        _add(table, "in all", found.total)
    on_screen().print(table)


def _print_models(models: Sequence[ModelSpendView], by: str) -> None:
    print("\nLanguage models")
    table = Table(by, "requests", "tokens in", "tokens out", "cost", box=None, pad_edge=False)
    for one in models:
        cost = "-" if one.cost is None else f"{one.cost} {one.currency}"
        counts = (str(one.requests), str(one.input_tokens), str(one.output_tokens))
        table.add_row(fit(one.name or one.key, 60), *counts, cost)
    on_screen().print(table)


def _add(table: Table, name: str, one: SpendView) -> None:
    unknown = [
        f"{count} not {what}"
        for count, what in ((one.not_estimated, "estimated"), (one.not_charged, "charged"))
        if count
    ]
    table.add_row(
        name,
        str(one.messages),
        str(one.segments),
        _amounts(one.amounts, estimated=True),
        _amounts(one.amounts, estimated=False),
        ", ".join(unknown),
    )


def _amounts(amounts: Sequence[SumView], *, estimated: bool) -> str:
    return "\n".join(f"{one.estimated if estimated else one.charged} {one.currency}" for one in amounts) or "-"
