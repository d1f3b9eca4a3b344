"""The commands about knowledge: texts that agents answer from."""

from pathlib import Path
from typing import Annotated

import typer

from overture.cli.options import AsJson, Config, Data

knowledge = typer.Typer(
    no_args_is_help=True, help="Texts that agents answer from: bring one, list, show, search and remove them."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the knowledge base is called.")]


@knowledge.command("put")
def put_knowledge(
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Markdown or plain text, in UTF-8.")],
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Let a file be the text of a knowledge base, in place of the one that was."""
    from overture.cli import knowledge as verbs
    from overture.cli import serving

    verbs.put(serving.read(config, data=data), name, file, as_json=as_json)


@knowledge.command("list")
def list_knowledge(data: Data = None, config: Config = None, *, as_json: AsJson = False) -> None:
    """List the knowledge bases."""
    from overture.cli import knowledge as verbs
    from overture.cli import serving

    verbs.show_all(serving.read(config, data=data), as_json=as_json)


@knowledge.command("show")
def show_knowledge(name: Name, data: Data = None, config: Config = None, *, as_json: AsJson = False) -> None:
    """Print the text of a knowledge base."""
    from overture.cli import knowledge as verbs
    from overture.cli import serving

    verbs.show(serving.read(config, data=data), name, as_json=as_json)


@knowledge.command("search")
def search_knowledge(
    name: Name,
    words: Annotated[list[str], typer.Argument(metavar="WORDS...", help="A question, as a contact would ask it.")],
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what an agent is told that is asked this."""
    from overture.cli import knowledge as verbs
    from overture.cli import serving

    verbs.search(serving.read(config, data=data), name, " ".join(words), as_json=as_json)


@knowledge.command("remove")
def remove_knowledge(name: Name, data: Data = None, config: Config = None) -> None:
    """Take a knowledge base away; agents that name it answer without it."""
    from overture.cli import knowledge as verbs
    from overture.cli import serving

    verbs.remove(serving.read(config, data=data), name)
