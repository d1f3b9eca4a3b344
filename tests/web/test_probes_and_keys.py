"""Whether the server is well, what it counts, and its keys over HTTP."""

from datetime import timedelta

import pytest

from overture.actions.manage_keys import create_key
from overture.domain.access import Scope
from tests.web.conftest import AGENT, SMS_SENDER, WORKSPACE, World


async def test_a_process_that_lives_says_so_without_its_database(world: World) -> None:
    await world.store.close()
    reply = await world.client.with_key(None).get("/healthz")
    assert (reply.status, reply.json) == (200, {"status": "ok"})
    await world.store.open()


async def test_readiness_names_what_is_wrong(world: World) -> None:
    anybody = world.client.with_key(None)
    assert (await anybody.get("/readyz")).json == {"status": "ready", "wrong": [], "notes": []}
    world.wrong.append("the outbox road has stopped")
    ill = await anybody.get("/readyz")
    assert (ill.status, ill.json["wrong"]) == (503, ["the outbox road has stopped"])
    world.wrong.clear()
    world.draining = True
    assert (await anybody.get("/readyz")).status == 503


async def test_a_database_that_is_away_is_told_with_a_time_to_come_back(world: World) -> None:
    asked = {"agent_id": AGENT, "channel": "sms", "to_number": "+15559876543", "from_number": SMS_SENDER}
    assert (await world.client.get("/v2/chat")).status == 200  # the key is remembered
    await world.store.close()
    for reply in (await world.client.post("/v2/chat/outbound", asked), await world.client.get("/v2/chat")):
        assert (reply.status, reply.detail["category"]) == (503, "unavailable")
        assert int(reply.headers["retry-after"]) >= 1
    await world.store.open()
    assert (await world.client.post("/v2/chat/outbound", asked)).status == 200


async def test_requests_are_counted_by_route_and_status(world: World) -> None:
    await world.client.get("/v2/chat/nobody")
    text = (await world.client.get("/metrics")).body.decode()
    assert 'overture_http_requests_total{method="GET",route="/v2/chat/{chat_id}",status="404"}' in text


async def test_a_key_is_shown_once_used_and_revoked(world: World) -> None:
    made = await world.client.post("/overture/v1/keys", {"name": "shop", "scopes": ["read", "send"]})
    assert made.status == 201
    key, kid = made.json["key"], made.json["kid"]
    assert key.startswith(f"ovt_live_{kid}_")
    assert made.json["scopes"] == ["read", "send"]
    theirs = world.client.with_key(key)
    assert (await theirs.get("/v2/chat")).status == 200
    listed = await world.client.get("/overture/v1/keys")
    assert key not in listed.body.decode()
    [one] = [one for one in listed.json["keys"] if one["kid"] == kid]
    assert (one["name"], one["scopes"], one["revoked_at"]) == ("shop", ["read", "send"], None)
    revoked = await world.operator.delete(f"/overture/v1/keys/{kid}")
    assert (revoked.status, revoked.body) == (204, b"")
    assert (await theirs.get("/v2/chat")).status == 401  # at once, though it was revoked at another door
    assert (await world.client.delete(f"/overture/v1/keys/{kid}")).status == 204
    assert (await world.client.delete("/overture/v1/keys/nobody")).status == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a", "scopes": []}, "scopes"),
        ({"name": "a", "scopes": ["everything"]}, "scopes[0]"),
        ({"name": "a", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "a", "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
    ],
)
async def test_a_bad_key_is_refused(world: World, body: object, field: str) -> None:
    reply = await world.client.post("/overture/v1/keys", body)
    assert (reply.status, reply.json["field"]) == (400, field)


async def test_a_key_that_expired_is_refused(world: World) -> None:
    now = world.store.now()
    made = await world.store.write(
        lambda tx: create_key(
            tx,
            workspace_id=WORKSPACE,
            name="old",
            scopes=[Scope.READ],
            now=now - timedelta(days=2),
            expires_at=now - timedelta(days=1),
        )
    )
    assert (await world.client.with_key(made.text).get("/v2/chat")).status == 401
