"""The commands that lead a Twilio account's messages to us, and away again."""

from pathlib import Path
from typing import Annotated

import typer

from overture.cli.options import Config, Data

twilio = typer.Typer(no_args_is_help=True, help="A Twilio account: lead its messages here, or give them back.")

AccountSid = Annotated[
    str | None, typer.Option("--account-sid", metavar="SID", help="The account; else the one of the settings.")
]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", metavar="FILE", help="A file with its auth token; else it is asked for.")
]
Only = Annotated[
    str | None, typer.Option("--only", metavar="ADDRESS", help="One sender: +15551234567 or whatsapp:+15551234567.")
]
ApiUrl = Annotated[
    str | None, typer.Option("--api-url", metavar="URL", help="Where its API is (https://api.twilio.com).")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


@twilio.command("connect")
def connect(
    account_sid: AccountSid = None,
    token_file: TokenFile = None,
    only: Only = None,
    agent: Annotated[
        str | None, typer.Option("--agent", metavar="ID", help="The agent that answers who writes first.")
    ] = None,
    api_url: ApiUrl = None,
    data: Data = None,
    config: Config = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Lead the messages of an account's senders here; what was set before is remembered."""
    from overture.cli import connect as verb
    from overture.cli import credentials, serving

    settings = serving.read(config, data=data)
    given = credentials.read(settings, account_sid=account_sid, token_file=token_file, api_url=api_url)
    verb.connect(settings, given, only=only, agent=agent, dry_run=dry_run, yes=yes)


@twilio.command("disconnect")
def disconnect(
    account_sid: AccountSid = None,
    token_file: TokenFile = None,
    only: Only = None,
    api_url: ApiUrl = None,
    data: Data = None,
    config: Config = None,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Give an account's senders back what was set before, unless somebody has changed it since."""
    from overture.cli import credentials, serving
    from overture.cli import disconnect as verb

    settings = serving.read(config, data=data)
    serving.require_data(settings, "Nothing was connected from it.")
    given = credentials.read(settings, account_sid=account_sid, token_file=token_file, api_url=api_url)
    verb.disconnect(settings, given, only=only, dry_run=dry_run, yes=yes)
