"""What came with messages, listed and given out: as bytes, whatever a stranger calls them."""

import pytest

from overture.actions.keep_medium import claim_media, keep_medium
from overture.domain.errors import Permanent
from overture.domain.ports import FetchedMedium
from overture.store import media
from overture.store.engine import Writing
from tests.web.conftest import AGENT, SMS_SENDER, WORKSPACE, World


async def a_conversation(world: World) -> str:
    asked = {"agent_id": AGENT, "channel": "sms", "to_number": "+15559876543", "from_number": SMS_SENDER}
    started: str = (await world.client.post("/v2/chat/outbound", asked)).json["response"]["conversation_id"]
    return started


async def note_a_medium(world: World, conversation_id: str, number: int = 0) -> str:
    """Something came with a conversation's message, and is not fetched yet; its id."""
    now = world.store.now()
    new = media.NewMedium(
        id=world.parts.ids.new(now),
        shard=1,
        workspace_id=WORKSPACE,
        conversation_id=conversation_id,
        seq=1,
        number=number,
        account_sid="AC" + "0" * 32,
        url="https://api.twilio.com/x",
    )
    await world.store.write(lambda tx: media.insert_all(tx, [new], now))
    return new.id


async def keep_a_medium(
    world: World, conversation_id: str, body: bytes, content_type: str = "image/png", *, lost: bool = False
) -> str:
    """Something came with a conversation's message, and is kept (or lost); its id."""
    an_id = await note_a_medium(world, conversation_id)

    async def work(tx: Writing) -> None:
        [asked] = await claim_media(tx, 1, world.store.now())
        result = Permanent("media_gone", "Gone.") if lost else FetchedMedium(content_type=content_type, body=body)
        await keep_medium(tx, asked, result, world.store.now())

    await world.store.write(work)
    return an_id


async def test_media_are_listed_and_given_out(world: World) -> None:
    conversation = await a_conversation(world)
    an_id = await keep_a_medium(world, conversation, b"\x89PNG \x00\xff")
    [listed] = (await world.client.get(f"/overture/v1/conversations/{conversation}/media")).json["media"]
    assert {name: listed[name] for name in ("id", "seq", "number", "state", "content_type", "size", "reason")} == {
        "id": an_id,
        "seq": 1,
        "number": 0,
        "state": "kept",
        "content_type": "image/png",
        "size": 7,
        "reason": None,
    }
    reply = await world.client.get(f"/overture/v1/media/{an_id}")
    assert (reply.status, reply.body) == (200, b"\x89PNG \x00\xff")
    assert reply.headers["content-type"] == "image/png"
    assert reply.headers["content-disposition"] == "attachment"
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("named", ["text/html", "image/svg+xml", "application/javascript", "", "x" * 200])
async def test_what_a_browser_could_run_is_given_as_bytes(world: World, named: str) -> None:
    an_id = await keep_a_medium(world, await a_conversation(world), b"<script>alert(1)</script>", named)
    reply = await world.client.get(f"/overture/v1/media/{an_id}")
    assert reply.headers["content-type"] == "application/octet-stream"


async def test_what_is_not_here_says_why(world: World) -> None:
    conversation = await a_conversation(world)
    lost = await keep_a_medium(world, conversation, b"", lost=True)
    waiting = await note_a_medium(world, conversation, number=1)
    for an_id, told in ((lost, "The medium was not to be had: Gone."), (waiting, "The medium is still being fetched.")):
        reply = await world.client.get(f"/overture/v1/media/{an_id}")
        assert (reply.status, reply.json["code"], reply.json["detail"]) == (400, "medium_not_here", told)


async def test_the_media_of_a_deleted_conversation_are_gone(world: World) -> None:
    conversation = await a_conversation(world)
    an_id = await keep_a_medium(world, conversation, b"x")
    await world.client.delete(f"/v2/chat/{conversation}")
    assert (await world.client.get(f"/overture/v1/media/{an_id}")).status == 404
    assert (await world.client.get(f"/overture/v1/conversations/{conversation}/media")).status == 404


@pytest.mark.parametrize("an_id", ["nothing", "0", "x" * 5000, "%00", "..%2F..", "é"])
async def test_an_id_that_is_none_is_not_found(world: World, an_id: str) -> None:
    assert (await world.client.get(f"/overture/v1/media/{an_id}")).status == 404
