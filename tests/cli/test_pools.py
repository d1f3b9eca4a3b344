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
    limit = ("--recipients-a-day", "250")
    made = overture(tmp_path, "pools", "set", "spring", "--kind", "brand", "--pace", "4.5", *limit, SENDER)
    assert (made.returncode, made.stdout.splitlines()) == (
        0,
        [
            "The pool spring (brand) lets 4.5 a second leave, of 1 sender together.",
            "The pool spring (brand) lets 1 sender write first to 250 people in 24 hours; 0 count now.",
        ],
    )
    listed = overture(tmp_path, "pools", "list").stdout
    assert SENDER in listed
    assert "0 of 250" in listed
    shown = overture(tmp_path, "queues").stdout
    assert SENDER in shown
    assert "0.5/s" in shown
    assert "0 of 250" in shown
    assert overture(tmp_path, "pools", "remove", "spring").returncode == 0
    assert overture(tmp_path, "pools", "list").stdout.startswith("There are no pools.")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("set", "spring", "--pace", "nan"), "no number from 0.001 to 10000"),
        (("set", "spring", "--pace", "-1"), "no number from 0.001 to 10000"),
        (("set", "spring"), "a limit of recipients, or both"),
        (("set", "spring", "--recipients-a-day", "0"), "no whole number from 1 to"),
        (("set", "spring", "--recipients-a-day", "2.5"), "no whole number from 1 to"),
        (("set", "spring", "--pace", "1", "--kind", "crowd"), "Kinds are messaging_service"),
    ],
)
def test_what_is_no_pool_is_told(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    run = overture(tmp_path, "pools", *arguments)
    assert run.returncode == 2
    assert said in run.stderr
