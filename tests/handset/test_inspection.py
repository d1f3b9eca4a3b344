"""The inspection API: what a test sees and does, and the stream of what changed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest

from handset.sids import Sids
from handset.state import feed as feeds
from handset.testing import Receiver, RunningHandset, running
from tests.handset.conftest import ADA, GRACE, SMS, WHATSAPP

Http = aiohttp.ClientSession


async def test_a_message_tells_its_history(handset: RunningHandset) -> None:
    sid = (await handset.posts(To=ADA, From=SMS, Body="hello"))["sid"]
    message = await handset.wait_for_status(sid, "delivered")
    assert [change["status"] for change in message["history"]] == ["queued", "sent", "delivered"]
    assert (message["direction"], message["segments"], message["content_sid"]) == ("outbound-api", 1, None)
    assert await handset.messages(ADA) == await handset.messages(SMS) == [message]
    assert await handset.messages(GRACE) == []


async def test_everything_but_the_phones_is_forgotten(handset: RunningHandset) -> None:
    await handset.types(GRACE, WHATSAPP, "hello")
    await handset.types(ADA, SMS, "STOP")
    await handset.posts(To="+15550100077", From=SMS, Body="hello")
    await handset.forgets()
    assert await handset.messages() == []
    assert [phone["address"] for phone in await handset.phones()] == [ADA, GRACE, "+15550100077"]
    assert all(not phone["opted_out_of"] and not phone["window_closes_at"] for phone in await handset.phones())
    assert (await handset.posts(To=ADA, From=SMS, Body="hello"))["status"] == "queued"


async def test_an_opt_out_is_listed_and_lifted(handset: RunningHandset, http: Http) -> None:
    await handset.types(ADA, SMS, "quit")
    async with http.get(f"{handset.base_url}/handset/v1/opt-outs") as response:
        opt_outs = (await response.json())["opt_outs"]
    assert [(o["phone"], o["sender"], o["keyword"]) for o in opt_outs] == [(ADA, SMS, "QUIT")]
    await handset.opts_in(ADA, SMS)
    assert (await handset.posts(To=ADA, From=SMS, Body="hello"))["status"] == "queued"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "inbound", {"from": ADA, "to": "+15550009999", "body": "x"}, 404),
        ("POST", "inbound", {"from": "ada", "to": SMS, "body": "x"}, 400),
        ("POST", "inbound", {"from": GRACE, "to": SMS, "body": "x"}, 400),
        ("POST", "inbound", {"from": ADA, "to": SMS, "body": "x" * 4097}, 400),
        ("POST", "inbound", {"from": ADA, "to": SMS, "body": "x" * 300_000}, 400),
        ("POST", "opt-ins", {"from": ADA, "to": "x" * 300_000}, 413),
        ("POST", "inbound", {"from": ADA, "to": SMS, "body": 5}, 400),
        ("POST", "inbound", {"from": ADA, "to": SMS, "fields": {"a": 1}}, 400),
        ("POST", "inbound", {"to": SMS}, 400),
        ("POST", "inbound", [], 400),
        ("POST", "opt-ins", {"from": ADA, "to": SMS}, 404),
        ("POST", "phones", {"address": "x"}, 400),
        ("POST", "phones", {"address": "12345"}, 400),
        ("POST", "phones", {"address": SMS}, 409),
        ("GET", "messages?address=+15550100001", None, 400),  # a blank, where %2B was meant
    ],
)
async def test_a_request_that_makes_no_sense_is_told_what_would(
    handset: RunningHandset, http: Http, method: str, path: str, body: Any, status: int
) -> None:
    async with http.request(method, f"{handset.base_url}/handset/v1/{path}", json=body) as response:
        answer = await response.json()
        assert response.status == status
    assert set(answer) == {"error", "hint"}
    assert all(answer.values())
    assert await handset.messages() == []


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b'{"from":"+15550100001","to":"+15551234567"}', 415),  # what a foreign page could send
        ("application/json", b"\xff", 400),
        ("application/json", b"", 400),
        ("application/json", b'{"from":"\\ud800","to":"+15551234567"}', 400),
    ],
)
async def test_a_body_that_is_no_json_is_refused(
    handset: RunningHandset, http: Http, kind: str, body: bytes, status: int
) -> None:
    url = f"{handset.base_url}/handset/v1/inbound"
    async with http.post(url, data=body, headers={"Content-Type": kind}) as response:
        assert response.status == status


async def test_a_phone_is_added_and_renamed(handset: RunningHandset, http: Http, receiver: Receiver) -> None:
    for name in ("Édouard", "Ed"):
        async with http.post(f"{handset.base_url}/handset/v1/phones", json={"address": "+15550100077", "name": name}):
            pass
    assert [(p["address"], p["name"]) for p in await handset.phones()][2:] == [("+15550100077", "Ed")]


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, str, Any]]:
    """Server-sent events as (id, kind, data)."""
    fields: dict[str, str] = {}
    async for raw in response.content:
        name, _, value = raw.decode().rstrip("\n").partition(": ")
        if name in {"id", "event", "data"}:
            fields[name] = value
        elif not name and "data" in fields:
            yield fields["id"], fields["event"], msgspec.json.decode(fields["data"])
            fields = {}


async def test_the_stream_tells_what_changed_and_goes_on_where_it_broke(handset: RunningHandset, http: Http) -> None:
    url = f"{handset.base_url}/handset/v1/events"
    async with http.get(url) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        sid = (await handset.posts(To=ADA, From=SMS, Body="hello"))["sid"]
        first_id, kind, data = await anext(events(response))
        assert (kind, data["sid"], data["status"]) == ("message", sid, "queued")
    await handset.wait_for_status(sid, "delivered")  # while nobody listened
    async with http.get(url, headers={"Last-Event-ID": first_id}) as response:
        told = []
        async with asyncio.timeout(5):
            async for _, kind, data in events(response):
                told.append((kind, data.get("status")))
                if data.get("status") == "delivered":
                    break
    assert told == [("message", "sent"), ("message", "delivered")]


@pytest.mark.parametrize("last_id", ["", "nonsense", "FE0-1", "FE0-99999999999999999999"])
async def test_a_follower_of_another_life_is_told_to_begin_anew(
    handset: RunningHandset, http: Http, last_id: str
) -> None:
    url = f"{handset.base_url}/handset/v1/events"
    async with http.get(url, headers={"Last-Event-ID": last_id or "-"}) as response, asyncio.timeout(5):
        async for _, kind, _ in events(response):
            assert kind == "reset"
            break


async def test_a_follower_left_too_far_behind_is_told_to_begin_anew() -> None:
    feed = feeds.Feed(boot=Sids(seed=1).new("FE"))
    position = feed.position
    for _ in range(feeds.KEPT + 1):
        feed.publish("forgotten")
    event = await anext(feed.follow(position))
    assert event is not None
    assert event.kind == "reset"


async def test_health(handset: RunningHandset, http: Http) -> None:
    async with http.get(f"{handset.base_url}/healthz") as response:
        assert await response.json() == {"status": "ok"}


async def test_the_tally_tells_what_came_twice_and_what_never_came() -> None:
    config = {"delays": {"answer": 0.05, "sent": 0, "delivered": 0, "read": None}}
    async with running(config) as handset:
        began = asyncio.get_running_loop().time()
        for body in ("once", "twice", "twice"):
            await handset.posts(From="+15551234567", To="+15550100001", Body=body)
        assert asyncio.get_running_loop().time() - began >= 0.15  # each waits for its answer as long as it was told

        async def reached() -> bool:
            return (await _tally(handset))["reached"] == 3

        await handset.wait_for(reached)
        assert await _tally(handset) == {"waiting": 0, "reached": 3, "twice": 1, "missed": 0}


async def _tally(handset: RunningHandset) -> dict[str, int]:
    async with aiohttp.ClientSession() as http, http.get(f"{handset.base_url}/handset/v1/tally") as answer:
        counts: dict[str, int] = await answer.json()
        return counts
