"""The commands of the Makefile, and the rule that a skipped test is named, or fails where nothing may be skipped."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

SKIPPING = """
import pytest

def test_page():
    pytest.skip("no browser")

@pytest.mark.skipif(True, reason="no wrk")
def test_rate(): ...

@pytest.mark.xfail(reason="known")
def test_known():
    raise AssertionError

def test_rest(): ...
"""
SKIPPING_ALTOGETHER = "import pytest; pytest.skip('no node', allow_module_level=True)"


def run_tests(folder: Path, tests: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The suite's own rules, applied to other tests."""
    (folder / "test_some.py").write_text(tests)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "REQUIRE_ALL"))}
    options = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-rfEs", "-c", os.devnull, "--rootdir", str(folder)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        env={**inherited, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_was_skipped_is_named_with_its_reason(tmp_path: Path) -> None:
    run = run_tests(tmp_path, SKIPPING)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed, 2 skipped, 1 xfailed" in run.stdout
    assert "no browser" in run.stdout
    assert "no wrk" in run.stdout


def test_where_everything_is_required_a_skip_is_a_failure(tmp_path: Path) -> None:
    run = run_tests(tmp_path, SKIPPING, REQUIRE_ALL="1")
    assert run.returncode == 1
    assert "1 failed, 1 passed, 1 xfailed, 1 error" in run.stdout
    assert "test_page - did not run, though REQUIRE_ALL is set: no browser" in run.stdout
    assert "test_rate - did not run, though REQUIRE_ALL is set: no wrk" in run.stdout


def test_where_everything_is_required_a_file_that_skips_itself_fails_too(tmp_path: Path) -> None:
    run = run_tests(tmp_path, SKIPPING_ALTOGETHER, REQUIRE_ALL="1")
    assert run.returncode != 0
    assert "did not run, though REQUIRE_ALL is set: no node" in run.stdout


@pytest.mark.parametrize(
    ("given", "handed_over"),
    [
        ([], "demo"),
        (["PORT=9000"], "demo --port 9000"),
        (["ONCE=1", "HANDSET_PORT=9001"], "demo --handset-port 9001 --once"),
        (["API_KEY=a b$$c", "DATA=/tmp/a folder"], "demo --api-key a b$c --data /tmp/a folder"),
    ],
)
def test_make_demo_hands_over_what_was_given_and_nothing_else(
    given: list[str], handed_over: str, tmp_path: Path
) -> None:
    overture = tmp_path / "overture"
    overture.write_text('#!/bin/sh\necho "$@"\n')
    overture.chmod(0o755)
    inherited = {"PATH": os.environ["PATH"]}
    command = ["make", "-s", "-o", ".venv/run.stamp", "demo", f"BIN={tmp_path}", *given]
    made = subprocess.run(command, cwd=ROOT, env=inherited, capture_output=True, text=True, check=True)
    assert made.stdout.strip() == handed_over


def test_make_help_names_every_target() -> None:
    made = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    named = {line.split()[1] for line in made.stdout.splitlines()}
    marked = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert marked is not None
    assert named == set(marked[1].split()) >= {"help", "demo", "dev", "test", "promises", "property", "check"}
