"""The verbs of `overture agents`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import to_builtins
from rich.table import Table

from overture.agents import drawing, reading
from overture.agents.lint import Finding
from overture.agents.lint import lint as findings_of
from overture.cli import screen, serving, telling
from overture.domain.agent import AgentSpec, FlowSpec
from overture.domain.errors import Invalid
from overture.settings import Settings
from overture.web.api.agents import AgentList, SavedView

if TYPE_CHECKING:
    from overture.client import Client

_MOST = 200  # of a list; the API gives no more at once, and nobody reads more on a screen


def lint(files: list[Path]) -> None:
    """Print what is wrong with each file. Raises Stop where a file has an error; a warning is none."""
    wrong = 0
    for file in files:
        try:
            spec = _read(file)
        except Invalid as refused:
            wrong += 1
            print(f"error    {refused.description}\n         {refused.hint}")
            continue
        findings = list(findings_of(spec))
        wrong += sum(finding.severity == "error" for finding in findings)
        _print(file, findings)
        if not findings:
            print(f"good     {file}: {spec.name}")
    if wrong:
        telling.stop(f"{wrong} {'error' if wrong == 1 else 'errors'} in {len(files)} {_files(files)}.")


def draw(file: Path, out: Path | None) -> None:
    """Draw a flow, into a file or to the output. Raises Stop for an agent that is no flow."""
    spec = _read(file)
    if not isinstance(spec, FlowSpec):
        hint = "A prompt agent is its instructions: there are no ways in it to draw."
        telling.stop(f"{file} holds no flow.", hint=hint, status=telling.MISUSED)
    picture = drawing.draw(spec)
    if out is None:
        print(picture, end="")
        return
    try:
        out.write_text(picture, encoding="utf-8")
    except OSError as refused:
        telling.stop(f"{out} cannot be written: {refused.strerror}.")
    print(f"{out}: {spec.name}, {len(spec.nodes)} nodes.")


def apply(settings: Settings, files: list[Path]) -> None:
    """Keep each file's agent; every file is read and linted before the first is kept."""
    for file in files:
        errors = [finding for finding in findings_of(_read(file)) if finding.severity == "error"]
        if errors:
            _print(file, errors)
            telling.stop(f"{file} has errors; nothing was kept.", hint="docs/agents.md says how agents are written.")

    specs = [_read(file) for file in files]
    _refuse_twins(files, specs)

    async def keep() -> list[SavedView]:
        async with serving.operator(settings) as client:
            known = await _ids_by_name(client) if any(spec.id is None for spec in specs) else {}
            return [
                await client.put_agent(text=_text(file), agent_id=_own_id(spec, known))
                for file, spec in zip(files, specs, strict=True)
            ]

    for file, spec, saved in zip(files, specs, telling.run(keep()), strict=True):
        _print(file, saved.warnings)
        print(f"{saved.name}, version {saved.version}: {saved.id}")
        if spec.id is None:
            print(f"         Put `id: {saved.id}` into {file}: by its id it stays this agent under any name.")


def show(settings: Settings, *, as_json: bool) -> None:
    """Print the agents, newest first."""
    serving.require_data(settings, "`overture agents apply FILE` makes it.")

    async def look() -> AgentList:
        async with serving.operator(settings) as client:
            return await client.list_agents(limit=_MOST)

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found.agents), indent=2))
        return
    if not found.agents:
        print(
            "There are no agents. `overture agents apply FILE` keeps one; the folder agents/ holds some to start from."
        )
        return
    table = Table("id", "name", "kind", "version", box=None, pad_edge=False)
    for agent in found.agents:
        table.add_row(agent.id, agent.name, agent.kind, str(agent.version))
    screen.on_screen().print(table)
    if found.total > len(found.agents):
        print(f"... and {found.total - len(found.agents)} more.")


def _refuse_twins(files: list[Path], specs: list[AgentSpec]) -> None:
    """Files without an id are told apart by their agents' names."""
    first: dict[str, Path] = {}
    for file, spec in zip(files, specs, strict=True):
        if spec.id is None and (other := first.setdefault(spec.name, file)) is not file:
            hint = "Give each an id or a name of its own."
            telling.stop(f"{other} and {file} both hold {spec.name!r} without an id; nothing was kept.", hint=hint)


async def _ids_by_name(client: "Client") -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {}
    seen = 0
    while (page := await client.list_agents(limit=_MOST, offset=seen)).agents:
        for agent in page.agents:
            ids.setdefault(agent.name, []).append(agent.id)
        seen += len(page.agents)
    return ids


def _own_id(spec: AgentSpec, known: Mapping[str, list[str]]) -> str | None:
    """Which agent a specification is: that of its id, else the only one of its name, else a new one (None)."""
    ids = known.get(spec.name, [])
    return ids[0] if spec.id is None and len(ids) == 1 else spec.id


def _read(file: Path) -> AgentSpec:
    return reading.read_spec(_text(file), file=str(file))


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > 4 * reading.LONGEST:
            hint = f"At most {reading.LONGEST} characters are read."
            telling.stop(f"{file} is too large for an agent.", hint=hint, status=telling.MISUSED)
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise telling.Stop(f"{file} is not UTF-8 text.", hint="Save it as UTF-8.", status=telling.MISUSED) from None
    except OSError as missing:
        raise telling.Stop(f"{file} cannot be read: {missing.strerror}.", status=telling.MISUSED) from None


def _print(file: Path, findings: list[Finding]) -> None:
    for finding in findings:
        print(
            f"{finding.severity:<9}{file}, {finding.where}: {finding.sentence}\n         {finding.hint}",
            file=sys.stdout,
        )


def _files(files: list[Path]) -> str:
    return "file" if len(files) == 1 else "files"
