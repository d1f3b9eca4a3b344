"""The client and the webhooks against the stand-in for Twilio, over HTTP: two readings of the same documents meet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import pytest

from handset.testing import Received, Receiver, RunningHandset, receiving, running
from overture.adapters.twilio.client import TwilioAccount, TwilioClient
from overture.adapters.twilio.webhooks import TwilioWebhooks
from overture.adapters.twilio.wiring import TwilioWiring
from overture.domain.account import Credentials, urls_of
from overture.domain.delivery import DeliveryStatus
from overture.domain.errors import Misconfigured, Permanent
from overture.domain.message import Text
from overture.domain.ports import Outgoing, Provider, RawEvent

OURS, ADA = "+15551230000", "+15559876543"
SECRET = b"secret"
INBOUND, STATUS = "/webhooks/twilio/inbound", "/webhooks/twilio/status"


@asynccontextmanager
async def meeting() -> AsyncIterator[tuple[RunningHandset, Receiver, TwilioClient, TwilioWebhooks]]:
    """A Handset that reports to a receiver, and our two adapters for its account."""
    async with receiving() as receiver:
        base = receiver.url("")
        numbers = [{"address": address, "inbound_url": f"{base}{INBOUND}"} for address in (OURS, f"whatsapp:{OURS}")]
        async with running({"numbers": numbers}) as handset:
            sid, token = handset.account_sid, handset.auth_token
            account = TwilioAccount(sid=sid, auth_token=token, base_url=handset.base_url)
            client = TwilioClient(accounts={sid: account}, secret=SECRET, public_base_url=base)
            webhooks = TwilioWebhooks(accounts={sid: [token]}, public_base_urls=[base], secret=SECRET)
            try:
                yield handset, receiver, client, webhooks
            finally:
                await client.aclose()


def outgoing(handset: RunningHandset, to: str, text: str) -> Outgoing:
    sender = OURS if to.startswith("+") else f"whatsapp:{OURS}"
    return Outgoing(
        message_id="m-1", attempt=1, account_sid=handset.account_sid, sender=sender, to=to,
        body=Text(text=text), validity_seconds=600,
    )  # fmt: skip


async def test_a_message_goes_out_and_its_callbacks_say_whose_it_is() -> None:
    async with meeting() as (handset, receiver, client, webhooks):
        provider: Provider = client
        accepted = await provider.send(outgoing(handset, ADA, "Hé, Ada & Bob"))
        await handset.wait_for_status(accepted.sid, "delivered")
        await handset.wait_for(lambda: len(receiver.at(STATUS)) >= 2)
        reports = [
            webhooks.parse_status(
                webhooks.verify_status(
                    path_and_query=told.url.removeprefix(receiver.base_url),
                    body=urlencode(told.params).encode(),
                    signature=told.headers["X-Twilio-Signature"],
                )
            )
            for told in receiver.at(STATUS)
        ]
        assert {(report.sid, report.message_id, report.attempt) for report in reports} == {(accepted.sid, "m-1", 1)}
        assert DeliveryStatus.DELIVERED in {report.status for report in reports}
        fetched = await client.fetch(handset.account_sid, accepted.sid)
        assert fetched is not None
        assert (fetched.body, fetched.status, fetched.inbound) == ("Hé, Ada & Bob", DeliveryStatus.DELIVERED, False)
        between = [one async for one in client.list_pages(handset.account_sid, page_size=10, sender=OURS, to=ADA)]
        assert [message for page in between for message in page.messages] == [fetched]
        assert await client.fetch(handset.account_sid, "SM" + "0" * 32) is None


def _inbound(webhooks: TwilioWebhooks, told: Received) -> RawEvent:
    body = urlencode(told.params).encode()
    return webhooks.verify_inbound(path_and_query=INBOUND, body=body, signature=told.headers["X-Twilio-Signature"])


@pytest.mark.parametrize("address", [ADA, f"whatsapp:{ADA}"])
async def test_what_a_phone_types_comes_in_signed_and_is_listed_too(address: str) -> None:
    async with meeting() as (handset, receiver, client, webhooks):
        ours = OURS if address == ADA else f"whatsapp:{OURS}"
        sid = await handset.types(address, ours, "naïve 😀 & From+1")
        await handset.wait_for(lambda: receiver.at(INBOUND))
        read = webhooks.parse_inbound(_inbound(webhooks, receiver.at(INBOUND)[0]))
        assert (read.sid, read.sender, read.contact, read.text) == (sid, ours, address, "naïve 😀 & From+1")
        [page] = [page async for page in client.list_pages(handset.account_sid, page_size=10)]
        assert page.is_last
        assert [(one.sid, one.inbound, one.body) for one in page.messages] == [(sid, True, "naïve 😀 & From+1")]
        again = webhooks.parse_inbound(webhooks.recover(handset.account_sid, page.messages[0]))
        assert (again.sid, again.sender, again.contact, again.text) == (read.sid, read.sender, read.contact, read.text)
        assert again.recovered


async def test_the_stand_in_s_refusals_have_their_verdicts() -> None:
    async with meeting() as (handset, _, client, _webhooks):
        with pytest.raises(Permanent):
            await client.send(outgoing(handset, "+1555", "too short a number"))
        with pytest.raises(Permanent):
            await client.send(outgoing(handset, ADA, "x" * 1601))
        wrong = TwilioAccount(sid=handset.account_sid, auth_token="wrong", base_url=handset.base_url)
        stranger = TwilioClient(accounts={handset.account_sid: wrong}, secret=SECRET)
        with pytest.raises(Misconfigured):
            await stranger.send(outgoing(handset, ADA, "hello"))
        await stranger.aclose()


async def test_a_doctor_finds_the_account_and_its_numbers() -> None:
    async with meeting() as (handset, _, _client, _webhooks):
        given = Credentials(sid=handset.account_sid, auth_tokens=(handset.auth_token,), urls=urls_of(handset.base_url))
        async with TwilioWiring(given) as wiring:
            assert (await wiring.read_account()).sid == handset.account_sid
            assert OURS in {number.address async for page in wiring.list_numbers() for number in page}
