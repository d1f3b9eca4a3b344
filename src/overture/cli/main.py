"""The command `overture`. What a verb needs is imported when it runs: `overture --help` shall not wait for a server.

Numbers are taken as text, so that what is wrong with one is told as every other mistake is.
"""

from pathlib import Path
from typing import Annotated

import typer

from overture.cli import (
    costs,
    knowing,
    ledger,
    looking_after,
    models,
    pacing,
    people,
    provider,
    ruling,
    safekeeping,
    telling,
)
from overture.cli.options import AsJson, Config, Data
from overture.cli.twilio import twilio

app = typer.Typer(
    name="overture",
    help="One HTTP call opens an SMS or WhatsApp conversation through your own Twilio account; an agent carries it on.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
keys = typer.Typer(no_args_is_help=True, help="API keys: make one, list them, revoke one.")
agents = typer.Typer(no_args_is_help=True, help="Agents: keep a file's agent, list them, check a file.")
app.add_typer(keys, name="keys")
app.add_typer(agents, name="agents")
app.add_typer(knowing.knowledge, name="knowledge")
app.add_typer(provider.accounts, name="accounts")
app.add_typer(provider.senders, name="senders")
app.add_typer(provider.secrets, name="secrets")
app.add_typer(people.conversations, name="conversations")
app.add_typer(looking_after.deliveries, name="deliveries")
app.add_typer(looking_after.inbox, name="inbox")
app.add_typer(twilio, name="twilio")
app.add_typer(looking_after.contacts, name="contacts")
app.add_typer(ledger.consents, name="consents")
app.add_typer(provider.templates, name="templates")
app.add_typer(ruling.rules, name="rules")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on (127.0.0.1).")] = None,
    port: Annotated[
        str | None, typer.Option(metavar="PORT", help="The port to listen on (8080); 0: any free one.")
    ] = None,
    role: Annotated[
        str | None, typer.Option(metavar="ROLE", help="all, api or worker (all); the last two need PostgreSQL.")
    ] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Run the server until it is told to stop."""
    from overture.cli import serving

    serving.serve(serving.read(config, host=host, port=port, role=role, data=data))


@app.command()
def demo(
    port: Annotated[str, typer.Option(metavar="PORT", help="Overture's; 0: any free one.")] = "8080",
    handset_port: Annotated[str, typer.Option(metavar="PORT", help="The phone page's; 0: any free one.")] = "8081",
    api_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="A key of your own in Overture's form; else one is made.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep everything there; else a new temporary folder.")
    ] = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="Play whole conversations by a script, and end.")] = False,
) -> None:
    """Run Overture with simulated phones in your browser: no account, no network, no cost."""
    from overture.cli import demo as demonstration

    demonstration.run(
        port=telling.whole_number("--port", port, least=0, most=65535),
        handset_port=telling.whole_number("--handset-port", handset_port, least=0, most=65535),
        api_key=api_key,
        data=data,
        once=once,
    )


@app.command()
def doctor(
    *,
    probe: Annotated[bool, typer.Option("--probe", help="Ask each model for one word as well.")] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Say what is missing or wrong; exit status 1 if anything is."""
    from overture.cli import doctor as practice
    from overture.cli import serving

    practice.run(serving.read(config, data=data), probe=probe)


safekeeping.register(app)
costs.register(app)
pacing.register(app)
models.register(app)


@app.command("test")
def rehearse(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Scripts, YAML or JSON.")],
    only: Annotated[str | None, typer.Option(metavar="TEXT", help="Conversations whose name contains it.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the results as JUnit's XML.")] = None,
    config: Config = None,
    *,
    record: Annotated[
        bool, typer.Option("--record", help="Ask the settings' model what a cassette does not hold, and keep it.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print good conversations as well.")] = False,
) -> None:
    """Play scripted conversations with agents, without a server, a network or a wait; exit status 1 if one fails."""
    from overture.cli import rehearse as rehearsing
    from overture.cli import serving

    settings = serving.read(config) if record else None
    rehearsing.run(files, only=only, junit=junit, verbose=verbose, record=settings)


@app.command()
def adopt(data: Data = None, config: Config = None, *, as_json: AsJson = False) -> None:
    """Make a copied or moved database the instance, so that it sends again. Stop the original first."""
    from overture.cli import adopt as verb
    from overture.cli import serving

    verb.adopt(serving.read(config, data=data), as_json=as_json)


@app.command()
def version() -> None:
    """Print the version."""
    from overture.cli import serving

    print(f"overture {serving.version()}")


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="send, read, write or admin; may be given again (send, read, write).")
    ] = None,
    days: Annotated[str | None, typer.Option(metavar="DAYS", help="After how many days it stops working.")] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Make a key and print it, this once."""
    from overture.cli import keys as verbs
    from overture.cli import serving

    until = None if days is None else telling.whole_number("--days", days, least=1, most=3650)
    verbs.create(serving.read(config, data=data), name=name, scopes=scope or [], days=until)


@keys.command("list")
def list_keys(data: Data = None, config: Config = None, *, as_json: AsJson = False) -> None:
    """List the keys, without their secrets."""
    from overture.cli import keys as verbs
    from overture.cli import serving

    verbs.show(serving.read(config, data=data), as_json=as_json)


@keys.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(metavar="NAME", help="The key's name, or its id where several have the name.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Take a key out of use."""
    from overture.cli import keys as verbs
    from overture.cli import serving

    verbs.revoke(serving.read(config, data=data), key)


@agents.command("apply")
def apply_agents(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="YAML or JSON, one agent a file.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Keep each file's agent as its new version; what is kept already makes none.

    A file without an id is the agent of its name where there is one, else a new one.
    """
    from overture.cli import agents as verbs
    from overture.cli import serving

    verbs.apply(serving.read(config, data=data), files)


@agents.command("list")
def list_agents(data: Data = None, config: Config = None, *, as_json: AsJson = False) -> None:
    """List the agents."""
    from overture.cli import agents as verbs
    from overture.cli import serving

    verbs.show(serving.read(config, data=data), as_json=as_json)


@agents.command("lint")
def lint_agents(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="YAML or JSON, one agent a file.")],
) -> None:
    """Say what is wrong with a file's agent; exit status 1 if anything is."""
    from overture.cli import agents as verbs

    verbs.lint(files)


@agents.command("chat")
def chat_with_agent(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML or JSON, one agent.")],
    channel: Annotated[str, typer.Option(metavar="CHANNEL", help="sms or whatsapp.")] = "sms",
    given: Annotated[
        list[str] | None, typer.Option("--variable", metavar="NAME=VALUE", help="May be given again.")
    ] = None,
    knowledge: Annotated[
        list[str] | None, typer.Option("--knowledge", metavar="NAME=FILE", help="A text it knows. May be given again.")
    ] = None,
    config: Config = None,
    *,
    you_begin: Annotated[bool, typer.Option("--you-begin", help="The contact writes first.")] = False,
) -> None:
    """Talk with a file's agent here: no server, no number; time passes with /wait 3d. A model is the settings'."""
    from overture.cli import chat as talking
    from overture.cli import serving

    settings = serving.read(config)
    talking.run(settings, file, channel=channel, given=given or [], knowledge=knowledge or [], you_begin=you_begin)


@agents.command("record")
def record_conversation(
    conversation: Annotated[str, typer.Argument(metavar="CONVERSATION", help="Its id.")],
    agent: Annotated[
        str | None, typer.Option(metavar="FILE", help="The agent's file, beside the script; else by its name.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where it goes; else to the output.")] = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Make a script for `overture test` of a conversation that took place."""
    from overture.cli import record as recording
    from overture.cli import serving

    recording.record(serving.read(config, data=data), conversation, agent=agent, out=out)


@agents.command("draw")
def draw_agent(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML or JSON, with a flow.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the picture goes; else to the output.")
    ] = None,
) -> None:
    """Draw a flow as an SVG picture: what it says and asks, and the ways between."""
    from overture.cli import agents as verbs

    verbs.draw(file, out)


def main() -> None:
    """Run the command line."""
    with telling.in_sentences():
        app()
