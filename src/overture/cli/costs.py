"""The commands for what messages cost."""

from pathlib import Path
from typing import Annotated

import typer

from overture.cli import telling
from overture.cli.options import AsJson, Config, Data, Limit

prices = typer.Typer(no_args_is_help=True, help="Your price table: import a file, look at it, export it, clear it.")

_DAY = "as 2026-03-01"


@prices.command("import")
def import_prices(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV: channel,prefix,category,price,currency.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Let a file's prices take the place of all that were; where a line is wrong, of none."""
    from overture.cli import prices as verbs
    from overture.cli import serving

    verbs.bring(serving.read(config, data=data), file)


@prices.command("show")
def show_prices(
    number: Annotated[str | None, typer.Argument(metavar="NUMBER", help="Only what counts for this number.")] = None,
    limit: Limit = "100",
    offset: Annotated[str, typer.Option(metavar="N", help="How many to pass over.")] = "0",
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show the prices, or those that count for a number."""
    from overture.cli import prices as verbs
    from overture.cli import serving

    verbs.show(
        serving.read(config, data=data),
        number,
        limit=telling.whole_number("--limit", limit, least=1, most=1000),
        offset=telling.whole_number("--offset", offset, least=0, most=999_999_999),
        as_json=as_json,
    )


@prices.command("export")
def export_prices(data: Data = None, config: Config = None) -> None:
    """Write the prices to standard output, as the file that the import takes."""
    from overture.cli import prices as verbs
    from overture.cli import serving

    verbs.export(serving.read(config, data=data))


@prices.command("clear")
def clear_prices(data: Data = None, config: Config = None) -> None:
    """Take the prices away."""
    from overture.cli import prices as verbs
    from overture.cli import serving

    verbs.clear(serving.read(config, data=data))


def spend(
    first: Annotated[str | None, typer.Option("--from", metavar="DAY", help=f"The first day, {_DAY}.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="The last day; else today.")] = None,
    by: Annotated[str, typer.Option(metavar="WHAT", help="day, sender or agent.")] = "day",
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Tell what messages were expected to cost, and what was charged."""
    from overture.cli import prices as verbs
    from overture.cli import serving

    verbs.spend(serving.read(config, data=data), first=first, last=last, by=by, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(prices, name="prices")
    app.command("spend")(spend)
