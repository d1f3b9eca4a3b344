"""The commands with which an operator looks after what does not go by itself: messages, webhooks, templates."""

from typing import Annotated

import typer

from overture.cli import telling
from overture.cli.options import After, AsJson, Config, Data, Limit

deliveries = typer.Typer(no_args_is_help=True, help="Messages on their way: what became of one; resend or drop it.")
inbox = typer.Typer(no_args_is_help=True, help="Webhooks that nothing could be made of: list them, try one again.")
templates = typer.Typer(no_args_is_help=True, help="WhatsApp templates: list them, show, fetch, preview one.")

MessageId = Annotated[str, typer.Argument(metavar="ID", help="The message's id, as `list` shows it.")]
ContentSid = Annotated[str, typer.Argument(metavar="SID", help="The template's Content SID: HX and 32 digits.")]


@deliveries.command("list")
def list_deliveries(
    state: Annotated[
        str, typer.Option(metavar="STATE", help="needs_review, uncertain, queued or sending.")
    ] = "needs_review",
    after: After = "",
    limit: Limit = "50",
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List messages that have not left; without --state those that wait for a person's decision."""
    from overture.cli import deliveries as verbs
    from overture.cli import serving

    count = telling.whole_number("--limit", limit, least=1, most=200)
    verbs.show_all(serving.read(config, data=data), state=state, after=after, limit=count, as_json=as_json)


@deliveries.command("show")
def show_delivery(
    an_id: Annotated[str, typer.Argument(metavar="ID", help="A message's id, or a conversation's for all of its.")],
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Tell what became of a message: where it stands, why, and every try."""
    from overture.cli import deliveries as verbs
    from overture.cli import serving

    verbs.show(serving.read(config, data=data), an_id, as_json=as_json)


@deliveries.command("resend")
def resend_delivery(
    message_id: MessageId,
    valid_seconds: Annotated[
        str | None,
        typer.Option(metavar="SECONDS", help="How long it is worth sending (a reply 1800, an opening 14400)."),
    ] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Send a message in review once more. Look for it in Twilio's log first: it may have gone out."""
    from overture.cli import deliveries as verbs
    from overture.cli import serving

    seconds = None
    if valid_seconds is not None:
        seconds = telling.whole_number("--valid-seconds", valid_seconds, least=30, most=36_000)
    verbs.resend(serving.read(config, data=data), message_id, valid_seconds=seconds)


@deliveries.command("drop")
def drop_delivery(
    message_id: MessageId,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for whoever follows the events.")] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Give a message in review up: it failed, and says that a person dropped it."""
    from overture.cli import deliveries as verbs
    from overture.cli import serving

    verbs.drop(serving.read(config, data=data), message_id, note=note)


@inbox.command("list")
def list_inbox(
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="unrouted (no sender of ours) or parked (failed); else both.")
    ] = None,
    after: After = "",
    limit: Limit = "50",
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List webhooks that were kept but could not be handled."""
    from overture.cli import inbox as verbs
    from overture.cli import serving

    count = telling.whole_number("--limit", limit, least=1, most=500)
    verbs.show_all(serving.read(config, data=data), state=state, after=after, limit=count, as_json=as_json)


@inbox.command("retry")
def retry_inbox(
    inbox_id: Annotated[str, typer.Argument(metavar="ID", help="The webhook's id, as `list` shows it.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Handle one again, say after its sender was added."""
    from overture.cli import inbox as verbs
    from overture.cli import serving

    verbs.retry(serving.read(config, data=data), inbox_id)


@templates.command("list")
def list_templates(
    approval: Annotated[
        str | None, typer.Option(metavar="STATE", help="Only those that are approved, pending, rejected, paused …")
    ] = None,
    language: Annotated[str | None, typer.Option(metavar="CODE", help="Only those of a language, as en.")] = None,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="Only those whose name holds this.")] = None,
    offset: Annotated[str, typer.Option(metavar="COUNT", help="After how many.")] = "0",
    limit: Limit = "50",
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List the templates as they were when last fetched."""
    from overture.cli import serving
    from overture.cli import templates as verbs

    verbs.show_all(
        serving.read(config, data=data),
        approval=approval,
        language=language,
        name=name,
        offset=telling.whole_number("--offset", offset, least=0, most=1_000_000),
        limit=telling.whole_number("--limit", limit, least=1, most=200),
        as_json=as_json,
    )


@templates.command("show")
def show_template(
    content_sid: ContentSid, data: Data = None, config: Config = None, *, as_json: AsJson = False
) -> None:
    """Tell what is known of a template: its text, its values, its approval."""
    from overture.cli import serving
    from overture.cli import templates as verbs

    verbs.show(serving.read(config, data=data), content_sid, as_json=as_json)


@templates.command("refresh")
def refresh_templates(data: Data = None, config: Config = None) -> None:
    """Fetch all templates from Twilio now."""
    from overture.cli import serving
    from overture.cli import templates as verbs

    verbs.refresh(serving.read(config, data=data))


@templates.command("preview")
def preview_template(
    content_sid: ContentSid,
    values: Annotated[list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="Values, as 1=Ada.")] = None,
    to: Annotated[str | None, typer.Option(metavar="NUMBER", help="The recipient; it matters for marketing.")] = None,
    purpose: Annotated[str, typer.Option(metavar="PURPOSE", help="opening, in_window or sms.")] = "opening",
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show a template with its values; exit status 1 where it could not be sent so. Nothing is sent."""
    from overture.cli import serving
    from overture.cli import templates as verbs

    verbs.preview(serving.read(config, data=data), content_sid, values or [], to=to, purpose=purpose, as_json=as_json)
