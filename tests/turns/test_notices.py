"""Hand-overs are told to the operator's server: with the fact, signed, again for a day, and only outside."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, Final

import pytest
from msgspec.structs import replace

from overture.actions.hand_over import HandOver, hand_over
from overture.adapters.http_tool import HttpTools
from overture.adapters.notifier import SignedNotifier
from overture.domain import retry
from overture.domain.agent import HandOverRules, Notify, Otherwise
from overture.domain.conversation import Mode
from overture.domain.tool_address import NOWHERE, Reach
from overture.workers.notices import NoticeRoad
from tests.adapters.wire import Answer, Peer, http, peer, reset, silence
from tests.people import takes
from tests.turns.test_people import is_handed_over, time_passes
from tests.world import ADA, BOOKER, WORKSPACE, World, a_world

SECRETS: Final = {"DESK": "a secret of the desk", "CODED": "whsec_" + base64.b64encode(b"\x00\xffkey").decode()}
OK: Final = http(204)
LOOPBACK: Final = Reach.read(("127.0.0.1",))


class Desk:
    """A world with a road for notices, and the server that they go to."""

    def __init__(self, world: World, server: Peer, tools: HttpTools) -> None:
        self.world = world
        self.server = server
        self.road = NoticeRoad(
            store=world.store, try_seconds=0.5, notifier=SignedNotifier(tools, secrets=SECRETS), ids=world.ids
        )

    async def hands_over(self, secret: str | None = "DESK", **rules: Any) -> str:
        """A conversation that its agent hands over, and whose agent tells."""
        return await is_handed_over(self.world, notify=Notify(url=f"{self.server.url}/hook", secret=secret), **rules)

    async def tells(self) -> None:
        """Everything that is due is told once."""
        while await self.road.look() == 0:
            pass

    async def states(self) -> list[tuple[Any, ...]]:
        rows = await self.world.rows("SELECT kind, state, tries FROM notice ORDER BY created_at, id")
        return [tuple(row) for row in rows]

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.server.requests]


@asynccontextmanager
async def a_desk(url: str, *answers: Answer, reach: Reach = LOOPBACK) -> AsyncIterator[Desk]:
    tools = HttpTools(secrets={}, reach=reach)
    async with peer(*answers) as server, a_world(url) as world:
        try:
            yield Desk(world, server, tools)
        finally:
            await tools.aclose()


def signature(key: bytes, headers: dict[str, str], body: bytes) -> str:
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()


async def test_a_hand_over_its_reminder_and_its_fallback_are_each_told_once(database_url: str) -> None:
    async with a_desk(database_url, OK, OK, OK) as desk:
        an_id = await desk.hands_over(otherwise=Otherwise.MESSAGE, message="Nobody is here.")
        for _ in range(4):
            await desk.tells()
            await time_passes(desk.world, 61)
        kinds = ["conversation.handed_over", "conversation.unattended", "conversation.given_up"]
        assert [one["type"] for one in desk.told] == kinds
        assert await desk.states() == [(kind, "delivered", 1) for kind in kinds]
        assert {one["data"]["conversation_id"] for one in desk.told} == {an_id}
        assert {one["data"]["note"] for one in desk.told} == {"Wants a person."}
        assert desk.told[2]["data"]["otherwise"] == "message"
        assert len({one["id"] for one in desk.told}) == 3
        assert ADA not in json.dumps(desk.told)


async def test_what_a_rule_hands_over_is_told_of_as_well(database_url: str) -> None:
    async with a_desk(database_url, OK) as desk:
        notify = Notify(url=desk.server.url, secret="DESK")
        await desk.world.saves(replace(BOOKER, hand_over=HandOverRules(notify=notify)))
        asked = HandOver(
            workspace_id=WORKSPACE, conversation_id=await desk.world.starts(), reason="asked", note="A rule."
        )
        for _ in range(2):  # the second time it is no agent's any more
            await desk.world.store.write(lambda tx: hand_over(tx, [asked], desk.world.clock.now(), desk.world.ids))
        await desk.tells()
        assert [one["data"]["note"] for one in desk.told] == ["A rule."]


async def test_a_turn_that_is_left_to_a_person_is_told_of_as_well(database_url: str) -> None:
    async with a_desk(database_url, OK, OK) as desk:
        rules = HandOverRules(notify=Notify(url=desk.server.url), ack_within_seconds=60)
        await desk.world.saves(replace(BOOKER, hand_over=rules))
        an_id = await desk.world.starts()
        await desk.world.hears("Monday")
        await desk.world.change("UPDATE conversation SET last_seq = 1")  # whatever is said now has a number twice
        for _ in range(retry.POISON_TRIES + 1):
            await desk.world.takes_turns()
            desk.world.clock.passes(minutes=5)
        assert (await desk.world.conversation(an_id)).mode is Mode.PAUSED
        await desk.tells()
        await time_passes(desk.world, 61)
        await desk.tells()
        assert [one["type"] for one in desk.told] == ["conversation.paused", "conversation.unattended"]


async def test_a_conversation_that_cannot_even_be_read_is_told_of_reminded_of_and_given_up(database_url: str) -> None:
    async with a_desk(database_url, OK, OK, OK) as desk:
        rules = HandOverRules(
            notify=Notify(url=desk.server.url), ack_within_seconds=60, otherwise=Otherwise.MESSAGE, message="Nobody."
        )
        await desk.world.saves(replace(BOOKER, hand_over=rules))
        an_id = await desk.world.starts()
        await desk.world.sends()
        await desk.world.hears("Monday")
        await desk.world.change("UPDATE conversation SET variables = 'not JSON'")
        for _ in range(retry.POISON_TRIES):
            await desk.world.takes_turns()
            desk.world.clock.passes(minutes=5)
        for _ in range(4):
            await desk.tells()
            await time_passes(desk.world, 61)
        kinds = ["conversation.paused", "conversation.unattended", "conversation.given_up"]
        assert [one["type"] for one in desk.told] == kinds
        assert {one["data"]["conversation_id"] for one in desk.told} == {an_id}
        await desk.world.sends()
        assert desk.world.twilio.said == ["Hello Ada", "Nobody."]
        assert (await takes(desk.world, an_id)).changed
        assert await desk.world.value("SELECT mode FROM conversation") == Mode.HUMAN


@pytest.mark.parametrize(("secret", "key"), [("DESK", b"a secret of the desk"), ("CODED", b"\x00\xffkey"), (None, b"")])
async def test_each_try_is_signed_anew_under_the_same_id(database_url: str, secret: str | None, key: bytes) -> None:
    async with a_desk(database_url, http(500), OK) as desk:
        await desk.hands_over(secret)
        await desk.tells()
        desk.world.clock.passes(seconds=6)
        await desk.tells()
        (line, first, body), (_, second, again) = desk.server.requests
        assert line == "POST /hook HTTP/1.1"
        assert first["content-type"] == "application/json"
        assert body == again
        assert first["webhook-id"] == second["webhook-id"] == first["idempotency-key"] == json.loads(body)["id"]
        assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 6
        for headers in (first, second):
            assert headers.get("webhook-signature") == (signature(key, headers, body) if secret else None)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (http(500), "answered 500"),
        (http(404), "answered 404"),
        (http(429), "answered 429"),
        (http(302, Location="http://127.0.0.1:1/elsewhere"), "wants to be asked elsewhere"),
        (http(307, Location="http://169.254.169.254/"), "wants to be asked elsewhere"),
        (reset, "broke off"),
    ],
)
async def test_what_failed_is_told_again_and_no_redirect_is_followed(
    database_url: str, answer: Answer, why: str
) -> None:
    async with a_desk(database_url, answer, OK) as desk:
        await desk.hands_over()
        await desk.tells()
        assert await desk.states() == [("conversation.handed_over", "waiting", 1)]
        assert why in await desk.world.value("SELECT reason FROM notice")
        await desk.tells()
        assert len(desk.server.requests) == 1  # not before its time
        desk.world.clock.passes(seconds=5)
        await desk.tells()
        assert await desk.states() == [("conversation.handed_over", "delivered", 2)]
        assert await desk.world.value("SELECT reason FROM notice") is None


async def test_a_server_that_hangs_is_waited_for_in_vain_and_not_for_long(
    database_url: str,
) -> None:
    async with a_desk(database_url, silence, OK) as desk:
        await desk.hands_over()
        await desk.tells()
        assert await desk.states() == [("conversation.handed_over", "waiting", 1)]
        desk.world.clock.passes(seconds=5)
        await desk.tells()
        assert await desk.states() == [("conversation.handed_over", "delivered", 2)]


@pytest.mark.parametrize("address", ["https://10.0.0.1/hook", "https://localhost/", "https://[::1]/", "http://{peer}/"])
async def test_a_private_address_is_asked_nothing_and_given_up(database_url: str, address: str) -> None:
    async with a_desk(database_url, OK, reach=NOWHERE) as desk:
        url = address.format(peer=desk.server.url.removeprefix("http://"))
        await is_handed_over(desk.world, notify=Notify(url=url))
        await desk.tells()
        assert desk.server.requests == []
        assert await desk.states() == [("conversation.handed_over", "failed", 1)]
        [(data, _)] = await desk.world.events("notice.failed")
        assert "private" in data


async def test_a_missing_secret_is_waited_for_and_nothing_leaves_unsigned(database_url: str) -> None:
    async with a_desk(database_url, OK) as desk:
        await desk.hands_over("ABSENT")
        await desk.tells()
        assert desk.server.requests == []
        assert "OVERTURE_SECRET_ABSENT" in await desk.world.value("SELECT reason FROM notice")
        assert await desk.states() == [("conversation.handed_over", "waiting", 1)]


async def test_after_a_day_it_is_given_up_and_said_so(database_url: str) -> None:
    async with a_desk(database_url, *[http(503)] * 60) as desk:
        an_id = await desk.hands_over()
        for _ in range(60):
            await desk.tells()
            desk.world.clock.passes(hours=1)
        [(_, state, tries)] = await desk.states()
        assert (state, tries) == ("failed", len(desk.server.requests))
        assert 20 <= tries <= 40
        [(_, where)] = await desk.world.events("notice.failed")
        assert where == an_id
        assert (await desk.world.conversation(an_id)).mode is Mode.HUMAN


async def test_410_ends_it_at_once(database_url: str) -> None:
    async with a_desk(database_url, http(410)) as desk:
        await desk.hands_over()
        await desk.tells()
        assert await desk.states() == [("conversation.handed_over", "failed", 1)]


async def test_a_worker_that_dies_between_leaves_it_to_the_next_one(database_url: str) -> None:
    async with a_desk(database_url, OK) as desk:
        await desk.hands_over()
        await desk.world.change("UPDATE notice SET due_at = due_at + 60000000, tries = 1")  # claimed, and no word since
        await desk.tells()
        assert desk.server.requests == []
        desk.world.clock.passes(seconds=60)
        await desk.tells()
        assert await desk.states() == [("conversation.handed_over", "delivered", 2)]


async def test_a_dead_server_does_not_starve_a_living_one(database_url: str) -> None:
    async with a_desk(database_url, OK) as desk:
        await desk.hands_over()
        await desk.world.change("UPDATE notice SET url = 'http://127.0.0.1:9/', tries = 3")
        for n in range(40):
            await desk.world.change(
                "INSERT INTO notice (id, shard, workspace_id, conversation_id, kind, body, url, state, tries, due_at,"
                " created_at) SELECT id || $1, shard, workspace_id, id || $1, kind, body, url, state, tries,"
                " due_at, created_at FROM notice WHERE length(id) = 36",
                f"-{n}",
            )
        await desk.world.change(
            "UPDATE notice SET tries = 0, url = $1, due_at = due_at + 1 WHERE id LIKE '%-39'", desk.server.url
        )
        desk.world.clock.passes(seconds=1)
        assert await desk.road.look() == 0
        await desk.road.drain(5)
        assert len(desk.server.requests) == 1


async def test_a_server_that_hangs_is_waited_for_by_its_own_notices_alone(database_url: str) -> None:
    async with a_desk(database_url, OK, OK) as desk, peer(*[silence] * 3) as hangs:
        world = desk.world
        first = await desk.hands_over()
        await world.change("UPDATE notice SET url = $1", f"{hangs.url}/other")
        for n in range(40):
            await copies(world, first, n, f"{hangs.url}/hook/{n % 3}", conversation_id=f"c{n}")
        await desk.road.look()
        await arrive(hangs, 2)  # and no more of them, whatever their paths
        await copies(world, first, 100, desk.server.url, conversation_id="other")
        await copies(world, first, 101, desk.server.url, conversation_id="another")
        await desk.road.look()
        await arrive(desk.server, 2)
        assert len(hangs.requests) == 2
        await desk.road.drain(0)
        assert await world.value("SELECT count(*) FROM notice WHERE state = 'delivered'") <= 2
        assert await world.value("SELECT count(*) FROM notice WHERE tries = 1") == 4


async def test_the_notices_of_a_conversation_are_told_one_after_the_other(database_url: str) -> None:
    async with a_desk(database_url, *[OK] * 4, http(500), *[OK] * 2) as desk:
        world = desk.world
        first = await desk.hands_over()
        for n in range(3):
            await copies(world, first, n, desk.server.url, later=n + 1)
        await desk.tells()
        ids = [headers["webhook-id"][36:] for _, headers, _ in desk.server.requests]
        assert ids == ["", "-0", "-1", "-2"]
        await copies(world, first, 7, desk.server.url, later=10)
        await copies(world, first, 8, desk.server.url, later=11)
        await desk.tells()
        assert len(desk.server.requests) == 5  # the later one waits for the one that failed, and is tried again soon
        world.clock.passes(seconds=5)
        await desk.tells()
        assert [headers["webhook-id"][36:] for _, headers, _ in desk.server.requests[4:]] == ["-7", "-7", "-8"]


async def arrive(server: Peer, count: int) -> None:
    """Wait until so many requests have come."""
    async with asyncio.timeout(5):
        while len(server.requests) < count:
            server.landed.clear()
            await server.landed.wait()


async def copies(
    world: World, first: str, n: int, url: str, *, conversation_id: str | None = None, later: int = 0
) -> None:
    """One more notice, that is due now, like that of a conversation."""
    await world.change(
        "INSERT INTO notice (id, shard, workspace_id, conversation_id, kind, body, url, state, tries, due_at,"
        " created_at) SELECT id || $2, shard, workspace_id, $3, kind, body, $4, 'waiting', 0, created_at,"
        " created_at + $5 FROM notice WHERE conversation_id = $1 AND length(id) = 36",
        *(first, f"-{n}", conversation_id or first, url, later),
    )


async def test_an_agent_that_names_no_server_tells_nobody(database_url: str) -> None:
    async with a_desk(database_url) as desk:
        await is_handed_over(desk.world)
        assert await desk.states() == []
        assert await desk.road.look() is None
