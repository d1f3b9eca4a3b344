"""What became of a message, over HTTP: where it stands, why, every try; and what a person decides in review."""

from typing import Any

import pytest

from overture.actions.claim_deliveries import Claims, claim_deliveries
from overture.actions.record_outcome import Outcome, record_outcomes
from overture.domain.access import Scope
from overture.domain.errors import Failure, OutcomeUnknown, Permanent, Transient
from overture.domain.ids import shard_of
from overture.domain.message import Direction
from overture.domain.ports import Outgoing
from overture.store.statement import Command
from tests.web.conftest import AGENT, SMS_SENDER, World

NUMBERS = [f"+1555010{n:04}" for n in range(1, 30)]
UNKNOWN = OutcomeUnknown("twilio_no_answer", "The provider did not answer.")
HIDDEN = "01a20461-c96f-704b-8004-34926322f248"


async def a_start(world: World, to: str = NUMBERS[0], text: str = "Hello, it is the salon.") -> tuple[str, str]:
    """The ids of a conversation that is started, and of its opening."""
    asked = {
        "agent_id": AGENT,
        "channel": "sms",
        "to_number": to,
        "from_number": SMS_SENDER,
        "initial_message": text,
    }
    conversation = (await world.client.post("/v2/chat/outbound", asked)).json["response"]["conversation_id"]
    return conversation, (await lines(world, conversation))[0]["id"]


async def lines(world: World, conversation: str, query: str = "") -> list[dict[str, Any]]:
    reply = await world.client.get(f"/overture/v1/conversations/{conversation}/messages{query}")
    found: list[dict[str, Any]] = reply.json["messages"]
    return found


async def claim(world: World) -> list[Outgoing]:
    """What leaves now."""
    [claimed] = await world.store.write(
        lambda tx: claim_deliveries(tx, [Claims(limit=100)], world.store.now(), world.parts.ids)
    )
    return claimed


async def fails(world: World, failure: Failure) -> None:
    """Everything that is due is tried, and fails."""
    outcomes = [Outcome(message_id=one.message_id, attempt=one.attempt, result=failure) for one in await claim(world)]
    await world.store.write(lambda tx: record_outcomes(tx, outcomes, world.store.now(), world.parts.ids))


async def change(world: World, sql: str, *scalars: Any) -> None:
    """Change rows by hand."""
    await world.store.write(lambda tx: tx.run(Command(sql), *scalars))


async def in_review(world: World, to: str = NUMBERS[0], text: str = "Hello, it is the salon.") -> tuple[str, str]:
    """The ids of a conversation and its opening, whose fate a person is to decide."""
    conversation, message_id = await a_start(world, to, text)
    await fails(world, UNKNOWN)
    await change(world, "UPDATE outbox SET state = 'needs_review' WHERE message_id = $1", message_id)
    await change(world, "UPDATE message SET status = 'queued', reason = 'needs_review' WHERE id = $1", message_id)
    return conversation, message_id


async def test_a_queued_message_says_since_when_and_until_when(world: World) -> None:
    conversation, message_id = await a_start(world)
    [line] = await lines(world, conversation)
    assert (line["id"], line["state"], line["status"], line["attempts"]) == (message_id, "queued", None, [])
    assert (line["reason"], line["reason_description"], line["waits_because"], line["hint"]) == (None,) * 4
    assert line["created_at"] <= line["due_at"] < line["expires_at"]
    assert not line["possible_duplicate"]


async def test_every_try_is_told_with_its_reason(world: World) -> None:
    conversation, message_id = await a_start(world)
    await fails(world, Transient("twilio_20429", "Too busy, says the provider.", retry_after_seconds=60))
    [line] = await lines(world, conversation)
    assert (line["state"], line["waits_because"]) == ("queued", "twilio_20429")
    assert line["waits_description"] == "The provider takes no more requests for the moment."
    [one] = line["attempts"]
    assert one["started_at"] <= one["finished_at"]
    assert {name: one[name] for name in ("number", "state", "provider_sid", "status", "error_code", "reason")} == {
        "number": 1,
        "state": "rejected",
        "provider_sid": None,
        "status": None,
        "error_code": 20429,
        "reason": "twilio_20429",
    }
    assert (one["description"], one["duplicate"], one["second_sids"]) == ("Too busy, says the provider.", False, [])
    shown = (await world.client.get(f"/overture/v1/deliveries/{message_id}")).json
    assert (shown["attempts"], shown["waits_because"]) == (line["attempts"], "twilio_20429")


async def test_a_failed_message_says_why_and_what_to_do(world: World) -> None:
    conversation, message_id = await a_start(world)
    await fails(world, Permanent("twilio_21408", "Sending to this country is switched off."))
    [line] = await lines(world, conversation)
    assert (line["state"], line["status"], line["reason"]) == ("failed", "failed", "twilio_21408")
    assert line["reason_description"] == "Sending to this country is switched off."
    assert line["hint"] == "Allow the country under Messaging > Geo permissions."
    assert (line["due_at"], line["waits_because"]) == (None, None)
    shown = (await world.client.get(f"/overture/v1/deliveries/{message_id}")).json
    assert (shown["state"], shown["hint"]) == ("failed", line["hint"])


@pytest.mark.parametrize("status", ["failed", "undelivered", "canceled"])
async def test_a_message_that_was_not_delivered_has_a_reason_even_where_the_provider_gave_none(
    world: World, status: str
) -> None:
    conversation, _ = await a_start(world)
    await change(world, "DELETE FROM outbox")
    await change(world, "UPDATE message SET status = $1", status)
    [line] = await lines(world, conversation)
    assert (line["state"], line["reason"]) == (status, "not_delivered")
    assert line["reason_description"].startswith("The provider did not deliver the message and does not say why.")


async def test_a_message_that_was_taken_back_says_so_though_it_was_never_tried(world: World) -> None:
    conversation, message_id = await a_start(world)
    await change(world, "UPDATE contact SET opted_out_at = 1")
    assert await claim(world) == []
    [line] = await lines(world, conversation)
    assert (line["state"], line["reason"], line["attempts"]) == ("failed", "recipient_opted_out", [])
    assert line["reason_description"] == "The recipient opted out before the message left."
    assert line["hint"] == "Only the recipient can lift this, by writing START."
    missing = await world.client.get(f"/overture/v1/deliveries/{message_id}")
    assert missing.status == 404
    assert "GET /overture/v1/conversations/" in missing.json["hint"]


@pytest.mark.parametrize(
    ("change_of_sender", "code", "told"),
    [
        ("stopped_at = 1, stopped_because = 'The credentials are wrong.'", "sender_stopped", "credentials are wrong"),
        ("shut_at = 1, shut_because = 'start'", "sender_shut_start", "just started"),
        ("shut_at = 1, shut_because = 'breaker'", "sender_shut_breaker", "failed again and again"),
    ],
)
async def test_what_holds_the_sender_is_told_on_its_messages(
    world: World, change_of_sender: str, code: str, told: str
) -> None:
    conversation, _ = await a_start(world)
    await change(world, f"UPDATE sender SET {change_of_sender}")
    [line] = await lines(world, conversation)
    assert line["waits_because"] == code
    assert told in line["waits_description"]


async def test_further_ids_of_one_try_are_told(world: World) -> None:
    conversation, message_id = await a_start(world)
    [one] = await claim(world)
    await change(
        world,
        "INSERT INTO second_sid (account_sid, sid, shard, message_id, number, seen_at) VALUES ($1, $2, $3, $4, 1, 1)",
        one.account_sid,
        "SM" + "2" * 32,
        shard_of(message_id),
        message_id,
    )
    [line] = await lines(world, conversation)
    assert line["state"] == "sending"
    assert line["attempts"][0]["second_sids"] == ["SM" + "2" * 32]


async def test_what_the_contact_wrote_has_no_delivery(world: World) -> None:
    conversation, message_id = await a_start(world)
    await change(world, "UPDATE message SET direction = $1, status = 'received'", Direction.IN.value)
    [line] = await lines(world, conversation)
    assert (line["state"], line["attempts"]) == (None, [])
    assert line["id"] == message_id


async def test_the_list_tells_all_that_a_person_decides_by(world: World) -> None:
    conversation, message_id = await in_review(world)
    [one] = (await world.client.get("/overture/v1/deliveries")).json["deliveries"]
    assert {name: one[name] for name in ("message_id", "conversation_id", "seq", "agent_id", "channel")} == {
        "message_id": message_id,
        "conversation_id": conversation,
        "seq": 1,
        "agent_id": AGENT,
        "channel": "sms",
    }
    assert (one["contact_number"], one["sender_number"], one["text"]) == (
        NUMBERS[0],
        SMS_SENDER,
        "Hello, it is the salon.",
    )
    assert (one["state"], one["reason"], one["author"]) == ("needs_review", "needs_review", "caller")
    assert one["reason_description"].startswith("Nothing could tell")
    assert "overture deliveries" in one["hint"]
    assert 0 <= one["age_seconds"] < 60
    assert [(tried["state"], tried["reason"]) for tried in one["attempts"]] == [("uncertain", "twilio_no_answer")]


async def test_a_list_has_one_state_and_goes_on_page_by_page(world: World) -> None:
    reviewed = [(await in_review(world, to))[1] for to in NUMBERS[:5]]
    queued = [(await a_start(world, to))[1] for to in NUMBERS[5:8]]
    seen: list[str] = []
    more = True
    while more:
        query = f"?limit=2&after={seen[-1] if seen else ''}"
        page = (await world.client.get(f"/overture/v1/deliveries{query}")).json
        assert len(page["deliveries"]) <= 2
        seen += [one["message_id"] for one in page["deliveries"]]
        more = page["has_more"]
    assert seen == sorted(reviewed)
    found = (await world.client.get("/overture/v1/deliveries?state=queued")).json["deliveries"]
    assert [one["message_id"] for one in found] == sorted(queued)
    await claim(world)
    found = (await world.client.get("/overture/v1/deliveries?state=sending")).json["deliveries"]
    assert [one["message_id"] for one in found] == sorted(queued)
    assert (await world.client.get("/overture/v1/deliveries?state=uncertain")).json["deliveries"] == []


@pytest.mark.parametrize(
    "query",
    ["state=sent", "state=", "limit=0", "limit=201", "limit=many", "after=" + "x" * 65, "after=%00", "state=%FF"],
)
async def test_a_list_that_makes_no_sense_is_refused(world: World, query: str) -> None:
    reply = await world.client.get(f"/overture/v1/deliveries?{query}")
    assert (reply.status, reply.json["code"]) == (400, "invalid_request")


@pytest.mark.promise("P15")
async def test_a_message_that_nobody_can_read_hides_no_other(world: World) -> None:
    _, bad = await in_review(world)
    _, good = await in_review(world, NUMBERS[1])
    await change(world, 'UPDATE message SET body = \'{"type": "of tomorrow"}\' WHERE id = $1', bad)
    found = (await world.client.get("/overture/v1/deliveries")).json["deliveries"]
    assert {one["message_id"]: one["text"] for one in found} == {bad: None, good: "Hello, it is the salon."}


@pytest.mark.parametrize("body", [b"", b"{}", b'{"valid_seconds": 60}', b'{"valid_seconds": null}'])
async def test_a_message_is_resent_once(world: World, body: bytes) -> None:
    conversation, message_id = await in_review(world)
    path = f"/overture/v1/deliveries/{message_id}/resend"
    first = await world.client.call("POST", path, body=body)
    assert (first.status, first.json) == (200, {"message_id": message_id, "changed": True, "state": "queued"})
    assert "outbox" in world.woken
    again = await world.client.call("POST", path, body=body)
    assert (again.status, again.json["changed"]) == (200, False)
    [line] = await lines(world, conversation)
    assert (line["state"], line["possible_duplicate"], line["reason"]) == ("queued", True, None)
    assert [one.message_id for one in await claim(world)] == [message_id]
    assert [one["state"] for one in (await lines(world, conversation))[0]["attempts"]] == ["uncertain", "sending"]


async def test_a_message_is_dropped_with_a_word_on_why(world: World) -> None:
    conversation, message_id = await in_review(world)
    path = f"/overture/v1/deliveries/{message_id}/drop"
    first = await world.client.post(path, {"note": "Told her by phone. \N{TELEPHONE RECEIVER}"})
    assert (first.status, first.json) == (200, {"message_id": message_id, "changed": True, "state": "failed"})
    assert (await world.client.call("POST", path)).json == {**first.json, "changed": False}
    [line] = await lines(world, conversation)
    assert (line["state"], line["reason"]) == ("failed", "dropped_by_operator")
    assert line["reason_description"].startswith("A person dropped")
    assert (await world.client.get("/overture/v1/deliveries")).json["deliveries"] == []
    refused = await world.client.post(f"/overture/v1/deliveries/{message_id}/resend", {})
    assert (refused.status, refused.json["code"], refused.json["category"]) == (400, "delivery_settled", "conflict")


@pytest.mark.parametrize(
    ("verb", "body", "field"),
    [
        ("resend", b'{"valid_seconds": 29}', "valid_seconds"),
        ("resend", b'{"valid_seconds": 36001}', "valid_seconds"),
        ("resend", b'{"valid_seconds": "soon"}', "valid_seconds"),
        ("resend", b"[]", None),
        ("resend", b"\xff", None),
        ("drop", b'{"note": 1}', "note"),
        ("drop", b'{"note": "' + b"x" * 501 + b'"}', "note"),
        ("drop", b'{"note": "\\u0000"}', None),
        ("drop", b"null", None),
    ],
)
async def test_a_decision_that_makes_no_sense_changes_nothing(
    world: World, verb: str, body: bytes, field: str | None
) -> None:
    _, message_id = await in_review(world)
    reply = await world.client.call("POST", f"/overture/v1/deliveries/{message_id}/{verb}", body=body)
    assert (reply.status, reply.json["code"], reply.json["field"]) == (400, "invalid_request", field)
    [one] = (await world.client.get("/overture/v1/deliveries")).json["deliveries"]
    assert one["state"] == "needs_review"


@pytest.mark.parametrize("an_id", ["x", HIDDEN, "%2e%2e", "%1f", "%FF", "a" * 3000])
async def test_a_message_that_is_not_there_is_told_so(world: World, an_id: str) -> None:
    for method, path in (("GET", ""), ("POST", "/resend"), ("POST", "/drop")):
        reply = await world.client.call(method, f"/overture/v1/deliveries/{an_id}{path}")
        assert (reply.status, reply.json["code"]) == (404, "delivery_unknown"), reply.body


async def test_a_deleted_conversation_shows_and_decides_nothing(world: World) -> None:
    conversation, message_id = await in_review(world)
    assert (await world.client.delete(f"/v2/chat/{conversation}")).status == 200
    assert (await world.client.get("/overture/v1/deliveries")).json["deliveries"] == []
    assert (await world.client.get(f"/overture/v1/deliveries/{message_id}")).status == 404
    assert (await world.client.post(f"/overture/v1/deliveries/{message_id}/drop", {})).status == 404


@pytest.mark.promise("P28")
async def test_another_workspaces_review_is_not_seen_and_not_decided(world: World) -> None:
    _, message_id = await in_review(world)
    assert (await world.foreign.get("/overture/v1/deliveries")).json["deliveries"] == []
    assert (await world.foreign.get(f"/overture/v1/deliveries/{message_id}")).status == 404
    for verb in ("resend", "drop"):
        assert (await world.foreign.post(f"/overture/v1/deliveries/{message_id}/{verb}", {})).status == 404
    [one] = (await world.client.get("/overture/v1/deliveries")).json["deliveries"]
    assert one["state"] == "needs_review"


async def test_a_key_that_may_only_read_decides_nothing(world: World) -> None:
    _, message_id = await in_review(world)
    reader = world.client.with_key(await world.key(Scope.READ))
    assert (await reader.get(f"/overture/v1/deliveries/{message_id}")).status == 200
    for verb in ("resend", "drop"):
        assert (await reader.post(f"/overture/v1/deliveries/{message_id}/{verb}", {})).status == 403


async def test_each_message_of_a_page_has_its_own_tries(world: World) -> None:
    conversation, _ = await a_start(world, text=". ".join(["Hello, it is the salon, and this goes on"] * 60))
    found = await lines(world, conversation)
    assert len(found) > 1
    await claim(world)
    again = await lines(world, conversation)
    assert [line["state"] for line in again] == ["sending", *["queued"] * (len(found) - 1)]
    assert [len(line["attempts"]) for line in again] == [1, *[0] * (len(found) - 1)]


async def test_a_conversation_says_that_its_reply_waits_for_the_contact(world: World) -> None:
    conversation, message_id = await a_start(world)
    path = f"/overture/v1/conversations/{conversation}/messages"
    assert (await world.client.get(path)).json["waits_for_contact"] is False
    held_back = "UPDATE message SET author = 'agent', status = 'failed', reason = 'window_closed' WHERE id = $1"
    await change(world, held_back, message_id)
    await change(world, "DELETE FROM outbox WHERE message_id = $1", message_id)
    told = (await world.client.get(path)).json
    assert told["waits_for_contact"] is True
    [line] = told["messages"]
    assert (line["state"], line["reason"], line["text"]) == ("failed", "window_closed", "Hello, it is the salon.")
    assert line["reason_description"] == "The customer service window closed before the message left."
    assert (await world.client.get(f"{path}?after=1")).json["waits_for_contact"] is True  # whatever page is looked at
    await change(world, "UPDATE conversation SET mode = 'ended', end_reason = 'completed' WHERE id = $1", conversation)
    assert (await world.client.get(path)).json["waits_for_contact"] is False
