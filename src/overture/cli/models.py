"""The commands about model endpoints."""

from typing import Annotated

import typer

from overture.cli.options import AsJson, Config, Data

models = typer.Typer(no_args_is_help=True, help="Model endpoints of the settings: list them, check one.")


@models.command("list")
def list_models(data: Data = None, config: Config = None, *, as_json: AsJson = False) -> None:
    """List the model endpoints, and what is known of them."""
    from overture.cli import model_check as verbs
    from overture.cli import serving

    verbs.show_all(serving.read(config, data=data), as_json=as_json)


@models.command("check")
def check_model(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Its name; else the default one.")] = None,
    data: Data = None,
    config: Config = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Find out what a model endpoint can do, and let agents use it so; exit status 1 if it does not answer.

    It is asked for a handful of short answers, which cost what it takes for them.
    """
    from overture.cli import model_check as verbs
    from overture.cli import serving

    verbs.check(serving.read(config, data=data), name, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands to those of the program."""
    app.add_typer(models, name="model")
