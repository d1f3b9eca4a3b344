"""Twilio's API as far as wiring needs it: pages, hosts, and answers that make no sense."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from overture.adapters.twilio.wiring import TwilioWiring
from overture.domain.account import Credentials, Urls, urls_of
from overture.domain.errors import Failure, Misconfigured, Permanent, Transient
from overture.domain.wiring import Place, Setting

ACCOUNT = "AC" + "a" * 32
NUMBERS = f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json"
ONE = {"sid": "PN1", "phone_number": "+15551234567", "capabilities": {"sms": True}, "sms_url": None}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answering(handler: Handler, **key: str) -> AsyncIterator[tuple[TwilioWiring, list[str]]]:
    """An account whose provider answers so, and the addresses it was asked at."""
    asked: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(str(request.rel_url))
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        tokens = () if key else ("t",)
        async with TwilioWiring(Credentials(sid=ACCOUNT, auth_tokens=tokens, urls=urls_of(base), **key)) as wiring:
            yield wiring, asked
    finally:
        await runner.cleanup()


def with_json(body: Any, status: int = 200) -> Handler:
    """A provider that always answers this."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return handle


async def test_pages_are_followed_by_their_query_alone() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        is_first = "PageToken" not in request.query
        following = f"https://evil.example.org{NUMBERS}?PageToken=PA1" if is_first else None
        return web.json_response({"incoming_phone_numbers": [ONE], "next_page_uri": following})

    async with answering(handle) as (wiring, asked):
        pages = [page async for page in wiring.list_numbers()]
    assert [number.setting for page in pages for number in page] == [Setting(), Setting()]
    assert asked == [f"{NUMBERS}?PageSize=1000", f"{NUMBERS}?PageToken=PA1"]


async def test_an_account_tells_of_itself_and_a_key_that_may_not_read_it_is_tried_at_the_numbers() -> None:
    told = {"sid": ACCOUNT, "friendly_name": "Ada's", "status": "active", "type": "Trial"}
    async with answering(with_json(told)) as (wiring, asked):
        found = await wiring.read_account()
    assert (found.sid, found.name, found.status, found.type) == (ACCOUNT, "Ada's", "active", "Trial")
    assert asked == [f"/2010-04-01/Accounts/{ACCOUNT}.json"]

    async def of_numbers_alone(request: web.Request) -> web.StreamResponse:
        if request.path != NUMBERS:
            return web.json_response({"code": 20003}, status=401)
        return web.json_response({"incoming_phone_numbers": [ONE]})

    async with answering(of_numbers_alone) as (wiring, asked):
        with pytest.raises(Misconfigured):
            await wiring.read_account()
    key = {"api_key_sid": "SK1", "api_key_secret": "s"}
    async with answering(of_numbers_alone, **key) as (wiring, asked):
        assert (await wiring.read_account()).sid == ACCOUNT
    assert asked[-1] == f"{NUMBERS}?PageSize=1"


async def test_an_accounts_numbers_are_listed_with_what_they_can_do() -> None:
    number = {**ONE, "capabilities": {"sms": True, "fax": False}}
    async with answering(with_json({"incoming_phone_numbers": [number], "next_page_uri": None})) as (wiring, _):
        pages = [page async for page in wiring.list_numbers()]
    assert [(one.address, one.can_sms) for page in pages for one in page] == [("+15551234567", True)]


@pytest.mark.parametrize(
    "following",
    ["/2010-04-01/Accounts/ACother/IncomingPhoneNumbers.json?Page=1", NUMBERS, "nonsense", f"{NUMBERS}?a=1"],
)
async def test_pages_that_lead_elsewhere_or_round_in_a_circle_end(following: str) -> None:
    async with answering(with_json({"incoming_phone_numbers": [], "next_page_uri": following})) as (wiring, _):
        with pytest.raises(Transient, match="could not be read"):
            async for _page in wiring.list_numbers():
                pass


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (401, {"code": 20003, "message": "Authenticate"}, Misconfigured),
        (403, {"code": 20403}, Permanent),
        (429, {"code": 20429}, Transient),
        (500, {}, Transient),
        (503, "<html>", Transient),
        (200, [], Transient),
        (200, {"sid": 7}, Transient),
        (302, {}, Failure),
        (400, {"code": 21502, "message": "no"}, Permanent),
    ],
)
async def test_every_other_answer_is_a_failure_of_ours(status: int, body: Any, failure: type[Failure]) -> None:
    async with answering(with_json(body, status)) as (wiring, _):
        with pytest.raises(failure):
            await wiring.change(Place.NUMBER, "PN1", Setting(url="https://x"))
        with pytest.raises(failure):
            await wiring.find(Place.WHATSAPP, "XE1")


@pytest.mark.parametrize("place", list(Place))
async def test_a_place_that_is_no_more_is_none(place: Place) -> None:
    async with answering(with_json({"code": 20404}, 404)) as (wiring, _):
        assert await wiring.find(place, "PN1") is None
        assert await wiring.change(place, "PN1", Setting()) is None


async def test_conversations_that_cannot_be_read_are_none() -> None:
    async with answering(with_json({}, 403)) as (wiring, _):
        assert await wiring.list_conversing() == frozenset()


async def test_a_provider_that_is_away_is_transient() -> None:
    nowhere = Credentials(sid=ACCOUNT, auth_tokens=("t",), urls=Urls(api="http://127.0.0.1:1"))
    async with TwilioWiring(nowhere) as wiring:
        with pytest.raises(Transient, match="did not answer"):
            await wiring.read_account()
