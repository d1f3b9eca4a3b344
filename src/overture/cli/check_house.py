"""The data folder, the database and what is kept there, seen through the server's own eyes."""

import os
from collections.abc import AsyncIterator
from importlib import metadata
from pathlib import Path
from typing import Final

from overture.cli import serving
from overture.cli.finding import Finding, good, note, wrong
from overture.client import Client
from overture.domain.errors import Problem
from overture.settings import Settings

_SOUND_SQLITE: Final = (3, 51, 3)  # versions before it can corrupt a write-ahead log
_APPLY = "`overture agents apply agents/booking.yaml` keeps one."


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Look at the folder, then ask the running server; where none runs, one is opened for the while."""
    folder = _look_at_folder(settings.data)
    yield folder
    if folder.hint is not None:
        return
    runs = await serving.is_running(settings)
    yield good("A server runs on this data folder.") if runs else note("No server runs on this data folder.")
    try:
        async with serving.operator(settings) as client:
            async for finding in _ask(client, settings, runs=runs):
                yield finding
    except Problem as away:
        yield wrong(f"The database cannot be used: {away.description}", away.hint)


def _look_at_folder(folder: Path) -> Finding:
    """Whether the folder can be written to; one that is missing is made at the first start."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        return wrong(f"The data folder {folder} cannot be made: {nearest} is a file.", "Set OVERTURE_DATA.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        return wrong(f"The data folder {folder} cannot be written to.", "Change its rights, or set OVERTURE_DATA.")
    return good(f"The data folder {folder} can be written to.")


async def _ask(client: Client, settings: Settings, *, runs: bool) -> AsyncIterator[Finding]:
    health = await client.health()
    for sentence in health.wrong:
        yield wrong(f"The server says: {sentence}")
    instance = await client.get_instance()
    if instance.shut_because is not None:
        yield wrong(f"Nothing is sent: {instance.shut_because}", "`overture adopt` makes it the instance.")
    else:
        for sentence in instance.notes if runs else ():
            yield wrong(f"The server says: {sentence}")
    if not health.wrong:
        yield _look_at_database(settings)
    agents = await client.list_agents(limit=1)
    yield good(f"Agents kept: {agents.total}.") if agents.total else note("There is no agent yet.", _APPLY)
    for kind in ("unrouted", "parked"):
        if (left := await client.list_inbox(kind, limit=1)).events and runs:
            why = "found no conversation and no agent" if kind == "unrouted" else "failed again and again"
            yield note(f"There are webhooks that {why}, the first of {left.events[0].received_at:%Y-%m-%d %H:%M}.")
    if (paused := await client.list_conversations(mode="paused", limit=1)).conversations:
        told = (
            f"Conversations are paused until a person takes them, the newest {paused.conversations[0].conversation_id}."
        )
        yield note(told, "`overture conversations list --mode paused` lists them, `show` tells why.")
    for model in (await client.list_models()).models:
        check = f"`overture model check {model.name}` finds out what it can do."
        if model.checked is None:
            yield note(f"The model endpoint {model.name!r} was never checked.", check)
        elif model.cannot_serve:
            told = ", ".join(repr(name) for name in model.cannot_serve)
            yield wrong(f"The model endpoint {model.name!r} cannot call the tools of {told}.", check)
    keys = await client.list_keys()
    if not any(key.revoked_at is None for key in keys):
        yield note("There is no API key yet.", "`overture keys create NAME` makes one.")


def _look_at_database(settings: Settings) -> Finding:
    if not settings.database_url.startswith("sqlite"):
        return good("The database is PostgreSQL, 14 or newer, and answers.")
    return judge_sqlite(".".join(metadata.version("apsw").split(".")[:3]))  # apsw carries the SQLite of its own number


def judge_sqlite(version: str) -> Finding:
    """Whether a version of SQLite may be trusted with what it was told to keep."""
    numbers = tuple(int(part) for part in version.split(".") if part.isdecimal())
    if numbers >= _SOUND_SQLITE:
        return good(f"The database is SQLite {version}, and answers.")
    sound = ".".join(map(str, _SOUND_SQLITE))
    told = f"The database is SQLite {version}, which can lose commits when its log is reset by two at once."
    return wrong(told, f"Install a newer apsw, which carries SQLite {sound} or later.")
