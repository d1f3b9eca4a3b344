"""Starting an outbound chat: golden answers, every bad call, and keys that make a call safe to repeat."""

import asyncio
from typing import Any

import msgspec
import pytest

from tests.web.conftest import AGENT, NEEDY_AGENT, SMS_SENDER, WHATSAPP_SENDER, World

GOOD: dict[str, Any] = {
    "agent_id": AGENT,
    "channel": "sms",
    "to_number": "+15559876543",
    "from_number": SMS_SENDER,
    "initial_message": "Hi! How can I help you today?",
}
TEMPLATE = {"content_sid": "HX" + "0123456789abcdef" * 2, "variables": {"1": "Ana", "2": 5, "3": True, "4": None}}


@pytest.mark.parametrize("path", ["/v2/chat/outbound", "/api/chat/outbound"])
async def test_a_call_opens_a_conversation(world: World, path: str) -> None:
    reply = await world.client.post(path, GOOD)
    assert reply.status == 200
    assert set(reply.json) == {"status", "response"}
    assert reply.json["status"] == "ok"
    [(name, an_id)] = reply.json["response"].items()
    assert name == "conversation_id"
    assert len(an_id) == 36
    assert "overture-replayed" not in reply.headers
    rows = await world.rows()
    assert (rows["conversation"], rows["message"], rows["outbox"]) == (1, 1, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"to_number": " whatsapp:+1 (555) 987-6543 "},
        {"from_number": "whatsapp:" + WHATSAPP_SENDER, "channel": "whatsapp", "template": TEMPLATE},
        {"from_number": "+1 (555) 123-0001"},
        {"custom_variables": {"a": 1, "b": [1, {"c": None}]}},
        {"custom_variables": [{"key": "a", "value": 1}]},
        {"initial_message": None},
        {"template": TEMPLATE},
        {"template": None, "custom_variables": None},
        {"something_else": {"deep": [1, 2, 3]}},
        {"consent": {"source": "form", "text": "I agree", "at": "2026-01-01T00:00:00Z"}},
    ],
)
async def test_every_shape_that_callers_send_is_understood(world: World, change: dict[str, Any]) -> None:
    reply = await world.client.post("/v2/chat/outbound", {**GOOD, **change})
    assert reply.status == 200, reply.body


LONG = "x" * 65 * 1024
DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b"", 400, "invalid_request", None),
        (b"not json", 400, "invalid_request", None),
        (b"[]", 400, "invalid_request", None),
        (b"null", 400, "invalid_request", None),
        (b'{"agent_id": "\xff"}', 400, "invalid_request", None),
        (b"\xff\xfe{}", 400, "invalid_request", None),
        (b"{" + b'"x":' + DEEP[:60_000], 400, "invalid_request", None),
        (b"{}", 400, "invalid_request", "agent_id"),
        ({**GOOD, "agent_id": 5}, 400, "invalid_request", "agent_id"),
        ({**GOOD, "agent_id": ""}, 400, "invalid_request", "agent_id"),
        ({**GOOD, "agent_id": "x" * 65}, 400, "invalid_request", "agent_id"),
        ({**GOOD, "agent_id": "nobody"}, 400, "agent_unknown", "agent_id"),
        ({**GOOD, "agent_id": "no\x00body"}, 400, "invalid_request", None),
        ({**GOOD, "channel": "fax"}, 400, "invalid_request", "channel"),
        ({**GOOD, "channel": "api"}, 400, "invalid_request", "channel"),
        ({**GOOD, "channel": None}, 400, "invalid_request", "channel"),
        ({**GOOD, "channel": "whatsapp"}, 400, "sender_cannot_channel", "channel"),
        ({**GOOD, "to_number": "5559876543"}, 400, "invalid_request", "to_number"),
        ({**GOOD, "to_number": "+1555"}, 400, "invalid_request", "to_number"),
        ({**GOOD, "to_number": "+44 (0)20 7946 0958"}, 400, "invalid_request", "to_number"),
        ({**GOOD, "to_number": "me"}, 400, "invalid_request", "to_number"),
        ({**GOOD, "from_number": "+15550000000"}, 400, "sender_unknown", "from_number"),
        ({**GOOD, "from_number": ""}, 400, "invalid_request", "from_number"),
        ({**GOOD, "from_number": "()"}, 400, "sender_unknown", "from_number"),
        ({**GOOD, "from_number": ["+1"]}, 400, "invalid_request", "from_number"),
        ({**GOOD, "initial_message": ""}, 400, "invalid_request", "initial_message"),
        ({**GOOD, "initial_message": " \n\t"}, 400, "invalid_request", "initial_message"),
        ({**GOOD, "initial_message": "x" * 10_001}, 400, "invalid_request", "initial_message"),
        ({**GOOD, "initial_message": "a\x00b"}, 400, "invalid_request", None),
        ({**GOOD, "initial_message": LONG}, 413, "body_too_large", None),
        ({**GOOD, "template": {}}, 400, "invalid_request", "template.content_sid"),
        ({**GOOD, "template": {"content_sid": "HX12"}}, 400, "invalid_request", "template.content_sid"),
        ({**GOOD, "template": "HX"}, 400, "invalid_request", "template"),
        ({**GOOD, "template": {**TEMPLATE, "variables": []}}, 400, "invalid_request", "template.variables"),
        ({**GOOD, "custom_variables": "text"}, 400, "invalid_request", "custom_variables"),
        ({**GOOD, "custom_variables": [1]}, 400, "invalid_request", "custom_variables[0]"),
        (
            msgspec.json.encode({**GOOD, "custom_variables": {"big": 0}}).replace(b":0}", b":" + b"9" * 30 + b"}"),
            400,
            "invalid_request",
            "custom_variables.big",
        ),
        (
            msgspec.json.encode({**GOOD, "custom_variables": {"deep": 0}}).replace(
                b":0}", b":" + b"[" * 50 + b"]" * 50 + b"}"
            ),
            400,
            "invalid_request",
            "custom_variables.deep",
        ),
        ({**GOOD, "consent": {"text": "I agree"}}, 400, "invalid_request", "consent.source"),
        ({**GOOD, "consent": {"source": "a", "at": "yesterday"}}, 400, "invalid_request", "consent.at"),
        ({**GOOD, "agent_id": NEEDY_AGENT}, 400, "variable_missing", "custom_variables.first_name"),
        (
            {**GOOD, "channel": "whatsapp", "from_number": WHATSAPP_SENDER},
            400,
            "window_closed",
            "initial_message",
        ),
    ],
)
async def test_a_bad_call_names_its_field_and_leaves_nothing_behind(
    world: World, body: Any, status: int, code: str, field: str | None
) -> None:
    before = await world.rows()
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    reply = await world.client.call("POST", "/v2/chat/outbound", body=raw)
    assert reply.status == status, reply.body
    detail = reply.detail
    assert set(detail) == {
        "status",
        "description",
        "timestamp",
        "request_id",
        "category",
        "code",
        "field",
        "hint",
    }
    assert detail["status"] == "error"
    assert detail["code"] == code
    assert detail["field"] == field
    assert detail["description"]
    assert detail["request_id"] == reply.headers["x-request-id"]
    assert detail["timestamp"].endswith("Z")
    assert await world.rows() == before


async def test_a_wrong_choice_is_told_the_choices(world: World) -> None:
    reply = await world.client.post("/v2/chat/outbound", {**GOOD, "channel": "fax"})
    assert reply.detail["description"] == "channel is 'fax'; it must be one of sms, whatsapp."


async def test_a_body_in_pieces_is_cut_off_at_the_limit(world: World) -> None:
    reply = await world.client.call("POST", "/v2/chat/outbound", chunks=[b"x" * 40_000] * 3)
    assert reply.status == 413


async def test_a_dry_run_decides_and_writes_nothing(world: World) -> None:
    before = await world.rows()
    reply = await world.client.post("/v2/chat/outbound?dry_run=true", GOOD)
    assert reply.status == 200
    assert reply.json == {
        "status": "ok",
        "response": {
            "verdict": "open",
            "opening": GOOD["initial_message"],
            "kind": "text",
            "segments": 1,
            "encoding": "gsm-7",
            "supersedes": None,
            "scheduled_for": None,
            "template": None,
            "cost": {"amount": None, "currency": None, "is_known": False},
            "warnings": [],
        },
    }
    assert await world.rows() == before
    refused = await world.client.post("/v2/chat/outbound?dry_run=true", {**GOOD, "agent_id": "nobody"})
    assert (refused.status, refused.detail["code"]) == (400, "agent_unknown")
    unclear = await world.client.post("/v2/chat/outbound?dry_run=perhaps", GOOD)
    assert (unclear.status, unclear.detail["field"]) == (400, "dry_run")


async def test_a_key_brings_the_same_conversation_again(world: World) -> None:
    headers = {"Idempotency-Key": "order 17"}
    first = await world.client.post("/v2/chat/outbound", GOOD, headers=headers)
    again = await world.client.post("/v2/chat/outbound", GOOD, headers=headers)
    assert first.json == again.json
    assert again.headers["overture-replayed"] == "true"
    other = await world.client.post("/v2/chat/outbound", {**GOOD, "initial_message": "Other"}, headers=headers)
    assert (other.status, other.detail["code"]) == (422, "idempotency_key_reused")
    assert await world.count("conversation") == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "tab\there"])
async def test_a_key_must_be_printable_and_short(world: World, key: str) -> None:
    reply = await world.client.post("/v2/chat/outbound", GOOD, headers={"Idempotency-Key": key})
    assert (reply.status, reply.detail["field"]) == (400, "Idempotency-Key")


@pytest.mark.promise("P25")
async def test_many_calls_at_once_with_one_key_open_one_conversation(world: World) -> None:
    headers = {"Idempotency-Key": "the same"}
    replies = await asyncio.gather(*(world.client.post("/v2/chat/outbound", GOOD, headers=headers) for _ in range(200)))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    assert sum("overture-replayed" in reply.headers for reply in replies) == 199
    assert await world.count("conversation") == 1


async def test_an_identical_call_without_a_key_is_taken_for_a_retry(world: World) -> None:
    first = await world.client.post("/v2/chat/outbound", GOOD)
    again = await world.client.post("/v2/chat/outbound", dict(reversed(GOOD.items())))
    assert again.json == first.json
    assert again.headers["overture-replayed"] == "true"
    other = await world.client.post("/v2/chat/outbound", {**GOOD, "initial_message": "Another"})
    assert other.json != first.json
