"""Choices become content once, are sent by its SID, and are numbered wherever that fails."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

import pytest
from msgspec import structs

from overture.adapters.twilio.client import TwilioAccount, TwilioClient
from overture.domain.errors import Failure, Permanent
from overture.domain.message import Text
from overture.domain.ports import Outgoing
from tests.adapters.wire import Answer, Peer, http, peer, reset, silence, truncated

ACCOUNT = "AC" + "a1" * 16
SID = "SM" + "0c" * 16
CONTENT, OTHER_CONTENT = "HX" + "0d" * 16, "HX" + "0e" * 16
MADE = http(201, json.dumps({"sid": CONTENT, "types": {}}))
TAKEN = http(201, json.dumps({"sid": SID, "status": "queued"}))
NUMBERED = "Which day?\n1 Monday\n2 Tuesday"
OUTGOING = Outgoing(
    message_id="0190-m",
    attempt=1,
    account_sid=ACCOUNT,
    sender="whatsapp:+15550001111",
    to="whatsapp:+15559876543",
    body=Text(text="Which day?", options=("Monday", "Tuesday")),
    validity_seconds=1800,
)


@asynccontextmanager
async def a_client(*answers: Answer) -> AsyncIterator[tuple[TwilioClient, Peer]]:
    async with peer(*answers) as told:
        account = TwilioAccount(sid=ACCOUNT, auth_token="token", base_url=told.url)
        client = TwilioClient(accounts={ACCOUNT: account}, secret=b"secret")
        try:
            yield client, told
        finally:
            await client.aclose()


def sent(told: Peer) -> list[str]:
    """What was posted as messages: the text, or the content's SID."""
    forms = [parse_qs(body.decode()) for line, _, body in told.requests if "Messages.json" in line]
    return [form.get("Body", form.get("ContentSid", [""]))[0] for form in forms]


def created(told: Peer) -> list[dict[str, object]]:
    return [json.loads(body) for line, _, body in told.requests if line == "POST /v1/Content HTTP/1.1"]


async def test_few_short_choices_are_buttons_made_once() -> None:
    async with a_client(MADE, TAKEN, TAKEN) as (client, told):
        await client.send(OUTGOING)
        await client.send(structs.replace(OUTGOING, message_id="another"))
        assert sent(told) == [CONTENT, CONTENT]
        [form] = created(told)
        assert form["types"] == {
            "twilio/quick-reply": {
                "body": "Which day?",
                "actions": [
                    {"type": "QUICK_REPLY", "title": "Monday", "id": "Monday"},
                    {"type": "QUICK_REPLY", "title": "Tuesday", "id": "Tuesday"},
                ],
            }
        }
        assert told.requests[0][1]["authorization"].startswith("Basic ")
        assert "Body" not in parse_qs(told.requests[1][2].decode())


async def test_more_choices_are_a_list() -> None:
    body = Text(text="Which day?", options=("Mo", "Tu", "We", "Th"))
    async with a_client(MADE, TAKEN) as (client, told):
        await client.send(structs.replace(OUTGOING, body=body))
        [form] = created(told)
        items = [{"item": day, "id": day} for day in body.options]
        assert form["types"] == {"twilio/list-picker": {"body": "Which day?", "button": "Options", "items": items}}


async def test_who_asks_for_the_same_at_once_waits_for_the_one_creation() -> None:
    async with a_client(MADE, *[TAKEN] * 5) as (client, told):
        await asyncio.gather(*(client.send(structs.replace(OUTGOING, message_id=str(n))) for n in range(5)))
        assert sent(told) == [CONTENT] * 5
        assert len(created(told)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        http(404), http(400, json.dumps({"code": 20422, "message": "no", "status": 400})), http(500), http(429), reset,
        http(201, "{}"), http(201, json.dumps({"sid": "HX/../x"})), http(201, b"\xff"), http(302, Location="http://x/"),
        truncated(201, b"{"), silence,
    ],
)  # fmt: skip
async def test_what_cannot_be_created_is_numbered_and_rests_for_a_while(answer: Answer) -> None:
    async with a_client(answer, TAKEN, TAKEN) as (client, told):
        await client.send(OUTGOING)
        await client.send(OUTGOING)
        assert sent(told) == [NUMBERED, NUMBERED]
        assert len(created(told)) == 1


async def test_content_that_the_provider_lost_is_numbered_now_and_made_anew_next_time() -> None:
    gone = http(400, json.dumps({"code": 21655, "message": "The ContentSid is invalid", "status": 400}))
    anew = http(201, json.dumps({"sid": OTHER_CONTENT}))
    async with a_client(MADE, gone, TAKEN, anew, TAKEN) as (client, told):
        await client.send(OUTGOING)
        await client.send(OUTGOING)
        assert sent(told) == [CONTENT, NUMBERED, OTHER_CONTENT]


async def test_any_other_refusal_is_one() -> None:
    async with a_client(MADE, http(400, json.dumps({"code": 21211, "message": "no", "status": 400}))) as (client, told):
        with pytest.raises(Permanent):
            await client.send(OUTGOING)
        assert sent(told) == [CONTENT]


async def test_text_that_offers_nothing_asks_for_no_content() -> None:
    async with a_client(TAKEN, TAKEN) as (client, told):
        await client.send(structs.replace(OUTGOING, body=Text(text="Hello")))
        await client.send(structs.replace(OUTGOING, to="+15559876543"))
        assert sent(told) == ["Hello", NUMBERED]
        assert created(told) == []


async def test_typing_is_shown_for_the_message_that_was_written() -> None:
    async with a_client(http(200, '{"success":true}')) as (client, told):
        await client.show_typing(ACCOUNT, SID)
        line, headers, body = told.requests[0]
        assert line == "POST /v2/Indicators/Typing.json HTTP/1.1"
        assert headers["authorization"].startswith("Basic ")
        assert parse_qs(body.decode()) == {"messageId": [SID], "channel": ["whatsapp"]}


@pytest.mark.parametrize("answer", [http(404), http(500), http(400, "{}"), reset])
async def test_typing_that_cannot_be_shown_is_a_failure_like_any_other(answer: Answer) -> None:
    async with a_client(answer) as (client, _):
        with pytest.raises(Failure):
            await client.show_typing(ACCOUNT, SID)
