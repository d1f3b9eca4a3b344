"""The verbs of `overture accounts`, `overture senders` and `overture secrets`, with a server running and without."""

import json
import subprocess
import sys
from pathlib import Path

from tests.cli.commands import SECONDS, environment, overture, running

SID = "AC" + "7" * 32
KEY_SID = "SK" + "89abcdef" * 4
TOKEN = "an auth token nobody may see"
OLD, NEW = "11" * 32, "22" * 32


def piped(folder: Path, text: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command that reads a secret from standard input."""
    return subprocess.run(
        [sys.executable, "-m", "overture.cli", *arguments],
        cwd=folder,
        env=environment(**settings),
        input=text,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_accounts_and_senders_are_set_up_without_a_server(tmp_path: Path) -> None:
    added = piped(tmp_path, TOKEN + "\n", "accounts", "add", SID, "--name", "Salon", "--region", "ie1")
    assert added.returncode == 0, added.stderr
    assert "https://api.dublin.ie1.twilio.com" in added.stdout
    key = tmp_path / "data" / "secrets.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert TOKEN.encode() not in (tmp_path / "data" / "overture.db").read_bytes()
    sender = overture(tmp_path, "senders", "add", "sms:+15551230077", "--keywords", "ours")
    assert sender.returncode == 0, sender.stderr
    (shown,) = json.loads(overture(tmp_path, "senders", "list", "--json").stdout)
    assert (shown["account_sid"], shown["address"], shown["keyword_handling"]) == (SID, "+15551230077", "ours")
    kept = overture(tmp_path, "accounts", "remove", SID)
    assert (kept.returncode, "has senders in use" in kept.stderr) == (1, True)
    assert overture(tmp_path, "senders", "remove", "sms:+15551230077").returncode == 0
    assert overture(tmp_path, "accounts", "remove", SID).returncode == 0
    assert overture(tmp_path, "accounts", "list").stdout.startswith("There are no accounts.")


def test_a_token_is_rotated_and_secrets_sealed_anew_while_the_server_runs(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "key").write_text(OLD)
    with running(tmp_path, "serve", "--port", "0", OVERTURE_SECRETS_KEY_FILE="key") as server:
        server.until("listens on")
        said: list[dict[str, object]] = []
        for options in (["add", SID, "--api-key", KEY_SID, "--api-key-secret-file", "token"], ["update", SID]):
            options += ["--auth-token-file", "token", *(["--keep-old-token"] if options[0] == "update" else [])]
            run = overture(tmp_path, "accounts", *options, "--json")
            assert run.returncode == 0, run.stderr
            said.append(json.loads(run.stdout))
        assert [(one["auth_tokens"], one["api_key_ends_with"]) for one in said] == [(1, "cdef"), (2, "cdef")]
        (tmp_path / "key").write_text(f"{NEW}\n{OLD}\n")
        rotated = overture(tmp_path, "secrets", "rotate", "--json")
        assert json.loads(rotated.stdout) == {"resealed": 4, "current": 0}, rotated.stderr
        (tmp_path / "key").write_text(NEW)
        assert json.loads(overture(tmp_path, "accounts", "show", SID, "--json").stdout)["problem"] is None
        assert "account_unreadable" not in server.said
        assert TOKEN not in server.said
    lost = overture(tmp_path, "accounts", "list", OVERTURE_SECRETS_KEY=OLD)
    assert "that key is not there" in lost.stdout


def test_what_cannot_be_done_is_told(tmp_path: Path) -> None:
    for run, told in (
        (piped(tmp_path, "", "accounts", "add", SID), "is empty"),
        (piped(tmp_path, TOKEN, "accounts", "add", SID, "--api-key", KEY_SID), "only one secret"),
        (overture(tmp_path, "accounts", "update", SID, "--keep-old-token"), "goes with a new token"),
        (overture(tmp_path, "senders", "add", "+15551230077"), "names no sender"),
    ):
        assert run.returncode == 2, run
        assert told in run.stderr
        assert TOKEN not in run.stderr
