"""Twilio's own Python library cannot tell Handset from Twilio: only the host differs."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from handset.testing import Answer, Receiver, RunningHandset
from tests.handset import contract
from tests.handset.conftest import ADA, APPROVED, SERVICE, SMS


class Elsewhere(TwilioHttpClient):  # type: ignore[misc]  # the library has no types
    """Twilio's HTTP client, sent to another host."""

    def __init__(self, base_url: str) -> None:
        super().__init__(pool_connections=False)
        self._base_url = base_url

    def request(self, method: str, url: str, *rest: Any, **named: Any) -> Response:
        parts = urlsplit(url)
        return super().request(method, self._base_url + parts._replace(scheme="", netloc="").geturl(), *rest, **named)


@pytest.fixture
def client(handset: RunningHandset) -> Client:
    """Twilio's client, logged in."""
    return Client(handset.account_sid, handset.auth_token, http_client=Elsewhere(handset.base_url))


async def test_the_library_creates_fetches_lists_and_pages(
    client: Client, handset: RunningHandset, receiver: Receiver
) -> None:
    def work() -> None:
        created = [
            client.messages.create(to=ADA, from_=SMS, body=str(n), status_callback=receiver.url("/status"))
            for n in range(5)
        ]
        assert created[0].status == "queued"
        assert created[0].date_created is not None
        assert client.messages(created[0].sid).fetch().body == "0"
        assert [message.body for message in client.messages.stream(to=ADA, page_size=2)] == ["4", "3", "2", "1", "0"]
        assert client.messages.list(from_="+15550000000") == []
        assert client.api.v2010.accounts(handset.account_sid).fetch().status == "active"

    await asyncio.to_thread(work)
    await handset.wait_for(lambda: len(receiver.at("/status")) == 10)


async def test_the_library_reads_media_gives_feedback_and_takes_a_schedule_back(
    client: Client, handset: RunningHandset
) -> None:
    typed = await handset.sends_file(ADA, SMS, b"GIF89a", "image/gif")

    def work() -> None:
        (medium,) = client.messages(typed).media.list()
        assert (medium.content_type, medium.parent_sid) == ("image/gif", typed)
        assert client.messages(typed).media(medium.sid).fetch().date_created is not None
        assert client.messages(typed).media(medium.sid).delete()
        at = datetime.now(UTC) + timedelta(hours=1)  # noqa: TID251 - the API takes the real time
        later = client.messages.create(
            to=ADA, messaging_service_sid=SERVICE, body="later", schedule_type="fixed", send_at=at
        )
        assert client.messages(later.sid).update(status="canceled").status == "canceled"
        assert client.messages(typed).feedback.create(outcome="confirmed").outcome == "confirmed"
        assert client.messages(typed).update(body="").body == ""
        assert client.messages(typed).delete()

    await asyncio.to_thread(work)


async def test_the_library_reads_the_debugger(client: Client, handset: RunningHandset, receiver: Receiver) -> None:
    receiver.answers("/inbound", Answer(status=500))
    sids = [await handset.types(ADA, SMS, text) for text in ("one", "two", "three")]

    async def told() -> bool:
        return all(webhook["finished"] for webhook in await handset.webhooks())

    await handset.wait_for(told)

    def work() -> None:
        alerts = client.monitor.v1.alerts.list(log_level="error", page_size=2)
        assert [alert.resource_sid for alert in alerts] == sids[::-1]
        assert {alert.error_code for alert in alerts} == {"11200"}
        assert alerts[0].date_generated is not None
        assert "Body=three" in client.monitor.v1.alerts(alerts[0].sid).fetch().request_variables

    await asyncio.to_thread(work)


async def test_the_library_understands_a_fault(client: Client, handset: RunningHandset) -> None:
    await handset.faults({"kind": "429", "next": 1})

    def work() -> TwilioRestException:
        with pytest.raises(TwilioRestException) as refused:
            client.messages.create(to=ADA, from_=SMS, body="hello")
        return refused.value

    error = await asyncio.to_thread(work)
    assert (error.status, error.code) == (429, 20429)


async def test_the_library_understands_a_refusal(client: Client) -> None:
    def work() -> TwilioRestException:
        with pytest.raises(TwilioRestException) as refused:
            client.messages.create(to="nobody", from_=SMS, body="hello")
        return refused.value

    refused = await asyncio.to_thread(work)
    assert (refused.status, refused.code) == (400, 21211)


async def test_the_library_reads_templates_and_approvals(client: Client, handset: RunningHandset) -> None:
    def work() -> None:
        content = client.content.v1.contents(APPROVED).fetch()
        assert content.types == {"twilio/text": {"body": "Hi {{1}}, see you {{2}}."}}
        approval = client.content.v1.contents(APPROVED).approval_fetch().fetch()
        assert approval.whatsapp["status"] == "approved"
        rows = client.content.v1.content_and_approvals.list(page_size=2)
        assert [row.approval_requests["status"] for row in rows] == ["approved", "pending", "approved"]
        assert len(client.content.v1.contents.list()) == 3
        with pytest.raises(TwilioRestException) as refused:
            client.content.v1.contents("HX" + "9" * 32).fetch()
        assert refused.value.status == 404

    await asyncio.to_thread(work)


async def test_templates_fit_the_content_document(handset: RunningHandset, http: Any) -> None:
    headers = {"Authorization": aiohttp.encode_basic_auth(handset.account_sid, handset.auth_token)}
    for path, schema in [
        (f"/v1/Content/{APPROVED}", "content.v1.content"),
        (f"/v1/Content/{APPROVED}/ApprovalRequests", "content.v1.content.approval_fetch"),
    ]:
        async with http.get(handset.base_url + path, headers=headers) as response:
            contract.fits(schema, await response.json(), document="twilio_content")
    async with http.get(f"{handset.base_url}/v1/Content?PageSize=2", headers=headers) as response:
        page = await response.json()
    assert page["meta"]["next_page_url"] == f"{handset.base_url}/v1/Content?PageSize=2&Page=1"
    async with http.get(f"{handset.base_url}/v1/Content", headers={}) as response:
        assert response.status == 401
