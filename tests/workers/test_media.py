"""What came with a message is kept here: noted with the message, fetched by its road, told where it cannot be had."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from overture.actions.keep_medium import claim_media
from overture.adapters.twilio.client import TwilioAccount
from overture.adapters.twilio.media import TwilioMedia
from overture.workers.media import MediaRoad
from tests.adapters.wire import Answer, Peer, http, peer, reset
from tests.world import ACCOUNT, WHATSAPP, World


@asynccontextmanager
async def a_road(world: World, *answers: Answer) -> AsyncIterator[tuple[MediaRoad, Peer]]:
    async with peer(*answers) as api:
        account = TwilioAccount(sid=ACCOUNT, auth_token="a token", base_url=api.url)
        fetcher = TwilioMedia({ACCOUNT: account})
        try:
            yield MediaRoad(store=world.store, fetcher=fetcher, signals=world.signals), api
        finally:
            await fetcher.aclose()


async def hears_with(world: World, *urls: str) -> None:
    fields = {f"MediaUrl{n}": url for n, url in enumerate(urls)}
    kinds = {f"MediaContentType{n}": "image/jpeg" for n in range(len(urls))}
    await world.hears("look", NumMedia=str(len(urls)), **fields, **kinds)


async def states(world: World) -> list[tuple[str, int | None, str | None]]:
    rows = await world.rows("SELECT state, size, reason FROM media ORDER BY number")
    return [(row[0], row[1], row[2]) for row in rows]


async def test_what_came_with_a_message_is_fetched_and_kept(world: World) -> None:
    await world.starts()
    async with a_road(
        world, http(200, b"one", Content_Type="image/jpeg"), http(200, b"second", Content_Type="image/png")
    ) as (road, api):
        await hears_with(world, f"{api.url}/a", f"{api.url}/b")
        assert await states(world) == [("waiting", None, None), ("waiting", None, None)]
        assert await road.look() == 0
        assert [size for _, size, _ in sorted(await states(world), key=repr)] == [3, 6]
        assert {state for state, _, _ in await states(world)} == {"kept"}
        assert await road.look() is None
        assert len(api.requests) == 2
    body = await world.value("SELECT body FROM media WHERE size = 3")
    assert bytes(body) == b"one"


async def test_a_message_that_comes_twice_brings_its_media_once(world: World) -> None:
    await world.starts()
    event = world.written("look", NumMedia="1", MediaUrl0="https://api.twilio.com/a", MediaContentType0="image/png")
    await world.keeps(event, event)
    await world.handles()
    assert await states(world) == [("waiting", None, None)]


async def test_what_cannot_be_had_for_now_is_asked_for_again(world: World) -> None:
    await world.starts()
    async with a_road(world, reset, http(503), http(200, b"late", Content_Type="image/png")) as (road, api):
        await hears_with(world, f"{api.url}/a")
        for seconds in (0, 11, 41):
            world.clock.passes(seconds=seconds)
            await road.look()
        assert await states(world) == [("kept", 4, None)]
        assert len(api.requests) == 3


@pytest.mark.parametrize(
    ("answer", "told"),
    [(http(404), "The provider has no such medium any more."), (http(302, Location="http://10.0.0.1/"), "private")],
)
async def test_what_cannot_be_had_is_lost_with_the_reason(world: World, answer: Answer, told: str) -> None:
    await world.starts()
    async with a_road(world, answer) as (road, api):
        await hears_with(world, f"{api.url}/a")
        await road.look()
        [(state, size, reason)] = await states(world)
    assert (state, size) == ("lost", None)
    assert reason is not None
    assert told in reason


async def test_who_is_in_a_contact_card_is_told_in_the_message(world: World) -> None:
    an_id = await world.starts()
    card = "BEGIN:VCARD\r\nFN:Bob [x] Builder\r\nTEL;TYPE=CELL:+1 555 010 0002\r\nEND:VCARD\r\n"
    async with a_road(world, http(200, card, Content_Type="text/vcard; charset=utf-8")) as (road, api):
        await world.hears("call him", NumMedia="1", MediaUrl0=f"{api.url}/a", MediaContentType0="text/vcard")
        assert (await world.texts(an_id))[-1] == "> [contact] call him"
        await road.look()
    assert (await world.texts(an_id))[-1] == "> [contact Bob (x) Builder, +1 555 010 0002] call him"


async def test_it_is_given_up_after_some_tries(world: World) -> None:
    await world.starts()
    async with a_road(world, *[http(503)] * 9) as (road, api):
        await hears_with(world, f"{api.url}/a")
        for _ in range(10):
            await road.look()
            world.clock.passes(days=1)
        assert [state for state, _, _ in await states(world)] == ["lost"]
        assert len(api.requests) == 8


async def test_a_fetch_that_died_is_made_again_after_its_lease(world: World) -> None:
    await world.starts()
    async with a_road(world, http(200, b"one", Content_Type="image/png")) as (road, api):
        await hears_with(world, f"{api.url}/a")
        now = world.clock.now()
        assert len(await world.store.write(lambda tx: claim_media(tx, 4, now))) == 1  # and its process dies
        await road.look()
        assert api.requests == []
        world.clock.passes(seconds=91)
        await road.look()
        assert await states(world) == [("kept", 3, None)]


async def test_media_on_whatsapp_are_told_to_the_agent_in_words(world: World) -> None:
    await world.is_heard_before(WHATSAPP)
    await world.starts(channel=WHATSAPP)
    await world.hears("", channel=WHATSAPP, NumMedia="1", MediaUrl0="https://x.test/a", MediaContentType0="audio/ogg")
    assert "[voice note]" in (
        await world.value("SELECT body FROM message WHERE direction = 'in' ORDER BY id DESC LIMIT 1")
    )
