"""The verbs of `overture keys`, with a server running on the data folder and without."""

import json
from pathlib import Path

import aiohttp
import pytest

from tests.cli.commands import KEY, overture, running


def test_a_key_is_made_listed_and_revoked_without_a_server(tmp_path: Path) -> None:
    made = overture(tmp_path, "keys", "create", "shop", "--scope", "send", "--scope", "read", "--days", "30")
    assert made.returncode == 0, made.stderr
    assert KEY.fullmatch(made.stdout.strip())
    assert "may read, send until" in made.stderr
    kid = made.stdout[9:19]
    (listed,) = json.loads(overture(tmp_path, "keys", "list", "--json").stdout)
    assert (listed["kid"], listed["name"], listed["revoked_at"]) == (kid, "shop", None)
    assert made.stdout.strip() not in overture(tmp_path, "keys", "list").stdout
    assert overture(tmp_path, "keys", "revoke", kid).returncode == 0
    assert f"{kid}  shop  read, send  " in (table := overture(tmp_path, "keys", "list").stdout)
    assert "revoked" in table


async def test_a_running_server_takes_a_key_at_once_and_refuses_it_once_revoked(tmp_path: Path) -> None:
    with running(tmp_path, "serve", "--port", "0") as server:
        url = server.until(r"listens on (http://\S+);")[1]
        assert (tmp_path / "data" / "overture.sock").stat().st_mode & 0o777 == 0o600
        key = overture(tmp_path, "keys", "create", "shop").stdout.strip()
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
            async with http.get(f"{url}/v2/chat") as answer:
                assert answer.status == 200
            assert overture(tmp_path, "keys", "revoke", key[9:19]).returncode == 0
            async with http.get(f"{url}/v2/chat") as answer:
                assert answer.status == 401
        assert server.interrupt() == 0
    assert not (tmp_path / "data" / "overture.sock").exists()


def test_a_socket_that_a_dead_server_left_is_no_server(tmp_path: Path) -> None:
    with running(tmp_path, "serve", "--port", "0") as server:
        server.until("listens on")
        server.process.kill()
        server.ends()
    assert (tmp_path / "data" / "overture.sock").exists()
    assert overture(tmp_path, "keys", "list").stdout == "There are no keys. `overture keys create NAME` makes one.\n"


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["create", "shop", "--scope", "everything"], 2, "'everything' is no scope."),
        (["create", ""], 2, "name"),
        (["create", "shop", "--days", "0"], 2, "--days: '0' is no whole number from 1 to 3650."),
        (["revoke", "unknown"], 1, "There is no key unknown."),
    ],
)
def test_what_cannot_be_done_is_told(tmp_path: Path, arguments: list[str], status: int, told: str) -> None:
    run = overture(tmp_path, "keys", *arguments)
    assert (run.returncode, told in run.stderr) == (status, True), run.stderr


def test_one_data_folder_serves_one_server(tmp_path: Path) -> None:
    with running(tmp_path, "serve", "--port", "0") as server:
        server.until("listens on")
        second = overture(tmp_path, "serve", "--port", "0")
        assert second.returncode == 1
        assert "Traceback" not in second.stderr
        assert "another" in second.stderr
