"""The REST API of 2010-04-01: what is taken, what is refused and with which words."""

import io
from typing import Any

import aiohttp
import pytest

from handset.testing import Receiver, RunningHandset, running
from tests.handset import contract
from tests.handset.conftest import ADA, APPROVED, GRACE, MARKETING, SERVICE, SMS, WHATSAPP, config_for

Http = aiohttp.ClientSession
MESSAGE = "api.v2010.account.message"
OTHER_SERVICE = "MG" + "9" * 32


def messages_url(handset: RunningHandset, rest: str = ".json") -> str:
    return f"{handset.base_url}/2010-04-01/Accounts/{handset.account_sid}/Messages{rest}"


def login(handset: RunningHandset) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(handset.account_sid, handset.auth_token)}


async def test_a_message_is_taken_and_described_as_twilio_does(handset: RunningHandset, http: Http) -> None:
    form = {"To": ADA, "From": SMS, "Body": "Grüße, Ada 👍"}
    contract.fits_request(form)
    async with http.post(messages_url(handset), data=form, headers=login(handset)) as response:
        message = await response.json()
    assert response.status == 201
    assert response.headers["Twilio-Request-Id"].startswith("RQ")
    contract.fits(MESSAGE, message)
    own = f"/2010-04-01/Accounts/{handset.account_sid}/Messages/{message['sid']}"
    assert message | {"date_created": "", "date_updated": ""} == {
        "account_sid": handset.account_sid,
        "api_version": "2010-04-01",
        "body": "Grüße, Ada 👍",
        "date_created": "",
        "date_sent": None,
        "date_updated": "",
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": SMS,
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": None,
        "sid": message["sid"],
        "status": "queued",
        "subresource_uris": {"media": f"{own}/Media.json"},
        "to": ADA,
        "uri": f"{own}.json",
    }
    assert message["date_created"].endswith(" +0000")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"To": ""}, 21604),
        ({"From": ""}, 21603),
        ({"Body": ""}, 21602),
        ({"To": "", "From": "", "Body": ""}, 21604),  # the first thing wrong is told
        ({"To": "15550100001"}, 21211),
        ({"To": "+1555"}, 21211),
        ({"To": "whatsapp:15550100001"}, 21211),
        ({"To": "+1555010000１"}, 21211),  # a digit, but no ASCII one
        ({"To": "12345"}, 21265),
        ({"To": SMS}, 21266),
        ({"From": "+1 555"}, 21212),
        ({"From": "+15550009999"}, 21659),
        ({"From": "whatsapp:+15550009999", "To": GRACE}, 63007),
        ({"From": WHATSAPP}, 21910),
        ({"To": GRACE}, 21910),
        ({"From": WHATSAPP, "To": WHATSAPP}, 63031),
        ({"Body": "a" * 1601}, 21617),
        ({"MediaUrl": "nowhere"}, 21620),
        ({"ContentSid": APPROVED, "ContentVariables": "{"}, 21656),
        ({"ContentSid": APPROVED, "ContentVariables": '{"1": 2}'}, 21656),
        ({"ContentSid": APPROVED, "ContentVariables": '["a"]'}, 21656),
        ({"ContentSid": "HX" + "9" * 32}, 21655),
        ({"StatusCallback": "http://my_host.example.com/"}, 21609),
        ({"StatusCallback": "status"}, 21609),
        ({"From": "", "MessagingServiceSid": OTHER_SERVICE}, 21705),
        ({"From": "+18005550199", "MessagingServiceSid": SERVICE}, 21711),
        ({"SendAt": "2030-01-01T00:00:00Z"}, 35117),
        ({"ScheduleType": "loose"}, 35115),
        ({"ScheduleType": "fixed", "SendAt": "2030-01-01T00:00:00Z"}, 35118),
        ({"ScheduleType": "fixed", "SendAt": "2020-01-01T00:00:00Z", "MessagingServiceSid": SERVICE}, 35114),
        ({"ScheduleType": "fixed", "SendAt": "tomorrow", "MessagingServiceSid": SERVICE}, 35114),
        ({"ValidityPeriod": "0"}, 20001),
        ({"ValidityPeriod": "²"}, 20001),
        # the magic numbers of Twilio's test credentials
        ({"From": "+15005550001"}, 21212),
        ({"From": "+15005550007"}, 21606),
        ({"From": "+15005550008"}, 21611),
        ({"To": "+15005550001"}, 21211),
        ({"To": "+15005550002"}, 21612),
        ({"To": "+15005550003"}, 21408),
        ({"To": "+15005550004"}, 21610),
        ({"To": "+15005550009"}, 21614),
    ],
)
async def test_what_is_wrong_is_refused_with_its_code(
    handset: RunningHandset, changes: dict[str, str], code: int
) -> None:
    answer = await handset.posts(**{"To": ADA, "From": SMS, "Body": "hello", **changes})
    assert (answer.get("code"), answer.get("status")) == (code, 400)
    assert set(answer) == {"code", "message", "more_info", "status"}
    assert answer["more_info"] == f"https://www.twilio.com/docs/errors/{code}"
    assert await handset.messages() == []


@pytest.mark.parametrize(
    ("name", "secret"),
    [("", ""), ("AC00000000000000000000000000000001", "wrong"), ("nobody", "handset-auth-token"), ("ü", "ü")],
)
async def test_wrong_credentials_open_nothing(handset: RunningHandset, http: Http, name: str, secret: str) -> None:
    headers = {"Authorization": aiohttp.encode_basic_auth(name, secret, encoding="utf-8")}
    async with http.get(messages_url(handset), headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (401, 20003)
        assert response.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize("header", ["", "Basic", "Basic ?", "Basic /w==", "Bearer x", "Basic YWJj"])
async def test_a_mangled_header_is_no_login(handset: RunningHandset, http: Http, header: str) -> None:
    async with http.post(messages_url(handset), headers={"Authorization": header}) as response:
        assert response.status == 401


async def test_an_api_key_opens_its_account_and_no_other(receiver: Receiver, http: Http) -> None:
    first, second, key = "AC" + "a" * 32, "AC" + "b" * 32, "SK" + "c" * 32
    accounts = [
        {"sid": first, "auth_token": "one", "api_keys": [{"sid": key, "secret": "word"}]},
        {"sid": second, "auth_token": "two"},
    ]
    async with running(config_for(receiver, accounts=accounts)) as handset:
        headers = {"Authorization": aiohttp.encode_basic_auth(key, "word")}
        statuses = []
        for sid in (first, second):
            url = f"{handset.base_url}/2010-04-01/Accounts/{sid}.json"
            async with http.get(url, headers=headers) as response:
                statuses.append(response.status)
        assert statuses == [200, 401]


@pytest.mark.parametrize(
    ("kind", "body", "status", "code"),
    [
        ("application/json", b'{"To": "+15550100001"}', 415, 20415),
        ("application/x-www-form-urlencoded", b"a" * 1_048_577, 413, 20413),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 1001), 400, 20001),
        ("application/x-www-form-urlencoded", b"\xff\xfe=\xff", 400, 21604),
    ],
)
async def test_a_body_of_another_kind_is_refused(
    handset: RunningHandset, http: Http, kind: str, body: bytes, status: int, code: int
) -> None:
    headers = login(handset) | {"Content-Type": kind}
    async with http.post(messages_url(handset), data=io.BytesIO(body), headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (status, code)


@pytest.mark.parametrize("path", ["/SM" + "0" * 32 + ".json", "/nonsense.json", "/SM" + "0" * 32 + "/Nothing.json"])
async def test_what_is_not_there_is_not_found(handset: RunningHandset, http: Http, path: str) -> None:
    async with http.get(messages_url(handset, path), headers=login(handset)) as response:
        answer = await response.json()
        assert (response.status, answer["code"]) == (404, 20404)
        assert path in answer["message"]


async def test_the_list_is_newest_first_and_stays_in_place_while_it_is_walked(
    handset: RunningHandset, http: Http
) -> None:
    sids = [(await handset.posts(To=ADA, From=SMS, Body=str(n)))["sid"] for n in range(5)]
    seen: list[str] = []
    sizes: list[int] = []
    uri, previous = messages_url(handset) + "?PageSize=2", ""
    while uri:
        async with http.get(uri, headers=login(handset)) as response:
            page = await response.json()
        contract.fits_list(page)
        seen += [message["sid"] for message in page["messages"]]
        sizes.append(len(page["messages"]))
        await handset.posts(To=ADA, From=SMS, Body="meanwhile")
        uri = page["next_page_uri"] and handset.base_url + page["next_page_uri"]
        previous = page["previous_page_uri"]
    assert seen == sids[::-1]
    assert sizes == [2, 2, 1]
    async with http.get(handset.base_url + previous, headers=login(handset)) as response:
        assert [message["sid"] for message in (await response.json())["messages"]] == seen[2:4]


@pytest.mark.parametrize(
    ("query", "bodies"),
    [
        ({"To": ADA}, ["out"]),
        ({"From": ADA}, ["in"]),
        ({"To": ADA, "From": ADA}, []),
        ({"To": SMS}, ["in"]),
        ({"To": "+15550000000"}, []),
        ({"DateSent>": "2020-01-01"}, ["in", "out"]),
        ({"DateSent<": "2020-01-01"}, []),
        ({"DateSent": "2020-01-01"}, []),
        ({"DateSent>": "2020-01-01T00:00:00Z", "From": SMS}, ["out"]),
        ({"PageSize": "1"}, ["in"]),
        ({"PageSize": "1", "Page": "1"}, ["out"]),
        ({"PageSize": "5000"}, ["in", "out"]),
    ],
)
async def test_the_list_is_filtered(
    handset: RunningHandset, http: Http, query: dict[str, str], bodies: list[str]
) -> None:
    sid = (await handset.posts(To=ADA, From=SMS, Body="out"))["sid"]
    await handset.wait_for_status(sid, "delivered")
    await handset.types(ADA, SMS, "in")
    async with http.get(messages_url(handset), params=query, headers=login(handset)) as response:
        page = await response.json()
    assert [message["body"] for message in page["messages"]] == bodies


@pytest.mark.parametrize(
    "query",
    [
        {"PageSize": "x"},
        {"Page": "-1"},
        {"PageToken": "PAx"},
        {"DateSent": "May"},
        {"DateSent<": "0001-01-01T00:00:00+23:00"},
    ],
)
async def test_a_list_that_cannot_be_understood_is_refused(
    handset: RunningHandset, http: Http, query: dict[str, str]
) -> None:
    async with http.get(messages_url(handset), params=query, headers=login(handset)) as response:
        assert (response.status, (await response.json())["code"]) == (400, 20001)


async def test_a_message_is_redacted_and_deleted_once_it_is_final(receiver: Receiver, http: Http) -> None:
    async with running(config_for(receiver, delays={"sent": 0.3, "delivered": 0.01})) as handset:
        sid = (await handset.posts(To=ADA, From=SMS, Body="secret"))["sid"]
        url = messages_url(handset, f"/{sid}.json")

        async def ask(method: str, **form: str) -> tuple[int, Any]:
            async with http.request(method, url, data=form or None, headers=login(handset)) as response:
                return response.status, await response.json() if response.status != 204 else None

        assert (await ask("DELETE"))[1]["code"] == 20009
        assert (await ask("POST", Status="canceled"))[1]["code"] == 30409
        assert (await ask("POST", Body="other"))[1]["code"] == 20001
        await handset.wait_for_status(sid, "delivered")
        status, message = await ask("POST", Body="")
        assert (status, message["body"], message["price"]) == (200, "", "-0.00790")
        contract.fits(MESSAGE, message)
        assert await ask("DELETE") == (204, None)
        assert (await ask("GET"))[0] == 404


async def test_strict_callbacks_refuse_what_twilio_cannot_reach(receiver: Receiver) -> None:
    async with running(config_for(receiver, strict_callbacks=True)) as handset:
        form = {"To": ADA, "From": SMS, "Body": "hello"}
        assert (await handset.posts(**form, StatusCallback=receiver.url("/status")))["code"] == 21609
        assert (await handset.posts(**form, StatusCallback="https://example.com/status"))["status"] == "queued"


async def test_an_account_shows_its_numbers(handset: RunningHandset, http: Http) -> None:
    url = f"{handset.base_url}/2010-04-01/Accounts/{handset.account_sid}"
    async with http.get(f"{url}.json", headers=login(handset)) as response:
        assert (await response.json())["status"] == "active"
    async with http.get(f"{url}/IncomingPhoneNumbers.json", headers=login(handset)) as response:
        numbers = (await response.json())["incoming_phone_numbers"]
    assert [number["phone_number"] for number in numbers] == [SMS, "+18005550199"]


async def test_a_template_renders_its_values_and_its_samples(handset: RunningHandset) -> None:
    form = {"To": GRACE, "From": WHATSAPP, "ContentSid": APPROVED}
    given = await handset.posts(**form, ContentVariables='{"1":"Ada","2":"{{1}}"}')
    assert given["body"] == "Hi Ada, see you {{1}}."  # a value is not expanded again
    assert (await handset.posts(**form))["body"] == "Hi A, see you B."
    assert (await handset.posts(**form | {"ContentSid": MARKETING}))["body"] == "Sale!"


async def test_the_same_seed_gives_the_same_sids(receiver: Receiver) -> None:
    sids = []
    for _ in range(2):
        async with running(config_for(receiver, seed=7)) as handset:
            sids.append((await handset.posts(To=ADA, From=SMS, Body="hello"))["sid"])
    assert sids[0] == sids[1]
