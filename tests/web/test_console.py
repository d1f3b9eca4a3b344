"""The inbox's pages: signing in, what is shown to whom, and forms that nobody else can have made."""

import dataclasses
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from overture.adapters.vault import KeyedVault
from overture.domain.access import Scope
from overture.store import api_keys
from overture.store.engine import stored
from overture.web.app import make_app
from tests.timed_store import TimedStore
from tests.web.asgi import Client, Reply
from tests.web.conftest import FOREIGN, World
from tests.web.test_people import ADA, a_conversation, change, do, is_handed_over, lines, shown
from tests.world import StillClock

EVIL = "<script>alert(1)</script>\"'&"


async def send(world: World, path: str, fields: dict[str, str] | bytes, cookie: str = "", **headers: str) -> Reply:
    body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
    given = {"content-type": "application/x-www-form-urlencoded", **headers, **({"cookie": cookie} if cookie else {})}
    return await world.client.with_key(None).call("POST", path, body=body, headers=given)


async def see(world: World, path: str = "/inbox", cookie: str = "") -> Reply:
    return await world.client.with_key(None).call("GET", path, headers={"cookie": cookie} if cookie else {})


async def signs_in(world: World, *scopes: Scope, name: str = "Bo", **more: Any) -> str:
    """The cookie of somebody who signs in with a new key."""
    reply = await send(world, "/inbox/sign-in", {"key": await world.key(*scopes, **more), "name": name})
    assert (reply.status, reply.headers["location"]) == (303, "/inbox")
    return reply.headers["set-cookie"].partition(";")[0]


def token_in(page: Reply) -> str:
    found = re.search(r'name="token" value="([0-9a-f]{64})"', page.body.decode())
    assert found
    return found[1]


async def test_who_has_not_signed_in_sees_nothing_but_the_door(world: World) -> None:
    an_id = await a_conversation(world)
    door = await see(world)
    assert (door.status, door.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert ADA not in door.body.decode()
    for path in (f"/inbox/{an_id}", "/inbox/nothing"):
        assert (await see(world, path)).headers["location"] == "/inbox"
    for verb in ("take-over", "write", "hand-back", "end"):
        assert (await send(world, f"/inbox/{an_id}/{verb}", {"text": "Hi"})).headers["location"] == "/inbox"
    assert (await shown(world, an_id))["mode"] == "bot"


async def test_the_pages_run_nothing_that_is_not_ours(world: World) -> None:
    cookie = await signs_in(world, Scope.READ, Scope.SEND)
    for page in (await see(world), await see(world, "/inbox", cookie)):
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["cache-control"] == "no-store"
        text = page.body.decode()
        assert not re.findall(r"(?:src|href|action)=\"(?:https?:)?//", text)
        assert not re.findall(r"<script(?! src=\"/static/)|style=| on\w+=", text)
        for file in set(re.findall(r"(?:href|src)=\"(/static/[^\"]+)", text)):
            assert (await see(world, file)).status == 200


async def test_a_session_is_a_cookie_that_scripts_and_other_sites_cannot_use(world: World) -> None:
    key = await world.key(Scope.READ)
    reply = await send(world, "/inbox/sign-in", {"key": key, "name": "Bo"})
    cookie = reply.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/inbox", "Max-Age=43200"} <= set(cookie.split("; "))
    assert key.split("_")[-1] not in cookie
    assert "Secure" not in cookie
    assert (await see(world, "/inbox", cookie.partition(";")[0])).body.decode().count("Sign out") == 1


@pytest.mark.parametrize(
    ("key", "status"),
    [("", 401), ("ovt_live_nonsense", 401), ("é", 401), ("x" * 9000, 401), ("read-less", 403)],
)
async def test_who_has_no_key_that_may_read_does_not_come_in(world: World, key: str, status: int) -> None:
    given = await world.key(Scope.SEND) if key == "read-less" else key
    reply = await send(world, "/inbox/sign-in", {"key": given, "name": EVIL})
    assert reply.status == status
    assert "set-cookie" not in reply.headers
    assert 'role="alert"' in reply.body.decode()
    assert EVIL not in reply.body.decode()
    assert given == "" or given not in reply.body.decode()


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"key", b"&".join([b"a=b"] * 100), b"key=%00", b"{}"])
async def test_a_form_that_is_none_signs_nobody_in(world: World, raw: bytes) -> None:
    assert (await send(world, "/inbox/sign-in", raw)).status == 401


async def test_guessing_is_slowed_down_as_everywhere(world: World) -> None:
    replies = [await send(world, "/inbox/sign-in", {"key": f"guess {n}"}) for n in range(12)]
    assert [reply.status for reply in replies] == [401] * 10 + [429] * 2


async def test_a_cookie_that_was_changed_or_has_run_out_opens_nothing(world: World) -> None:
    cookie = await signs_in(world, Scope.READ)
    name, _, value = cookie.partition("=")
    body, _, mac = value.partition(".")
    bad = [f"{body}.{'0' * 64}", f"{body}x.{mac}", body, f".{mac}", "", "é", "A" * 9000, f"bnVsbA==.{mac}"]
    for one in bad:
        assert "API key" in (await see(world, "/inbox", f"{name}={one}")).body.decode(), one
    assert "Sign out" in (await see(world, "/inbox", f"a=b; {cookie}")).body.decode()
    later = TimedStore(world.store, StillClock(world.store.now() + timedelta(hours=13)))
    tomorrow = Client(make_app(dataclasses.replace(world.parts, store=later)))
    assert "API key" in (await tomorrow.get("/inbox", headers={"cookie": cookie})).body.decode()


async def test_the_database_alone_does_not_make_a_session(world: World) -> None:
    """Another server on the same database knows the key's hash, and no more; with the vault's key it is the same."""
    cookie = await signs_in(world, Scope.READ)
    for keys, greeting in ([b"k" * 32], "Sign out"), ([b"K" * 32], "API key"), ([], "API key"):
        other = Client(make_app(dataclasses.replace(world.parts, vault=KeyedVault(keys=keys))))
        assert greeting in (await other.get("/inbox", headers={"cookie": cookie})).body.decode()


async def test_a_session_ends_with_its_key(world: World) -> None:
    cookie = await signs_in(world, Scope.READ)
    keys = (await world.client.get("/overture/v1/keys")).json["keys"]
    kid = max(keys, key=lambda one: one["created_at"])["kid"]
    assert await world.store.read(lambda tx: api_keys.find(tx, kid)) is not None
    await world.client.call("DELETE", f"/overture/v1/keys/{kid}")
    assert "API key" in (await see(world, "/inbox", cookie)).body.decode()


async def test_who_waits_stands_first_and_texts_of_strangers_are_texts(world: World) -> None:
    waiting, other = await a_conversation(world), await a_conversation(world, "+15550100002")
    await is_handed_over(world, waiting, EVIL)
    cookie = await signs_in(world, Scope.READ, Scope.SEND, name=EVIL)
    text = (await see(world, "/inbox", cookie)).body.decode()
    assert text.index(f"/inbox/{waiting}") < text.index("All other live") < text.index(f"/inbox/{other}")
    assert "Nobody has it yet" in text
    assert EVIL not in text
    assert "&lt;script&gt;" in text


async def test_a_person_takes_over_writes_hands_back_and_ends_by_forms(world: World) -> None:
    an_id = await a_conversation(world)
    cookie = await signs_in(world, Scope.READ, Scope.SEND)
    there = f"/inbox/{an_id}"
    page = await see(world, there, cookie)
    assert "Take over and send" in page.body.decode()
    once = re.search(r'name="once" value="(\w+)"', page.body.decode())
    assert once
    form = {"token": token_in(page), "text": f"{EVIL}\r\nBo here.", "once": once[1]}
    for _ in range(2):  # a form that is sent twice says it once
        assert (await send(world, f"{there}/write", form, cookie)).headers["location"] == there
    assert (await lines(world, an_id))[1:] == [("operator", f"{EVIL}\nBo here.", "queued")]
    assert (await shown(world, an_id))["taken_by"] == "Bo"
    text = (await see(world, there, cookie)).body.decode()
    assert "Bo has the conversation." in text
    assert "waits to be sent" in text
    assert EVIL not in text
    await send(world, f"{there}/hand-back", form, cookie)
    assert (await shown(world, an_id))["mode"] == "bot"
    await send(world, f"{there}/take-over", form, cookie)
    assert (await shown(world, an_id))["mode"] == "human"
    assert (await send(world, f"{there}/end", form, cookie)).headers["location"] == "/inbox"
    ended = await see(world, there, cookie)
    assert "has ended: handed_over" in ended.body.decode()
    assert "<textarea" not in ended.body.decode()
    refused = await send(world, f"{there}/write", {**form, "once": "another"}, cookie)
    assert refused.status == 409
    assert "ended is for good" in refused.body.decode()


async def test_what_was_typed_is_not_lost_when_it_is_refused(world: World) -> None:
    an_id = await a_conversation(world)
    cookie = await signs_in(world, Scope.READ, Scope.SEND)
    await do(world, an_id, "takeover")
    token = token_in(await see(world, f"/inbox/{an_id}", cookie))
    for text, status in (("   ", 400), ("x" * 10_001, 400)):
        refused = await send(world, f"/inbox/{an_id}/write", {"token": token, "text": text}, cookie)
        assert refused.status == status
        assert f">{text}</textarea>" in refused.body.decode()
        assert 'role="alert"' in refused.body.decode()


async def test_a_form_of_another_session_does_nothing(world: World) -> None:
    an_id = await a_conversation(world)
    ours, theirs = await signs_in(world, Scope.ADMIN), await signs_in(world, Scope.ADMIN)
    token = token_in(await see(world, "/inbox", theirs))
    for given in (token, "", "é", "0" * 64):
        for verb in ("take-over", "end", "write"):
            reply = await send(world, f"/inbox/{an_id}/{verb}", {"token": given, "text": "Hi"}, ours)
            assert reply.status == 403
    assert (await shown(world, an_id))["mode"] == "bot"
    assert "set-cookie" not in (await send(world, "/inbox/sign-out", {"token": token}, ours)).headers
    own = token_in(await see(world, "/inbox", ours))
    gone = await send(world, "/inbox/sign-out", {"token": own}, ours)
    assert "Max-Age=0" in gone.headers["set-cookie"]


async def test_who_may_only_look_sees_no_forms_and_cannot_act(world: World) -> None:
    an_id = await a_conversation(world)
    cookie = await signs_in(world, Scope.READ)
    page = await see(world, f"/inbox/{an_id}", cookie)
    assert "Hello" in page.body.decode()
    assert "Take over" not in page.body.decode()
    refused = await send(world, f"/inbox/{an_id}/take-over", {"token": token_in(page)}, cookie)
    assert (refused.status, (await shown(world, an_id))["mode"]) == (403, "bot")


@pytest.mark.promise("P28")
async def test_of_another_workspace_nothing_is_seen(world: World) -> None:
    an_id = await a_conversation(world)
    await is_handed_over(world, an_id, "Wants a person.")
    cookie = await signs_in(world, Scope.ADMIN, workspace_id=FOREIGN)
    home = await see(world, "/inbox", cookie)
    assert (ADA in home.body.decode(), "Nobody waits." in home.body.decode()) == (False, True)
    assert (await see(world, f"/inbox/{an_id}", cookie)).status == 404
    for verb in ("take-over", "write", "hand-back", "end", "nothing"):
        form = {"token": token_in(home), "text": "Hi"}
        assert (await send(world, f"/inbox/{an_id}/{verb}", form, cookie)).status == 404 or verb == "nothing"
    assert (await shown(world, an_id))["taken_by"] is None


async def test_the_list_tells_what_was_said_last_and_when_an_agent_speaks_up(world: World) -> None:
    an_id = await a_conversation(world)
    sql = """
        UPDATE conversation SET follow_up_next_at = $1, follow_up_waits = 'quiet_hours', follow_up_epoch = epoch
        WHERE id = $2
    """
    at = world.store.now() + timedelta(hours=2)
    await change(world, sql, stored(at), an_id)
    cookie = await signs_in(world, Scope.READ)
    listed = (await see(world, "/inbox", cookie)).body.decode()
    assert "Caller: Hello" in listed
    assert "a moment ago" in listed
    assert f"speaks up {at.day} {at:%B, %H:%M} UTC" in listed
    page = (await see(world, f"/inbox/{an_id}", cookie)).body.decode()
    assert f"the agent speaks up {at.day} {at:%B, %H:%M} UTC (put off: quiet hours)." in page
