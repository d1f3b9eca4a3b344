"""What was set at the provider before connecting is remembered, once a place, and forgotten when it is given back."""

from typing import Any

import pytest

from overture.domain.access import Scope
from tests.web.conftest import World

ACCOUNT, NUMBER = "AC" + "a" * 32, "PN" + "1" * 32
OURS = {"url": "https://overture.example.org/webhooks/twilio/inbound#rc=3", "method": "POST", "application_sid": ""}
WIRING: dict[str, Any] = {
    "account_sid": ACCOUNT,
    "sid": NUMBER,
    "place": "number",
    "addresses": ["+15551234567"],
    "before": {"url": "https://elsewhere.example.org", "method": "GET", "application_sid": "AP" + "1" * 32},
    "became": OURS,
}


async def keep_a_wiring(world: World) -> str:
    """Remember one place of our own workspace; its SID."""
    reply = await world.client.post("/overture/v1/wirings", {"wirings": [WIRING]})
    assert reply.status == 204, reply.body
    return NUMBER


async def test_a_place_is_remembered_anew_listed_and_forgotten(world: World) -> None:
    await keep_a_wiring(world)
    moved = {**WIRING, "sid": "PN" + "2" * 32, "addresses": []}
    again = {**WIRING, "became": {**OURS, "url": "https://moved.example.org"}}
    assert (await world.client.post("/overture/v1/wirings", {"wirings": [again, moved]})).status == 204
    assert (await world.client.get("/overture/v1/wirings")).json == {"wirings": [again, moved]}
    assert (await world.client.get(f"/overture/v1/wirings?limit=1&after={NUMBER}")).json == {"wirings": [moved]}
    assert (await world.client.delete(f"/overture/v1/wirings/{NUMBER}")).status == 204
    gone = await world.client.delete(f"/overture/v1/wirings/{NUMBER}")
    assert (gone.status, gone.json["code"]) == (404, "wiring_unknown")


@pytest.mark.parametrize(
    "wrong",
    [
        {"wirings": []},
        {"wirings": [{**WIRING, "sid": "nonsense"}]},
        {"wirings": [{**WIRING, "place": "moon"}]},
        {"wirings": [{**WIRING, "before": {"url": "x" * 4001}}]},
        {"wirings": [WIRING] * 501},
        {"wirings": [{**WIRING, "addresses": None}]},
    ],
)
async def test_what_makes_no_sense_is_refused(world: World, wrong: dict[str, Any]) -> None:
    assert (await world.client.post("/overture/v1/wirings", wrong)).status == 400
    assert (await world.client.get("/overture/v1/wirings")).json == {"wirings": []}


async def test_only_an_administrator_sees_it(world: World) -> None:
    client = world.client.with_key(await world.key(Scope.READ, Scope.WRITE, Scope.SEND))
    assert (await client.get("/overture/v1/wirings")).status == 403
