"""The verbs of `overture pools`, `overture queues` and `--pace`, without a server running."""

import json
from pathlib import Path

import pytest

from tests.cli.commands import overture

SETTINGS = """
[[accounts]]
sid = "AC00000000000000000000000000000001"
auth_tokens = ["a token"]
"""
SENDER = "sms:+15551230077"


def test_a_pace_is_set_shared_and_seen(tmp_path: Path) -> None:
    (tmp_path / "overture.toml").write_text(SETTINGS)
    account = "AC00000000000000000000000000000001"
    added = overture(tmp_path, "senders", "add", SENDER, "--account", account, "--pace", "0.5", "--json")
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["pace_per_second"] == 0.5
    made = overture(tmp_path, "pools", "set", "spring", "--kind", "brand", "--pace", "4.5", SENDER)
    assert (made.returncode, made.stdout.splitlines()) == (
        0,
        ["The pool spring (brand) lets 4.5 a second leave, of 1 sender together."],
    )
    assert SENDER in overture(tmp_path, "pools", "list").stdout
    shown = overture(tmp_path, "queues").stdout
    assert SENDER in shown
    assert "0.5/s" in shown
    assert overture(tmp_path, "pools", "remove", "spring").returncode == 0
    assert overture(tmp_path, "pools", "list").stdout.startswith("There are no pools.")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("set", "spring", "--pace", "nan"), "no number from 0.001 to 10000"),
        (("set", "spring", "--pace", "-1"), "no number from 0.001 to 10000"),
        (("set", "spring", "--pace", "1", "--kind", "crowd"), "Kinds are messaging_service"),
    ],
)
def test_what_is_no_pool_is_told(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    run = overture(tmp_path, "pools", *arguments)
    assert run.returncode == 2
    assert said in run.stderr
