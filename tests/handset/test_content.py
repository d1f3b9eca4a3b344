"""Templates made through the Content API, their approvals, and what people tap on the messages that they make."""

import asyncio
from typing import Any

import msgspec
import pytest
from twilio.rest import Client
from twilio.rest.content.v1.content import ContentList

from handset.config import ConfigError
from handset.testing import Receiver, RunningHandset, running
from tests.handset import contract
from tests.handset.conftest import ADA, APPROVED, GRACE, SMS, WHATSAPP, config_for
from tests.handset.rest import ask
from tests.handset.test_sdk import Elsewhere

QUICK: dict[str, Any] = {
    "twilio/quick-reply": {
        "body": "Does {{1}} suit you?",
        "actions": [{"type": "QUICK_REPLY", "title": "Yes", "id": "yes-1"}, {"title": "No", "id": "no-1"}],
    }
}
LIST: dict[str, Any] = {
    "twilio/list-picker": {
        "body": "When?",
        "button": "Times",
        "items": [{"item": "Morning", "id": "am", "description": "8 to 12"}, {"item": "Evening", "id": "pm"}],
    }
}
CALL: dict[str, Any] = {
    "twilio/call-to-action": {
        "body": "See the plan",
        "actions": [{"type": "URL", "title": "Open", "url": "https://example.com/{{1}}"}],
    }
}
MEDIA: dict[str, Any] = {"twilio/media": {"body": "Your roof", "media": ["https://example.com/{{1}}.jpg"]}}


async def create(handset: RunningHandset, types: dict[str, Any], **more: Any) -> str:
    body = {"friendly_name": "made", "language": "en", "types": types, "variables": {"1": "May 3"}, **more}
    status, content = await ask(handset, "POST", "/v1/Content", json=body)
    assert status == 201, content
    contract.fits("content.v1.content", content, document="twilio_content")
    return str(content["sid"])


async def test_a_template_is_made_changed_submitted_and_deleted(handset: RunningHandset) -> None:
    sid = await create(handset, QUICK)
    own = f"/v1/Content/{sid}"
    assert (await ask(handset, "GET", own))[1]["types"] == QUICK
    assert (await ask(handset, "PUT", own, json={"friendly_name": "other"}))[1]["friendly_name"] == "other"
    asked = {"name": "does_it_suit", "category": "UTILITY"}
    status, approval = await ask(handset, "POST", f"{own}/ApprovalRequests/whatsapp", json=asked)
    contract.fits("content.v1.content.approval_create", approval, document="twilio_content")
    assert (status, approval["status"], approval["content_type"]) == (201, "received", "twilio/quick-reply")
    assert (await ask(handset, "PUT", own, json={"language": "de"}))[0] == 400
    await handset.decides(sid, "rejected", rejection_reason="TAG_CONTENT_MISMATCH")
    fetched = (await ask(handset, "GET", f"{own}/ApprovalRequests"))[1]["whatsapp"]
    assert (fetched["status"], fetched["rejection_reason"]) == ("rejected", "TAG_CONTENT_MISMATCH")
    assert (await ask(handset, "DELETE", own)) == (204, None)
    assert (await ask(handset, "GET", own))[0] == 404
    assert (await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=sid))["code"] == 21655


async def test_a_configured_template_is_decided_on_too(handset: RunningHandset) -> None:
    await handset.decides(APPROVED, "paused")
    sid = (await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=APPROVED))["sid"]
    assert (await handset.wait_for_status(sid, "undelivered"))["error_code"] == 63041
    await handset.decides(APPROVED, "approved", category="MARKETING")  # Meta may think otherwise of a category
    sid = (await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=APPROVED))["sid"]
    assert (await handset.wait_for_status(sid, "undelivered"))["error_code"] == 63049
    assert (await ask(handset, "DELETE", f"/v1/Content/{APPROVED}"))[0] == 204
    assert len((await ask(handset, "GET", "/v1/Content"))[1]["contents"]) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"language": "en"},
        {"types": QUICK},
        {"language": "en", "types": {"twilio/hologram": {"body": "x"}}},
        {"language": "en", "types": {"twilio/text": {}}},
        {"language": "en", "types": {"twilio/text": {"body": "x" * 1601}}},
        {"language": "en", "types": {"twilio/quick-reply": {"body": "x", "actions": []}}},
        {"language": "en", "types": {"twilio/quick-reply": {"body": "x", "actions": [{"title": "t" * 26}]}}},
        {"language": "en", "types": {"twilio/quick-reply": {"body": "x", "actions": [{"title": "t"}] * 11}}},
        {"language": "en", "types": {"twilio/list-picker": {"body": "x", "button": "b", "items": [{"item": "i"}]}}},
        {"language": "en", "types": {"twilio/call-to-action": {"body": "x", "actions": [{"type": "?", "title": "t"}]}}},
        {"language": "en", "types": {"twilio/media": {"media": "https://example.com/a.jpg"}}},
        {"language": "en", "types": "twilio/text"},
        {"language": 5},
        [],
    ],
)
async def test_a_template_beyond_its_types_limits_is_refused(handset: RunningHandset, body: Any) -> None:
    status, answer = await ask(handset, "POST", "/v1/Content", json=body)
    assert (status, answer["code"]) == (400, 20001)
    assert (await ask(handset, "POST", "/v1/Content", data={"language": "en"}))[0] == 415


@pytest.mark.parametrize(
    "asked",
    [{"name": "Has Blanks", "category": "UTILITY"}, {"name": "fine", "category": "FUN"}, {"category": "UTILITY"}, []],
)
async def test_an_approval_that_whatsapp_cannot_give_is_refused(handset: RunningHandset, asked: Any) -> None:
    sid = await create(handset, QUICK)
    assert (await ask(handset, "POST", f"/v1/Content/{sid}/ApprovalRequests/whatsapp", json=asked))[0] == 400
    listed = await create(handset, LIST)
    fine = {"name": "fine", "category": "UTILITY"}
    assert (await ask(handset, "POST", f"/v1/Content/{listed}/ApprovalRequests/whatsapp", json=fine))[0] == 400


async def test_a_button_is_tapped_and_comes_back(handset: RunningHandset, receiver: Receiver) -> None:
    await handset.types(GRACE, WHATSAPP, "hello")
    sid = await create(handset, QUICK)
    message = await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=sid, ContentVariables='{"1":"Monday"}')
    assert message["body"] == "Does Monday suit you?"
    await handset.wait_for_status(message["sid"], "read")  # nobody approved it: in an open window nobody has to
    await handset.taps(message["sid"], "Yes")
    await handset.wait_for(lambda: len(receiver.at("/inbound")) == 2)
    params = receiver.at("/inbound")[1].params
    assert {name: params.get(name) for name in ("Body", "ButtonText", "ButtonPayload", "ButtonType")} == {
        "Body": "Yes",
        "ButtonText": "Yes",
        "ButtonPayload": "yes-1",
        "ButtonType": "REPLY",
    }
    assert params["OriginalRepliedMessageSid"] == message["sid"]
    assert params["OriginalRepliedMessageSender"] == WHATSAPP
    assert params["MessageType"] == "interactive"


async def test_a_row_is_chosen_and_comes_back(handset: RunningHandset, receiver: Receiver) -> None:
    await handset.types(GRACE, WHATSAPP, "hello")
    message = await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=await create(handset, LIST))
    await handset.wait_for_status(message["sid"], "read")
    await handset.taps(message["sid"], "am")
    await handset.wait_for(lambda: len(receiver.at("/inbound")) == 2)
    params = receiver.at("/inbound")[1].params
    assert (params["ListId"], params["ListTitle"], params["Body"]) == ("am", "Morning", "Morning")


async def test_what_cannot_open_a_session_does_not(handset: RunningHandset) -> None:
    listed, quick = await create(handset, LIST), await create(handset, QUICK)
    for sid, code in ((listed, 63016), (quick, 63027)):
        message = await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=sid)
        assert (await handset.wait_for_status(message["sid"], "undelivered"))["error_code"] == code
    await handset.decides(quick, "approved")
    message = await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=quick)
    await handset.wait_for_status(message["sid"], "read")


async def test_more_than_three_buttons_need_an_approval(handset: RunningHandset) -> None:
    await handset.types(GRACE, WHATSAPP, "hello")
    many = {"twilio/quick-reply": {"body": "Which?", "actions": [{"title": str(n), "id": str(n)} for n in range(4)]}}
    sid = await create(handset, many)
    message = await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=sid)
    assert (await handset.wait_for_status(message["sid"], "undelivered"))["error_code"] == 63021
    await handset.decides(sid, "approved")
    message = await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=sid)
    await handset.wait_for_status(message["sid"], "read")


async def test_a_template_whose_value_makes_no_address_is_refused(handset: RunningHandset) -> None:
    sid = await create(handset, {"twilio/media": {"media": ["{{1}}"]}})
    for value in ("nowhere", "http://[", "file:///etc/passwd"):
        form = {"ContentVariables": msgspec.json.encode({"1": value}).decode()}
        assert (await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=sid, **form))["code"] == 21620


async def test_a_configured_template_beyond_its_types_limits_keeps_handset_from_starting() -> None:
    template = {"sid": APPROVED, "name": "x", "types": {"twilio/list-picker": {"body": "x"}}}
    with pytest.raises(ConfigError, match="list-picker: button"):
        async with running({"templates": [template]}):
            pass


async def test_links_and_media_of_a_template_are_filled_in(handset: RunningHandset) -> None:
    await handset.types(GRACE, WHATSAPP, "hello")
    call = await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=await create(handset, CALL))
    shown = await handset.wait_for_status(call["sid"], "read")
    assert [(c["title"], c["target"]) for c in shown["rich"]["choices"]] == [("Open", "https://example.com/May 3")]
    media = await handset.posts(
        To=GRACE, From=WHATSAPP, ContentSid=await create(handset, MEDIA), ContentVariables='{"1":"7"}'
    )
    assert (media["num_media"], media["sid"][:2], media["body"]) == ("1", "MM", "Your roof")
    assert (await handset.wait_for_status(media["sid"], "read"))["media_urls"] == ["https://example.com/7.jpg"]


async def test_sms_shows_the_text_of_a_template(handset: RunningHandset) -> None:
    sid = await create(handset, {"twilio/text": {"body": "Does it suit you? YES or NO"}, **QUICK})
    message = await handset.posts(To=ADA, From=SMS, ContentSid=sid)
    assert message["body"] == "Does it suit you? YES or NO"
    assert (await handset.wait_for_status(message["sid"], "delivered"))["rich"] is None


@pytest.mark.parametrize(("choice", "status"), [("maybe", 404), ("", 400)])
async def test_a_tap_beside_the_buttons_is_told_what_there_is(
    handset: RunningHandset, choice: str, status: int
) -> None:
    await handset.types(GRACE, WHATSAPP, "hello")
    message = await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=await create(handset, QUICK))
    await handset.wait_for_status(message["sid"], "read")
    for sid, expected in ((message["sid"], status), ("SM" + "0" * 32, 404 if choice else 400)):
        with pytest.raises(AssertionError, match=str(expected)):
            await handset.taps(sid, choice)


async def test_made_templates_survive_a_restart(receiver: Receiver, tmp_path: Any) -> None:
    async with running(config_for(receiver), data=tmp_path) as handset:
        sid = await create(handset, QUICK)
        await handset.decides(sid, "approved")
    async with running(config_for(receiver), data=tmp_path) as handset:
        await handset.forgets()  # conversations, not templates
        assert (await ask(handset, "GET", f"/v1/Content/{sid}/ApprovalRequests"))[1]["whatsapp"]["status"] == "approved"


async def test_the_library_makes_a_template_and_submits_it(handset: RunningHandset) -> None:
    client = Client(handset.account_sid, handset.auth_token, http_client=Elsewhere(handset.base_url))

    def work() -> str:
        text = ContentList.Types({"twilio/text": {"body": "Hello {{1}}"}})
        asked = ContentList.ContentCreateRequest({"friendly_name": "hi", "language": "en", "types": text})
        made = client.content.v1.contents.create(asked)
        assert made.types == {"twilio/text": {"body": "Hello {{1}}"}}
        assert client.content.v1.contents(made.sid).delete()
        return str(made.sid)

    assert (await asyncio.to_thread(work)).startswith("HX")
