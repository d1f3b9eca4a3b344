"""What everybody sees first: help at once, a version, and sentences where something was mistyped."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import environment, overture

HEAVY = ("aiohttp", "apsw", "asyncpg", "openai", "phonenumbers", "pydantic_ai", "starlette", "uvicorn", "pydantic")
IMPORTED = f"""
import sys
from overture.cli.main import main
sys.argv = ["overture", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print("imported:", [name for name in {HEAVY!r} if name in sys.modules])
"""


@pytest.mark.parametrize(
    ("arguments", "imported"),
    [
        (["--help"], []),
        ([], []),
        (["serve", "--help"], ["pydantic"]),  # typer reads the options of a single command with it
        (["demo", "--help"], ["pydantic"]),
    ],
)
def test_help_waits_for_no_server_to_be_imported(arguments: list[str], imported: list[str]) -> None:
    command = [sys.executable, "-c", IMPORTED, *arguments]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    assert "Usage: overture" in run.stdout
    assert run.stdout.rstrip().endswith(f"imported: {imported}")


def test_the_version_is_told(tmp_path: Path) -> None:
    assert overture(tmp_path, "version").stdout.startswith("overture 0.")


@pytest.mark.parametrize(
    ("arguments", "settings", "status", "told"),
    [
        (["sevre"], {}, 2, "No such command 'sevre'"),
        (["serve", "--port", "many"], {}, 2, "--port: 'many' is no port"),
        (["serve", "--port", "70000"], {}, 2, "--port: '70000' is no port"),
        (["serve", "--role", "worker"], {}, 2, "needs PostgreSQL"),
        (["serve", "--role", "boss"], {}, 2, "--role: 'boss' is none of all, api, worker."),
        (["serve", "--config", "no.toml"], {}, 2, "no.toml, and there is no such file"),
        (["serve"], {"OVERTURE_SENDERS": "+1555"}, 2, "OVERTURE_TWILIO_ACCOUNT_SID"),
        (["serve"], {"OVERTURE_SENDERS": "15551234567"}, 2, "write it with + and country code"),
        (["serve"], {"OVERTURE_DATABASE_URL": "mysql://x"}, 2, "a database is sqlite:///PATH"),
        (["serve", "--data", "d" * 200], {}, 1, "give a shorter data folder"),
        (["keys", "list"], {"OVERTURE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, 1, "database"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(
    tmp_path: Path, arguments: list[str], settings: dict[str, str], status: int, told: str
) -> None:
    run = overture(tmp_path, *arguments, **settings)
    assert (run.returncode, told in run.stderr) == (status, True), run.stderr
    assert "Traceback" not in run.stderr
