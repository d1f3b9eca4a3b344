"""The tree is the architecture: `.importlinter` says which room may know which, and holds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

ROOMS = (
    *("actions", "adapters", "agents", "bootstrap", "cli", "client", "domain", "log", "settings", "store", "turns"),
    *("web", "workers"),
)

LAYERS = "An outer room may import an inner one, never the reverse"
ADAPTERS = "Adapters translate: they import the domain and nothing else of ours"
PURE = "Domain and agents decide and return values: no clock, no chance, no I/O, no log, no framework"
DRIVERS = "Only the store imports a database driver"
SETTINGS = "Settings are read by bootstrap and cli alone; everyone else is handed what it needs"
PROGRAMS = "Overture and Handset share nothing but HTTP"
CYCLES = "No cycles among siblings"


def lint(source: Path, config: Path = ROOT / ".importlinter") -> subprocess.CompletedProcess[str]:
    """The verdict of import-linter on a source folder."""
    return subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--config", config, "--no-cache", "--no-logo"],
        env={**os.environ, "PYTHONPATH": str(source), "COLUMNS": "200", "NO_COLOR": "1"},
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_room_reaches_where_it_may_not() -> None:
    verdict = lint(ROOT / "src")
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


@pytest.mark.parametrize(
    ("module", "imports", "broken"),
    [
        ("overture.web.stray", "overture.actions", set()),
        ("overture.web.stray", "overture.domain", set()),
        ("overture.cli.stray", "overture.settings", set()),
        ("overture.store.stray", "asyncpg", set()),
        ("overture.web.stray", "overture.adapters", {LAYERS}),
        ("overture.workers.stray", "overture.adapters", {LAYERS}),
        ("overture.turns.stray", "overture.adapters", {LAYERS}),
        ("overture.web.stray", "overture.workers", {LAYERS}),
        ("overture.store.stray", "overture.actions", {LAYERS}),
        ("overture.stray", "overture.domain", {LAYERS}),  # a room that nobody decided on
        ("overture.adapters.stray", "overture.agents", {ADAPTERS}),
        ("overture.adapters.stray", "overture.log", {ADAPTERS}),
        ("overture.agents.stray", "time", {PURE}),
        ("overture.domain.stray", "random", {PURE}),
        ("overture.domain.stray", "logging", {PURE}),
        ("overture.domain.stray", "overture.log", {PURE}),
        ("overture.agents.stray", "starlette", {PURE}),
        ("overture.actions.stray", "asyncpg", {DRIVERS}),
        ("overture.web.stray", "apsw", {DRIVERS}),
        ("overture.web.stray", "overture.settings", {SETTINGS}),
        ("handset.stray", "overture.domain", {PROGRAMS}),
        ("overture.cli.stray", "handset", {PROGRAMS}),
        ("overture.web.stray", "overture.web.circle", {CYCLES}),
    ],
)
def test_an_import_breaks_its_contract_and_no_other(
    module: str, imports: str, broken: set[str], tmp_path: Path
) -> None:
    source = a_tree_with_every_room(tmp_path / "src")
    write(source, module, f"import {imports}")
    if imports.endswith("circle"):
        write(source, imports, f"import {module}")
    config = tmp_path / ".importlinter"
    config.write_text((ROOT / ".importlinter").read_text().replace("\n#   overture", "\n    overture"))
    verdicts = lint(source, config).stdout.splitlines()
    assert {line.removesuffix("BROKEN").strip() for line in verdicts if line.endswith(" BROKEN")} == broken
    assert any(line.endswith((" KEPT", " BROKEN")) for line in verdicts), verdicts


def a_tree_with_every_room(source: Path) -> Path:
    """Both programs with nothing in them."""
    for package in ("handset", "overture", *(f"overture.{room}" for room in ROOMS)):
        write(source, f"{package}.__init__", "")
    return source


def write(source: Path, module: str, text: str) -> None:
    """Put a module into the tree."""
    path = source.joinpath(*module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")
