"""Agents and assistants: kept as their authors write them, linted, versioned, echoed."""

from typing import Any

import pytest

from tests.web.conftest import AGENT, FLOW, PROMPT_AGENT, World

ASSISTANT: dict[str, Any] = {
    "name": "Support",
    "type": "inbound",
    "description": "Answers questions.",
    "max_duration": {"duration_seconds": 60, "is_enabled": True},
    "agent": {
        "prompt": "Answer for {company-name}.",
        "greeting_message": "Hello {first_name}!",
        "llm": "gpt-4.1",
        "language": "en-US",
        "voice_id": "abc",
        "end_call_reasons": ["ignored"],
        "end_call_reasons_v2": [{"reason": "The question is answered."}],
    },
}
YAML = """
kind: flow
name: Salon
id: salon
nodes:
  start:
    say: Hello, it is the salon.
    end: completed
"""


@pytest.mark.parametrize("slash", ["", "/"])
async def test_an_assistant_is_echoed_as_it_was_sent(world: World, slash: str) -> None:
    made = await world.client.post(f"/v2/assistants{slash}", ASSISTANT)
    assert made.status == 200, made.body
    assert (made.json["status"], made.json["details"]) == ("success", {})
    an_id = made.json["response"]["model_id"]
    got = await world.client.get(f"/v2/assistants/{an_id}{slash}")
    [shown] = got.json["response"]["assistants"]
    assert got.json["response"]["pagination"] == {"total_records": 1, "limit": 1, "offset": 0}
    assert {**shown, **ASSISTANT} == shown
    assert (shown["model_id"], shown["attached_phone_numbers"], shown["actions"]) == (an_id, [], [])
    spec = (await world.client.get(f"/overture/v1/agents/{an_id}")).json["spec"]
    assert spec["kind"] == "prompt"
    assert spec["timezone"] == "Europe/Berlin"
    assert spec["end_reasons"] == ["The question is answered."]
    assert spec["model"] is None
    assert set(spec["variables"]) == {"first_name"}


async def test_an_update_changes_only_what_is_given(world: World) -> None:
    an_id = (await world.client.post("/v2/assistants", ASSISTANT)).json["response"]["model_id"]
    change = {"agent": {"greeting_message": "Good morning!", "greeting_message_mode": "agent_dynamic"}}
    updated = await world.client.put(f"/v2/assistants/{an_id}", change)
    assert updated.json["response"] == {"model_id": an_id}
    [shown] = (await world.client.get(f"/v2/assistants/{an_id}")).json["response"]["assistants"]
    assert shown["name"] == "Support"
    assert shown["agent"] == {**ASSISTANT["agent"], **change["agent"]}
    whole = (await world.client.get(f"/overture/v1/agents/{an_id}")).json
    assert (whole["version"], whole["spec"]["greeting_mode"]) == (2, "dynamic")
    again = await world.client.put(f"/v2/assistants/{an_id}", change)
    assert again.status == 200
    assert (await world.client.get(f"/overture/v1/agents/{an_id}")).json["version"] == 2


async def test_lists_hold_flows_too(world: World) -> None:
    page = (await world.client.get("/v2/assistants?limit=2&offset=1")).json["response"]
    assert page["pagination"] == {"total_records": 3, "limit": 2, "offset": 1}
    assert len(page["assistants"]) == 2
    [flow] = (await world.client.get(f"/v2/assistants/{AGENT}")).json["response"]["assistants"]
    assert (flow["type"], flow["agent"]["kind"], flow["agent"]["name"]) == ("chat", "flow", FLOW.name)
    [prompt] = (await world.client.get(f"/v2/assistants/{PROMPT_AGENT}")).json["response"]["assistants"]
    assert (prompt["agent"]["prompt"], prompt["agent"]["greeting_message_mode"]) == ("Help.", "agent_static")
    refused = await world.client.put(f"/v2/assistants/{AGENT}", {"name": "Other"})
    assert (refused.status, refused.detail["code"]) == (400, "agent_is_flow")
    renamed = await world.client.put(f"/v2/assistants/{PROMPT_AGENT}", {"name": "Other"})
    assert renamed.status == 200
    assert (await world.client.get(f"/overture/v1/agents/{PROMPT_AGENT}")).json["spec"]["instructions"] == "Help."


async def test_a_deleted_assistant_is_gone(world: World) -> None:
    reply = await world.client.delete(f"/v2/assistants/{AGENT}")
    assert reply.json["status"] == "success"
    assert reply.json["response"]["answer"]
    for gone in (
        await world.client.delete(f"/v2/assistants/{AGENT}"),
        await world.client.get(f"/v2/assistants/{AGENT}"),
    ):
        assert (gone.status, gone.detail["code"]) == (404, "agent_unknown")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "type"),
        ({**ASSISTANT, "type": "voice"}, "type"),
        ({**ASSISTANT, "name": ""}, "name"),
        ({**ASSISTANT, "agent": "prompt"}, "agent"),
        ({**ASSISTANT, "agent": {}}, "agent.prompt"),
        ({**ASSISTANT, "agent": {**ASSISTANT["agent"], "timezone": "Mars/Olympus"}}, "agent.timezone"),
        (
            {**ASSISTANT, "agent": {**ASSISTANT["agent"], "greeting_message_mode": "shout"}},
            "agent.greeting_message_mode",
        ),
        (
            {**ASSISTANT, "agent": {**ASSISTANT["agent"], "allowed_idle_time_seconds": -1}},
            "agent.allowed_idle_time_seconds",
        ),
    ],
)
async def test_a_bad_assistant_is_refused_in_its_own_words(world: World, body: Any, field: str) -> None:
    before = await world.rows()
    reply = await world.client.post("/v2/assistants", body)
    assert (reply.status, reply.detail["field"]) == (400, field), reply.body
    assert await world.rows() == before


async def test_an_agent_is_put_as_text_or_json_and_keeps_its_versions(world: World) -> None:
    first = await world.client.put("/overture/v1/agents", {"text": YAML})
    assert first.status == 200, first.body
    assert {**first.json, "warnings": []} == {
        "id": "salon",
        "name": "Salon",
        "kind": "flow",
        "version": 1,
        "created": True,
        "warnings": [],
    }
    same = await world.client.put("/overture/v1/agents", {"text": YAML})
    assert (same.json["version"], same.json["created"]) == (1, False)
    spec = (await world.client.get("/overture/v1/agents/salon")).json["spec"]
    spec["nodes"]["start"]["say"] = "Good morning!"
    second = await world.client.put("/overture/v1/agents", {"spec": spec})
    assert second.json["version"] == 2
    other = await world.client.put("/overture/v1/agents", {"spec": spec, "id": "salon-2"})
    assert (other.json["id"], other.json["version"]) == ("salon-2", 1)
    page = (await world.client.get("/overture/v1/agents?limit=1")).json
    assert (page["total"], len(page["agents"])) == (5, 1)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "spec"),
        ({"text": YAML, "spec": {}}, "spec"),
        ({"text": "kind: flow\nname: [", "id": "a"}, None),
        ({"text": "kind: rope\n"}, "kind"),
        ({"text": YAML, "id": "no slashes/here"}, "id"),
        ({"text": YAML.replace("Salon", '"Sa\\0lon"')}, None),
        ({"text": YAML.replace("completed", "over")}, "nodes.start.end"),
    ],
)
async def test_a_bad_agent_is_refused_as_problem_details(world: World, body: Any, field: str | None) -> None:
    before = await world.rows()
    reply = await world.client.put("/overture/v1/agents", body)
    assert reply.status == 400, reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json
    assert {"type", "title", "status", "detail", "code", "request_id", "field", "hint"} <= set(problem)
    assert (problem["status"], problem["field"]) == (400, field)
    assert await world.rows() == before


async def test_the_linter_lists_everything_that_is_wrong(world: World) -> None:
    bad = YAML.replace("Hello", "Hello {nobody} and {somebody}")
    reply = await world.client.put("/overture/v1/agents", {"text": bad})
    assert (reply.status, reply.json["code"]) == (400, "agent_invalid")
    assert [one["severity"] for one in reply.json["errors"]][:2] == ["error", "error"]
    assert {"severity", "where", "sentence", "hint"} == set(reply.json["errors"][0])
