"""What the chat API's log tells of tools: each call and what came of it, and nothing that the server filled in."""

import json
from typing import Any

import pytest

from overture.web.api import chat_shapes
from tests.adapters.wire import Answer, http, silence
from tests.turns.test_tools import BOOKED, FLOW, PROMPT, Model, booking, is_cut_off, wants
from tests.world import ADA, AGENT, WORKSPACE, World

DEEDS = ("command_received", "command_failed", "command_executed", "action_executed", "action_failed")


async def told(world: World, an_id: str) -> list[tuple[str, dict[str, Any]]]:
    """The events of the log that tell of deeds."""
    seen = await world.store.read(lambda tx: chat_shapes.find_seen(tx, WORKSPACE, an_id))
    assert seen is not None
    log = chat_shapes.chat(seen).fsm_log
    assert log is not None
    assert ADA not in json.dumps(log)  # it fills a bound parameter
    assert log[AGENT]["execution_stats"]["total_events"] == len(log[AGENT]["events"])
    return [(one["event_type"], one["details"]) for one in log[AGENT]["events"] if one["event_type"] in DEEDS]


@pytest.mark.parametrize(
    ("answer", "event", "outcome", "status"),
    [
        (BOOKED, "action_executed", "done", 201),
        (http(409, "{}"), "action_executed", "done", 409),
        (http(429, "{}"), "action_failed", "failed", 429),
        (silence, "action_failed", "unknown", 0),
    ],
)
async def test_a_flows_call_and_its_outcome_are_told(
    database_url: str, answer: Answer, event: str, outcome: str, status: int
) -> None:
    async with booking(database_url, answer, text=FLOW) as (world, _, an_id):
        await world.hears("Monday")
        await world.takes_turns()
        (first, called), (last, done) = await told(world, an_id)
        assert (first, called) == ("command_executed", {"command": "book", "changes": True})
        assert (last, done["outcome"], done["status"]) == (event, outcome, status)


async def test_a_call_that_was_cut_off_is_told_as_unknown(database_url: str) -> None:
    async with booking(database_url, silence) as (world, server, an_id):
        await world.hears("Monday")
        await is_cut_off(world, server)
        [(kind, details)] = await told(world, an_id)
        assert (kind, details["outcome"]) == ("command_executed", "unknown")


async def test_what_a_model_wants_is_told_and_a_repeated_change_was_made_once(database_url: str) -> None:
    robbing = wants("rob_bank", '{"sum": "all"}')
    sly = wants("book", '{"day": "Monday", "phone": "+19990000000"}')
    long = wants("note_people", json.dumps({"value": "x" * 400}))
    model = Model(wants(), wants(), robbing, sly, long, "Booked.")
    async with booking(database_url, BOOKED, text=PROMPT, model=model) as (world, _, an_id):
        await world.hears("Monday please")
        await world.takes_turns()
        events = await told(world, an_id)
        assert [kind for kind, _ in events].count("command_executed") == 1
        assert {"command": "rob_bank", "reason": "There is no such tool."} in [one for _, one in events]
        received = [one["arguments"] for kind, one in events if kind == "command_received"]
        assert received == [{"day": "Monday"}] * 3 + [{"value": "x" * 200}]
