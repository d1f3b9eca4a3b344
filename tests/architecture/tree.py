"""The repository's files, as the architecture tests see them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

_ROOMS: Final = ("src", "tests", "docs", "benchmarks", "requirements", ".ci")
_TEXTS: Final = {
    ".py",
    ".md",
    ".sql",
    ".toml",
    ".lock",
    ".json",
    ".yaml",
    ".yml",
    ".html",
    ".css",
    ".js",
    ".txt",
    ".sh",
    "",
}


def python_files(*rooms: str) -> Iterator[Path]:
    """Every Python file under these folders of the repository, in order."""
    for room in rooms:
        yield from sorted((ROOT / room).rglob("*.py"))


def text_files() -> Iterator[Path]:
    """Every file that people write: the code, the tests, the documents, the project's own files at the top."""
    yield from sorted(path for path in ROOT.iterdir() if path.is_file() and path.suffix in _TEXTS)
    for room in _ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            if path.is_file() and path.suffix in _TEXTS and "__pycache__" not in path.parts:
                yield path


def name(path: Path) -> str:
    """The path as it stands in the repository."""
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    """The module's syntax."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
