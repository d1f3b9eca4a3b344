"""Faults of the REST API: what the client sees, and what really happened."""

import asyncio
import io
from collections import Counter
from typing import Any

import aiohttp
import pytest

from handset.testing import Receiver, RunningHandset, running
from tests.handset.conftest import ADA, GRACE, SMS, WHATSAPP, config_for

Http = aiohttp.ClientSession
PATIENCE = aiohttp.ClientTimeout(total=0.5)


def login(handset: RunningHandset, **more: str) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(handset.account_sid, handset.auth_token), **more}


def messages_url(handset: RunningHandset) -> str:
    return f"{handset.base_url}/2010-04-01/Accounts/{handset.account_sid}/Messages.json"


async def send(handset: RunningHandset, http: Http, fault: str | None = None, **form: str) -> str | int:
    """What a client sees of a send: a status, or the name of what was raised."""
    headers = login(handset) | ({"Handset-Fault": fault} if fault else {})
    form = {"To": ADA, "From": SMS, "Body": "hello"} | form
    try:
        async with http.post(messages_url(handset), data=form, headers=headers, timeout=PATIENCE) as response:
            await response.read()
            return response.status
    except (aiohttp.ClientError, OSError) as error:
        return type(error).__name__


async def listed(handset: RunningHandset, http: Http) -> list[str]:
    async with http.get(messages_url(handset), headers=login(handset)) as response:
        return [message["body"] for message in (await response.json())["messages"]]


@pytest.mark.parametrize(
    ("kind", "seen", "landed"),
    [
        ("429", 429, False),
        ("500", 500, False),
        ("500_landed", 500, True),
        ("timeout", "ConnectionTimeoutError|SocketTimeoutError|ServerTimeoutError|TimeoutError", False),
        ("timeout_landed", "ConnectionTimeoutError|SocketTimeoutError|ServerTimeoutError|TimeoutError", True),
        ("reset", "ClientOSError|ServerDisconnectedError", False),
        ("reset_landed", "ClientOSError|ServerDisconnectedError", True),
        ("truncated", "ClientPayloadError", True),
        ("html", 503, False),
        ("slow:0.2", 201, True),
        ("refused:21610", 400, False),
        ("refused:20003", 401, False),
        ("refused:20503", 503, False),
        ("cut", "ClientOSError|ServerDisconnectedError", False),
    ],
)
async def test_an_answer_is_lost_or_changed_and_the_message_is_there_or_not(
    handset: RunningHandset, http: Http, kind: str, seen: str | int, landed: bool
) -> None:
    [identifier] = await handset.faults(kind)
    if kind == "cut":
        assert str(await send(handset, http)) in str(seen)
        await handset.lift_faults(identifier)
    else:
        answered = await send(handset, http)
        assert str(answered) in str(seen).split("|")
        await handset.lift_faults()
        assert await send(handset, http, Body="next") == 201  # lifted
    bodies = [message["body"] for message in await handset.messages(ADA)]
    assert bodies.count("hello") == landed
    [act] = await handset.acts()
    assert (act["kind"], act["rule"], act["traffic"]) == (kind.partition(":")[0], identifier, "send")
    assert (act["to_address"], act["from_address"]) == (ADA, SMS)
    sids = [message["sid"] for message in await handset.messages(ADA) if message["body"] == "hello"]
    assert act["message_sid"] == (sids[0] if landed else None)


async def test_a_429_says_when_to_come_back_if_it_is_told_to(handset: RunningHandset, http: Http) -> None:
    await handset.faults({"kind": "429", "retry_after": 7, "next": 1}, {"kind": "429", "next": 1})
    seen = []
    for _ in range(2):
        form = {"To": ADA, "From": SMS, "Body": "hello"}
        async with http.post(messages_url(handset), data=form, headers=login(handset)) as response:
            seen.append((response.headers.get("Retry-After"), (await response.json())["code"]))
            assert "Twilio-Request-Id" in response.headers
    assert seen == [("7", 20429), (None, 20429)]


async def test_a_load_balancers_page_is_html_and_not_twilios(handset: RunningHandset, http: Http) -> None:
    await handset.faults("html")
    async with http.post(messages_url(handset), data={}, headers=login(handset)) as response:
        assert (response.status, response.content_type) == (503, "text/html")
        assert "Twilio-Request-Id" not in response.headers


async def test_a_held_answer_ends_at_its_limit(handset: RunningHandset, http: Http) -> None:
    await handset.faults({"kind": "timeout", "seconds": 0.05})
    assert await send(handset, http) in {"ClientOSError", "ServerDisconnectedError"}


async def test_a_late_acceptance_lands_after_its_answer_was_lost(receiver: Receiver, http: Http) -> None:
    config = config_for(receiver, clock={"rate": 0.0}, faults=[{"kind": "late_acceptance", "seconds": 30, "next": 1}])
    async with running(config) as handset:
        assert await send(handset, http) in {"ClientOSError", "ServerDisconnectedError"}
        await handset.advances(29)
        assert await handset.messages(ADA) == []
        await handset.advances(1)
        [message] = await handset.wait_for(lambda: handset.messages(ADA))
        [act] = await handset.acts()
        assert (act["kind"], act["message_sid"]) == ("late_acceptance", message["sid"])


async def test_a_callback_is_answered_before_the_201(handset: RunningHandset, receiver: Receiver) -> None:
    await handset.faults("before_201")
    answered = await handset.posts(To=ADA, From=SMS, Body="hello", StatusCallback=receiver.url("/status"))
    assert answered["status"] == "queued"
    assert [received.params["MessageSid"] for received in receiver.at("/status")][:1] == [answered["sid"]]


async def test_without_a_callback_the_201_does_not_wait_for_ever(handset: RunningHandset) -> None:
    await handset.faults({"kind": "before_201", "seconds": 0.1})
    assert (await handset.posts(To=ADA, From=SMS, Body="hello"))["status"] == "queued"
    assert (await handset.posts(To="nobody", From=SMS, Body="hello"))["code"] == 21211


@pytest.mark.parametrize(("ends", "states"), [("failed", ["failed"]), ("undelivered", ["sent", "undelivered"])])
async def test_an_accepted_message_fails_later_with_its_code(
    handset: RunningHandset, receiver: Receiver, ends: str, states: list[str]
) -> None:
    await handset.faults({"kind": "failed", "code": 30003, "ends": ends, "body": "hello"})
    message = await handset.posts(To=ADA, From=SMS, Body="well, hello", StatusCallback=receiver.url("/status"))
    assert message["status"] == "queued"
    assert (await handset.wait_for_status(message["sid"], ends))["error_code"] == 30003
    await handset.wait_for(lambda: len(receiver.at("/status")) == len(states))
    assert [received.params["MessageStatus"] for received in receiver.at("/status")] == states
    assert receiver.at("/status")[-1].params["ErrorCode"] == "30003"
    fine = await handset.posts(To=ADA, From=SMS, Body="good morning")
    await handset.wait_for_status(fine["sid"], "delivered")


async def test_a_new_message_is_missing_in_lists_for_a_while(receiver: Receiver, http: Http) -> None:
    config = config_for(receiver, clock={"rate": 0.0})
    async with running(config) as handset:
        await handset.posts(To=ADA, From=SMS, Body="old")
        await handset.faults({"kind": "list_lag", "seconds": 60})
        sent = await handset.posts(To=ADA, From=SMS, Body="sent")
        await handset.types(ADA, SMS, "typed")
        assert await listed(handset, http) == ["old"]
        async with http.get(handset.base_url + sent["uri"], headers=login(handset)) as response:
            assert response.status == 200  # by its SID it is found
        await handset.advances(60)
        assert await listed(handset, http) == ["typed", "sent", "old"]
        assert [act["traffic"] for act in await handset.acts("list_lag")] == ["send", "typed"]


@pytest.mark.parametrize(
    ("rule", "hit"),
    [
        ({"next": 2}, "XX....."),
        ({"skip": 3}, "...XXXX"),
        ({"every": 3}, "..X..X."),
        ({"every": 2, "skip": 1, "next": 2}, "..X.X.."),
        ({"probability": 0}, "......."),
        ({"to": GRACE}, "......."),
        ({"to": ADA, "from": SMS}, "XXXXXXX"),
        ({"body": "number 4"}, "....X.."),
        ({"on": "list"}, "......."),
        ({"on": ["send", "list"], "next": 1}, "X......"),
    ],
)
async def test_a_rule_says_which_requests_are_hit(
    handset: RunningHandset, http: Http, rule: dict[str, Any], hit: str
) -> None:
    await handset.faults({"kind": "500", **rule})
    seen = [await send(handset, http, Body=f"number {number}") for number in range(7)]
    assert "".join("X" if status == 500 else "." for status in seen) == hit
    [standing] = await handset.standing_faults()
    assert standing["acted"] == hit.count("X") == len(await handset.acts())


@pytest.mark.parametrize("path", ["list", "fetch", "other"])
async def test_other_requests_can_be_hit_too(handset: RunningHandset, http: Http, path: str) -> None:
    message = await handset.posts(To=ADA, From=SMS, Body="hello")
    urls = {
        "list": messages_url(handset),
        "fetch": handset.base_url + message["uri"],
        "other": f"{handset.base_url}/v1/Content",
    }
    await handset.faults({"kind": "500", "on": path})
    statuses = {}
    for name, url in urls.items():
        async with http.get(url, headers=login(handset)) as response:
            statuses[name] = response.status
    assert statuses == {name: 500 if name == path else 200 for name in urls}


async def test_the_same_seed_and_the_same_requests_give_the_same_faults(receiver: Receiver, http: Http) -> None:
    histories = []
    for _ in range(2):
        faults = [
            {"kind": "500_landed", "probability": 0.4},
            {"kind": "429", "probability": 0.5, "seed": 11},
            {"kind": "failed", "code": 30008, "probability": 0.5},
        ]
        async with running(config_for(receiver, seed=7, faults=faults)) as handset:
            for number in range(30):
                await send(handset, http, Body=str(number))
            histories.append([(act["rule"], act["kind"], act["message_sid"]) for act in await handset.acts()])
            assert [rule["seed"] for rule in await handset.standing_faults()][1] == 11
    assert histories[0] == histories[1]
    assert len({kind for _, kind, _ in histories[0]}) == 3


async def test_a_rule_of_chance_shows_the_seed_with_which_it_can_be_played_again(
    handset: RunningHandset, http: Http
) -> None:
    seen: list[list[str | int]] = []
    rule: dict[str, Any] = {"kind": "500", "probability": 0.5}
    for _ in range(2):
        await handset.lift_faults()
        await handset.faults(rule)
        rule["seed"] = (await handset.standing_faults())[0]["seed"]
        seen.append([await send(handset, http) for _ in range(20)])
    assert seen[0] == seen[1]
    assert Counter(seen[0]).keys() == {201, 500}


async def test_the_older_of_two_rules_acts(handset: RunningHandset, http: Http) -> None:
    await handset.faults({"kind": "500", "next": 1}, {"kind": "429", "next": 1})
    assert [await send(handset, http) for _ in range(3)] == [500, 429, 201]


@pytest.mark.parametrize(
    ("header", "seen"),
    [
        ("500", 500),
        ("429", 429),
        ("refused:21611", 400),
        ('{"kind": "500_landed"}', 500),
        ("slow:0.01", 201),
    ],
)
async def test_one_request_brings_its_own_fault(handset: RunningHandset, http: Http, header: str, seen: int) -> None:
    assert [await send(handset, http, header), await send(handset, http)] == [seen, 201]
    assert [act["rule"] for act in await handset.acts()] == ["header"]
    assert await handset.standing_faults() == []


async def test_one_request_brings_a_fault_for_its_own_webhooks(
    handset: RunningHandset, http: Http, receiver: Receiver
) -> None:
    callback = {"StatusCallback": receiver.url("/status")}
    await send(handset, http, "lost", Body="one", **callback)
    await send(handset, http, Body="two", **callback)
    await handset.wait_for(lambda: len(receiver.at("/status")) == 2)
    lost = [act["message_sid"] for act in await handset.acts("lost")]
    assert len(lost) == 2
    assert not set(lost) & {received.params["MessageSid"] for received in receiver.at("/status")}


@pytest.mark.parametrize(
    "header", ["nonsense", "{", '{"kind": "x"}', "refused", "refused:x", "slow:-1", "timeout:1e999", '{"kind":"ü"}']
)
async def test_a_header_that_makes_no_sense_is_refused_and_nothing_is_sent(
    handset: RunningHandset, http: Http, header: str
) -> None:
    assert await send(handset, http, header) == 400
    assert await handset.messages() == []


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({}, "kind"),
        ({"kind": "earthquake"}, "kind"),
        ("earthquake", "no kind"),
        ("late:soon", "no number"),
        ({"kind": "refused"}, "needs a `code`"),
        ({"kind": "failed", "code": 7}, "code"),
        ({"kind": "lost", "on": "send"}, "cannot happen on 'send', only on inbound, status"),
        ({"kind": "429", "on": ["status"]}, "cannot happen"),
        ({"kind": "500", "on": ["sends"]}, "on"),
        ({"kind": "500", "probability": 1.5}, "probability"),
        ({"kind": "500", "next": 0}, "next"),
        ({"kind": "500", "every": 0}, "every"),
        ({"kind": "500", "skip": -1}, "skip"),
        ({"kind": "500", "seconds": 1e9}, "seconds"),
        ({"kind": "duplicated", "times": 1000}, "times"),
        ({"kind": "500", "nxt": 1}, "nxt"),
        ({"kind": "500", "seed": 2**64}, "seed"),
        ({"kind": "500", "to": 5}, "to"),
        ("late:nan", "seconds"),
        (["429", "500"], "object"),
        (7, "object"),
        ([], "object"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_told_what_would(
    handset: RunningHandset, http: Http, rule: Any, told: str
) -> None:
    async with http.post(f"{handset.base_url}/handset/v1/faults", json=rule) as response:
        answer = await response.json()
        assert response.status == 400
    assert told in answer["error"]
    assert "kind" in answer["hint"]
    assert await handset.standing_faults() == []


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b'"429"', 415),  # what a foreign page could send
        ("application/json", b"", 400),
        ("application/json", b"\xff", 400),
        ("application/json", b'"\xff"', 400),
        ("application/json", b'{"kind": "429", "to": "%s"}' % (b"x" * 300_000), 413),
    ],
)
async def test_a_body_that_is_no_rule_is_refused(
    handset: RunningHandset, http: Http, kind: str, body: bytes, status: int
) -> None:
    url = f"{handset.base_url}/handset/v1/faults"
    async with http.post(url, data=body, headers={"Content-Type": kind}) as response:
        assert response.status == status
    assert await handset.standing_faults() == []


async def test_a_request_that_is_too_large_or_no_text_is_refused_as_ever(handset: RunningHandset, http: Http) -> None:
    await handset.faults({"kind": "500", "body": "needle"})
    for data, status in ((b"a" * 1_048_577, 413), (b"Body=\xff\xfe&To=%ff", 400), (b"&".join([b"a=1"] * 1001), 400)):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        async with http.post(messages_url(handset), data=io.BytesIO(data), headers=login(handset) | form) as response:
            assert response.status == status
    assert await handset.acts() == []


async def test_rules_are_lifted_one_by_one_or_all(handset: RunningHandset, http: Http) -> None:
    first, second, third = await handset.faults("429", "lost", "late:3")
    await handset.lift_faults(second)
    assert [rule["id"] for rule in await handset.standing_faults()] == [first, third]
    async with http.delete(f"{handset.base_url}/handset/v1/faults/{second}") as response:
        assert response.status == 404
    await handset.lift_faults()
    assert await handset.standing_faults() == []
    async with http.get(f"{handset.base_url}/handset/v1/faults/kinds") as response:
        assert {"kind", "means", "on", "may_be_on", "seconds"} == set((await response.json())["kinds"][0])


async def test_a_cut_network_lets_nothing_through_until_it_is_lifted(
    handset: RunningHandset, http: Http, receiver: Receiver
) -> None:
    await handset.faults("cut")
    broken = {"ClientOSError", "ServerDisconnectedError"}
    assert await send(handset, http) in broken
    with pytest.raises(aiohttp.ClientError):
        await listed(handset, http)
    await handset.types(ADA, SMS, "is anybody there?")
    await handset.lift_faults()
    assert await listed(handset, http) == ["is anybody there?"]
    await handset.types(ADA, SMS, "hello again")
    await handset.wait_for(lambda: receiver.at("/inbound"))
    assert [received.params["Body"] for received in receiver.at("/inbound")] == ["hello again"]
    # the client asks for a list a second time by itself when its connection breaks
    assert {act["traffic"] for act in await handset.acts("cut")} == {"send", "list", "inbound"}


async def test_handset_stops_at_once_although_answers_are_held(receiver: Receiver, http: Http) -> None:
    async with asyncio.timeout(10):
        async with running(config_for(receiver)) as handset:
            await handset.faults("timeout_landed", {"kind": "slow", "skip": 1, "seconds": 600})
            url, headers = messages_url(handset), login(handset)
            form = {"To": ADA, "From": SMS, "Body": "hello"}
            held = asyncio.ensure_future(http.post(url, data=form, headers=headers))
            await handset.wait_for(lambda: handset.messages(ADA))
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 1
        with pytest.raises(aiohttp.ClientError):
            await held


async def test_whatsapp_is_hit_by_its_own_addresses(handset: RunningHandset, http: Http) -> None:
    await handset.faults({"kind": "429", "to": GRACE, "from": WHATSAPP})
    assert await send(handset, http) == 201
    assert await send(handset, http, To=GRACE, From=WHATSAPP) == 429
