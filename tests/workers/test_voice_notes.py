"""A voice note's words reach the agent, or the agent asks for them; nobody waits longer than some seconds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from overture.adapters.llm.transcription import OpenAITranscriber
from overture.adapters.twilio.client import TwilioAccount
from overture.adapters.twilio.media import TwilioMedia
from overture.agents import beside
from overture.domain.message import Text
from overture.workers.media import MediaRoad
from tests.adapters.wire import Answer, Peer, http, peer
from tests.world import ACCOUNT, WHATSAPP, World

SOUND = http(200, b"OggS", Content_Type="audio/ogg; codecs=opus")


@asynccontextmanager
async def listening(world: World, medium: Answer, *answers: Answer) -> AsyncIterator[tuple[MediaRoad, Peer, Peer]]:
    """A media road over a provider that has one medium and an endpoint that writes notes down."""
    async with peer(medium, medium) as api, peer(*answers) as endpoint:
        fetcher = TwilioMedia({ACCOUNT: TwilioAccount(sid=ACCOUNT, auth_token="a token", base_url=api.url)})
        transcriber = OpenAITranscriber(base_url=endpoint.url, model="whisper-1")
        world.inbox = world.new_inbox(transcribes=True)
        try:
            yield (
                MediaRoad(store=world.store, fetcher=fetcher, signals=world.signals, transcriber=transcriber),
                api,
                endpoint,
            )
        finally:
            await fetcher.aclose()
            await transcriber.aclose()


async def speaks(world: World, api: Peer, kind: str = "audio/ogg") -> None:
    await world.hears("", channel=WHATSAPP, NumMedia="1", MediaUrl0=f"{api.url}/a", MediaContentType0=kind)


async def a_conversation(world: World) -> str:
    await world.is_heard_before(WHATSAPP)
    return await world.starts(channel=WHATSAPP)


async def awaits(world: World, an_id: str) -> bool:
    body = [line for line in await world.lines(an_id) if line.direction == "in"][-1].body
    return isinstance(body, Text) and body.awaits_words


async def test_a_voice_note_is_written_down_and_answered_as_if_it_were_text(world: World) -> None:
    an_id = await a_conversation(world)
    async with listening(world, SOUND, http(200, '{"text": "Monday\\n"}')) as (road, api, endpoint):
        await speaks(world, api)
        assert await awaits(world, an_id)
        await world.turns.look()  # it waits for the words
        await road.look()
        await world.turns.drain(10)
        assert len(endpoint.requests) == 1
    assert (await world.texts(an_id))[-2:] == ["> [voice note] Monday", "Monday it is. At what time?"]
    assert not await awaits(world, an_id)


async def test_a_note_that_cannot_be_written_down_is_asked_for_in_writing(world: World) -> None:
    an_id = await a_conversation(world)
    async with listening(world, SOUND, http(500)) as (road, api, _):
        await speaks(world, api)
        await road.look()
        await world.takes_turns()
    assert not await awaits(world, an_id)
    said = f"{beside.cannot_hear('en')} Hello! Which day suits you?"
    assert (await world.texts(an_id))[-2:] == ["> [voice note]", said]


async def test_a_turn_goes_on_without_words_that_do_not_come(world: World) -> None:
    an_id = await a_conversation(world)
    async with listening(world, http(503)) as (road, api, endpoint):
        await speaks(world, api)
        await road.look()  # the medium itself is not to be had for now
        world.clock.passes(seconds=21)
        await world.takes_turns()
        assert endpoint.requests == []
        assert (await world.texts(an_id))[-1].startswith(beside.cannot_hear("en"))


async def test_words_that_come_late_are_kept_for_who_reads_on(world: World) -> None:
    an_id = await a_conversation(world)
    async with listening(world, SOUND, http(200, '{"text": "Monday"}')) as (road, api, _):
        await speaks(world, api)
        world.clock.passes(seconds=21)
        await world.takes_turns()
        await road.look()
    assert "> [voice note] Monday" in await world.texts(an_id)


async def test_a_note_that_is_gone_keeps_nobody_waiting(world: World) -> None:
    an_id = await a_conversation(world)
    async with listening(world, http(404)) as (road, api, _):
        await speaks(world, api)
        await road.look()
        assert not await awaits(world, an_id)
        await asyncio.wait_for(world.takes_turns(), 5)


async def test_music_is_no_voice_note_and_is_sent_nowhere(world: World) -> None:
    an_id = await a_conversation(world)
    async with listening(world, http(200, b"ID3", Content_Type="audio/mpeg")) as (road, api, endpoint):
        await speaks(world, api, "audio/mpeg")
        await road.look()
        assert endpoint.requests == []
    assert (await world.texts(an_id))[-1] == "> [audio]"


async def test_what_is_said_cannot_pass_for_more_than_words(world: World) -> None:
    an_id = await a_conversation(world)
    async with listening(world, SOUND, http(200, '{"text": "a\\u0000\\n\\u202eb' + "x" * 5000 + '"}')) as (
        road,
        api,
        _,
    ):
        await speaks(world, api)
        await road.look()
    text = (await world.texts(an_id))[-1]
    assert text.startswith("> [voice note] a")
    assert len(text) < 2100
    assert not set(text) & set("\0\n\u202e")
