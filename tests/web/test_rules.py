"""Rules over the API: set, shown, refused where they make no sense, and explained for one recipient."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from overture.domain.rules import MOST, MOST_CAPS
from tests.web.asgi import Reply
from tests.web.conftest import AGENT, SMS_SENDER, World

PATH = "/overture/v1/rules"
FRANCE, ADA = "+33612345678", "+15550100001"
CAP = {"at_most": 1, "within_seconds": 3600}


async def put(world: World, body: Any, path: str = PATH) -> Reply:
    return await world.client.call("PUT", path, body=body if isinstance(body, bytes) else json.dumps(body).encode())


async def start(world: World, to_number: str, **query: str) -> Reply:
    asked = {
        "agent_id": AGENT,
        "channel": "sms",
        "to_number": to_number,
        "from_number": SMS_SENDER,
        "initial_message": "Hello",
    }
    return await world.client.post("/v2/chat/outbound" + query.get("query", ""), asked)


async def explain(world: World, to_number: str, **query: str) -> Reply:
    given = "".join(f"&{name}={value.replace('+', '%2B')}" for name, value in query.items())
    return await world.client.get(f"{PATH}/explain?to_number={to_number.replace('+', '%2B')}{given}")


async def sender_id(world: World) -> str:
    found = (await world.client.get("/overture/v1/senders")).json["senders"]
    return str(next(one["id"] for one in found if one["channel"] == "sms"))


async def test_rules_are_set_as_a_whole_and_shown(world: World) -> None:
    assert (await world.client.get(PATH)).json == {}
    given = {"countries": ["US"], "caps": [CAP, {**CAP, "count": "segments"}, {**CAP, "per": "contact"}]}
    assert (await put(world, given)).json == given
    assert (await world.client.get(PATH)).json == given
    assert (await put(world, {})).json == {}
    assert (await world.client.get(PATH)).json == {}
    own = f"/overture/v1/senders/{await sender_id(world)}/rules"
    assert (await put(world, given, own)).json == given
    assert ((await world.client.get(own)).json, (await world.client.get(PATH)).json) == (given, {})


@pytest.mark.parametrize(
    "wrong",
    [
        {"countries": ["us"]},
        {"countries": ["XX"]},
        {"countries": ["USA"]},
        {"countries": "US"},
        {"countries": [None]},
        {"caps": [{**CAP, "at_most": -1}]},
        {"caps": [{**CAP, "at_most": MOST + 1}]},
        {"caps": [{**CAP, "at_most": 10**40}]},
        {"caps": [{**CAP, "at_most": 1.5}]},
        {"caps": [{**CAP, "at_most": "1"}]},
        {"caps": [{**CAP, "within_seconds": 1}]},
        {"caps": [{**CAP, "within_seconds": 10**9}]},
        {"caps": [{**CAP, "count": "minutes"}]},
        {"caps": [{**CAP, "per": "country"}]},
        {"caps": [{**CAP, "count": "recipients", "per": "contact"}]},
        {"caps": [{**CAP, "color": "red"}]},
        {"caps": [{"at_most": 1}]},
        {"caps": [CAP] * (MOST_CAPS + 1)},
        {"caps": [CAP] * 1000},
        {"colour": 1},
        {"quiet_hours": {"start": "24:00"}},
        {"quiet_hours": {"time_zone": "Nowhere/Here"}},
        [],
        None,
        b"",
        b"{",
        b"\xff\xfe",
    ],
)
async def test_rules_that_make_no_sense_are_refused_and_change_nothing(world: World, wrong: Any) -> None:
    reply = await put(world, wrong)
    assert (reply.status, reply.json["category"]) == (400, "invalid_request"), reply.body
    assert (await world.client.get(PATH)).json == {}


async def test_the_most_caps_that_may_be_set_can_be_lived_with(world: World) -> None:
    assert (await put(world, {"caps": [{**CAP, "within_seconds": 3600 + n} for n in range(MOST_CAPS)]})).status == 200
    assert (await start(world, ADA)).status == 200
    assert (await start(world, "+15550100002")).status == 429


async def test_a_call_over_a_cap_is_answered_with_429_and_when_to_come_again(world: World) -> None:
    await put(world, {"caps": [CAP], "countries": ["US"]})
    assert (await start(world, ADA, query="?dry_run=true")).status == 200
    assert (await start(world, ADA)).status == 200
    for query in ("", "?dry_run=true"):
        reply = await start(world, "+15550100002", query=query)
        assert (reply.status, reply.json["detail"]["code"]) == (429, "cap_reached")
        assert 3600 <= int(reply.headers["retry-after"]) <= 3750
        assert "1 of 1 message is used" in reply.json["detail"]["description"]
        reply = await start(world, FRANCE, query=query)
        detail = reply.json["detail"]
        assert (reply.status, detail["code"], detail["field"]) == (400, "country_not_allowed", "to_number")
        assert "FR" in detail["description"]


def says(reply: Reply) -> list[tuple[str, str | None, str]]:
    return [(one["rule"], one["scope"], one["ruling"]) for one in reply.json["said"]]


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"countries": ["US", "uk"]}, "countries[1]", "Two capital letters"),
        ({"quiet_hours": {"end": "9:00"}}, "quiet_hours.end", "from 00:00 to 23:59"),
        ({"quiet_hours": {"time_zone": "Mars"}}, "quiet_hours.time_zone", "IANA"),
        ({"capz": []}, None, "'capz' that means nothing; what it may have is quiet_hours, countries, caps"),
        ({"caps": [{**CAP, "most": 1}]}, "caps[0]", "at_most, within_seconds, count, per"),
        ({"caps": [{**CAP, "per": "day"}]}, "caps[0].per", "contact"),
    ],
)
async def test_what_is_wrong_with_rules_is_told_with_what_would_be_right(
    world: World, wrong: Any, field: str | None, words: str
) -> None:
    told = (await put(world, wrong)).json
    assert (told["field"], words in f"{told['detail']} {told['hint']}") == (field, True), told


async def test_explain_tells_what_every_rule_says(world: World) -> None:
    quiet = await explain(world, ADA)
    assert (quiet.json["ruling"], says(quiet)) == (
        "allowed",
        [("opt_out", None, "allowed"), ("sender", "sender", "noted")],
    )
    await put(world, {"countries": ["US"], "caps": [CAP, {**CAP, "count": "money"}]})
    await put(world, {"countries": ["DE"]}, f"/overture/v1/senders/{await sender_id(world)}/rules")
    refused = await explain(world, ADA, agent_id=AGENT, from_number=SMS_SENDER)
    assert (refused.json["ruling"], refused.json["from_number"]) == ("refused", SMS_SENDER)
    assert says(refused) == [
        ("opt_out", None, "allowed"),
        ("country", "workspace", "allowed"),
        ("country", "sender", "refused"),
        ("cap", "workspace", "allowed"),
        ("cap", "workspace", "allowed"),
        ("sender", "sender", "noted"),
    ]
    assert "There is no price table" in refused.json["said"][4]["sentence"]
    await put(world, {}, f"/overture/v1/senders/{await sender_id(world)}/rules")
    assert (await start(world, ADA)).status == 200
    after = (await explain(world, "+15550100002")).json["said"]
    [cap] = [one for one in after if one["code"] == "cap_reached"]
    assert "1 of 1 message is used" in cap["sentence"]
    assert cap["until"] is not None
    assert "1 message waits to leave" in after[-1]["sentence"]
    assert (await explain(world, ADA, channel="whatsapp")).json["said"][1]["code"] == "window_closed"


ALL_DAY = {"days": dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "all_day")}
NEVER = {"start": "12:00", "end": "12:00", "stricter_states": False}


@pytest.mark.parametrize(
    ("rules", "rule", "ruling", "code", "words"),
    [
        ({"quiet_hours": NEVER}, "quiet_hours", "allowed", None, "no quiet hours"),
        ({"quiet_hours": ALL_DAY}, "quiet_hours", "refused", "quiet_hours", "leave no time"),
        ({"require_consent": "warn"}, "consent", "noted", None, "with a warning"),
        ({"require_consent": "enforce"}, "consent", "refused", "consent_missing", "Nothing says"),
        ({"caps": [{**CAP, "at_most": 0}]}, "cap", "refused", "cap_reached", "It allows none."),
    ],
)
async def test_explain_says_what_an_opening_would_meet(
    world: World, rules: dict[str, Any], rule: str, ruling: str, code: str | None, words: str
) -> None:
    assert (await put(world, rules)).status == 200
    told = (await explain(world, ADA)).json
    [said] = [one for one in told["said"] if one["rule"] == rule]
    assert (said["ruling"], said["code"], said["until"]) == (ruling, code, None)
    assert words in said["sentence"]
    tried = await start(world, ADA, query="?dry_run=true")
    assert (tried.json.get("detail", {}).get("code"), told["ruling"] == "refused") == (code, tried.status != 200)


async def test_explain_tells_until_when_it_is_quiet(world: World) -> None:
    now = world.store.now()
    over = (now + timedelta(hours=2)).replace(second=0, microsecond=0)
    own = {"start": f"{now - timedelta(hours=2):%H:%M}", "end": f"{over:%H:%M}", "time_zone": "UTC"}
    await put(world, {"quiet_hours": {**own, "stricter_states": False}})
    told = (await explain(world, ADA)).json
    [said] = [one for one in told["said"] if one["rule"] == "quiet_hours"]
    assert (told["ruling"], said["ruling"], said["scope"]) == ("deferred", "deferred", "workspace")
    assert datetime.fromisoformat(said["until"]) == over


@pytest.mark.parametrize(
    ("to_number", "query", "status", "field"),
    [
        ("", {}, 400, None),
        ("hello", {}, 400, "to_number"),
        ("5550100001", {}, 400, "to_number"),
        ("+1' OR 1=1", {}, 400, "to_number"),
        (ADA, {"agent_id": "nobody"}, 400, "agent_id"),
        (ADA, {"from_number": "+15559999999"}, 400, "from_number"),
        (ADA, {"channel": "fax"}, 400, None),
    ],
)
async def test_explain_refuses_what_it_cannot_explain(
    world: World, to_number: str, query: dict[str, str], status: int, field: str | None
) -> None:
    reply = await explain(world, to_number.replace(" ", "%20"), **query)
    assert reply.status == status, reply.body
    assert field is None or reply.json["field"] == field


async def test_rules_belong_to_their_workspace(world: World) -> None:
    await put(world, {"caps": [{**CAP, "at_most": 0}]})
    assert (await world.foreign.get(PATH)).json == {}
    an_id = await sender_id(world)
    assert (await world.foreign.get(f"/overture/v1/senders/{an_id}/rules")).status == 404
    foreign = await world.foreign.get(f"{PATH}/explain?to_number=%2B15550100001")
    assert [one["rule"] for one in foreign.json["said"]] == ["opt_out", "sender"]
