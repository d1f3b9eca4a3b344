"""All routes at once: each declares who may, keeps workspaces apart, and stands in the documents."""

import re
from typing import Any

import jsonschema
import msgspec
import pytest

from overture.domain.access import Scope
from overture.web.app import ROUTES
from overture.web.openapi import document
from overture.web.routes import Door, Route
from tests.web.asgi import Reply
from tests.web.conftest import AGENT, SMS_SENDER, World
from tests.web.templates import a_template
from tests.web.test_media import keep_a_medium
from tests.web.test_wirings import keep_a_wiring
from tests.web.webhooks import an_unrouted_webhook

GUARDED = [route for route in ROUTES if isinstance(route.may, Scope)]
MAKES: frozenset[str] = frozenset({"create-chat", "put-knowledge"})  # what its path names, in its own workspace
BY_ID = [route for route in GUARDED if "{" in route.paths[0] and route.operation_id not in MAKES]
BODIES: dict[str, Any] = {
    "send-chat-message": {"message": "Hello"},
    "update-assistant": {"name": "Taken over"},
    "resend-delivery": {},
    "drop-delivery": {"note": "Not ours."},
    "change-account": {"name": "Taken over"},
    "change-one-sender": {"messaging_service_sid": None},
    "link-contact-address": {"address": "+15550100002"},
    "take-conversation-over": {"by": "somebody else"},
    "write-in-conversation": {"text": "Hello", "take_over": True},
    "hand-conversation-back": {"say": "Hello"},
    "end-conversation-by-hand": {},
    "preview-template": {"variables": {"1": "Ada"}},
    "set-sender-rules": {"countries": []},
}


def named(routes: list[Route]) -> pytest.MarkDecorator:
    """One case a route and path."""
    return pytest.mark.parametrize(
        ("route", "path"),
        [pytest.param(route, path, id=f"{route.method} {path}") for route in routes for path in route.paths],
    )


async def call(world: World, route: Route, path: str) -> Reply:
    """Call a route with its body, as somebody of another workspace."""
    sent = BODIES.get(route.operation_id)
    if route.takes is None:
        return await world.foreign.call(route.method, path)
    return await world.foreign.call(route.method, path, body=msgspec.json.encode(sent))


def test_every_route_declares_who_may() -> None:
    assert {route.paths[0] for route in ROUTES if route.may is Door.ANYONE} == {
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/docs",
        "/static/{name}",
        "/",
    }
    assert {route.paths[0] for route in ROUTES if route.may is Door.PROVIDER} == {
        "/webhooks/twilio/inbound",
        "/webhooks/twilio/status",
    }
    assert {route.paths[0] for route in ROUTES if route.may is Door.SESSION} == {
        "/inbox",
        "/inbox/sign-in",
        "/inbox/sign-out",
        "/inbox/{conversation_id}",
        "/inbox/{conversation_id}/{verb}",
    }
    assert all(isinstance(route.may, Scope | Door) for route in ROUTES)


@named(GUARDED)
async def test_no_guarded_route_opens_without_a_key_or_its_scope(world: World, route: Route, path: str) -> None:
    there = path.replace("{", "").replace("}", "")
    for key, status in ((None, 401), (await world.key(*(set(Scope) - {route.may, Scope.ADMIN})), 403)):
        client = world.client.with_key(key)
        assert (await client.call(route.method, there)).status == status


@pytest.mark.promise("P28")
@named(BY_ID)
async def test_what_belongs_to_another_workspace_does_not_exist(world: World, route: Route, path: str) -> None:
    for name, an_id in (await _things(world)).items():
        path = path.replace(f"{{{name}}}", an_id)
    assert "{" not in path
    before = await world.rows()
    reply = await call(world, route, path)
    assert reply.status == 404, reply.body
    assert await world.rows() == before


async def _things(world: World) -> dict[str, str]:
    """One of everything that has an id, in our own workspace."""
    asked = {"agent_id": AGENT, "channel": "sms", "to_number": "+15559876543", "from_number": SMS_SENDER}
    conversation = (await world.client.post("/v2/chat/outbound", asked)).json["response"]["conversation_id"]
    kid = (await world.client.post("/overture/v1/keys", {"name": "ours"})).json["kid"]
    medium = await keep_a_medium(world, conversation, b"a picture")
    lines = (await world.client.get(f"/overture/v1/conversations/{conversation}/messages")).json["messages"]
    account = {"sid": "AC" + "5" * 32, "auth_token": "a token"}
    assert (await world.client.post("/overture/v1/accounts", account)).status == 200
    sender = {"account_sid": account["sid"], "channel": "sms", "address": "+15551230077"}
    found = (await world.client.get("/overture/v1/contacts?address=%2B15559876543")).json["contacts"]
    return {
        "account_sid": account["sid"],
        "sender_id": (await world.client.post("/overture/v1/senders", sender)).json["id"],
        "contact_id": found[0]["contact_id"],
        "address": "%2B15559876543",
        "chat_id": conversation,
        "conversation_id": conversation,
        "model_id": AGENT,
        "agent_id": AGENT,
        "kid": kid,
        "medium_id": medium,
        "message_id": lines[0]["id"],
        "inbox_id": await an_unrouted_webhook(world),
        "sid": await keep_a_wiring(world),
        "content_sid": await a_template(world),
        "pool_name": await _a_pool(world),
        "knowledge_name": await _a_base(world),
        "backup_id": "a-backup-is-seen-at-the-machine-alone",
    }


async def _a_base(world: World) -> str:
    assert (await world.client.call("PUT", "/overture/v1/knowledge/ours", body=b"We open at nine.")).status == 200
    return "ours"


async def _a_pool(world: World) -> str:
    pool = {"name": "ours", "pace_per_second": 1, "senders": []}
    assert (await world.client.put("/overture/v1/pools", pool)).status == 200
    return "ours"


@pytest.mark.promise("P28")
async def test_lists_of_another_workspace_are_empty(world: World) -> None:
    await _things(world)
    assert (await world.foreign.get("/v2/chat")).json["response"]["chats"] == []
    assert (await world.foreign.get("/v2/assistants")).json["response"]["assistants"] == []
    assert (await world.foreign.get("/overture/v1/agents")).json == {"agents": [], "total": 0}
    assert (await world.foreign.get("/overture/v1/templates")).json == {"templates": [], "total": 0}
    assert (await world.foreign.get("/overture/v1/inbox?state=unrouted")).json["events"] == []
    assert (await world.foreign.get("/overture/v1/accounts")).json == {"accounts": []}
    assert (await world.foreign.get("/overture/v1/senders")).json == {"senders": []}
    assert (await world.foreign.get("/overture/v1/pools")).json == {"pools": []}
    assert (await world.foreign.get("/overture/v1/knowledge")).json == {"knowledge": [], "total": 0}
    assert (await world.foreign.get("/overture/v1/queues")).json == {"queues": []}
    assert (await world.foreign.get("/overture/v1/contacts?address=%2B15559876543")).json == {"contacts": []}
    assert (await world.foreign.get("/overture/v1/consents")).json == {"consents": [], "has_more": False}
    for query in ("", "?waiting=true", "?live=true", "?mode=human"):
        assert (await world.foreign.get(f"/overture/v1/conversations{query}")).json["conversations"] == []
    for state in ("needs_review", "uncertain", "queued", "sending"):
        assert (await world.foreign.get(f"/overture/v1/deliveries?state={state}")).json["deliveries"] == []
    assert (await world.foreign.get("/overture/v1/wirings")).json == {"wirings": []}
    assert {key["name"] for key in (await world.foreign.get("/overture/v1/keys")).json["keys"]} == {"a test"}


@pytest.mark.promise("P28")
async def test_another_workspaces_agent_cannot_be_used(world: World) -> None:
    reply = await world.foreign.post("/v2/chat", {"model_id": AGENT})
    assert (reply.status, reply.detail["code"]) == (400, "agent_unknown")


@pytest.mark.promise("P28")
async def test_two_workspaces_may_use_one_chat_id(world: World) -> None:
    an_id = "7d0c4a52-5b0e-4c4e-9f55-0d6c3b5f6c11"
    await world.foreign.put(
        "/overture/v1/agents", {"text": "kind: prompt\nname: Theirs\ninstructions: Hi.\ngreeting: Hi\n", "id": "theirs"}
    )
    ours = await world.client.post(f"/v2/chat/{an_id}", {"model_id": AGENT})
    theirs = await world.foreign.post(f"/v2/chat/{an_id}", {"model_id": "theirs"})
    assert (ours.status, theirs.status) == (200, 200)
    assert ours.json["response"]["agent_id"] != theirs.json["response"]["agent_id"]


def test_the_document_describes_exactly_what_is_served() -> None:
    described = {(method.upper(), path) for path, methods in document(ROUTES)["paths"].items() for method in methods}
    assert described == {(route.method, path) for route in ROUTES for path in route.paths}


def test_operations_have_names_of_their_own_and_all_that_readers_need() -> None:
    operations = [one for methods in document(ROUTES)["paths"].values() for one in methods.values()]
    names = [one["operationId"] for one in operations]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)
    assert all(one["summary"] and one["description"] and one["tags"] for one in operations)


def test_every_reference_of_the_document_leads_somewhere() -> None:
    whole = document(ROUTES)
    found = set(re.findall(r"'#/components/schemas/([^']+)'", str(whole)))
    assert found <= set(whole["components"]["schemas"])
    for schema in whole["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


async def test_the_bare_address_leads_to_the_documentation(world: World) -> None:
    reply = await world.client.with_key(None).get("/")
    assert (reply.status, reply.headers["location"], reply.body) == (307, "/docs", b"")


async def test_the_documents_are_served(world: World) -> None:
    anybody = world.client.with_key(None)
    assert (await anybody.get("/openapi.json")).json["openapi"] == "3.1.0"
    page = await anybody.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    text = page.body.decode()
    assert "<script" not in text
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", text)
    for file in set(re.findall(r"(?:href|src)=\"(/static/[^\"]+)", text)):
        given = await anybody.get(file)
        assert given.status == 200
        assert "immutable" in given.headers["cache-control"]
    assert (await anybody.get("/static/nothing.css")).status == 404
    for route in ROUTES:
        assert f'id="{route.operation_id}"' in text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "route_unknown"),
        ("GET", "//", 404, "route_unknown"),
        ("POST", "/", 405, "method_not_allowed"),
        ("GET", "/v2/chat/", 404, "route_unknown"),
        ("GET", "/v2/chat/a/b/c", 404, "route_unknown"),
        ("GET", "/v2/chat/outbound", 405, "method_not_allowed"),
        ("PATCH", "/v2/chat/7d0c4a52-5b0e-4c4e-9f55-0d6c3b5f6c11", 405, "method_not_allowed"),
        ("BREW", "/healthz", 405, "method_not_allowed"),
    ],
)
async def test_what_is_not_there_is_refused_in_the_same_shape(
    world: World, method: str, path: str, status: int, code: str
) -> None:
    reply = await world.client.call(method, path)
    assert (reply.status, reply.detail["code"]) == (status, code)
    if status == 405:
        assert "OPTIONS" in reply.headers["allow"]


async def test_native_paths_answer_in_their_own_shape(world: World) -> None:
    reply = await world.client.get("/overture/v1/nothing")
    assert (reply.status, reply.headers["content-type"]) == (404, "application/problem+json")


async def test_head_and_options_are_answered(world: World) -> None:
    head = await world.client.call("HEAD", "/healthz")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    options = await world.client.call("OPTIONS", "/v2/chat/outbound")
    assert (options.status, options.headers["allow"]) == (204, "OPTIONS, POST")


@pytest.mark.parametrize("path", ["/healthz", "/docs", "/nowhere", "/v2/chat", "/static/nothing"])
async def test_every_answer_is_guarded_and_can_be_traced(world: World, path: str) -> None:
    reply = await world.client.get(path, headers={"X-Request-Id": "my-own.id_1"})
    assert reply.headers["x-request-id"] == "my-own.id_1"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert "content-security-policy" in reply.headers
    assert "cache-control" in reply.headers


@pytest.mark.parametrize("given", ["", "x" * 65, "two words", "caf\xe9", 'a"b'])
async def test_a_request_id_that_is_not_sane_is_replaced(world: World, given: str) -> None:
    reply = await world.client.get("/healthz", headers={"X-Request-Id": given})
    assert reply.headers["x-request-id"] != given
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", reply.headers["x-request-id"])
