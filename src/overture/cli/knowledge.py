"""The verbs of `overture knowledge`."""

import json
import sys
from pathlib import Path

from msgspec import to_builtins
from rich.table import Table

from overture.cli import serving, telling
from overture.cli.screen import on_screen
from overture.domain.knowledge import MOST_BYTES
from overture.settings import Settings
from overture.web.api.knowledge import FoundPassages, KnowledgeList, KnowledgeView, SavedKnowledge, WholeKnowledge

_BRINGS = "`overture knowledge put NAME FILE` brings one."


def put(settings: Settings, name: str, file: Path, *, as_json: bool) -> None:
    """Bring a file."""
    raw = _read(file)

    async def send() -> SavedKnowledge:
        async with serving.operator(settings) as client:
            return await client.put_knowledge(name, raw)

    saved = telling.run(send())
    if as_json:
        print(json.dumps(to_builtins(saved), indent=2))
        return
    parts = "1 passage" if saved.passages == 1 else f"{saved.passages:,} passages"
    was = "" if saved.changed else " It was so already."
    print(f"{saved.name}, version {saved.version}: {saved.characters:,} characters in {parts}.{was}")


def show_all(settings: Settings, *, as_json: bool) -> None:
    """Print the knowledge bases."""
    serving.require_data(settings, _BRINGS)

    async def look() -> KnowledgeList:
        async with serving.operator(settings) as client:
            return await client.list_knowledge()

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found.knowledge), indent=2))
        return
    if not found.knowledge:
        print(f"There is no knowledge. {_BRINGS}")
        return
    table = Table("name", "version", "characters", "passages", "by meaning", "changed", box=None, pad_edge=False)
    for one in found.knowledge:
        changed = f"{one.updated_at:%Y-%m-%d %H:%M}"
        table.add_row(one.name, str(one.version), f"{one.characters:,}", f"{one.passages:,}", _by_meaning(one), changed)
    on_screen().print(table)
    if found.total > len(found.knowledge):
        print(f"... and {found.total - len(found.knowledge)} more.")


def show(settings: Settings, name: str, *, as_json: bool) -> None:
    """Print a base's text as it was brought."""
    serving.require_data(settings, _BRINGS)

    async def look() -> WholeKnowledge:
        async with serving.operator(settings) as client:
            return await client.get_knowledge(name)

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
        return
    if found.space is not None:
        print(f"Found by meaning: {_by_meaning(found)} passages ({found.space}).", file=sys.stderr)
    sys.stdout.write(found.text if found.text.endswith("\n") else f"{found.text}\n")


def search(settings: Settings, name: str, words: str, *, as_json: bool) -> None:
    """Print what is found, best first."""
    serving.require_data(settings, _BRINGS)

    async def look() -> FoundPassages:
        async with serving.operator(settings) as client:
            return await client.search_knowledge(name, words)

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
        return
    if found.note:
        print(found.note, file=sys.stderr)
    if not found.passages:
        print("Nothing in it says anything of this; an agent would say that it does not know.")
    for one in found.passages:
        print(f"{one.number}. {one.title or '(no heading)'}\n{one.text}\n")


def remove(settings: Settings, name: str) -> None:
    """Take a base away."""
    serving.require_data(settings, _BRINGS)

    async def drop() -> None:
        async with serving.operator(settings) as client:
            await client.remove_knowledge(name)

    telling.run(drop())
    print(f"The knowledge base {name} is gone; agents that name it answer without it.")


def _by_meaning(one: KnowledgeView) -> str:
    return "-" if one.space is None else f"{one.embedded:,} of {one.passages:,}"


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            raw = opened.read(MOST_BYTES + 1)
    except OSError as missing:
        raise telling.Stop(f"{file} cannot be read: {missing.strerror}.", status=telling.MISUSED) from None
    if len(raw) > MOST_BYTES:
        hint = "Split it into several knowledge bases."
        telling.stop(f"{file} is longer than {MOST_BYTES // 1024**2} MiB.", hint=hint, status=telling.MISUSED)
    return raw
