"""The debugger: which webhooks failed, and why, as Twilio's Monitor API tells it."""

from typing import Any

import aiohttp
import pytest

from handset.testing import Answer, Receiver, RunningHandset, running
from tests.handset.conftest import ADA, SMS, config_for

Http = aiohttp.ClientSession
FIELDS = {
    *("account_sid", "alert_text", "api_version", "date_created", "date_generated", "date_updated", "error_code"),
    *("log_level", "more_info", "request_method", "request_url", "resource_sid", "service_sid", "sid", "url"),
}


async def ask(handset: RunningHandset, http: Http, url: str) -> tuple[int, Any]:
    headers = {"Authorization": aiohttp.encode_basic_auth(handset.account_sid, handset.auth_token)}
    whole = url if url.startswith("http") else handset.base_url + url
    async with http.get(whole, headers=headers) as response:
        return response.status, await response.json()


async def alerts(handset: RunningHandset, http: Http, query: str = "") -> list[Any]:
    return list((await ask(handset, http, f"/v1/Alerts{query}"))[1]["alerts"])


async def test_a_failed_webhook_is_an_alert_and_a_good_one_is_none(
    handset: RunningHandset, receiver: Receiver, http: Http
) -> None:
    receiver.answers("/inbound", Answer(), Answer(status=500), Answer(body="<html/>", content_type="text/html"))
    for text in ("fine", "broken", "odd"):
        await handset.types(ADA, SMS, text)

    async def told() -> list[Any] | None:
        found = await alerts(handset, http)
        return found if len(found) == 2 else None

    odd, broken = await handset.wait_for(told)
    typed = {message["body"]: message["sid"] for message in await handset.messages(ADA)}
    assert set(broken) == FIELDS
    assert (broken["error_code"], broken["log_level"], broken["resource_sid"]) == ("11200", "error", typed["broken"])
    assert (odd["error_code"], odd["log_level"], odd["resource_sid"]) == ("12200", "warning", typed["odd"])
    assert (broken["request_url"], broken["request_method"]) == (receiver.url("/inbound"), "POST")
    assert "answered+500" in broken["alert_text"]
    assert await alerts(handset, http, "?LogLevel=warning") == [odd]
    assert await alerts(handset, http, "?EndDate=2020-01-01") == []
    assert await alerts(handset, http, "?StartDate=2020-01-01T00:00:00Z") == [odd, broken]
    status, one = await ask(handset, http, broken["url"])
    assert status == 200
    assert set(one) - FIELDS == {"request_variables", "request_headers", "response_headers", "response_body"}
    assert "Body=broken" in one["request_variables"]
    _, own = await ask(handset, http, "/handset/v1/debugger")
    assert [alert["webhook"]["params"]["Body"] for alert in own["alerts"]] == ["broken", "odd"]


async def test_alerts_come_in_pages(receiver: Receiver, http: Http) -> None:
    receiver.answers("/inbound", Answer(status=500))
    async with running(config_for(receiver)) as handset:
        for number in range(5):
            await handset.types(ADA, SMS, str(number))

        async def told() -> bool:
            return len(await alerts(handset, http)) == 5

        await handset.wait_for(told)
        page: Any = {}
        sizes, url = [], "/v1/Alerts?PageSize=2&LogLevel=error"
        while url:
            _, page = await ask(handset, http, url)
            sizes.append(len(page["alerts"]))
            url = page["meta"]["next_page_url"]
        assert sizes == [2, 2, 1]
        assert page["meta"]["key"] == "alerts"


async def test_a_webhook_lost_on_purpose_is_not_the_receivers_fault(handset: RunningHandset, http: Http) -> None:
    await handset.faults("lost")
    await handset.types(ADA, SMS, "hello")
    assert await alerts(handset, http) == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/Alerts?LogLevel=loud", 400, 20001),
        ("/v1/Alerts?StartDate=yesterday", 400, 20001),
        ("/v1/Alerts/NO" + "0" * 32, 404, 20404),
    ],
)
async def test_what_cannot_be_understood_is_refused(
    handset: RunningHandset, http: Http, path: str, status: int, code: int
) -> None:
    answered, body = await ask(handset, http, path)
    assert (answered, body["code"]) == (status, code)


async def test_strangers_see_no_alerts(handset: RunningHandset, http: Http) -> None:
    async with http.get(f"{handset.base_url}/v1/Alerts") as response:
        assert response.status == 401
