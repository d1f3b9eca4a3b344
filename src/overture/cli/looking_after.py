"""The commands with which an operator looks after what did not go by itself: messages in review, left-over webhooks,
and contacts that are one person.
"""

from typing import Annotated

import typer

from overture.cli import telling
from overture.cli.options import After, AsJson, Config, Data, Limit

deliveries = typer.Typer(no_args_is_help=True, help="Messages on their way: what became of one; resend or drop it.")
inbox = typer.Typer(no_args_is_help=True, help="Webhooks that nothing could be made of: list them, try one again.")
contacts = typer.Typer(no_args_is_help=True, help="Contacts: who is known by which addresses; link or unlink one.")

MessageId = Annotated[str, typer.Argument(metavar="ID", help="The message's id, as `list` shows it.")]
ContactId = Annotated[str, typer.Argument(metavar="ID", help="The contact's id, as `show` tells it.")]
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="A number with + and country code, or a BSUID.")]


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


@contacts.command("show")
def show_contact(
    which: Annotated[str, typer.Argument(metavar="ADDRESS|ID", help="Any of the contact's addresses, or its id.")],
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Tell what is known of a contact: its addresses, its consent, and what goes on with it."""
    from overture.cli import contacts as verbs
    from overture.cli import serving

    verbs.show(serving.read(config, data=data), which, as_json=as_json)


@contacts.command("link")
def link_address(contact_id: ContactId, address: Address, data: Data = None, config: Config = None) -> None:
    """Let a contact be known by a further address; another contact that has it becomes this one."""
    from overture.cli import contacts as verbs
    from overture.cli import serving

    verbs.link(serving.read(config, data=data), contact_id, address)


@contacts.command("unlink")
def unlink_address(contact_id: ContactId, address: Address, data: Data = None, config: Config = None) -> None:
    """Take an address away from a contact: it becomes one of its own, with what is said over it."""
    from overture.cli import contacts as verbs
    from overture.cli import serving

    verbs.unlink(serving.read(config, data=data), contact_id, address)
