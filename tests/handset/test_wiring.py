"""Accounts, numbers, services and senders by Twilio's own library; what it sets takes effect with the next message."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from handset.testing import Receiver, RunningHandset, running
from tests.handset.conftest import ADA, GRACE, SMS, TOLL_FREE, WHATSAPP, config_for
from tests.handset.test_sdk import Elsewhere

MAIN, SUB, OTHER = "AC" + "a" * 32, "AC" + "b" * 32, "AC" + "c" * 32
SERVICE = "MG" + "1" * 32
SANDBOX = "whatsapp:+14155238886"
ACCOUNTS = [
    {
        "sid": MAIN,
        "auth_token": "one",
        "name": "Bakery",
        "api_keys": [
            {"sid": "SK" + "1" * 32, "secret": "standard", "kind": "standard"},
            {"sid": "SK" + "2" * 32, "secret": "restricted", "kind": "restricted"},
        ],
    },
    {"sid": SUB, "auth_token": "two", "owner": MAIN, "name": "Shop", "status": "suspended", "type": "Trial"},
    {"sid": OTHER, "auth_token": "three"},
]
SUB_NUMBER = "+15557770001"


def wired_for(receiver: Receiver, **changes: Any) -> dict[str, Any]:
    """A main account with two numbers, a WhatsApp sender and a sandbox; a sub-account with a number of its own."""
    numbers = [
        {"address": SMS, "inbound_url": receiver.url("/number")},
        {"address": TOLL_FREE},
        {"address": WHATSAPP, "inbound_url": receiver.url("/sender")},
        {"address": SANDBOX, "inbound_url": receiver.url("/sandbox"), "join": "two-words"},
        {"address": SUB_NUMBER, "account": SUB},
    ]
    return config_for(receiver, **{"accounts": ACCOUNTS, "numbers": numbers, "services": [], **changes})


@pytest.fixture
async def handset(receiver: Receiver) -> AsyncIterator[RunningHandset]:
    """That account."""
    async with running(wired_for(receiver)) as handset:
        yield handset


def logged_in(handset: RunningHandset, user: str = MAIN, secret: str = "one", account: str = MAIN) -> Client:
    """Twilio's client with these credentials."""
    return Client(user, secret, account, http_client=Elsewhere(handset.base_url))


async def test_numbers_are_listed_in_pages_filtered_fetched_and_set(
    handset: RunningHandset, receiver: Receiver
) -> None:
    def work() -> None:
        client = logged_in(handset)
        found = list(client.incoming_phone_numbers.stream(page_size=1))
        assert [number.phone_number for number in found] == [SMS, TOLL_FREE]
        (one,) = client.incoming_phone_numbers.list(phone_number=SMS)
        assert (one.sms_url, one.sms_method, one.capabilities["sms"]) == (receiver.url("/number"), "POST", True)
        changed = client.incoming_phone_numbers(one.sid).update(
            sms_url=receiver.url("/new#rc=3"),
            sms_method="POST",
            sms_fallback_url=receiver.url("/fallback"),
            status_callback=receiver.url("/status"),
        )
        assert changed.sms_url == receiver.url("/new#rc=3")
        fetched = client.incoming_phone_numbers(one.sid).fetch()
        assert (fetched.sms_fallback_url, fetched.sms_application_sid) == (receiver.url("/fallback"), "")

    await asyncio.to_thread(work)
    await handset.types(ADA, SMS, "hello")
    await handset.wait_for(lambda: receiver.at("/new"))
    assert not receiver.at("/number")


async def test_a_webhook_called_with_get_carries_everything_in_its_query(
    handset: RunningHandset, receiver: Receiver
) -> None:
    def work() -> None:
        client = logged_in(handset)
        (one,) = client.incoming_phone_numbers.list(phone_number=SMS)
        client.incoming_phone_numbers(one.sid).update(sms_url=receiver.url("/got?a=1"), sms_method="GET")

    await asyncio.to_thread(work)
    await handset.types(ADA, SMS, "hello & more")
    (came,) = await handset.wait_for(lambda: receiver.at("/got"))
    assert (came.method, came.params) == ("GET", {})
    assert "?a=1&" in came.url
    assert "Body=hello+%26+more" in came.url


async def test_a_number_that_an_application_took_reports_nothing(handset: RunningHandset, receiver: Receiver) -> None:
    def work() -> None:
        client = logged_in(handset)
        (one,) = client.incoming_phone_numbers.list(phone_number=SMS)
        taken = client.incoming_phone_numbers(one.sid).update(sms_application_sid="AP" + "1" * 32)
        assert taken.sms_application_sid == "AP" + "1" * 32

    await asyncio.to_thread(work)
    await handset.types(ADA, SMS, "hello")
    assert await handset.webhooks() == []


@pytest.mark.parametrize("url", ["nonsense", "ftp://example.org", "http://[", "https://x/" + "a" * 4001])
async def test_an_address_that_is_none_is_refused(handset: RunningHandset, url: str) -> None:
    def work() -> TwilioRestException:
        client = logged_in(handset)
        (one,) = client.incoming_phone_numbers.list(phone_number=SMS)
        with pytest.raises(TwilioRestException) as refused:
            client.incoming_phone_numbers(one.sid).update(sms_url=url)
        return refused.value

    refused = await asyncio.to_thread(work)
    assert (refused.status, refused.code) == (400, 21502)


async def test_a_service_goes_before_its_number_unless_it_leaves_it_to_the_number(receiver: Receiver) -> None:
    service = {"sid": SERVICE, "numbers": [SMS, WHATSAPP], "alpha_senders": ["Bakery"], "us_registered": True}
    async with running(wired_for(receiver, services=[service])) as handset:
        client = logged_in(handset)

        def set_service(**values: Any) -> None:
            client.messaging.v1.services(SERVICE).update(**values)

        def look() -> None:
            (found,) = client.messaging.v1.services.list()
            assert (found.use_inbound_webhook_on_number, found.us_app_to_person_registered) == (True, True)
            pool = client.messaging.v1.services(SERVICE)
            assert [n.phone_number for n in pool.phone_numbers.list()] == [SMS]
            assert [s.sender for s in pool.channel_senders.list()] == [WHATSAPP]
            assert [a.alpha_sender for a in pool.alpha_senders.list()] == ["Bakery"]

        await asyncio.to_thread(look)
        await handset.types(ADA, SMS, "one")
        await handset.wait_for(lambda: receiver.at("/number"))
        await asyncio.to_thread(
            lambda: set_service(inbound_request_url=receiver.url("/service"), use_inbound_webhook_on_number=False)
        )
        await handset.types(ADA, SMS, "two")
        await handset.types(GRACE, WHATSAPP, "three")
        await handset.wait_for(lambda: len(receiver.at("/service")) == 2)
        await asyncio.to_thread(lambda: set_service(inbound_request_url=""))
        await handset.types(ADA, SMS, "four")
        assert len(await handset.webhooks()) == 3  # a service without an address drops what comes in


async def test_whatsapp_senders_are_listed_and_set_without_the_sandbox(
    handset: RunningHandset, receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    def work() -> str:
        (one,) = logged_in(handset).messaging.v2.channels_senders.list(channel="whatsapp")
        assert (one.sender_id, one.status, one.webhook["callback_url"]) == (WHATSAPP, "ONLINE", receiver.url("/sender"))
        return str(one.sid)

    sid = await asyncio.to_thread(work)
    headers = {"Authorization": aiohttp.encode_basic_auth(MAIN, "one")}
    url = f"{handset.base_url}/v2/Channels/Senders/{sid}"
    webhook = {"callback_url": receiver.url("/moved"), "callback_method": "POST"}
    async with http.post(url, json={"webhook": webhook}, headers=headers) as response:
        assert (response.status, (await response.json())["webhook"]["callback_url"]) == (202, receiver.url("/moved"))
    for body, kind in ((b"{", "application/json"), (b"[]", "application/json"), (b"\xff", "application/json")):
        async with http.post(url, data=body, headers={**headers, "Content-Type": kind}) as response:
            assert response.status == 400
    async with http.post(url, data={"webhook": "x"}, headers=headers) as response:
        assert response.status == 415
    await handset.types(GRACE, WHATSAPP, "hello")
    await handset.wait_for(lambda: receiver.at("/moved"))


async def test_a_parent_opens_its_sub_accounts_and_nobody_elses(handset: RunningHandset) -> None:
    def work() -> None:
        client = logged_in(handset)
        rows = client.api.v2010.accounts.list()
        assert [(row.sid, row.owner_account_sid, row.auth_token) for row in rows] == [
            (MAIN, MAIN, "one"),
            (SUB, MAIN, "two"),
        ]
        assert client.api.v2010.accounts(SUB).fetch().status == "suspended"
        assert [n.phone_number for n in client.api.v2010.accounts(SUB).incoming_phone_numbers.list()] == [SUB_NUMBER]
        own = logged_in(handset, SUB, "two", SUB)
        assert [row.sid for row in own.api.v2010.accounts.list()] == [SUB]
        for user, secret, asked in (
            (MAIN, "one", OTHER),
            (SUB, "two", MAIN),
            (MAIN, "two", MAIN),
            ("SK" + "1" * 32, "standard", MAIN),
        ):
            with pytest.raises(TwilioRestException) as refused:
                logged_in(handset, user, secret).api.v2010.accounts(asked).fetch()
            assert (refused.value.status, refused.value.code) == (401, 20003)

    await asyncio.to_thread(work)


async def test_a_key_for_reading_alone_changes_nothing(handset: RunningHandset) -> None:
    def work() -> TwilioRestException:
        client = logged_in(handset, "SK" + "2" * 32, "restricted")
        (one,) = client.incoming_phone_numbers.list(phone_number=SMS)
        with pytest.raises(TwilioRestException) as refused:
            client.incoming_phone_numbers(one.sid).update(sms_url="https://example.org/hook")
        return refused.value

    assert (await asyncio.to_thread(work)).status == 403


async def test_what_is_another_accounts_or_nobodys_is_not_found(handset: RunningHandset) -> None:
    def work() -> None:
        client = logged_in(handset, OTHER, "three", OTHER)
        (number,) = logged_in(handset).incoming_phone_numbers.list(phone_number=SMS)
        for asked in (
            client.incoming_phone_numbers(number.sid),
            client.incoming_phone_numbers("PN" + "0" * 32),
            client.messaging.v1.services(SERVICE),
            client.messaging.v2.channels_senders("XE" + "0" * 32),
        ):
            with pytest.raises(TwilioRestException) as refused:
                asked.fetch()
            assert (refused.value.status, refused.value.code) == (404, 20404)
        assert client.incoming_phone_numbers.list() == []

    await asyncio.to_thread(work)


async def test_what_was_set_survives_a_restart(receiver: Receiver, tmp_path: Path) -> None:
    async with running(wired_for(receiver), data=tmp_path) as handset:

        def work() -> None:
            client = logged_in(handset)
            (one,) = client.incoming_phone_numbers.list(phone_number=SMS)
            client.incoming_phone_numbers(one.sid).update(sms_url=receiver.url("/kept"))

        await asyncio.to_thread(work)
        await handset.types(GRACE, SANDBOX, "join two-words")
    async with running(wired_for(receiver), data=tmp_path) as handset:
        await handset.types(ADA, SMS, "hello")
        await handset.types(GRACE, SANDBOX, "hello")
        await handset.wait_for(lambda: receiver.at("/kept") and receiver.at("/sandbox"))


async def test_the_sandbox_writes_only_to_who_joined_it_and_for_three_days(
    handset: RunningHandset, receiver: Receiver
) -> None:
    send = {"To": GRACE, "From": SANDBOX, "Body": "hello"}
    await handset.types(GRACE, SANDBOX, "hello?")
    early = await handset.posts(**send)
    assert (await handset.wait_for_status(early["sid"], "failed"))["error_code"] == 63015
    await handset.types(GRACE, SANDBOX, "Join two-words ")
    joined = await handset.posts(**send)
    await handset.wait_for_status(joined["sid"], "read")
    hasty = await handset.posts(**send)
    assert (await handset.wait_for_status(hasty["sid"], "failed"))["error_code"] == 63018
    await handset.types(GRACE, SANDBOX, "how are you")
    await handset.wait_for(lambda: receiver.at("/sandbox"))
    assert [came.params["Body"] for came in receiver.at("/sandbox")] == ["how are you"]
    await handset.advances(3 * 24 * 3600)
    late = await handset.posts(**send)
    assert (await handset.wait_for_status(late["sid"], "failed"))["error_code"] == 63015
    told = [m["body"] for m in await handset.messages(GRACE) if m["to"] == GRACE and m["body"].startswith("This phone")]
    assert told == ["This phone has not joined the sandbox. Send: join two-words"]
