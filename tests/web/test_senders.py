"""Senders over the API: activated, changed and retired while the server runs."""

import asyncio
import json
from typing import Any

import pytest

from overture.actions.adopt_settings import SenderSetting, adopt_settings
from overture.domain.channel import Channel
from tests.web.asgi import Reply
from tests.web.conftest import ACCOUNT, AGENT, SMS_SENDER, WORKSPACE, World

SID = "AC" + "7" * 32
PATH = "/overture/v1/senders"
OURS = "+15551230077"
SERVICE = "MG" + "1" * 32


async def activate(world: World, **fields: Any) -> Reply:
    asked = {"account_sid": SID, "channel": "sms", "address": OURS, **fields}
    return await world.client.post(PATH, {name: value for name, value in asked.items() if value is not ...})


async def patch(world: World, an_id: str, **fields: Any) -> Reply:
    return await world.client.call("PATCH", f"{PATH}/{an_id}", body=json.dumps(fields).encode())


@pytest.fixture
async def furnished(world: World) -> World:
    """The application with an account of the API."""
    assert (await world.client.post("/overture/v1/accounts", {"sid": SID, "auth_token": "a token"})).status == 200
    return world


@pytest.mark.parametrize(
    ("channel", "address", "kept", "kind", "handling"),
    [
        ("sms", OURS, OURS, "long_code", "twilio"),
        ("sms", "+1 (555) 123-0077", OURS, "long_code", "twilio"),
        ("sms", "+18335550100", "+18335550100", "toll_free", "network"),
        ("sms", "72345", "72345", "short_code", "twilio"),
        ("whatsapp", OURS, OURS, "whatsapp", "ours"),
        ("whatsapp", f"whatsapp:{OURS}", OURS, "whatsapp", "ours"),
    ],
)
async def test_every_kind_of_sender_is_activated(
    furnished: World, channel: str, address: str, kept: str, kind: str, handling: str
) -> None:
    shown = (await activate(furnished, channel=channel, address=address)).json
    assert (shown["address"], shown["kind"], shown["keyword_handling"]) == (kept, kind, handling)
    assert (shown["origin"], shown["agent"], shown["listens"]) == ("api", None, False)
    assert shown == (await furnished.client.get(f"{PATH}/{shown['id']}")).json
    assert shown in (await furnished.client.get(PATH)).json["senders"]
    assert "sweep" in furnished.woken


@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        ({"address": "Salon"}, "sender_alphanumeric", "address"),
        ({"address": "Salon 24"}, "sender_alphanumeric", "address"),
        ({"address": "Salon", "channel": "whatsapp"}, "sender_alphanumeric", "address"),
        ({"address": "15551230077"}, "invalid_request", "address"),
        ({"address": "+1555"}, "invalid_request", "address"),
        ({"address": "+15551230077123456"}, "invalid_request", "address"),
        ({"address": "72345", "channel": "whatsapp"}, "invalid_request", "address"),
        ({"address": "12"}, "invalid_request", "address"),
        ({"address": f"whatsapp:{OURS}"}, "invalid_request", "address"),
        ({"address": ""}, "invalid_request", "address"),
        ({"address": "+1555\u0001230077"}, "invalid_request", "address"),
        ({"address": 15551230077}, "invalid_request", "address"),
        ({"channel": "fax"}, "invalid_request", "channel"),
        ({"channel": "api"}, "invalid_request", "channel"),
        ({"account_sid": "AC" + "6" * 32}, "account_unknown", "account_sid"),
        ({"account_sid": "AC1"}, "invalid_request", "account_sid"),
        ({"account_sid": ...}, "invalid_request", "account_sid"),
        ({"agent": "nobody"}, "agent_unknown", "agent"),
        ({"messaging_service_sid": "MG1"}, "invalid_request", "messaging_service_sid"),
        ({"keyword_handling": "everybody"}, "invalid_request", "keyword_handling"),
        ({"inbound": "often"}, "invalid_request", "inbound"),
        ({"foreign_outbound": 3}, "invalid_request", "foreign_outbound"),
    ],
)
async def test_what_can_be_no_sender_is_refused_by_name(
    furnished: World, asked: dict[str, Any], code: str, field: str
) -> None:
    reply = await activate(furnished, **asked)
    assert (reply.status, reply.json["code"], reply.json["field"]) == (400, code, field), reply.body
    assert len((await furnished.client.get(PATH)).json["senders"]) == 2


async def test_a_name_is_refused_with_the_reason(furnished: World) -> None:
    assert "cannot receive replies" in (await activate(furnished, address="Salon")).json["detail"]


async def test_an_address_has_one_sender_on_a_channel(furnished: World) -> None:
    other = "AC" + "8" * 32
    await furnished.client.post("/overture/v1/accounts", {"sid": other, "auth_token": "a token"})
    first = (await activate(furnished)).json
    refused = await activate(furnished, account_sid=other)
    assert (refused.status, refused.json["code"]) == (400, "sender_exists")
    assert first["id"] in refused.json["hint"]
    again = (await activate(furnished, agent=AGENT)).json  # the same once more changes it
    assert again == {**first, "agent": AGENT}
    assert (await activate(furnished, channel="whatsapp", account_sid=other)).status == 200  # another channel
    assert (await furnished.client.delete(f"{PATH}/{first['id']}")).status == 204
    moved = (await activate(furnished, account_sid=other)).json
    assert (moved["id"], moved["account_sid"]) == (first["id"], other)


async def test_of_two_who_want_an_address_at_once_one_gets_it(furnished: World) -> None:
    others = [f"AC{n:032x}" for n in range(3)]
    for sid in others:
        await furnished.client.post("/overture/v1/accounts", {"sid": sid, "auth_token": "a token"})
    replies = await asyncio.gather(*(activate(furnished, account_sid=sid) for sid in others))
    assert sorted(reply.status for reply in replies) == [200, 400, 400]
    assert {reply.json["code"] for reply in replies if reply.status == 400} == {"sender_exists"}
    replies = await asyncio.gather(*(activate(furnished, channel="whatsapp") for _ in range(3)))
    assert len({reply.json["id"] for reply in replies}) == 1


async def test_an_account_is_never_taken_away_under_a_new_sender(furnished: World) -> None:
    for n in range(3):
        sid = f"AC{n:032x}"
        await furnished.client.post("/overture/v1/accounts", {"sid": sid, "auth_token": "a token"})
        made, gone = await asyncio.gather(
            activate(furnished, account_sid=sid, address=f"+1555123008{n}"),
            furnished.client.delete(f"/overture/v1/accounts/{sid}"),
        )
        assert (made.status, gone.status) in ((200, 400), (400, 204)), (made.body, gone.body)


async def test_a_sender_that_is_set_up_again_is_the_one_it_was(furnished: World) -> None:
    first = (await activate(furnished, agent=AGENT)).json
    assert (await furnished.client.delete(f"{PATH}/{first['id']}")).status == 204
    assert (await furnished.client.get(f"{PATH}/{first['id']}")).status == 404
    assert (await furnished.client.delete(f"{PATH}/{first['id']}")).status == 404
    assert (await patch(furnished, first["id"], agent=None)).status == 404
    again = (await activate(furnished)).json
    assert (again["id"], again["activated_at"]) == (first["id"], first["activated_at"])
    assert again["agent"] is None


async def test_a_sender_is_changed_as_far_as_it_is_named(furnished: World) -> None:
    an_id = (await activate(furnished, agent=AGENT)).json["id"]
    changed = (await patch(furnished, an_id, messaging_service_sid=SERVICE, keyword_handling="advanced")).json
    assert (changed["agent"], changed["messaging_service_sid"], changed["keyword_handling"]) == (
        AGENT,
        SERVICE,
        "advanced",
    )
    assert (await patch(furnished, an_id)).json == changed
    bare = (await patch(furnished, an_id, agent=None, messaging_service_sid=None, keyword_handling=None)).json
    assert (bare["agent"], bare["messaging_service_sid"], bare["keyword_handling"]) == (None, None, "twilio")
    ways = (await patch(furnished, an_id, inbound="poll", foreign_outbound="takeover")).json
    assert (ways["inbound"], ways["foreign_outbound"], ways["listens"]) == ("poll", "takeover", True)
    again = (await activate(furnished)).json
    assert (again["inbound"], again["foreign_outbound"]) == ("poll", "takeover")
    usual = (await patch(furnished, an_id, inbound=None, foreign_outbound=None)).json
    assert (usual["inbound"], usual["foreign_outbound"]) == ("webhook", "note")
    refused = await patch(furnished, an_id, agent="nobody")
    assert (refused.status, refused.json["field"]) == (400, "agent")


async def test_a_sender_of_the_settings_is_theirs_alone(furnished: World) -> None:
    for reply in (
        await activate(furnished, account_sid=ACCOUNT, address=SMS_SENDER),
        await patch(furnished, "sender-sms", agent=AGENT),
        await furnished.client.delete(f"{PATH}/sender-sms"),
    ):
        assert (reply.status, reply.json["code"]) == (400, "sender_of_settings")
    assert (await furnished.client.get(f"{PATH}/sender-sms")).json["origin"] == "settings"


async def test_an_account_of_the_settings_may_have_senders_of_the_api(furnished: World) -> None:
    assert (await activate(furnished, account_sid=ACCOUNT)).json["origin"] == "api"


async def test_senders_of_the_api_survive_a_start_that_retires_those_the_settings_name_no_more(
    furnished: World,
) -> None:
    kept = (await activate(furnished)).json
    named = SenderSetting(account_sid=ACCOUNT, channel=Channel.SMS, address=SMS_SENDER)
    await furnished.store.write(
        lambda tx: adopt_settings(tx, WORKSPACE, [named], furnished.store.now(), furnished.parts.ids)
    )
    left = (await furnished.client.get(PATH)).json["senders"]
    assert [(one["address"], one["origin"]) for one in left] == [(SMS_SENDER, "settings"), (OURS, "api")]
    assert kept in left
    taken = SenderSetting(account_sid=SID, channel=Channel.SMS, address=OURS)  # the settings go first
    await furnished.store.write(
        lambda tx: adopt_settings(tx, WORKSPACE, [taken], furnished.store.now(), furnished.parts.ids)
    )
    [only] = (await furnished.client.get(PATH)).json["senders"]
    assert (only["id"], only["origin"], only["activated_at"]) == (kept["id"], "settings", kept["activated_at"])


async def test_another_workspace_cannot_send_from_our_account(furnished: World) -> None:
    asked = {"channel": "sms", "address": OURS}
    for sid in (SID, ACCOUNT):
        reply = await furnished.foreign.post(PATH, {"account_sid": sid, **asked})
        assert (reply.status, reply.json["code"]) == (400, "account_unknown")
