"""The commands about consent: what the ledger says, and what it is told."""

from pathlib import Path
from typing import Annotated

import typer

from overture.cli import telling
from overture.cli.options import After, AsJson, Config, Data, Limit

consents = typer.Typer(no_args_is_help=True, help="Consent: who agreed to what, who opted out; import and export it.")

Number = Annotated[str, typer.Option("--number", metavar="ADDRESS", help="Of the contact with this number or BSUID.")]
Channel = Annotated[str, typer.Option("--channel", metavar="CHANNEL", help="sms, whatsapp or any.")]
Change = Annotated[
    str, typer.Option("--change", metavar="CHANGE", help="grant, revoke, opt_out, opt_in or evidence: those alone.")
]
Since = Annotated[
    str, typer.Option("--since", metavar="TIME", help="What happened since then, as 2026-01-31T12:00:00Z.")
]
Format = Annotated[
    str | None, typer.Option("--format", metavar="FORMAT", help="csv or jsonl; else by the file's name.")
]


@consents.command("list")
def list_consents(
    number: Number = "",
    channel: Channel = "",
    change: Change = "",
    since: Since = "",
    after: After = "",
    limit: Limit = "100",
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List the ledger, in the order in which it was written down."""
    from overture.cli import consents as verbs
    from overture.cli import serving

    count = telling.whole_number("--limit", limit, least=1, most=500)
    asked = {"number": number, "channel": channel, "change": change, "since": since, "after": after}
    verbs.show_all(serving.read(config, data=data), asked, limit=count, as_json=as_json)


@consents.command("record")
def record_consent(
    number: Annotated[str, typer.Argument(metavar="ADDRESS", help="The contact's number, or BSUID.")],
    change: Annotated[str, typer.Argument(metavar="CHANGE", help="grant, revoke, opt_out, opt_in or evidence.")],
    source: Annotated[str, typer.Option(metavar="TEXT", help="How it is known: a form, a call, a letter.")],
    channel: Channel = "any",
    purpose: Annotated[
        str, typer.Option(metavar="WORD", help="What for: marketing, transactional, your word, or any.")
    ] = "",
    evidence: Annotated[str, typer.Option(metavar="TEXT", help="The words that were agreed to, or were said.")] = "",
    at: Annotated[str, typer.Option(metavar="TIME", help="When, as 2026-01-31T12:00:00Z; else now.")] = "",
    sender: Annotated[str, typer.Option(metavar="NUMBER", help="Your number that it was said to.")] = "",
    data: Data = None,
    config: Config = None,
    *,
    asked_by_contact: Annotated[
        bool, typer.Option("--asked-by-contact", help="Of an opt_in: the contact itself asked for it.")
    ] = False,
) -> None:
    """Record what is known of a contact's consent. An opt_out ends what goes on with it, at once."""
    from overture.cli import consents as verbs
    from overture.cli import serving

    told = {
        "number": number,
        "change": change,
        "source": source,
        "channel": channel,
        "purpose": purpose,
        "evidence": evidence,
        "at": at or None,
        "sender": sender or None,
        "asked_by_contact": asked_by_contact,
    }
    verbs.record(serving.read(config, data=data), told)


@consents.command("import")
def import_consents(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a first line of names, or JSON lines.")],
    form: Format = None,
    data: Data = None,
    config: Config = None,
    *,
    all_or_nothing: Annotated[bool, typer.Option("--all-or-nothing", help="Take no row where any is refused.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be refused, and take nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import a list; exit status 1 if any row was refused. Twice changes nothing."""
    from overture.cli import consents as verbs
    from overture.cli import serving

    settings = serving.read(config, data=data)
    verbs.read_in(settings, file, form=form, all_or_nothing=all_or_nothing, dry_run=dry_run, as_json=as_json)


@consents.command("export")
def export_consents(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Must not be there yet; - is standard output.")],
    form: Format = None,
    number: Number = "",
    channel: Channel = "",
    change: Change = "",
    since: Since = "",
    data: Data = None,
    config: Config = None,
) -> None:
    """Export the ledger."""
    from overture.cli import consents as verbs
    from overture.cli import serving

    asked = {"number": number, "channel": channel, "change": change, "since": since}
    verbs.write_out(serving.read(config, data=data), file, asked, form=form)
