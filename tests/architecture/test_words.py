"""What is not written here: unfinished work, names that name nothing, patches of our own code, one's own machine."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture import tree

THIS = Path(__file__)

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
NAMELESS = re.compile(r"(^|_)(utils?|helpers?|common|managers?|services?|misc)(_|$)")  # a word for "everything fits in"
OWN_MACHINE = re.compile(r"(?<![\w.:/-])/(home|root|work|Users)/\w")
REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|npmjs\.(org|com)|yarnpkg\.com|proxy\.golang\.org|--(extra-)?index-url[ =]"
)


@pytest.mark.parametrize(
    ("what", "pattern"),
    [("unfinished work", UNFINISHED), ("a path of one machine", OWN_MACHINE), ("a package registry", REGISTRY)],
)
def test_no_file_speaks_of(what: str, pattern: re.Pattern[str]) -> None:
    found = [
        f"{tree.name(path)}:{number} {line.strip()[:100]}"
        for path in tree.text_files()
        if path != THIS
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, what


def test_no_module_has_a_name_that_names_nothing() -> None:
    folders = {path.parent for path in tree.python_files("src", "tests")}
    named = [*tree.python_files("src", "tests"), *folders]
    assert not [tree.name(path) for path in named if NAMELESS.search(path.stem)]


def test_tests_fake_the_wire_and_never_patch_the_code() -> None:
    patching = re.compile(r"unittest\.mock|from unittest import mock|monkeypatch\.set(attr|item)|mocker\.|@patch\b")
    found = [
        f"{tree.name(path)}:{number}"
        for path in tree.python_files("tests")
        if path != THIS
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if patching.search(line)
    ]
    assert not found


def test_imports_are_absolute() -> None:
    relative = [
        f"{tree.name(path)}:{node.lineno}"
        for path in tree.python_files("src", "tests", "benchmarks")
        for node in ast.walk(tree.parsed(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative


def test_lock_files_hold_hashes_and_no_addresses() -> None:
    locks = [*(tree.ROOT / "requirements").glob("*.lock"), *(tree.ROOT / "requirements").rglob("package-lock.json")]
    assert len(locks) >= 3
    for lock in locks:
        text = lock.read_text()
        assert "sha256:" in text or "sha512-" in text, lock
        assert "://" not in text, lock
        assert '"resolved"' not in text, lock
