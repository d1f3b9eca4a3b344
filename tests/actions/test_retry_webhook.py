"""A webhook that was left over is handled again when an operator says so, as if it had just come."""

import asyncio
from typing import Any

import pytest

from overture.actions.retry_webhook import retry_webhook
from overture.domain.errors import Conflict, Problem, Unknown
from overture.store import inbox
from overture.store.inbox import LeftOver
from tests.world import AGENT, SMS, WORKSPACE, World, add_sender

NEW_NUMBER = "+15551230009"


async def retry(world: World, inbox_id: str, workspace: str = WORKSPACE) -> bool:
    return await world.store.write(
        lambda tx: retry_webhook(tx, workspace_id=workspace, inbox_id=inbox_id, now=world.clock.now())
    )


async def refused(work: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        await work
    return caught.value


async def left_over(world: World, state: str) -> list[LeftOver]:
    return await world.store.read(lambda tx: inbox.list_left_over_of(tx, WORKSPACE, state, after="", limit=10))


async def test_what_came_before_its_sender_was_set_up_is_routed_after(world: World) -> None:
    await world.hears("Is anybody there?", to=NEW_NUMBER)
    [left] = await left_over(world, "unrouted")
    await add_sender(world, SMS, NEW_NUMBER, inbound_agent_id=AGENT)
    world.clock.passes(minutes=10)
    assert await retry(world, left.id)
    await world.handles()
    assert await left_over(world, "unrouted") == []
    [conversation] = await world.live()
    assert (await world.texts(conversation.id))[0] == "> Is anybody there?"
    assert await world.value("SELECT body FROM inbox") is None
    again = await refused(retry(world, left.id))
    assert (type(again), again.code) == (Conflict, "webhook_handled")


async def test_without_its_sender_it_is_left_over_again(world: World) -> None:
    await world.hears("Is anybody there?", to=NEW_NUMBER)
    [left] = await left_over(world, "unrouted")
    assert await retry(world, left.id)
    await world.handles()
    assert [one.id for one in await left_over(world, "unrouted")] == [left.id]
    assert await world.live() == []


@pytest.mark.promise("P5")
async def test_asked_twice_it_is_handled_once(world: World) -> None:
    await world.hears("Is anybody there?", to=NEW_NUMBER)
    [left] = await left_over(world, "unrouted")
    await add_sender(world, SMS, NEW_NUMBER, inbound_agent_id=AGENT)
    answers = await asyncio.gather(retry(world, left.id), retry(world, left.id))
    assert sorted(answers) == [False, True]
    await world.handles()
    [conversation] = await world.live()
    assert len(await world.lines(conversation.id)) == 1


@pytest.mark.promise("P15")
async def test_a_parked_one_is_tried_as_often_as_a_new_one(world: World) -> None:
    await world.keeps(world.written("Hello"))
    await world.change("UPDATE inbox SET state = 'parked', tries = 5, due_at = NULL, outcome = 'Traceback'")
    [left] = await left_over(world, "parked")
    assert await retry(world, left.id)
    assert [list(row) for row in await world.rows("SELECT state, tries FROM inbox")] == [["new", 0]]
    await world.handles()
    assert await world.column("SELECT state FROM inbox") != ["parked"]


@pytest.mark.parametrize("inbox_id", ["", "x", "01a20461-c96f-704b-8004-34926322f248", "é" * 50])
async def test_an_unknown_one_is_refused(world: World, inbox_id: str) -> None:
    told = await refused(retry(world, inbox_id))
    assert (type(told), told.code, told.field) == (Unknown, "webhook_unknown", "inbox_id")


@pytest.mark.promise("P28")
async def test_another_workspace_has_no_say(world: World) -> None:
    await world.hears("Is anybody there?", to=NEW_NUMBER)
    [left] = await left_over(world, "unrouted")
    assert isinstance(await refused(retry(world, left.id, "another")), Unknown)
    assert await world.column("SELECT state FROM inbox") == ["unrouted"]
