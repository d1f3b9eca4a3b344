"""Media: fetched as Twilio does, listed, deleted, and given out to whoever shows credentials."""

import base64
import io
from pathlib import Path

import aiohttp
import msgspec
import pytest

from handset.carrier import fetching
from handset.testing import Answer, Receiver, RunningHandset, running
from tests.handset import contract
from tests.handset.conftest import ADA, GRACE, SMS, WHATSAPP, config_for
from tests.handset.rest import ask, login

Http = aiohttp.ClientSession
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def test_a_file_from_a_phone_is_given_out_to_credentials_alone(
    handset: RunningHandset, receiver: Receiver, http: Http
) -> None:
    sid = await handset.sends_file(GRACE, WHATSAPP, PNG, "image/png", body="my roof")
    await handset.wait_for(lambda: receiver.at("/inbound"))
    params = receiver.at("/inbound")[0].params
    assert sid.startswith("MM")
    assert (params["NumMedia"], params["MediaContentType0"], params["MessageType"]) == ("1", "image/png", "image")
    url = params["MediaUrl0"]
    async with http.get(url) as refused:
        assert (refused.status, (await refused.json())["code"]) == (401, 20003)
    async with http.get(url, headers=login(handset), allow_redirects=False) as moved:
        assert moved.status == 307
    async with http.get(moved.headers["Location"]) as store:  # which asks for none
        assert (await store.read(), store.headers["Content-Type"]) == (PNG, "image/png")
        assert store.headers["X-Content-Type-Options"] == "nosniff"


async def test_what_came_is_listed_fetched_and_deleted_to_the_letter(handset: RunningHandset, http: Http) -> None:
    sid = await handset.sends_file(ADA, SMS, PNG, "image/png")
    status, page = await ask(handset, "GET", f"/{sid}/Media.json")
    (medium,) = page["media_list"]
    contract.fits("api.v2010.account.message.media", medium)
    assert (status, medium["parent_sid"], medium["content_type"]) == (200, sid, "image/png")
    own = f"/{sid}/Media/{medium['sid']}"
    assert await ask(handset, "GET", f"{own}.json") == (200, medium)
    assert await ask(handset, "DELETE", f"{own}.json") == (204, None)
    assert (await ask(handset, "GET", f"{own}.json"))[0] == 404
    assert (await ask(handset, "GET", f"/{sid}/Media.json"))[1]["media_list"] == []
    async with http.get(f"{handset.base_url}/handset/store/{'0' * 40}") as response:
        assert response.status == 404


@pytest.mark.parametrize("rest", ["Media/ME" + "0" * 32 + ".json", "Media/nonsense.json", "Media/ME" + "0" * 32])
async def test_a_medium_that_is_not_there_is_not_found(handset: RunningHandset, rest: str) -> None:
    sid = await handset.types(ADA, SMS, "no file")
    assert (await ask(handset, "GET", f"/{sid}/{rest}"))[1]["code"] == 20404
    assert (await ask(handset, "GET", f"/SM{'0' * 32}/Media.json"))[1]["code"] == 20404


async def test_what_media_url_names_is_fetched_before_it_is_sent(
    handset: RunningHandset, receiver: Receiver, http: Http
) -> None:
    receiver.answers("/roof", Answer(body="a roof", content_type="image/jpeg"))
    message = await handset.posts(To=ADA, From=SMS, Body="this one?", MediaUrl=receiver.url("/roof"))
    assert (message["num_media"], message["sid"][:2]) == ("1", "MM")
    await handset.wait_for_status(message["sid"], "delivered")
    (medium,) = (await ask(handset, "GET", f"/{message['sid']}/Media.json"))[1]["media_list"]
    assert medium["content_type"] == "image/jpeg"
    url = handset.base_url + medium["uri"].removesuffix(".json")
    async with http.get(url, headers=login(handset)) as response:
        assert await response.text() == "a roof"


@pytest.mark.parametrize(
    ("phone", "sender", "answer", "code"),
    [
        (ADA, SMS, Answer(status=404), 11200),
        (GRACE, WHATSAPP, Answer(status=500), 63019),
        (ADA, SMS, Answer(body="x", content_type="chemical/x-pdb"), 12300),
        (GRACE, WHATSAPP, Answer(body="x" * (fetching.IMAGE_LIMIT + 1), content_type="image/png"), 63034),
        (ADA, SMS, Answer(body="x" * (fetching.MMS_LIMIT + 1), content_type="video/mp4"), 30019),
    ],
)
async def test_a_medium_that_cannot_be_had_fails_the_message(
    handset: RunningHandset, receiver: Receiver, phone: str, sender: str, answer: Answer, code: int
) -> None:
    receiver.answers("/file", answer)
    await handset.types(phone, sender, "hello")
    message = await handset.posts(To=phone, From=sender, MediaUrl=receiver.url("/file"))
    assert (await handset.wait_for_status(message["sid"], "failed"))["error_code"] == code


async def test_a_webhooks_answer_may_name_an_address_that_is_none(handset: RunningHandset, receiver: Receiver) -> None:
    answer = "<Response><Message><Body>here</Body><Media>http://[</Media></Message></Response>"
    receiver.answers("/inbound", Answer(body=answer), Answer())
    await handset.types(ADA, SMS, "one")
    await handset.types(ADA, SMS, "two")
    await handset.wait_for(lambda: len(receiver.at("/inbound")) == 2)  # the next text is told all the same


async def test_nobody_beyond_this_machine_is_asked(handset: RunningHandset, http: Http) -> None:
    url = "https://files.example.com/plan.pdf"
    message = await handset.posts(To=ADA, From=SMS, MediaUrl=url)
    await handset.wait_for_status(message["sid"], "delivered")
    (medium,) = (await ask(handset, "GET", f"/{message['sid']}/Media.json"))[1]["media_list"]
    assert medium["content_type"] == "application/pdf"
    own = handset.base_url + medium["uri"].removesuffix(".json")
    async with http.get(own, headers=login(handset), allow_redirects=False) as moved:
        assert (moved.status, moved.headers["Location"]) == (307, url)


@pytest.mark.parametrize(
    ("phone", "sender", "media", "status"),
    [
        (GRACE, WHATSAPP, [{"content_type": "image/png", "content": "AAAA"}] * 2, 400),
        (ADA, SMS, [{"content_type": "image/png", "content": "AAAA"}] * 11, 400),
        (ADA, SMS, [{"content_type": "image/png", "content": base64.b64encode(bytes(5_300_000)).decode()}], 413),
        (ADA, SMS, [{"content_type": "not a type", "content": "AAAA"}], 400),
        (ADA, SMS, [{"content_type": "image/png", "content": "!"}], 400),
        (ADA, SMS, [{"content_type": "image/png"}], 400),
    ],
)
async def test_files_beyond_the_channels_limits_are_refused(
    handset: RunningHandset, http: Http, phone: str, sender: str, media: list[dict[str, str]], status: int
) -> None:
    typed = io.BytesIO(msgspec.json.encode({"from": phone, "to": sender, "media": media}))
    headers = {"Content-Type": "application/json"}
    async with http.post(f"{handset.base_url}/handset/v1/inbound", data=typed, headers=headers) as response:
        assert response.status == status
        assert (await response.json())["hint"]


async def test_files_survive_a_restart(receiver: Receiver, tmp_path: Path, http: Http) -> None:
    config = config_for(receiver, base_url="http://handset.example:8081")
    async with running(config, data=tmp_path) as handset:
        sid = await handset.sends_file(ADA, SMS, PNG, "image/png")
        await handset.wait_for(lambda: receiver.at("/inbound"))
        assert receiver.at("/inbound")[0].params["MediaUrl0"].startswith("http://handset.example:8081/2010-04-01/")
    async with running(config, data=tmp_path) as handset:
        (medium,) = (await ask(handset, "GET", f"/{sid}/Media.json"))[1]["media_list"]
        own = handset.base_url + medium["uri"].removesuffix(".json")
        async with http.get(own, headers=login(handset)) as response:
            assert await response.read() == PNG
        await handset.forgets()
        assert (await ask(handset, "GET", f"/{sid}/Media.json"))[0] == 404
