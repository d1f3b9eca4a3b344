"""Accounts over the API: set up, changed, rotated and taken away while the server runs; no secret ever comes out."""

import json
from typing import Any

import pytest

from overture.adapters.vault import KeyedVault
from overture.domain.access import Scope
from overture.store.credentials import place_of
from overture.store.statement import Command, Query
from tests.web.asgi import Reply, signed_form
from tests.web.conftest import ACCOUNT, FOREIGN, PUBLIC_URL, TOKEN, WORKSPACE, World

SID = "AC" + "7" * 32
KEY_SID = "SK" + "89abcdef" * 4
PATH = "/overture/v1/accounts"
NEW = {"sid": SID, "auth_token": "first token"}
SECRETS = ("first token", "second token", "third token", "a key secret", KEY_SID, TOKEN)


async def patch(world: World, sid: str, **fields: Any) -> Reply:
    return await world.client.call("PATCH", f"{PATH}/{sid}", body=json.dumps(fields).encode())


async def saved(world: World, **fields: Any) -> dict[str, Any]:
    reply = await world.client.post(PATH, {**NEW, **fields})
    assert reply.status == 200, reply.body
    shown: dict[str, Any] = reply.json
    return shown


async def inbound(world: World, token: str, sid: str = SID) -> int:
    """The status with which a message's webhook, signed with a token, is answered."""
    form = {
        "MessageSid": "SM" + "1" * 32,
        "AccountSid": sid,
        "From": "+15559876543",
        "To": "+15551230077",
        "Body": "Hi",
    }
    body, signature = signed_form(f"{PUBLIC_URL}/webhooks/twilio/inbound", token, form)
    headers = {"x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded"}
    return (
        await world.client.with_key(None).call("POST", "/webhooks/twilio/inbound", body=body, headers=headers)
    ).status


async def stored(world: World) -> list[Any]:
    """Every value of the account's row."""
    row = await world.store.read(lambda tx: tx.one(Query("SELECT * FROM provider_account WHERE sid = $1"), SID))
    assert row is not None
    return list(row)


async def test_an_account_is_set_up_and_shown_without_its_secrets(world: World) -> None:
    shown = await saved(world, name="Salon", api_key_sid=KEY_SID, api_key_secret="a key secret")
    assert shown == (await world.client.get(f"{PATH}/{SID}")).json
    assert (shown["origin"], shown["name"], shown["problem"]) == ("api", "Salon", None)
    assert (shown["auth_tokens"], shown["has_api_key"], shown["api_key_ends_with"]) == (1, True, "cdef")
    listed = await world.client.get(PATH)
    assert [one["sid"] for one in listed.json["accounts"]] == [ACCOUNT, SID]
    for said in (json.dumps(shown), listed.body.decode(), repr(await stored(world))):
        assert not [secret for secret in SECRETS if secret in said]


async def test_a_webhook_is_taken_as_soon_as_its_account_is_set_up_and_no_longer_than_that(world: World) -> None:
    assert await inbound(world, "first token") == 403
    await saved(world)
    assert await inbound(world, "first token") == 200
    assert await inbound(world, TOKEN) == 403  # another account's
    assert (await world.client.delete(f"{PATH}/{SID}")).status == 204
    assert await inbound(world, "first token") == 403
    assert not [value for value in await stored(world) if str(value).startswith("v1.")]


async def test_a_token_is_rotated_without_a_webhook_lost(world: World) -> None:
    await saved(world)
    shown = (await patch(world, SID, auth_token="second token", keep_auth_token=True)).json
    assert shown["auth_tokens"] == 2
    assert [await inbound(world, token) for token in ("first token", "second token")] == [200, 200]
    assert {one.sid: one.auth_token for one in world.parts.accounts.values()}[SID] == "second token"  # type: ignore[attr-defined]
    assert (await patch(world, SID, second_auth_token=None)).json["auth_tokens"] == 1
    assert [await inbound(world, token) for token in ("first token", "second token")] == [403, 200]


async def test_what_is_not_named_stays(world: World) -> None:
    before = await saved(world, name="Salon", region="ie1", api_key_sid=KEY_SID, api_key_secret="a key secret")
    after = (await patch(world, SID)).json
    again = await saved(world)  # set up once more: changed where something else is named
    for one in (after, again):
        assert {**one, "changed_at": None} == {**before, "changed_at": None}
    bare = (await patch(world, SID, name=None, region=None, api_key_sid=None, api_key_secret=None)).json
    assert (bare["name"], bare["region"], bare["has_api_key"]) == (None, None, False)
    assert bare["urls"]["api"] == "https://api.twilio.com"


@pytest.mark.parametrize(
    ("asked", "urls"),
    [
        ({}, ["https://api.twilio.com", "https://content.twilio.com", "https://messaging.twilio.com"]),
        (
            {"region": "ie1", "edge": "dublin"},
            [f"https://{name}.dublin.ie1.twilio.com" for name in ("api", "content", "messaging")],
        ),
        ({"region": "au1"}, [f"https://{name}.sydney.au1.twilio.com" for name in ("api", "content", "messaging")]),
        (
            {"edge": "frankfurt"},
            [f"https://{name}.frankfurt.us1.twilio.com" for name in ("api", "content", "messaging")],
        ),
        ({"api_url": "http://127.0.0.1:8081/"}, ["http://127.0.0.1:8081"] * 3),
        (
            {"region": "ie1", "content_url": "https://content.example"},
            ["https://api.dublin.ie1.twilio.com", "https://content.example", "https://messaging.dublin.ie1.twilio.com"],
        ),
    ],
)
async def test_an_account_is_where_its_region_or_its_urls_say(
    world: World, asked: dict[str, str], urls: list[str]
) -> None:
    shown = (await saved(world, **asked))["urls"]
    assert [shown["api"], shown["content"], shown["messaging"]] == urls
    assert shown["media"] == shown["api"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"sid": "AC1"}, "sid"),
        ({"sid": None}, "sid"),
        ({"sid": SID.lower()}, "sid"),
        ({"auth_token": ""}, "auth_token"),
        ({"auth_token": None}, "auth_token"),
        ({"auth_token": " first token"}, "auth_token"),
        ({"auth_token": "first\ntoken"}, "auth_token"),
        ({"auth_token": "tökén"}, "auth_token"),
        ({"auth_token": "x" * 201}, "auth_token"),
        ({"auth_token": ["first token"]}, "auth_token"),
        ({"second_auth_token": "\u0007"}, "second_auth_token"),
        ({"api_key_sid": "SK1", "api_key_secret": "a key secret"}, "api_key_sid"),
        ({"api_key_sid": KEY_SID}, "api_key_secret"),
        ({"api_key_secret": "a key secret"}, "api_key_secret"),
        ({"name": "x" * 101}, "name"),
        ({"parent_sid": SID}, "parent_sid"),
        ({"parent_sid": "somebody"}, "parent_sid"),
        ({"region": "evil.example/"}, "region"),
        ({"edge": "a.b"}, "edge"),
        ({"api_url": "ftp://api.example"}, "api_url"),
        ({"api_url": "https://user:hunter2@api.example"}, "api_url"),
        ({"api_url": "https://api.example?x=1"}, "api_url"),
        ({"media_url": "https://api.example:99999"}, "media_url"),
        ({"content_url": "https:// "}, "content_url"),
        ({"keep_auth_token": "yes"}, "keep_auth_token"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_name_and_never_repeated(
    world: World, asked: dict[str, Any], field: str
) -> None:
    reply = await world.client.post(PATH, {**NEW, **asked})
    assert (reply.status, reply.json["field"]) == (400, field), reply.body
    assert not [secret for secret in (*SECRETS, "hunter2", "tökén") if secret in reply.body.decode()]
    assert len((await world.client.get(PATH)).json["accounts"]) == 1


async def test_a_new_account_needs_its_token(world: World) -> None:
    reply = await world.client.post(PATH, {"sid": SID, "name": "Salon"})
    assert (reply.status, reply.json["field"]) == (400, "auth_token")
    assert (await patch(world, SID, name="Salon")).status == 404
    assert (await world.client.delete(f"{PATH}/{SID}")).status == 404


async def test_what_the_settings_set_up_is_theirs_alone(world: World) -> None:
    shown = (await world.client.get(f"{PATH}/{ACCOUNT}")).json
    assert (shown["origin"], shown["auth_tokens"]) == ("settings", 1)
    for reply in (
        await world.client.post(PATH, {"sid": ACCOUNT, "auth_token": "mine now"}),
        await patch(world, ACCOUNT, name="Mine"),
        await world.client.delete(f"{PATH}/{ACCOUNT}"),
    ):
        assert (reply.status, reply.json["code"]) == (400, "account_of_settings")
    assert await inbound(world, TOKEN, sid=ACCOUNT) == 200


async def test_an_account_belongs_to_one_workspace(world: World) -> None:
    await saved(world)
    for sid in (SID, ACCOUNT):
        reply = await world.foreign.post(PATH, {"sid": sid, "auth_token": "theirs"})
        assert (reply.status, reply.json["code"]) == (400, "account_taken"), reply.body
    assert await inbound(world, "theirs") == 403
    assert (await world.client.delete(f"{PATH}/{SID}")).status == 204
    assert (await world.foreign.post(PATH, {"sid": SID, "auth_token": "theirs"})).status == 200
    assert await inbound(world, "theirs") == 200
    assert (await saved_elsewhere(world)).json["code"] == "account_taken"


async def saved_elsewhere(world: World) -> Reply:
    return await world.client.post(PATH, NEW)


async def test_an_account_with_senders_stays(world: World) -> None:
    await saved(world)
    sender = {"account_sid": SID, "channel": "sms", "address": "+15551230077"}
    an_id = (await world.client.post("/overture/v1/senders", sender)).json["id"]
    reply = await world.client.delete(f"{PATH}/{SID}")
    assert (reply.status, reply.json["code"]) == (400, "account_has_senders")
    assert (await world.client.delete(f"/overture/v1/senders/{an_id}")).status == 204
    assert (await world.client.delete(f"{PATH}/{SID}")).status == 204


@pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE, Scope.SEND])
async def test_only_an_admin_sees_accounts(world: World, scope: Scope) -> None:
    reply = await world.client.with_key(await world.key(scope)).get(PATH)
    assert (reply.status, reply.json["code"]) == (403, "scope_missing")


async def test_a_secret_that_was_moved_or_lost_its_key_is_told_and_keeps_nobody_else_back(world: World) -> None:
    await saved(world)
    other = "AC" + "8" * 32
    await saved(world, sid=other, auth_token="second token")
    theirs = await world.store.read(
        lambda tx: tx.one(Query("SELECT auth_token FROM provider_account WHERE sid = $1"), other)
    )
    assert theirs is not None
    await world.store.write(
        lambda tx: tx.run(Command("UPDATE provider_account SET auth_token = $1 WHERE sid = $2"), theirs[0], SID)
    )
    await world.parts.refresh_accounts()
    shown = (await world.client.get(f"{PATH}/{SID}")).json
    assert "changed, cut, or moved" in shown["problem"]
    assert [await inbound(world, "second token", sid) for sid in (SID, other)] == [403, 200]
    assert (await patch(world, SID, auth_token="first token")).json["problem"] is None
    assert await inbound(world, "first token") == 200


async def test_secrets_are_sealed_anew_at_the_machine_alone(world: World) -> None:
    await saved(world, api_key_sid=KEY_SID, api_key_secret="a key secret")
    await world.foreign.post(PATH, {"sid": "AC" + "9" * 32, "auth_token": "theirs"})
    old = KeyedVault(keys=[b"o" * 32]).seal("second token", place_of(WORKSPACE, SID, "second_auth_token"))
    await world.store.write(
        lambda tx: tx.run(Command("UPDATE provider_account SET second_auth_token = $1 WHERE sid = $2"), old, SID)
    )
    assert (await world.client.post("/overture/v1/secrets/rotate")).json["code"] == "operator_only"
    lost = await world.operator.post("/overture/v1/secrets/rotate")
    assert (lost.status, lost.json["code"]) == (500, "secrets_key_unknown")
    assert (await patch(world, SID, second_auth_token=None)).status == 200
    assert (await world.operator.post("/overture/v1/secrets/rotate")).json == {"resealed": 0, "current": 4}
    assert FOREIGN not in (await world.client.get(PATH)).body.decode()
