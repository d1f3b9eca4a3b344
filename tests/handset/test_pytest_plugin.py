"""The plugin for pytest, as another project meets it: in a folder of its own, found by its entry point."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLAIN = {**os.environ, "PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": ""}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with an empty configuration, and the entry point as an installed package has it."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q -rf --strict-markers -p no:cacheprovider\n")
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    installed = tmp_path / "installed" / "probe-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n")
    lines = [f"{name} = {target}" for name, target in points.items()]
    (installed / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]))
    return tmp_path


def play(project: Path, text: str | None = None, *, name: str = "test_it.py") -> str:
    """What pytest says to these tests."""
    if text is not None:
        (project / name).write_text(text)
    paths = os.pathsep.join([str(project / "installed"), str(ROOT / "src")])
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:asyncio", str(project)],
        cwd=project,
        env={**PLAIN, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return run.stdout + run.stderr


def test_the_example_of_the_documents_passes_as_it_stands(project: Path) -> None:
    document = (ROOT / "docs" / "handset.md").read_text()
    [example] = [code for code in re.findall(r"```python\n(.*?)```", document, re.DOTALL) if "test_greeting.py" in code]
    assert "3 passed" in play(project, example, name="test_greeting.py")


def test_without_a_test_that_asks_for_it_nothing_of_handset_is_imported(project: Path) -> None:
    told = play(
        project,
        """
import sys

def test_it():
    loaded = {name for name in sys.modules if name.partition(".")[0] in ("handset", "aiohttp", "starlette", "uvicorn")}
    assert loaded == {"handset", "handset.pytest_plugin"}
""",
    )
    assert "1 passed" in told, told


def test_what_does_not_arrive_is_told_with_what_did(project: Path) -> None:
    told = play(
        project,
        """
import pytest

@pytest.fixture
def ada(phone):
    return phone("+15550100001")

def test_expects(handset, ada):
    handset.posts(To=ada.address, From="+15551234567", Body="Good evening")
    ada.expects("evening")
    ada.expects("morning", within=0.1)

def test_once(handset, ada):
    handset.posts(To=ada.address, From="+15551234567", Body="Good evening")
    assert ada.expects("evening")["body"] == "Good evening"
    ada.expects("evening", within=0.1)

def test_nothing(handset, ada):
    handset.posts(To=ada.address, From="+15551234567", Body="Surprise")
    ada.expects_nothing(within=5)

@pytest.mark.handset(numbers=[{"address": "whatsapp:+15551234567"}])
def test_channel(ada):
    ada.types("hello")
""",
    )
    assert "4 failed" in told
    assert "+15550100001 got nothing with 'morning' within 0.1 s. It got: ['Good evening']" in told
    assert "got nothing with 'evening' within 0.1 s" in told
    assert "+15550100001 expected nothing and got 'Surprise'" in told
    assert "no sender of +15550100001's channel is among the numbers: ['whatsapp:+15551234567']" in told


def test_it_is_configured_by_a_file_and_by_markers(project: Path) -> None:
    (project / "pytest.ini").write_text("[pytest]\naddopts = -q --strict-markers\nhandset_config = handset.json\n")
    (project / "handset.json").write_text('{"seed": 7, "delays": {"sent": 0.01, "delivered": null}}')
    told = play(
        project,
        """
import pytest

pytestmark = pytest.mark.handset(seed=8)

def test_file(handset):
    assert (handset.config.seed, handset.config.delays.delivered) == (8, None)

@pytest.mark.handset(seed=9, clock={"at": "2031-05-03T12:00:00Z", "rate": 0})
def test_marker(handset):
    assert handset.config.seed == 9
    assert handset.clock()["now"] == "2031-05-03T12:00:00Z"

@pytest.mark.handset(faults=[{"kind": "refused", "code": 21610, "next": 1}])
def test_faults(handset, faults):
    form = {"To": "+15550100001", "From": "+15551234567", "Body": "x"}
    assert handset.posts(**form)["code"] == 21610
    faults("429", next=1)
    assert handset.posts(**form)["code"] == 20429
    assert handset.posts(**form)["status"] == "queued"
    faults("refused:21611")
    faults.lift()
    assert [act["kind"] for act in faults.acts] == ["refused", "429"]

@pytest.mark.handset(nubmers=[])
def test_wrong(handset):
    pass
""",
    )
    assert "3 passed" in told, told
    assert "1 error" in told
    assert "nubmers" in told
