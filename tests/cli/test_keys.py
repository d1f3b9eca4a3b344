"""The verbs of `overture keys`, with a server running on the data folder and without."""

import json
import re
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


def test_a_key_is_revoked_by_its_name_where_no_other_has_it(tmp_path: Path) -> None:
    kids = [overture(tmp_path, "keys", "create", name).stdout[9:19] for name in ("shop", "shop", "till")]
    by_name = overture(tmp_path, "keys", "revoke", "till")
    assert by_name.stdout.startswith(f"The key {kids[2]} (till) is revoked."), by_name.stderr
    several = overture(tmp_path, "keys", "revoke", "shop")
    assert several.returncode == 1
    assert re.search("2 keys are called shop: .*Give the id of one", several.stderr, re.DOTALL)
    assert kids[0] in several.stderr
    assert kids[1] in several.stderr
    assert overture(tmp_path, "keys", "revoke", kids[0]).returncode == 0
    assert f"The key {kids[1]} (shop)" in overture(tmp_path, "keys", "revoke", "shop").stdout  # the one still in use
    unknown = overture(tmp_path, "keys", "revoke", "nobody")
    assert (unknown.returncode, unknown.stderr) == (
        1,
        "overture: There is no key nobody.\n`overture keys list` shows them.\n",
    )


@pytest.mark.parametrize("arguments", [["keys", "list"], ["keys", "revoke", "shop"], ["agents", "list"]])
def test_looking_into_a_data_folder_that_is_not_there_makes_none(tmp_path: Path, arguments: list[str]) -> None:
    run = overture(tmp_path, *arguments, "--data", "missing")
    assert run.returncode == 1
    assert f"There is no data folder {tmp_path / 'missing'}." in run.stderr
    assert list(tmp_path.iterdir()) == []


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
        assert "Started server process" not in server.said  # there are two doors, and each would tell
        assert "Shutting down" not in server.said
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
