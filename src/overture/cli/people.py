"""The commands with which a person takes a conversation in hand."""

from typing import Annotated

import typer

from overture.cli import telling
from overture.cli.options import AsJson, Config, Data, Limit

conversations = typer.Typer(
    no_args_is_help=True, help="Conversations: who waits for a person; take one over, write, hand it back, end it."
)

ConversationId = Annotated[str, typer.Argument(metavar="ID", help="The conversation's id, as `list` shows it.")]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Your name, for colleagues.")]


@conversations.command("list")
def list_conversations(
    mode: Annotated[
        str | None, typer.Option(metavar="MODE", help="bot, human, paused or ended; else all live ones.")
    ] = None,
    cursor: Annotated[str, typer.Option(metavar="CURSOR", help="Go on where a list ended.")] = "",
    limit: Limit = "50",
    data: Data = None,
    config: Config = None,
    *,
    waiting: Annotated[bool, typer.Option("--waiting", help="Those whose contact waits for a person.")] = False,
    as_json: AsJson = False,
) -> None:
    """List conversations and who has them, the newest first; with --waiting the one that has waited longest first."""
    from overture.cli import conversations as verbs
    from overture.cli import serving

    count = telling.whole_number("--limit", limit, least=1, most=200)
    verbs.show_all(
        serving.read(config, data=data), mode=mode, waiting=waiting, cursor=cursor, limit=count, as_json=as_json
    )


@conversations.command("show")
def show_conversation(
    conversation_id: ConversationId, data: Data = None, config: Config = None, *, as_json: AsJson = False
) -> None:
    """Tell who has a conversation, and everything that was said in it."""
    from overture.cli import conversations as verbs
    from overture.cli import serving

    verbs.show(serving.read(config, data=data), conversation_id, as_json=as_json)


@conversations.command("take-over")
def take_over(
    conversation_id: ConversationId,
    by: By = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for colleagues.")] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Take a conversation over: its agent says nothing more."""
    from overture.cli import conversations as verbs
    from overture.cli import serving

    verbs.take_over(serving.read(config, data=data), conversation_id, by=by, note=note)


@conversations.command("write")
def write(
    conversation_id: ConversationId,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="What the contact is to read.")] = None,
    template: Annotated[
        str | None, typer.Option(metavar="SID", help="A template (HX…) instead, where the window is closed.")
    ] = None,
    value: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A value of the template's; may be given again.")
    ] = None,
    by: By = None,
    data: Data = None,
    config: Config = None,
    *,
    beside: Annotated[bool, typer.Option("--beside", help="Leave the conversation to its agent.")] = False,
) -> None:
    """Write to a conversation's contact, and have the conversation from then on."""
    from overture.cli import conversations as verbs
    from overture.cli import serving

    given = verbs.read_template(template, value or [])
    verbs.write(serving.read(config, data=data), conversation_id, text=text, template=given, by=by, beside=beside)


@conversations.command("hand-back")
def hand_back(
    conversation_id: ConversationId,
    say: Annotated[str | None, typer.Option(metavar="TEXT", help="A last word to the contact.")] = None,
    by: By = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Give a conversation back to its agent, which has read what was said meanwhile."""
    from overture.cli import conversations as verbs
    from overture.cli import serving

    verbs.hand_back(serving.read(config, data=data), conversation_id, say=say, by=by)


@conversations.command("end")
def end(
    conversation_id: ConversationId,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for whoever follows the events.")] = None,
    by: By = None,
    data: Data = None,
    config: Config = None,
    *,
    completed: Annotated[
        bool, typer.Option("--completed", help="Its purpose is reached; else it counts as handed over.")
    ] = False,
) -> None:
    """End a conversation; what people wrote last still goes out."""
    from overture.cli import conversations as verbs
    from overture.cli import serving

    verbs.end(serving.read(config, data=data), conversation_id, note=note, by=by, completed=completed)
