"""Options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path | None, typer.Option("--data", metavar="FOLDER", help="The data folder (OVERTURE_DATA).")]
Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The settings' file (OVERTURE_CONFIG; overture.toml).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]
Limit = Annotated[str, typer.Option("--limit", metavar="COUNT", help="How many at most.")]
After = Annotated[str, typer.Option("--after", metavar="ID", help="Only those after this id.")]
