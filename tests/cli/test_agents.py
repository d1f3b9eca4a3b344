"""The verbs of `overture agents`."""

import json
import re
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.cli.commands import overture

SOUND = "kind: flow\nname: Salon\nnodes:\n  start:\n    say: Hello!\n    end: completed\n"
BROKEN = "kind: flow\nname: Salon\nnodes:\n  start:\n    say: Hello!\n    goto: nowhere\n"
WORDY = "kind: prompt\nname: Guide\ninstructions: Help guests.\n"


def file(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_every_shipped_agent_is_good(tmp_path: Path) -> None:
    shipped = [path for path in (ROOT / "agents").glob("*.yaml") if not path.name.endswith(".test.yaml")]
    run = overture(tmp_path, "agents", "lint", *sorted(shipped))
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("good") == len(shipped)


def test_an_agent_is_kept_and_what_is_kept_already_makes_no_new_version(tmp_path: Path) -> None:
    booking = ROOT / "agents" / "booking.yaml"
    first, again = overture(tmp_path, "agents", "apply", booking), overture(tmp_path, "agents", "apply", booking)
    assert first.stdout == again.stdout == "Booking, version 1: 2a886b7d-d52d-4f8b-8ea0-19d3edc79214\n"
    (listed,) = json.loads(overture(tmp_path, "agents", "list", "--json").stdout)
    assert (listed["name"], listed["kind"], listed["version"]) == ("Booking", "flow", 1)
    assert "Booking  flow  1" in overture(tmp_path, "agents", "list").stdout


def test_nothing_is_kept_where_one_of_the_files_is_wrong(tmp_path: Path) -> None:
    run = overture(tmp_path, "agents", "apply", file(tmp_path, "a.yaml", SOUND), file(tmp_path, "b.yaml", BROKEN))
    assert run.returncode == 1
    assert "b.yaml has errors; nothing was kept." in run.stderr
    assert not (tmp_path / "data").exists()
    (tmp_path / "data").mkdir()
    assert overture(tmp_path, "agents", "list").stdout.startswith("There are no agents.")


def test_a_file_without_an_id_is_the_one_agent_of_its_name(tmp_path: Path) -> None:
    salon = file(tmp_path, "salon.yaml", SOUND)
    first = overture(tmp_path, "agents", "apply", salon)
    (an_id,) = re.findall(r"Salon, version 1: (\S+)\n", first.stdout)
    assert f"Put `id: {an_id}` into {salon}" in first.stdout
    file(tmp_path, "salon.yaml", SOUND.replace("Hello!", "Good morning!"))
    assert f"Salon, version 2: {an_id}\n" in overture(tmp_path, "agents", "apply", salon).stdout
    named = file(tmp_path, "named.yaml", f"id: {an_id}\n{SOUND}")
    assert "Put `id" not in overture(tmp_path, "agents", "apply", named).stdout
    file(tmp_path, "named.yaml", f"id: other\n{SOUND}")
    assert overture(tmp_path, "agents", "apply", named).stdout == "Salon, version 1: other\n"
    assert "Salon, version 1: " in overture(tmp_path, "agents", "apply", salon).stdout  # which of two nobody can say
    assert len(json.loads(overture(tmp_path, "agents", "list", "--json").stdout)) == 3


def test_two_files_of_one_name_need_ids(tmp_path: Path) -> None:
    run = overture(tmp_path, "agents", "apply", file(tmp_path, "a.yaml", SOUND), file(tmp_path, "b.yaml", SOUND))
    assert run.returncode == 1
    assert "both hold 'Salon' without an id; nothing was kept." in run.stderr


def test_the_linter_says_what_is_wrong_with_each_file(tmp_path: Path) -> None:
    texts = {
        "sound.yaml": (SOUND, "good     sound.yaml: Salon"),
        "broken.yaml": (BROKEN, "error    broken.yaml, nodes.start.goto"),
        "wordy.yaml": (WORDY, "warning  wordy.yaml, "),
        "torn.yaml": ("kind: flow\nname: [", "error    torn.yaml: line 2"),
        "list.yaml": ("- a list", "error    list.yaml: it holds no fields"),
        "empty.yaml": ("", "error    empty.yaml: it holds no fields"),
    }
    files = [file(tmp_path, name, text).relative_to(tmp_path) for name, (text, _) in texts.items()]
    run = overture(tmp_path, "agents", "lint", *files)
    assert [told for _, told in texts.values() if told not in run.stdout] == [], run.stdout
    assert (run.returncode, run.stderr) == (1, "overture: 4 errors in 6 files.\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [(b"\xff\xfe\x00", "is not UTF-8 text"), (b"x" * 1_000_000, "is too large for an agent")],
)
def test_what_can_be_no_agent_is_refused(tmp_path: Path, text: bytes, told: str) -> None:
    run = overture(tmp_path, "agents", "lint", file(tmp_path, "agent.yaml", text))
    assert (run.returncode, told in run.stderr, "Traceback" in run.stderr) == (2, True, False), run.stderr


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for verb in ("lint", "apply"):
        run = overture(tmp_path, "agents", verb, "missing.yaml")
        assert (run.returncode, run.stderr) == (
            2,
            "overture: missing.yaml cannot be read: No such file or directory.\n",
        )


def test_a_flow_is_drawn_into_a_file_or_to_the_output(tmp_path: Path) -> None:
    salon = file(tmp_path, "salon.yaml", SOUND)
    drawn = overture(tmp_path, "agents", "draw", salon).stdout
    assert drawn.startswith("<svg ")
    told = overture(tmp_path, "agents", "draw", salon, "--out", tmp_path / "salon.svg")
    assert told.stdout == f"{tmp_path / 'salon.svg'}: Salon, 1 nodes.\n"
    assert (tmp_path / "salon.svg").read_text() == drawn


def test_what_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    wordy = overture(tmp_path, "agents", "draw", file(tmp_path, "guide.yaml", WORDY))
    assert (wordy.returncode, "holds no flow" in wordy.stderr) == (2, True)
    nowhere = overture(tmp_path, "agents", "draw", file(tmp_path, "a.yaml", SOUND), "--out", tmp_path / "no" / "a.svg")
    assert (nowhere.returncode, "cannot be written: No such file" in nowhere.stderr) == (1, True)


def test_a_pipe_gets_whole_values(tmp_path: Path) -> None:
    name = "Salon " * 30
    overture(tmp_path, "agents", "apply", file(tmp_path, "long.yaml", SOUND.replace("name: Salon", f"name: {name}")))
    assert name.strip() in overture(tmp_path, "agents", "list", COLUMNS="").stdout
