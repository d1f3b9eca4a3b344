"""Webhooks that nothing could be made of, over HTTP: listed, and handled again when an operator says so."""

import pytest

from overture.domain.access import Scope
from tests.web.conftest import World
from tests.web.webhooks import an_unrouted_webhook


@pytest.mark.parametrize("state", ["unrouted", "parked"])
async def test_a_left_over_webhook_is_listed_and_due_again(world: World, state: str) -> None:
    inbox_id = await an_unrouted_webhook(world, state)
    [one] = (await world.client.get(f"/overture/v1/inbox?state={state}")).json["events"]
    assert (one["id"], one["state"], one["kind"]) == (inbox_id, state, "inbound")
    reply = await world.client.call("POST", f"/overture/v1/inbox/{inbox_id}/retry")
    assert (reply.status, reply.json) == (200, {"id": inbox_id, "changed": True})
    assert "inbox" in world.woken
    assert (await world.client.get(f"/overture/v1/inbox?state={state}")).json["events"] == []
    again = await world.client.call("POST", f"/overture/v1/inbox/{inbox_id}/retry")
    assert (again.status, again.json["changed"]) == (200, False)


async def test_what_was_handled_is_not_handled_again(world: World) -> None:
    inbox_id = await an_unrouted_webhook(world, "done")
    reply = await world.client.call("POST", f"/overture/v1/inbox/{inbox_id}/retry")
    assert (reply.status, reply.json["code"], reply.json["category"]) == (400, "webhook_handled", "conflict")


@pytest.mark.parametrize("an_id", ["x", "%1f", "a" * 2000])
async def test_an_unknown_webhook_is_told_so(world: World, an_id: str) -> None:
    reply = await world.client.call("POST", f"/overture/v1/inbox/{an_id}/retry")
    assert (reply.status, reply.json["code"]) == (404, "webhook_unknown")


async def test_only_an_administrator_has_one_handled_again(world: World) -> None:
    inbox_id = await an_unrouted_webhook(world)
    other = world.client.with_key(await world.key(Scope.SEND, Scope.READ, Scope.WRITE))
    assert (await other.call("POST", f"/overture/v1/inbox/{inbox_id}/retry")).status == 403


@pytest.mark.parametrize("query", ["", "state=done", "state=unrouted&limit=0"])
async def test_a_list_that_makes_no_sense_is_refused(world: World, query: str) -> None:
    assert (await world.client.get(f"/overture/v1/inbox?{query}")).status == 400
