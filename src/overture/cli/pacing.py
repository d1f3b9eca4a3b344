"""The commands about pace: pools of senders, and the queues that a pace makes."""

from typing import Annotated, Final

import typer

from overture.cli import telling
from overture.cli.options import AsJson, Config, Data

pools = typer.Typer(
    no_args_is_help=True, help="Pools of senders that share a pace or a limit of recipients: list, set and remove them."
)

_GIVE: Final = "Give --pace, --recipients-a-day, or both; `overture pools remove` takes a pool away."

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the pool is called.")]


def register(app: typer.Typer) -> None:
    """Add the commands to those of the program."""
    app.add_typer(pools, name="pools")
    app.command("queues")(show_queues)


@pools.command("list")
def list_pools(data: Data = None, config: Config = None, *, as_json: AsJson = False) -> None:
    """List the pools with their pace and their senders."""
    from overture.cli import pools as verbs
    from overture.cli import serving

    verbs.show_all(serving.read(config, data=data), as_json=as_json)


@pools.command("set")
def set_pool(
    name: Name,
    senders: Annotated[
        list[str] | None, typer.Argument(metavar="[SENDER]...", help="Its senders: sms:+15551234567, or an id.")
    ] = None,
    kind: Annotated[
        str,
        typer.Option(metavar="KIND", help="messaging_service, campaign, brand, whatsapp_portfolio, account or free."),
    ] = "free",
    pace: Annotated[
        str | None, typer.Option("--pace", metavar="RATE", help="Segments (SMS) or messages that leave in a second.")
    ] = None,
    people: Annotated[
        str | None,
        typer.Option("--recipients-a-day", metavar="COUNT", help="People written to first on WhatsApp in 24 hours."),
    ] = None,
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a pool of these senders, or let the pool of that name be so."""
    from overture.cli import pools as verbs
    from overture.cli import serving
    from overture.domain.pace import FASTEST, SLOWEST
    from overture.domain.portfolio import FEWEST, MOST

    if pace is None and people is None:
        telling.stop("A pool has a pace, a limit of recipients, or both.", hint=_GIVE, status=telling.MISUSED)
    rate = None if pace is None else telling.number("--pace", pace, least=SLOWEST, most=FASTEST)
    most = None if people is None else telling.whole_number("--recipients-a-day", people, least=FEWEST, most=MOST)
    verbs.save(
        serving.read(config, data=data),
        name,
        senders or [],
        kind=kind,
        pace=rate,
        people=most,
        as_json=as_json,
    )


@pools.command("remove")
def remove_pool(name: Name, data: Data = None, config: Config = None) -> None:
    """Take a pool away; its senders go on without it."""
    from overture.cli import pools as verbs
    from overture.cli import serving

    verbs.remove(serving.read(config, data=data), name)


def show_queues(data: Data = None, config: Config = None, *, as_json: AsJson = False) -> None:
    """Show what waits at each sender, how long that takes, and what will expire before its turn."""
    from overture.cli import pools as verbs
    from overture.cli import serving

    verbs.show_queues(serving.read(config, data=data), as_json=as_json)
