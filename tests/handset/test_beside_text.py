"""What people send beside text: places, contacts, voice, quotes, reactions, the advertisement they came from."""

from typing import Any

import aiohttp
import pytest

from handset.testing import Receiver, RunningHandset
from tests.handset.conftest import ADA, GRACE, SMS, WHATSAPP
from tests.handset.rest import ask, login

Http = aiohttp.ClientSession
VOICE = {"content_type": "audio/ogg", "content": "T2dnUw=="}


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        (
            {"location": {"latitude": 52.5, "longitude": 13.4, "label": "Office", "address": "1 Main St"}},
            {
                "Latitude": "52.5",
                "Longitude": "13.4",
                "Label": "Office",
                "Address": "1 Main St",
                "MessageType": "location",
            },
        ),
        ({"media": [VOICE]}, {"MediaContentType0": "audio/ogg", "NumMedia": "1", "MessageType": "audio"}),
        ({"contact": {"name": "Bo", "phone": "+1555"}}, {"MediaContentType0": "text/vcard", "MessageType": "contacts"}),
        ({"forwarded": True}, {"Forwarded": "true", "FrequentlyForwarded": "false", "MessageType": "text"}),
        (
            {
                "referral": {
                    "source_id": "120",
                    "headline": "Roofs",
                    "ctwa_clid": "ARA1",
                    "source_url": "https://fb.me/1",
                }
            },
            {
                "ReferralSourceId": "120",
                "ReferralSourceType": "ad",
                "ReferralHeadline": "Roofs",
                "ReferralCtwaClid": "ARA1",
                "ReferralSourceUrl": "https://fb.me/1",
            },
        ),
    ],
    ids=["place", "voice", "contact", "forwarded", "advertisement"],
)
async def test_what_stands_beside_the_text_is_told_as_twilio_tells_it(
    handset: RunningHandset, receiver: Receiver, beside: dict[str, Any], told: dict[str, str]
) -> None:
    await handset.types(GRACE, WHATSAPP, "here", **beside)
    await handset.wait_for(lambda: receiver.at("/inbound"))
    params = receiver.at("/inbound")[0].params
    assert {name: params.get(name) for name in told} == told
    assert params["Body"] == "here"


async def test_a_contact_travels_as_a_vcard_that_no_name_breaks(
    handset: RunningHandset, receiver: Receiver, http: Http
) -> None:
    await handset.types(ADA, SMS, "", contact={"name": "Bo;\r\nNOTE:x", "phone": "+15550100009"})
    await handset.wait_for(lambda: receiver.at("/inbound"))
    async with http.get(receiver.at("/inbound")[0].params["MediaUrl0"], headers=login(handset)) as response:
        assert response.headers["Content-Type"] == "text/vcard"
        lines = (await response.text()).split("\r\n")
    assert lines[2:5] == ["FN:Bo\\; NOTE:x", "N:Bo\\; NOTE:x;;;;", "TEL;TYPE=CELL:+15550100009"]


async def test_a_quote_names_what_it_quotes(handset: RunningHandset, receiver: Receiver) -> None:
    await handset.types(GRACE, WHATSAPP, "hello")
    ours = (await handset.posts(To=GRACE, From=WHATSAPP, Body="hi"))["sid"]
    await handset.types(GRACE, WHATSAPP, "this one", reply_to=ours)
    await handset.wait_for(lambda: len(receiver.at("/inbound")) == 2)
    params = receiver.at("/inbound")[1].params
    assert (params["OriginalRepliedMessageSid"], params["OriginalRepliedMessageSender"]) == (ours, WHATSAPP)
    with pytest.raises(AssertionError, match="404"):
        await handset.types(GRACE, WHATSAPP, "that one", reply_to="SM" + "0" * 32)


async def test_a_reaction_is_seen_and_told_only_if_asked(handset: RunningHandset, receiver: Receiver) -> None:
    await handset.types(GRACE, WHATSAPP, "hello")
    ours = (await handset.posts(To=GRACE, From=WHATSAPP, Body="hi"))["sid"]
    await handset.wait_for_status(ours, "read")
    await handset.reacts(ours, "\N{HEAVY BLACK HEART}")
    assert [m["reaction"] for m in await handset.messages(GRACE)] == ["", "\N{HEAVY BLACK HEART}"]
    await handset.reacts(ours, "\N{THUMBS UP SIGN}", tell=True)
    await handset.wait_for(lambda: len(receiver.at("/inbound")) == 2)
    params = receiver.at("/inbound")[1].params
    assert (params["MessageType"], params["Body"], params["OriginalRepliedMessageSid"]) == (
        "reaction",
        "\N{THUMBS UP SIGN}",
        ours,
    )
    sms = (await handset.posts(To=ADA, From=SMS, Body="hi"))["sid"]
    with pytest.raises(AssertionError, match="400"):
        await handset.reacts(sms, "x")


@pytest.mark.parametrize(
    "beside",
    [
        {"location": {"latitude": 91, "longitude": 0}},
        {"location": {"latitude": 1}},
        {"contact": {"name": "", "phone": "1"}},
        {"referral": {}},
        {"reply_to": 5},
        {"media": "file"},
    ],
)
async def test_what_makes_no_sense_beside_the_text_is_refused(handset: RunningHandset, beside: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="400"):
        await handset.types(GRACE, WHATSAPP, "here", **beside)
    assert await handset.messages() == []


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/v2/Indicators/Typing.json", lambda sid: {"data": {"messageId": sid, "channel": "whatsapp"}}),
        ("/v3/Indicators/Typing", lambda sid: {"json": {"messageId": sid, "channel": "WHATSAPP"}}),
    ],
)
async def test_a_typing_indicator_marks_the_message_as_read(handset: RunningHandset, path: str, given: Any) -> None:
    sid = await handset.types(GRACE, WHATSAPP, "hello")
    assert await ask(handset, "POST", path, **given(sid)) == (200, {"success": True})
    assert [bool(message["seen_at"]) for message in await handset.messages(GRACE)] == [True]
    ours = (await handset.posts(To=GRACE, From=WHATSAPP, Body="hi"))["sid"]
    assert (await ask(handset, "POST", path, **given(ours)))[0] == 404
