"""Backups over the API: for the operator at the machine alone."""

import pytest

from tests.web.conftest import World


async def test_a_key_makes_no_backup_whatever_it_may(world: World) -> None:
    reply = await world.client.post("/overture/v1/backups", {"path": "/tmp/stolen"})
    assert (reply.status, reply.json["code"]) == (403, "operator_only")
    assert "overture backup" in reply.json["hint"]


@pytest.mark.parametrize("body", [{}, {"path": ""}, {"path": 7}, {"path": "relative"}, {"path": "/" + "x" * 5000}])
async def test_a_path_that_is_none_is_refused(world: World, body: dict[str, object]) -> None:
    reply = await world.operator.post("/overture/v1/backups", body)
    assert (reply.status, reply.json["field"]) == (400, "path")


async def test_a_backup_that_nobody_began_is_unknown(world: World) -> None:
    for method in ("GET", "DELETE"):
        reply = await world.operator.call(method, "/overture/v1/backups/one")
        assert (reply.status, reply.json["code"]) == (404, "backup_unknown")


async def test_a_server_on_postgresql_says_how_it_is_backed_up(world: World) -> None:
    reply = await world.operator.post("/overture/v1/backups", {"path": "/tmp/backup"})
    assert (reply.status, reply.json["code"]) == (400, "backup_elsewhere")  # these parts are given no file
