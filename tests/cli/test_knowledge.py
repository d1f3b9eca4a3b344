"""The verbs of `overture knowledge`, without a server running."""

import json
from pathlib import Path

from tests.agents.faq import ENGLISH
from tests.cli.commands import overture


def test_a_file_is_brought_listed_shown_asked_and_removed(tmp_path: Path) -> None:
    (tmp_path / "faq.md").write_text(ENGLISH)
    put = overture(tmp_path, "knowledge", "put", "faq", "faq.md")
    assert (put.returncode, put.stdout) == (0, f"faq, version 1: {len(ENGLISH):,} characters in 9 passages.\n")
    assert "It was so already." in overture(tmp_path, "knowledge", "put", "faq", "faq.md").stdout
    assert "faq" in overture(tmp_path, "knowledge", "list").stdout
    assert overture(tmp_path, "knowledge", "show", "faq").stdout == ENGLISH
    found = overture(tmp_path, "knowledge", "search", "faq", "where", "can", "i", "park").stdout
    assert found.startswith("4. Harbour Street Salon > Parking\nThere is a car park")
    assert json.loads(overture(tmp_path, "knowledge", "search", "faq", "park", "--json").stdout)["version"] == 1
    assert overture(tmp_path, "knowledge", "search", "faq", "chromodynamics").stdout.startswith("Nothing in it says")
    assert overture(tmp_path, "knowledge", "remove", "faq").returncode == 0
    assert overture(tmp_path, "knowledge", "list").stdout.startswith("There is no knowledge.")
    gone = overture(tmp_path, "knowledge", "show", "faq")
    assert gone.returncode == 1
    assert "no knowledge base 'faq'" in gone.stderr


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "long.txt").write_bytes(b"x" * (2 * 1024 * 1024 + 1))
    for file, said in (("latin.txt", "not UTF-8"), ("long.txt", "longer than 2 MiB"), ("none.txt", "cannot be read")):
        run = overture(tmp_path, "knowledge", "put", "faq", file)
        assert run.returncode != 0
        assert said in run.stderr
