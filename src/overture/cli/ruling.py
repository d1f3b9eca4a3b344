"""The commands about rules: what is allowed of messages that nobody waits for, and what that means for somebody."""

from pathlib import Path
from typing import Annotated

import typer

from overture.cli.options import AsJson, Config, Data

rules = typer.Typer(no_args_is_help=True, help="Rules for openings: show them, set them, explain one recipient's.")

Sender = Annotated[
    str | None,
    typer.Option("--sender", metavar="SENDER", help="sms:+15551234567, or an id; else the workspace."),
]


@rules.command("show")
def show_rules(
    sender: Sender = None,
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show the rules that are set. An agent's stand in its file."""
    from overture.cli import rules as verbs
    from overture.cli import serving

    verbs.show(serving.read(config, data=data), sender=sender, as_json=as_json)


@rules.command("set")
def set_rules(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML or JSON: all the rules there shall be.")],
    sender: Sender = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Let a file's rules take the place of those that were."""
    from overture.cli import rules as verbs
    from overture.cli import serving

    verbs.replace(serving.read(config, data=data), file, sender=sender)


@rules.command("explain")
def explain_rules(
    to_number: Annotated[str, typer.Argument(metavar="NUMBER", help="The recipient, with + and country code.")],
    agent: Annotated[str | None, typer.Option(metavar="ID", help="The agent, for its rules.")] = None,
    sender: Annotated[
        str | None, typer.Option("--from", metavar="NUMBER", help="The sender, where several do the channel.")
    ] = None,
    channel: Annotated[str, typer.Option(metavar="CHANNEL", help="sms or whatsapp.")] = "sms",
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Tell what every rule says of an opening to somebody now. Nothing is counted or sent."""
    from overture.cli import rules as verbs
    from overture.cli import serving

    settings = serving.read(config, data=data)
    verbs.explain(settings, to_number, agent=agent, sender=sender, channel=channel, as_json=as_json)
