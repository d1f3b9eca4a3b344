"""`overture backup`, `verify` and `restore`, as a person uses them."""

import json
import sqlite3
import stat
from pathlib import Path

import pytest

from tests.cli.commands import overture, running
from tests.store.restoring import bin_folder


def with_a_key(folder: Path, **settings: str) -> None:
    """A database with something in it."""
    assert overture(folder, "keys", "create", "shop", **settings).returncode == 0


def facts(folder: Path, *arguments: str, **settings: str) -> dict[str, object]:
    """What a command tells programs."""
    told = overture(folder, *arguments, "--json", **settings)
    assert told.returncode == 0, told.stderr
    found: dict[str, object] = json.loads(told.stdout)
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Settings that name a database of their own, on each engine."""
    if request.param == "sqlite":
        return {"OVERTURE_PG_BIN": str(bin_folder())}
    return {
        "OVERTURE_DATABASE_URL": request.getfixturevalue("postgresql_url"),
        "OVERTURE_PG_BIN": str(bin_folder()),
        "OVERTURE_DATA": str(tmp_path / "data"),
    }


@pytest.mark.promise("P20")
def test_a_database_is_backed_up_verified_and_restored(tmp_path: Path, settings: dict[str, str]) -> None:
    with_a_key(tmp_path, **settings)
    made = overture(tmp_path, "backup", "a.backup", **settings)
    assert made.returncode == 0, made.stderr
    assert "sound." in made.stdout
    assert stat.S_IMODE((tmp_path / "a.backup").stat().st_mode) == 0o600
    verified = facts(tmp_path, "verify", "a.backup", **settings)
    assert (verified["rows"] or {})["api_key"] == 1  # type: ignore[index]
    with_a_key(tmp_path, **settings)
    refused = overture(tmp_path, "restore", "a.backup", **settings)
    assert refused.returncode == 1
    assert "--force" in refused.stderr
    restored = facts(tmp_path, "restore", "a.backup", "--force", **settings)
    assert (restored["unsettled"], restored["senders"]) == (0, 0)
    assert "before" in str(restored["aside"])
    assert len(json.loads(overture(tmp_path, "keys", "list", "--json", **settings).stdout)) == 1


@pytest.mark.promise("P20")
def test_a_running_server_is_backed_up_and_not_restored_over(tmp_path: Path, settings: dict[str, str]) -> None:
    with_a_key(tmp_path, **settings)
    with running(tmp_path, "serve", "--port", "0", **settings) as server:
        server.until("listens on")
        found = facts(tmp_path, "backup", "b.backup", **settings)
        assert (found["path"], found["unsettled"]) == (str(tmp_path / "b.backup"), 0)
        refused = overture(tmp_path, "restore", "b.backup", "--force", **settings)
        assert refused.returncode == 1
        assert "A server runs" in refused.stderr
        again = overture(tmp_path, "backup", "b.backup", **settings)
        assert again.returncode == 1
        assert "is there already" in again.stderr
        assert overture(tmp_path, "backup", "b.backup", "--force", **settings).returncode == 0
        assert server.process.poll() is None
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == ["b.backup"]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["backup", "b.backup"], 1, "There is no database"),
        (["verify", "nothing"], 1, "There is no file"),
        (["verify", "."], 2, "It is a folder"),
        (["verify", "empty"], 2, "It is empty"),
        (["verify", "text"], 2, "begins like neither SQLite nor PostgreSQL"),
        (["verify", "other.db"], 2, "not Overture's"),
        (["restore", "text"], 2, "begins like neither"),
        (["restore", "dump"], 1, "is a backup of PostgreSQL, and the settings name SQLite"),
        (["restore", "other.db"], 2, "not Overture's"),
        (["restore"], 2, "Missing argument"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(
    tmp_path: Path, arguments: list[str], status: int, told: str
) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("Dear diary")
    (tmp_path / "dump").write_bytes(b"PGDMP and no more")
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE diary (day text)")
    other.close()
    ran = overture(tmp_path, *arguments)
    assert ran.returncode == status, ran.stderr
    assert told in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "data" / "overture.db").exists()


def test_the_database_itself_is_no_backup_of_itself(tmp_path: Path) -> None:
    with_a_key(tmp_path)
    refused = overture(tmp_path, "restore", "data/overture.db", "--force")
    assert refused.returncode == 1
    assert "is the database itself" in refused.stderr


def test_without_the_programs_of_postgresql_it_is_said_how_to_get_them(tmp_path: Path, postgresql_url: str) -> None:
    settings = {"OVERTURE_DATABASE_URL": postgresql_url, "OVERTURE_DATA": str(tmp_path)}
    refused = overture(tmp_path, "backup", "c.backup", "--pg-bin", str(tmp_path), **settings)
    assert refused.returncode == 1
    assert "pg_dump is not in" in refused.stderr
    assert "--pg-bin" in refused.stderr
