"""Contacts over the API: who is known by what, and a person's word that two are one."""

from typing import Any
from urllib.parse import quote

import pytest

from overture.domain.access import Scope
from overture.store.statement import Command, Query
from tests.web.asgi import Reply
from tests.web.conftest import AGENT, FOREIGN, SMS_SENDER, WHATSAPP_SENDER, World

ADA = "+15559876543"
BOB = "+15559876544"
BSUID = "US.13491208655302741918"
TABLE = "/overture/v1/contacts"


async def call(world: World, number: str) -> str:
    """Somebody is called; the conversation."""
    asked = {"agent_id": AGENT, "channel": "sms", "to_number": number, "from_number": SMS_SENDER}
    return str((await world.client.post("/v2/chat/outbound", asked)).json["response"]["conversation_id"])


async def find(world: World, address: str) -> list[dict[str, Any]]:
    """Who has an address."""
    found: list[dict[str, Any]] = (await world.client.get(f"{TABLE}?address={quote(address)}")).json["contacts"]
    return found


async def link(world: World, contact_id: str, address: str) -> Reply:
    return await world.client.post(f"{TABLE}/{contact_id}/aliases", {"address": address})


async def test_a_contact_is_told_by_any_of_its_addresses(world: World) -> None:
    conversation = await call(world, ADA)
    [contact] = await find(world, "whatsapp:+1 555 987 6543")
    assert (contact["name"], contact["opted_out"], contact["opted_out_at"]) == (None, False, None)
    assert [(one["address"], one["kind"]) for one in contact["addresses"]] == [(ADA, "number")]
    [thread] = contact["threads"]
    assert (thread["channel"], thread["sender_number"], thread["writes_to"]) == ("sms", SMS_SENDER, ADA)
    assert (thread["last_inbound_at"], thread["window_closes_at"]) == (None, None)
    assert (thread["conversation_id"], thread["mode"]) == (conversation, "bot")
    an_id = contact["contact_id"]
    linked = await link(world, an_id, f"whatsapp:{BSUID}")
    assert linked.json == {
        "contact_id": an_id,
        "changed": True,
        "merged_contact_id": None,
        "parted_contact_id": None,
    }
    [by_bsuid] = await find(world, BSUID)
    assert by_bsuid == (await world.client.get(f"{TABLE}/{an_id}")).json
    assert [(one["address"], one["kind"]) for one in by_bsuid["addresses"]] == [(ADA, "number"), (BSUID, "bsuid")]


async def test_the_window_is_told(world: World) -> None:
    await call(world, ADA)
    await world.store.write(
        lambda tx: tx.run(
            Command(
                "UPDATE thread SET channel = 'whatsapp', last_inbound_at = 0, sender_id = "
                "(SELECT id FROM sender WHERE channel = 'whatsapp' AND workspace_id = thread.workspace_id)"
            )
        )
    )
    [contact] = await find(world, ADA)
    [thread] = contact["threads"]
    assert (thread["channel"], thread["sender_number"]) == ("whatsapp", WHATSAPP_SENDER)
    assert (thread["last_inbound_at"], thread["window_closes_at"]) == ("1970-01-01T00:00:00Z", "1970-01-01T23:55:00Z")


async def test_linking_somebody_elses_address_makes_both_one(world: World) -> None:
    kept, ended = await call(world, ADA), await call(world, BOB)
    [ada], [bob] = await find(world, ADA), await find(world, BOB)
    linked = await link(world, ada["contact_id"], BOB)
    assert linked.json["merged_contact_id"] == bob["contact_id"]
    assert (await world.client.get(f"{TABLE}/{bob['contact_id']}")).status == 404
    [both] = await find(world, BOB)
    assert [one["address"] for one in both["addresses"]] == [ADA, BOB]
    assert [thread["conversation_id"] for thread in both["threads"]] == [min(kept, ended)]
    assert (await link(world, ada["contact_id"], BOB)).json["changed"] is False  # it was called twice
    assert (await link(world, ada["contact_id"], ADA)).json["changed"] is False  # with itself


async def test_who_has_a_conversation_in_hand_keeps_it(world: World) -> None:
    await call(world, ADA)
    in_hand = await call(world, BOB)
    taken = "UPDATE conversation SET mode = 'human', epoch = epoch + 1 WHERE id = $1"
    await world.store.write(lambda tx: tx.run(Command(taken), in_hand))
    [ada] = await find(world, ADA)
    await link(world, ada["contact_id"], BOB)
    [both] = await find(world, ADA)
    assert [(one["conversation_id"], one["mode"]) for one in both["threads"]] == [(in_hand, "human")]


async def test_an_opt_out_of_either_holds_for_both_and_ends_what_goes_on(world: World) -> None:
    await call(world, ADA)
    await call(world, BOB)
    out = "UPDATE contact SET opted_out_at = 5 WHERE address = $1"
    await world.store.write(lambda tx: tx.run(Command(out), BOB))
    [ada] = await find(world, ADA)
    await link(world, ada["contact_id"], BOB)
    [both] = await find(world, ADA)
    assert (both["opted_out"], both["opted_out_at"]) == (True, "1970-01-01T00:00:00.000005Z")
    assert [one["conversation_id"] for one in both["threads"]] == [None]
    reply = await world.client.post(
        "/v2/chat/outbound", {"agent_id": AGENT, "channel": "sms", "to_number": BOB, "from_number": SMS_SENDER}
    )
    assert reply.detail["code"] == "recipient_opted_out"


@pytest.mark.parametrize("opted_out", [False, True])
@pytest.mark.parametrize("taken", [ADA, BOB])
async def test_an_address_can_be_taken_away_again(world: World, taken: str, opted_out: bool) -> None:
    conversation = await call(world, ADA)
    [ada] = await find(world, ADA)
    an_id = ada["contact_id"]
    await link(world, an_id, BOB)
    if opted_out:
        await world.store.write(
            lambda tx: tx.run(Command("UPDATE contact SET opted_out_at = 5 WHERE address = $1"), ADA)
        )
    there = f"{TABLE}/{an_id}/aliases/{quote(taken)}"
    parted = await world.client.call("DELETE", there)
    assert parted.json["changed"] is True
    [own], [left] = await find(world, taken), (await find(world, {ADA: BOB, BOB: ADA}[taken]))
    assert (own["contact_id"], left["contact_id"]) == (parted.json["parted_contact_id"], an_id)
    assert (own["opted_out"], left["opted_out"]) == (opted_out, opted_out)
    [holder] = await find(world, ADA)  # the thread is with whom it was written to
    assert [one["conversation_id"] for one in holder["threads"]] == [conversation]
    again = await world.client.call("DELETE", there)
    assert (again.status, again.json["code"]) == (404, "address_unknown")
    last = await world.client.call("DELETE", f"{TABLE}/{an_id}/aliases/{quote({ADA: BOB, BOB: ADA}[taken])}")
    assert (last.status, last.json["code"]) == (400, "last_address")


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("", "invalid_request"),
        ("x" * 5000, "invalid_request"),
        (5, "invalid_request"),
        (None, "invalid_request"),
        ([ADA], "invalid_request"),
        ("15559876543", "address_invalid"),
        ("+1", "address_invalid"),
        ("us.1", "address_invalid"),
        ("US.\u202e1", "address_invalid"),
        ("' OR 1=1 --", "address_invalid"),
        (SMS_SENDER, "address_is_ours"),
        (f"whatsapp:{WHATSAPP_SENDER}", "address_is_ours"),
    ],
)
async def test_what_is_no_address_of_a_person_is_refused(world: World, address: Any, code: str) -> None:
    await call(world, ADA)
    [ada] = await find(world, ADA)
    before = await world.rows()
    reply = await world.client.post(f"{TABLE}/{ada['contact_id']}/aliases", {"address": address})
    assert (reply.status, reply.json["code"], reply.json["field"]) == (400, code, "address")
    assert await world.rows() == before


@pytest.mark.parametrize("query", ["", "?address=", "?address=15559876543", "?address=+15559876543", "?address=%ff"])
async def test_a_search_without_an_address_is_refused(world: World, query: str) -> None:
    assert (await world.client.get(TABLE + query)).status == 400


async def test_nobody_has_an_address_that_was_never_met(world: World) -> None:
    assert await find(world, "US.1") == []


async def test_an_address_of_another_workspace_is_free_in_ours(world: World) -> None:
    await call(world, ADA)
    theirs = "UPDATE contact SET workspace_id = $1"
    await world.store.write(lambda tx: tx.run(Command(theirs), FOREIGN))
    assert await find(world, ADA) == []
    await call(world, BOB)
    [bob] = await find(world, BOB)
    assert (await link(world, bob["contact_id"], ADA)).json["merged_contact_id"] is None
    [ours] = await find(world, ADA)
    assert ours["contact_id"] == bob["contact_id"]
    [theirs_still] = (await world.foreign.get(f"{TABLE}?address={quote(ADA)}")).json["contacts"]
    assert theirs_still["contact_id"] != ours["contact_id"]
    assert [one["address"] for one in theirs_still["addresses"]] == [ADA]
    for an_id in (ours["contact_id"], theirs_still["contact_id"]):
        replies = [await one.get(f"{TABLE}/{an_id}") for one in (world.client, world.foreign)]
        assert sorted(reply.status for reply in replies) == [200, 404]


async def test_a_key_that_only_reads_links_nothing(world: World) -> None:
    await call(world, ADA)
    [ada] = await find(world, ADA)
    reader = world.client.with_key(await world.key(Scope.READ))
    assert (await reader.get(f"{TABLE}/{ada['contact_id']}")).status == 200
    assert (await reader.post(f"{TABLE}/{ada['contact_id']}/aliases", {"address": BOB})).status == 403
    assert len(await world.store.read(lambda tx: tx.all(Query("SELECT address FROM contact")))) == 1
