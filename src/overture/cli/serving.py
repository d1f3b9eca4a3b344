"""Running the server, and reaching one that runs: over the data folder's socket, which only its owner can open."""

import contextlib
import sys
from collections.abc import AsyncIterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from overture import settings as all_settings
from overture.cli import telling
from overture.settings import Settings

if TYPE_CHECKING:
    from overture.client import Client


def version() -> str:
    """The installed version."""
    return metadata.version("overture")


def read(config: Path | None, **given: object) -> Settings:
    """The settings in force; `given` are command-line options by the setting's name. Raises SettingsError."""
    options = {name: str(value) for name, value in given.items() if value is not None}
    return all_settings.read(file=config, given=options)


def serve(settings: Settings) -> None:
    """Serve until told to stop."""
    from overture import bootstrap, log

    log.configure(settings.log_level, settings.log_format)

    def ready(host: str, port: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        print(f"Overture listens on http://{shown}:{port}; its documentation is at /docs.", flush=True)
        if not settings.accounts:
            print("The settings name no Twilio account: `overture doctor` says what is missing.", file=sys.stderr)

    telling.run(bootstrap.serve(settings, ready=ready))


def require_data(settings: Settings, hint: str) -> None:
    """Refuse to look into a data folder that is not there: looking would make it. Raises Stop."""
    database = Path(settings.database_url.removeprefix("sqlite:///"))
    if settings.database_url.startswith("sqlite:///") and not settings.data.exists() and not database.exists():
        telling.stop(f"There is no data folder {settings.data}.", hint=f"{hint} --data names another.")


@contextlib.asynccontextmanager
async def operator(settings: Settings, patience_seconds: float = 30.0) -> AsyncIterator["Client"]:
    """A client of the server of this data folder, without a key; where none runs, one is started for the while."""
    from overture import bootstrap, log
    from overture.client import Client

    log.configure("error", "text")
    async with contextlib.AsyncExitStack() as stack:
        if not await is_running(settings):
            await stack.enter_async_context(bootstrap.serving_locally(settings))
        client = Client(socket=settings.socket, patience_seconds=patience_seconds)
        yield await stack.enter_async_context(client)


async def is_running(settings: Settings) -> bool:
    """Whether a server listens on the data folder's socket. A file left over from one that died does not count."""
    import asyncio

    try:
        _, writer = await asyncio.open_unix_connection(str(settings.socket))
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
