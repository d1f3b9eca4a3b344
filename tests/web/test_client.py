"""The client of our own API, over TCP with a key and over a socket without: answers, and the problems it raises."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp

from overture.client import Client
from overture.domain.access import Scope
from overture.domain.errors import (
    Conflict,
    Failure,
    Forbidden,
    Invalid,
    NotAllowed,
    Problem,
    Transient,
    Unauthenticated,
    Unavailable,
    Unknown,
)
from overture.store.engine import Store
from overture.web.app import make_app
from tests.web.conftest import AGENT, PROMPT_AGENT, SMS_SENDER, WHATSAPP_SENDER, World, make_world
from tests.web.talking import ScriptedModel, agents_answer
from tests.web.webhooks import an_unrouted_webhook

CHAT = "7d0c4a52-5b0e-4c4e-9f55-0d6c3b5f6c11"
START: dict[str, Any] = {"agent_id": AGENT, "channel": "sms", "to_number": "+15559876543", "from_number": SMS_SENDER}


@asynccontextmanager
async def serving(app: ASGIApp, listening: socket.socket) -> AsyncIterator[None]:
    """The application behind a real server."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="none", lifespan="off"))
    task = asyncio.create_task(server._serve([listening]))
    try:
        async with asyncio.timeout(10):
            while not server.started:  # uvicorn tells of it no other way  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def client_of(world: World, key: str | None = None) -> AsyncIterator[Client]:
    """A client of a server on a free port of the loopback address."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    given = await world.key(Scope.ADMIN) if key is None else key
    async with serving(make_app(world.parts), listening), Client(base_url=url, key=given) as client:
        yield client


async def test_a_conversation_is_started_seen_and_deleted(world: World) -> None:
    async with client_of(world) as client:
        started = await client.start_outbound(**START, idempotency_key="17")
        again = await client.start_outbound(**START, idempotency_key="17")
        assert (started.replayed, again.replayed) == (False, True)
        assert again.conversation_id == started.conversation_id
        chat = await client.get_chat(started.conversation_id)
        assert chat.transcript == "Agent: Hello, it is the salon."
        page = await client.list_chats(agent_id=AGENT)
        assert [one.chat_id for one in page.chats] == [started.conversation_id]
        lines = await client.list_messages(started.conversation_id)
        assert [line.text for line in lines.messages] == ["Hello, it is the salon."]
        await client.delete_chat(started.conversation_id)
        with pytest.raises(Unknown):
            await client.get_chat(started.conversation_id)


async def test_a_chat_is_spoken_in(world: World) -> None:
    async with client_of(world) as client, agents_answer(world, ScriptedModel("Yes.")):
        chat = await client.open_chat(PROMPT_AGENT, chat_id=CHAT)
        assert chat.initial_message is not None
        assert (await client.say(CHAT, "Open?")).agent_message == "Yes."


async def test_agents_and_keys_are_managed(world: World) -> None:
    async with client_of(world) as client:
        saved = await client.put_agent(
            text="kind: flow\nname: A\nnodes: {start: {say: Hi, end: completed}}\n", agent_id="a"
        )
        assert (saved.version, saved.kind) == (1, "flow")
        assert (await client.list_agents()).total == 4
        assert (await client.get_agent("a")).spec["name"] == "A"
        made = await client.create_key("shop", [Scope.READ])
        assert {key.name for key in await client.list_keys()} >= {"shop"}
        await client.revoke_key(made.kid)
        assert (await client.list_inbox("parked")).events == []
        world.wrong.append("the outbox road has stopped")
        assert (await client.health()).status == "not_ready"


async def test_deliveries_are_looked_after(world: World) -> None:
    async with client_of(world) as client:
        started = await client.start_outbound(**START)
        [line] = (await client.list_messages(started.conversation_id)).messages
        assert [one.message_id for one in (await client.list_deliveries("queued")).deliveries] == [line.id]
        assert (await client.list_deliveries()).deliveries == []
        assert (await client.get_delivery(line.id)).text == line.text
        for decided in (client.resend(line.id, valid_seconds=60), client.drop(line.id, note="No.")):
            with pytest.raises(Conflict) as caught:
                await decided
            assert caught.value.code == "delivery_not_in_review"
        with pytest.raises(Unknown):
            await client.get_delivery("../keys")
        inbox_id = await an_unrouted_webhook(world)
        assert (await client.retry_inbox(inbox_id)).changed


async def test_the_socket_of_the_owner_needs_no_key(world: World, tmp_path: Path) -> None:
    path = tmp_path / "s"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    async with serving(make_app(world.parts, trusted=True), listening), Client(socket=path) as client:
        assert len(await client.list_keys()) == 1


async def test_what_the_server_had_is_raised(world: World) -> None:
    async with client_of(world) as client:
        with pytest.raises(Invalid) as caught:
            await client.start_outbound(**{**START, "to_number": "nobody"})
        assert (caught.value.code, caught.value.field) == ("invalid_request", "to_number")
        assert caught.value.hint
        with pytest.raises(Unknown) as unknown:
            await client.start_outbound(**{**START, "agent_id": "nobody"})
        assert unknown.value.code == "agent_unknown"
        with pytest.raises(NotAllowed):
            await client.start_outbound(
                **{**START, "channel": "whatsapp", "from_number": WHATSAPP_SENDER}, initial_message="Hi"
            )
        await client.start_outbound(**START, idempotency_key="17")
        with pytest.raises(Conflict):
            await client.start_outbound(**START, initial_message="Other", idempotency_key="17")
        with pytest.raises(Invalid) as refused:
            await client.put_agent(text="kind: rope")
        assert refused.value.code == "agent_invalid"
        with pytest.raises(Unknown):
            await client.revoke_key("../keys")


@pytest.mark.parametrize(("scope", "kind"), [(None, Unauthenticated), (Scope.SEND, Forbidden)])
async def test_a_key_that_may_not_is_told_so(world: World, scope: Scope | None, kind: type[Problem]) -> None:
    key = "ovt_live_nonsense" if scope is None else await world.key(scope)
    async with client_of(world, key) as client:
        with pytest.raises(kind):
            await client.list_keys()


async def test_a_reply_that_takes_too_long_may_be_asked_for_later(store: Store) -> None:
    world = await make_world(store, reply_wait_seconds=0.2)
    async with client_of(world) as client:
        await client.open_chat(PROMPT_AGENT, chat_id=CHAT)
        with pytest.raises(Transient) as pending:
            await client.say(CHAT, "Open?")
        assert pending.value.code == "reply_pending"


async def test_no_server_is_said_in_a_sentence(tmp_path: Path) -> None:
    async with Client(socket=tmp_path / "nothing") as client:
        with pytest.raises(Unavailable) as away:
            await client.health()
    assert away.value.code == "server_away"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 6\r\n\r\n<html>",
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 22\r\n\r\n" + b'{"detail":"Not Found"}',
        b"HTTP/1.1 400 Bad\r\ncontent-length: 13\r\n\r\n" + b'{"code": [1]}',
        b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{",
        b"nonsense\r\n\r\n",
    ],
)
async def test_a_server_that_is_not_ours_is_a_failure(answer: bytes) -> None:
    async def strange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(strange, "127.0.0.1", 0)
    async with server, Client(base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
        with pytest.raises(Failure):
            await client.get_chat(CHAT)


def test_a_client_needs_one_address() -> None:
    with pytest.raises(ValueError, match="either"):
        Client()
