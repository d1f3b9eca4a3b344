"""How Handset calls a developer's server: patiently as asked, signed, on record; and what it does with the answer."""

import asyncio
from typing import Any

import aiohttp
import pytest
from twilio.request_validator import RequestValidator

from handset.carrier import keywords
from handset.testing import Answer, Receiver, RunningHandset, running
from tests.handset.conftest import ADA, SMS, config_for


async def finished(handset: RunningHandset, kind: str = "inbound") -> dict[str, Any]:
    """The first finished webhook of that kind."""

    async def found() -> dict[str, Any] | None:
        return next((w for w in await handset.webhooks() if w["kind"] == kind and w["finished"]), None)

    webhook: dict[str, Any] = await handset.wait_for(found)
    return webhook


def reporting_to(receiver: Receiver, url: str, **number: str) -> dict[str, Any]:
    return config_for(receiver, numbers=[{"address": SMS, "inbound_url": url, **number}], services=[])


async def test_an_answer_in_twiml_is_sent_as_a_reply(handset: RunningHandset, receiver: Receiver) -> None:
    receiver.answers(
        "/inbound", Answer(body='<Response><Message statusCallback="/status">Hi &amp; welcome</Message></Response>')
    )
    await handset.types(ADA, SMS, "hello")
    await handset.wait_for(lambda: len(receiver.at("/status")) == 2)
    reply = (await handset.messages(ADA))[-1]
    assert (reply["body"], reply["direction"], reply["from"], reply["to"]) == (
        "Hi & welcome",
        "outbound-reply",
        SMS,
        ADA,
    )


async def test_a_reply_to_a_stop_does_not_reach_the_phone(handset: RunningHandset, receiver: Receiver) -> None:
    receiver.answers("/inbound", Answer(body="<Response><Message>Please stay</Message></Response>"))
    await handset.types(ADA, SMS, "STOP")

    async def failed() -> bool:
        return any(message["error_code"] == 21610 for message in await handset.messages(ADA))

    await handset.wait_for(failed)
    assert await handset.received_by(ADA) == [keywords.STOPPED]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(status=500), 11200),
        (Answer(status=403), 11200),
        (Answer(body="<Response>"), 12100),
        (Answer(body="{}", content_type="application/json"), 12300),
        (Answer(body='<Response><Message to="x">a</Message></Response>'), 21211),
        (Answer(body='<Response><Message from="+15550000000">a</Message></Response>'), 21212),
    ],
)
async def test_a_bad_answer_is_on_record_and_sends_nothing(
    handset: RunningHandset, receiver: Receiver, answer: Answer, code: int
) -> None:
    receiver.answers("/inbound", answer)
    await handset.types(ADA, SMS, "hello")

    async def told() -> bool:
        return any(webhook["error_code"] == code for webhook in await handset.webhooks())

    await handset.wait_for(told)
    webhook = await finished(handset)
    assert len(webhook["attempts"]) == 1  # by default nothing is tried again that reached a server
    assert webhook["error"]
    assert len(await handset.messages(ADA)) == 1


async def test_the_fragment_asks_for_retries_with_one_token(receiver: Receiver) -> None:
    receiver.answers("/in", Answer(status=503), Answer(status=503), Answer())
    async with running(reporting_to(receiver, receiver.url("/in?a=b#rc=3&rp=5xx"))) as handset:
        await handset.types(ADA, SMS, "hello")
        webhook = await finished(handset)
        assert [attempt["status"] for attempt in webhook["attempts"]] == [503, 503, 200]
        assert webhook["error_code"] is None
        assert len({received.headers["I-Twilio-Idempotency-Token"] for received in receiver.at("/in")}) == 1
        assert {received.url for received in receiver.at("/in")} == {receiver.url("/in?a=b")}


async def test_a_slow_answer_is_given_up_and_told_to_the_fallback(receiver: Receiver) -> None:
    receiver.answers("/in", Answer(after=asyncio.Event()))
    url = receiver.url("/in#rt=100")
    async with running(reporting_to(receiver, url, fallback_url=receiver.url("/fallback"))) as handset:
        await handset.types(ADA, SMS, "hello")
        webhook = await finished(handset)
        assert (webhook["status"], webhook["error_code"]) == (None, 11205)
        assert webhook["error"] == "no answer within 0.1 s"
        await handset.wait_for(lambda: receiver.at("/fallback"))
        params = receiver.at("/fallback")[0].params
        assert (params["Body"], params["ErrorCode"], params["ErrorUrl"]) == ("hello", "11205", url)


async def test_a_server_that_is_away_is_tried_once_more(receiver: Receiver) -> None:
    async with running(reporting_to(receiver, "http://127.0.0.1:9/in")) as handset:  # discard: nobody listens
        await handset.types(ADA, SMS, "hello")
        webhook = await finished(handset)
        assert len(webhook["attempts"]) == 2
        assert webhook["error_code"] == 11205


async def test_a_redirect_turns_the_post_into_a_get(receiver: Receiver) -> None:
    receiver.answers("/in", Answer(status=302, headers={"Location": "/elsewhere"}))
    async with running(reporting_to(receiver, receiver.url("/in"))) as handset:
        await handset.types(ADA, SMS, "hello")
        await handset.wait_for(lambda: receiver.at("/elsewhere"))
        assert receiver.at("/elsewhere")[0].method == "GET"


async def test_a_password_in_the_url_waits_for_the_challenge(receiver: Receiver) -> None:
    receiver.answers("/in", Answer(status=401), Answer())
    url = receiver.url("/in").replace("http://", "http://user:p%40ss@")
    async with running(reporting_to(receiver, url)) as handset:
        await handset.types(ADA, SMS, "hello")
        webhook = await finished(handset)
        assert webhook["status"] == 200
        first, second = receiver.at("/in")
        assert "Authorization" not in first.headers
        assert second.headers["Authorization"] == aiohttp.encode_basic_auth("user", "p@ss")


async def test_each_account_signs_with_its_own_token(receiver: Receiver) -> None:
    accounts = [{"sid": "AC" + "a" * 32, "auth_token": "one"}, {"sid": "AC" + "b" * 32, "auth_token": "two"}]
    numbers = [
        {"address": SMS, "account": accounts[0]["sid"], "inbound_url": receiver.url("/in")},
        {"address": "+15551234568", "account": accounts[1]["sid"], "inbound_url": receiver.url("/in")},
    ]
    async with running(config_for(receiver, accounts=accounts, numbers=numbers, services=[])) as handset:
        await handset.types(ADA, SMS, "hello")
        await handset.types("+15550100002", "+15551234568", "hello")
        await handset.wait_for(lambda: len(receiver.at("/in")) == 2)
        for received in receiver.at("/in"):
            token = {account["sid"]: account["auth_token"] for account in accounts}[received.params["AccountSid"]]
            signature = received.headers["X-Twilio-Signature"]
            assert RequestValidator(token).validate(received.url, received.params, signature)


async def test_a_huge_answer_is_cut_and_harms_nobody(handset: RunningHandset, receiver: Receiver) -> None:
    receiver.answers("/inbound", Answer(body="<Response>" + " " * 2_000_000 + "</Response>"))
    await handset.types(ADA, SMS, "hello")

    async def told() -> bool:
        return any(webhook["error_code"] == 12100 for webhook in await handset.webhooks())

    await handset.wait_for(told)
