"""A copy of a database stays shut until it is adopted, and a server that was down obeys a STOP of the time between."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from handset.testing import RunningHandset, running
from overture import settings
from overture.actions.adopt_instance import adopt_instance, recognise_instance
from overture.bootstrap import WORKSPACE, House, serve
from overture.client import Client
from overture.domain.agent import EndReason
from overture.domain.channel import Channel
from overture.domain.sending import Start
from overture.store import agents, conversations, instances
from overture.store.instances import Binding, Instance
from overture.store.statement import Query
from overture.web.api.probes import Ready
from tests.cli.commands import overture
from tests.test_bootstrap import environment, free_port
from tests.world import ADA, BOOKER, OURS, World, a_world

A, B = "https://a.example", "https://b.example"
PHONE = "+15550200777"


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with a_world(database_url) as world:
        await world.store.write(
            lambda tx: instances.get_or_make(tx, Instance(id="one", callback_secret="00"), world.clock.now())
        )
        yield world


async def is_started(world: World, *urls: str, may_shut: bool = True) -> Binding:
    return await world.store.write(
        lambda tx: recognise_instance(tx, WORKSPACE, urls, world.clock.now(), world.ids, may_shut=may_shut)
    )


async def is_adopted(world: World, *urls: str) -> Binding:
    return await world.store.write(lambda tx: adopt_instance(tx, WORKSPACE, urls, world.clock.now(), world.ids))


@pytest.mark.promise("P4")
@pytest.mark.parametrize(
    ("starts", "bound", "shut"),
    [
        ([[]], [], False),
        ([["http://127.0.0.1:8080"], [A]], [A], False),
        ([[A], [A]], [A], False),
        ([[A], [A, B], [B]], [A, B], False),
        ([[A], [B]], [A], True),
        ([[A], []], [A], True),
        ([[A], [B], [A]], [A], True),  # what was taken for a copy stays shut
        ([[A], [B], [A, B]], [A, B], True),
    ],
    ids=str,
)
async def test_the_first_start_binds_and_a_start_somewhere_else_is_a_copy(
    world: World, starts: list[list[str]], bound: list[str], shut: bool
) -> None:
    found = [await is_started(world, *urls) for urls in starts][-1]
    assert (list(found.public_urls), found.shut_because is not None) == (bound, shut)
    assert await world.store.read(instances.is_shut) is shut
    assert await world.store.read(instances.find_binding) == found
    assert len(await world.events("instance.shut")) == int(shut)


async def test_a_copy_is_told_with_both_addresses(world: World) -> None:
    await is_started(world, A)
    found = await is_started(world, B)
    assert found.shut_because == f"The database belongs to {A} and was started under {B}: it may be a copy."


@pytest.mark.promise("P20")
async def test_what_a_copy_had_queued_is_looked_for_before_it_may_leave(world: World) -> None:
    await world.starts()
    await is_started(world, A)
    await is_started(world, B)
    assert await world.column("SELECT state FROM outbox") == ["uncertain"]
    assert await world.column("SELECT DISTINCT shut_because FROM sender") == ["restore"]


async def test_a_process_that_only_serves_the_api_shuts_nothing_and_tells_it(world: World) -> None:
    await is_started(world, A)
    assert (await is_started(world, B, may_shut=False)).shut_because is not None
    assert await world.store.read(instances.is_shut) is False


async def test_adopting_binds_anew_and_keeps_queues_shut_for_a_sweep(world: World) -> None:
    await is_started(world, A)
    await is_started(world, B)
    adopted = await is_adopted(world, B)
    assert adopted == Binding(instance_id="one", public_urls=(B,), shut_because=None)
    assert await world.value("SELECT count(*) FROM sender WHERE shut_at IS NOT NULL") == 2
    assert (await is_started(world, B)).shut_because is None
    assert (await is_started(world, A)).shut_because is not None
    [row] = await world.events("instance.adopted")
    assert B in json.loads(row[0])["description"]


async def test_adopting_what_is_the_instance_already_changes_nothing(world: World) -> None:
    await is_started(world, A)
    assert await is_adopted(world, A) == await is_started(world, A)
    assert await world.value("SELECT count(*) FROM sender WHERE shut_at IS NOT NULL") == 0
    assert await world.events("instance.adopted") == []


def test_a_copy_is_adopted_by_a_command_without_a_server(tmp_path: Path) -> None:
    for url in (A, B):
        made = House(settings.read({"OVERTURE_DATA": str(tmp_path / "data"), "OVERTURE_PUBLIC_URL": url}))
        asyncio.run(opened_and_closed(made))
    told = overture(tmp_path, "doctor", OVERTURE_PUBLIC_URL=B).stdout
    assert "it may be a copy" in told
    assert "`overture adopt` makes it the instance" in told
    first = overture(tmp_path, "adopt", OVERTURE_PUBLIC_URL=B)
    assert (first.returncode, f"It is the instance now, under {B}." in first.stdout) == (0, True), first.stderr
    again = overture(tmp_path, "adopt", "--json", OVERTURE_PUBLIC_URL=B)
    assert (json.loads(again.stdout)["shut_because"], json.loads(again.stdout)["public_urls"]) == (None, [B])
    assert overture(tmp_path, "adopt", OVERTURE_PUBLIC_URL=B).stdout == (
        f"This database is the instance already, under {B}.\n"
    )


def test_adopting_a_data_folder_that_is_not_there_makes_none(tmp_path: Path) -> None:
    run = overture(tmp_path, "adopt")
    assert (run.returncode, list(tmp_path.iterdir())) == (1, [])


async def opened_and_closed(house: House) -> None:
    await house.open()
    await house.close()


# The whole, with Handset for Twilio.


@asynccontextmanager
async def served(given: dict[str, str]) -> AsyncIterator[House]:
    """A server in this process, with its doors, until the block ends."""
    stopping, ready, houses = asyncio.Event(), asyncio.Event(), list[House]()

    def make(read: settings.Settings, told: asyncio.Event | None) -> House:
        houses.append(House(read, told))
        return houses[0]

    task = asyncio.create_task(
        serve(settings.read(given), ready=lambda _host, _port: ready.set(), stopping=stopping, make_house=make)
    )
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield houses[0]
    finally:
        waiting.cancel()
        stopping.set()
        await task


async def starts(house: House, text: str, to: str = ADA) -> str:
    await house.store.write(lambda tx: agents.save(tx, WORKSPACE, "booker", BOOKER, {}, house.store.now()))
    parts = house._parts()
    answer: Any = await parts.starts.submit(
        Start(workspace_id=WORKSPACE, agent_id="booker", channel=Channel.SMS, to_number=to, from_number=OURS,
              digest=text, text=text)
    )  # fmt: skip
    return str(answer.conversation_id)


async def count(house: House, sql: str) -> int:
    row = await house.store.read(lambda tx: tx.one(Query(sql)))
    return 0 if row is None else int(row[0])


def reaches(house: House, sql: str, wanted: int) -> Callable[[], Awaitable[bool]]:
    async def reached() -> bool:
        return await count(house, sql) == wanted

    return reached


@asynccontextmanager
async def a_handset(port: int) -> AsyncIterator[RunningHandset]:
    inbound = f"http://127.0.0.1:{port}/webhooks/twilio/inbound"
    async with running({"numbers": [{"address": OURS, "inbound_url": inbound}], "phones": []}) as handset:
        yield handset


SHUT = "SELECT count(*) FROM sender WHERE shut_at IS NOT NULL"


@pytest.mark.promise("P22")
@pytest.mark.promise("P4")
async def test_a_stop_that_came_while_the_server_was_down_wins_and_what_came_too_is_answered(
    database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    async with a_handset(port) as handset:
        given = environment(handset, database_url, tmp_path, port) | {"OVERTURE_QUIET_SECONDS": "0"}
        async with served(given) as house:
            await handset.wait_for(reaches(house, SHUT, 0))
            ids = [await starts(house, f"Hello {who}", who) for who in (ADA, PHONE)]
            await handset.wait_for(reaches(house, "SELECT count(*) FROM outbox", 0))
            await handset.types(ADA, OURS, "Monday")
            await handset.wait_for(lambda: received(handset, ADA, 2))
            await handset.wait_for(lambda: is_a_second_past_activation(house))
        house = House(settings.read(given))
        await house.open()
        await starts(house, "Are you there, Ada?")
        await house.close()
        await handset.types(ADA, OURS, "STOP")
        await handset.types(PHONE, OURS, "Tuesday")
        before = await handset.messages(ADA)
        async with served(given) as house:
            await handset.wait_for(lambda: received(handset, PHONE, 2), 15)
            await handset.wait_for(reaches(house, SHUT, 0))
            ada = await house.store.read(lambda tx: conversations.find(tx, WORKSPACE, ids[0]))
            assert ada is not None
            assert (ada.end_reason in (EndReason.OPT_OUT, EndReason.SUPERSEDED)) is True
            assert await count(house, "SELECT count(*) FROM conversation WHERE end_reason = 'opt_out'") == 1
            assert [m["sid"] for m in await handset.messages(ADA)] == [m["sid"] for m in before]


async def is_a_second_past_activation(house: House) -> bool:
    """Whether what is written from now on is dated after it in the provider's list, which tells whole seconds."""
    micros = await count(house, "SELECT max(activated_at) FROM sender")
    return house.store.now().timestamp() >= micros // 1_000_000 + 1


async def received(handset: RunningHandset, phone: str, many: int) -> bool:
    return len(await handset.received_by(phone)) == many


async def test_a_served_copy_tells_everybody_who_asks_and_goes_on_when_it_is_adopted(
    database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    async with a_handset(port) as handset:
        given = environment(handset, database_url, tmp_path, port)
        here = given["OVERTURE_PUBLIC_URL"]
        async with served(given | {"OVERTURE_PUBLIC_URL": f"{here},{A}"}) as house:
            await handset.wait_for(reaches(house, SHUT, 0))
        async with (
            served(given | {"OVERTURE_PUBLIC_URL": f"{here},{B}"}) as house,
            Client(socket=house.settings.socket) as client,
        ):
            told: Ready = await client.health()
            assert (told.status, told.wrong) == ("ready", [])
            assert "`overture adopt`" in told.notes[0]
            instance = await client.get_instance()
            assert (instance.public_urls, instance.served_under) == ([A], [here, B])
            await starts(house, "Hello")  # calls are taken, and nothing leaves
            await handset.wait_for(reaches(house, "SELECT count(*) FROM outbox WHERE state = 'queued'", 1))
            assert await count(house, SHUT) == 1
            adopted = await client.adopt_instance()
            assert (adopted.public_urls, adopted.shut_because) == ([B], None)
            assert (await client.health()).notes == []
