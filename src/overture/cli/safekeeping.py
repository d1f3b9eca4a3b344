"""The commands that keep a database safe: backup, verify, restore."""

from pathlib import Path
from typing import Annotated

import typer

from overture.cli.options import AsJson, Config, Data

_BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]
_PgBin = Annotated[
    Path | None,
    typer.Option(
        "--pg-bin",
        metavar="FOLDER",
        envvar="OVERTURE_PG_BIN",
        help="Where pg_dump and pg_restore are, if not on the PATH.",
    ),
]


def register(app: typer.Typer) -> None:
    """Make them commands of the program."""
    app.command()(backup)
    app.command()(verify)
    app.command()(restore)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; a new file.")],
    data: Data = None,
    config: Config = None,
    pg_bin: _PgBin = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Back the database up into a file, while the server runs, and check it."""
    from overture.cli import backup as verbs
    from overture.cli import serving

    verbs.make(serving.read(config, data=data), file, force=force, pg_bin=pg_bin, as_json=as_json)


def verify(file: _BackupFile, pg_bin: _PgBin = None, *, as_json: AsJson = False) -> None:
    """Read a backup from end to end and say what is in it; nothing is changed."""
    from overture.cli import backup as verbs

    verbs.verify(file, pg_bin=pg_bin, as_json=as_json)


def restore(
    file: _BackupFile,
    data: Data = None,
    config: Config = None,
    pg_bin: _PgBin = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Also where a database is: it is kept aside.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the database. Nothing that its original sent since is sent again."""
    from overture.cli import restore as verbs
    from overture.cli import serving

    verbs.run(serving.read(config, data=data), file, force=force, pg_bin=pg_bin, as_json=as_json)
