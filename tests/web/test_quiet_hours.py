"""Quiet hours over HTTP: an opening that waits says so, and one that cannot wait is refused."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from overture.domain.rules import QuietHours, Rules
from overture.store import instances, rules
from overture.store.engine import Writing
from tests.web.conftest import AGENT, SMS_SENDER, WORKSPACE, World
from tests.web.test_client import client_of

GOOD: dict[str, Any] = {
    "agent_id": AGENT,
    "channel": "sms",
    "to_number": "+4930123456",
    "from_number": SMS_SENDER,
    "initial_message": "Hi!",
    "recipient_timezone": "UTC",
}


async def is_night(world: World) -> datetime:
    """It is night now; when it ends."""
    now = world.store.now()
    ends = (now + timedelta(hours=3)).replace(second=0, microsecond=0)
    night = QuietHours(start=f"{now - timedelta(hours=1):%H:%M}", end=f"{ends:%H:%M}")

    async def set_rules(tx: Writing) -> None:
        await instances.add_workspace(tx, WORKSPACE, WORKSPACE, now)
        await rules.set_of_workspace(tx, WORKSPACE, Rules(quiet_hours=night))

    await world.store.write(set_rules)
    return ends


async def test_an_opening_that_waits_says_until_when(world: World) -> None:
    ends = f"{await is_night(world):%Y-%m-%dT%H:%M:%SZ}"
    reply = await world.client.post("/v2/chat/outbound", GOOD)
    assert (reply.status, set(reply.json)) == (200, {"status", "response"})
    assert reply.headers["overture-scheduled-for"] == ends
    an_id = reply.json["response"]["conversation_id"]
    assert (await world.client.get(f"/v2/chat/{an_id}")).json["response"]["scheduled_for"] == ends
    [line] = (await world.client.get(f"/overture/v1/conversations/{an_id}/messages")).json["messages"]
    assert (line["waits_because"], line["scheduled_for"], line["due_at"]) == ("quiet_hours", ends, ends)
    dry = await world.client.post("/v2/chat/outbound?dry_run=true", {**GOOD, "to_number": "+4930123457"})
    assert dry.json["response"]["scheduled_for"] == ends


async def test_the_client_is_told_too(world: World) -> None:
    ends = await is_night(world)
    async with client_of(world) as client:
        started = await client.start_outbound(**GOOD)
        assert started.scheduled_for == ends
        again = await client.start_outbound(**GOOD)
        assert (again.conversation_id, again.replayed) == (started.conversation_id, True)


async def test_what_leaves_at_once_is_not_scheduled(world: World) -> None:
    reply = await world.client.post("/v2/chat/outbound", GOOD)
    assert reply.status == 200
    assert "overture-scheduled-for" not in reply.headers
    chat = await world.client.get(f"/v2/chat/{reply.json['response']['conversation_id']}")
    assert chat.json["response"]["scheduled_for"] is None


async def test_what_would_expire_before_is_refused_now(world: World) -> None:
    await is_night(world)
    before = await world.rows()
    for path in ("/v2/chat/outbound", "/v2/chat/outbound?dry_run=true"):
        reply = await world.client.post(path, {**GOOD, "expires_in_seconds": 60})
        assert (reply.status, reply.detail["code"], reply.detail["category"]) == (400, "quiet_hours", "not_allowed")
        assert "in UTC" in reply.detail["description"]
        assert GOOD["to_number"] not in reply.detail["description"]
    assert await world.rows() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recipient_timezone", "Mars/Olympus"),
        ("recipient_timezone", ""),
        ("recipient_timezone", "../../etc/passwd"),
        ("recipient_timezone", "Europe"),
        ("recipient_timezone", "x" * 65),
        ("recipient_timezone", 1),
        ("expires_in_seconds", 59),
        ("expires_in_seconds", 604_801),
        ("expires_in_seconds", "3600"),
        ("expires_in_seconds", 10**30),
        ("expires_in_seconds", True),
    ],
)
async def test_times_that_mean_nothing_are_refused(world: World, field: str, value: object) -> None:
    reply = await world.client.post("/v2/chat/outbound", {**GOOD, field: value})
    assert (reply.status, reply.detail["field"]) == (400, field)


async def test_a_key_repeats_a_call_only_with_the_same_times(world: World) -> None:
    headers = {"Idempotency-Key": "one"}
    for _ in range(2):
        assert (await world.client.post("/v2/chat/outbound", GOOD, headers=headers)).status == 200
    other = {**GOOD, "expires_in_seconds": 3600}
    reply = await world.client.post("/v2/chat/outbound", other, headers=headers)
    assert reply.detail["code"] == "idempotency_key_reused"
