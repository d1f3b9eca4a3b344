"""What becomes of a message: its states, the WhatsApp window, keywords, services, schedules."""

import asyncio
from datetime import UTC, datetime, timedelta

import aiohttp
import msgspec
import pytest
from twilio.request_validator import RequestValidator

from handset.carrier import course, keywords
from handset.config import Delays
from handset.state.nouns import Change, Message
from handset.testing import Answer, Receiver, RunningHandset, running
from tests.handset.conftest import (
    ADA,
    APPROVED,
    GRACE,
    MARKETING,
    PENDING,
    SERVICE,
    SMS,
    TOLL_FREE,
    WHATSAPP,
    config_for,
)


def statuses(receiver: Receiver, path: str = "/status") -> list[str]:
    return [received.params["MessageStatus"] for received in receiver.at(path)]


@pytest.mark.parametrize(
    ("sender", "phone", "expected"),
    [(SMS, ADA, ["sent", "delivered"]), (WHATSAPP, GRACE, ["sent", "delivered", "read"])],
)
async def test_each_later_state_is_called_back_signed_and_in_order(
    handset: RunningHandset, receiver: Receiver, sender: str, phone: str, expected: list[str]
) -> None:
    if sender == WHATSAPP:
        await handset.types(phone, sender, "hello")
    sid = (await handset.posts(To=phone, From=sender, Body="hi", StatusCallback=receiver.url("/status?id=7&x=%20")))[
        "sid"
    ]
    await handset.wait_for(lambda: len(receiver.at("/status")) == len(expected))
    assert statuses(receiver) == expected  # and none for `queued`, the state that the answer told
    for received in receiver.at("/status"):
        assert RequestValidator(handset.auth_token).validate(
            received.url, received.params, received.headers["X-Twilio-Signature"]
        )
        assert received.params["MessageSid"] == received.params["SmsSid"] == sid
        assert received.params["SmsStatus"] == received.params["MessageStatus"]
        assert not {"Body", "NumMedia"} & set(received.params)
        assert received.headers["User-Agent"] == "TwilioProxy/1.1"
    assert ("RawDlrDoneDate" in receiver.at("/status")[1].params) == (sender == SMS)
    assert (receiver.at("/status")[1].params.get("ChannelPrefix") == "whatsapp") == (sender == WHATSAPP)
    tokens = {received.headers["I-Twilio-Idempotency-Token"] for received in receiver.at("/status")}
    assert len(tokens) == len(expected)


async def test_free_text_outside_the_window_is_accepted_and_then_refused(
    handset: RunningHandset, receiver: Receiver
) -> None:
    message = await handset.posts(To=GRACE, From=WHATSAPP, Body="hello", StatusCallback=receiver.url("/status"))
    assert message["status"] == "queued"
    await handset.wait_for(lambda: receiver.at("/status"))
    params = receiver.at("/status")[0].params
    assert (params["MessageStatus"], params["ErrorCode"]) == ("undelivered", "63016")
    assert "outside the allowed window" in params["ChannelStatusMessage"]
    assert await handset.received_by(GRACE) == []


async def test_an_inbound_message_opens_the_window_to_its_sender_alone(receiver: Receiver) -> None:
    second = "whatsapp:+15551234568"
    numbers = [{"address": WHATSAPP}, {"address": second}]
    async with running(config_for(receiver, numbers=numbers, services=[])) as handset:
        await handset.types(GRACE, WHATSAPP, "hello")
        opened = (await handset.posts(To=GRACE, From=WHATSAPP, Body="hi"))["sid"]
        closed = (await handset.posts(To=GRACE, From=second, Body="hi"))["sid"]
        await handset.wait_for_status(opened, "read")
        assert (await handset.wait_for_status(closed, "undelivered"))["error_code"] == 63016
        phone = next(phone for phone in await handset.phones() if phone["address"] == GRACE)
        assert list(phone["window_closes_at"]) == [WHATSAPP]


@pytest.mark.parametrize(
    ("sid", "variables", "window", "status", "code"),
    [
        (APPROVED, '{"1":"Ada","2":"May 3"}', False, "read", None),
        (APPROVED, None, False, "read", None),
        (APPROVED, '{"1":"Ada"}', False, "undelivered", 63028),
        (APPROVED, '{"1":"Ada","2":"a\\nb"}', False, "undelivered", 63013),
        (APPROVED, '{"1":"Ada","2":"a     b"}', True, "undelivered", 63013),
        (APPROVED, '{"1":"%s","2":"b"}' % ("a" * 1024), True, "undelivered", 63021),
        (PENDING, None, False, "undelivered", 63027),
        (PENDING, None, True, "read", None),
        (MARKETING, None, False, "undelivered", 63049),
        (MARKETING, None, True, "read", None),
    ],
)
async def test_a_template_needs_its_approval_outside_the_window_alone(
    handset: RunningHandset, sid: str, variables: str | None, window: bool, status: str, code: int | None
) -> None:
    if window:
        await handset.types(GRACE, WHATSAPP, "hello")
    form = {"ContentVariables": variables} if variables else {}
    message = await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=sid, **form)
    assert (await handset.wait_for_status(message["sid"], status))["error_code"] == code


async def test_a_stop_blocks_is_answered_and_still_told(handset: RunningHandset, receiver: Receiver) -> None:
    await handset.types(ADA, SMS, " stop ")
    await handset.wait_for(lambda: receiver.at("/inbound"))
    assert receiver.at("/inbound")[0].params["Body"] == " stop "

    async def answered() -> bool:
        return await handset.received_by(ADA) == [keywords.STOPPED]

    await handset.wait_for(answered)
    assert (await handset.posts(To=ADA, From=SMS, Body="but"))["code"] == 21610
    assert (await handset.posts(To=ADA, From=TOLL_FREE, Body="hi"))["status"] == "queued"  # another sender
    await handset.types(ADA, SMS, "START")
    assert (await handset.posts(To=ADA, From=SMS, Body="welcome back"))["status"] == "queued"


async def test_the_carriers_answer_is_unknown_to_the_api(handset: RunningHandset, http: aiohttp.ClientSession) -> None:
    await handset.types(ADA, SMS, "HELP")
    auto = next(message for message in await handset.messages(ADA) if message["auto"])
    headers = {"Authorization": aiohttp.encode_basic_auth(handset.account_sid, handset.auth_token)}
    root = f"{handset.base_url}/2010-04-01/Accounts/{handset.account_sid}/Messages"
    async with http.get(f"{root}.json", headers=headers) as response:
        assert [message["body"] for message in (await response.json())["messages"]] == ["HELP"]
    async with http.get(f"{root}/{auto['sid']}.json", headers=headers) as response:
        assert response.status == 404


async def test_a_stop_on_whatsapp_is_a_word_like_any_other(handset: RunningHandset) -> None:
    await handset.types(GRACE, WHATSAPP, "STOP")
    sid = (await handset.posts(To=GRACE, From=WHATSAPP, Body="as you wish"))["sid"]
    await handset.wait_for_status(sid, "read")
    assert [message["auto"] for message in await handset.messages(GRACE)] == [False, False]


async def test_a_service_chooses_its_sender_later_and_calls_back_from_queued_on(
    handset: RunningHandset, receiver: Receiver
) -> None:
    message = await handset.posts(
        To=ADA, MessagingServiceSid=SERVICE, Body="hi", StatusCallback=receiver.url("/status")
    )
    assert (message["status"], message["from"], message["num_segments"]) == ("accepted", None, "0")
    await handset.wait_for(lambda: len(receiver.at("/status")) == 3)
    assert statuses(receiver) == ["queued", "sent", "delivered"]
    assert receiver.at("/status")[0].params["MessagingServiceSid"] == SERVICE
    assert receiver.at("/status")[0].params["From"] == SMS
    sent = await handset.wait_for_status(message["sid"], "delivered")
    assert (sent["from"], sent["segments"]) == (SMS, 1)


async def test_a_service_hears_of_a_block_after_it_accepted(handset: RunningHandset) -> None:
    await handset.types(ADA, SMS, "STOP")
    message = await handset.posts(To=ADA, MessagingServiceSid=SERVICE, Body="hi")
    assert message["status"] == "accepted"
    assert (await handset.wait_for_status(message["sid"], "failed"))["error_code"] == 21610


async def test_a_scheduled_message_waits_and_can_be_taken_back(
    handset: RunningHandset, receiver: Receiver, http: aiohttp.ClientSession
) -> None:
    at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()  # noqa: TID251 - the API takes the real time
    message = await handset.posts(
        To=ADA,
        MessagingServiceSid=SERVICE,
        Body="later",
        ScheduleType="fixed",
        SendAt=at,
        StatusCallback=receiver.url("/status"),
    )
    assert message["status"] == "scheduled"
    headers = {"Authorization": aiohttp.encode_basic_auth(handset.account_sid, handset.auth_token)}
    async with http.post(handset.base_url + message["uri"], data={"Status": "canceled"}, headers=headers) as response:
        assert (await response.json())["status"] == "canceled"
    await handset.wait_for(lambda: statuses(receiver) == ["canceled"])


async def test_what_one_phone_types_is_told_in_order(handset: RunningHandset, receiver: Receiver) -> None:
    gate = asyncio.Event()
    receiver.answers("/inbound", Answer(after=gate), Answer())
    for number in range(5):
        await handset.types(ADA, SMS, str(number))
    await handset.wait_for(lambda: receiver.at("/inbound"))
    await handset.types("+15550100002", SMS, "meanwhile")  # another phone does not wait
    await handset.wait_for(lambda: len(receiver.at("/inbound")) == 2)
    gate.set()
    await handset.wait_for(lambda: len(receiver.at("/inbound")) == 6)
    assert [r.params["Body"] for r in receiver.at("/inbound") if r.params["From"] == ADA] == ["0", "1", "2", "3", "4"]


async def test_whatsapp_webhooks_name_the_person(handset: RunningHandset, receiver: Receiver) -> None:
    await handset.types(GRACE, WHATSAPP, "hello", fields={"ButtonPayload": "yes", "MessageType": "interactive"})
    await handset.types("whatsapp:US.abc123", WHATSAPP, "hello")
    await handset.wait_for(lambda: len(receiver.at("/inbound")) == 2)
    first, second = (received.params for received in receiver.at("/inbound"))
    assert (first["ProfileName"], first["WaId"], first["NumSegments"]) == ("Grace", "15559876543", "1")
    assert (first["ButtonPayload"], first["MessageType"]) == ("yes", "interactive")
    assert (second["From"], second["ExternalUserId"]) == ("whatsapp:US.abc123", "whatsapp:US.abc123")
    assert "WaId" not in second


async def test_an_attachment_is_counted(handset: RunningHandset, receiver: Receiver) -> None:
    media = {"MediaUrl0": "https://example.com/a.jpg", "MediaContentType0": "image/jpeg"}
    sid = await handset.types(GRACE, WHATSAPP, "", fields=media)
    await handset.wait_for(lambda: receiver.at("/inbound"))
    params = receiver.at("/inbound")[0].params
    assert (params["NumMedia"], params["MediaUrl0"], params["Body"]) == ("1", media["MediaUrl0"], "")
    assert sid.startswith("MM")


NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)


QUEUED = Message(
    sid="SM" + "1" * 32,
    account_sid="AC" + "1" * 32,
    from_address=WHATSAPP,
    to_address=GRACE,
    body="hello",
    direction="outbound-api",
    status="queued",
    created_at=NOW,
    updated_at=NOW,
    history=(Change(status="queued", at=NOW),),
)


@pytest.mark.parametrize(
    ("hours", "code"), [(0, None), (23.99, None), (24, 63016), (48, 63016)], ids=["now", "almost", "a day", "two"]
)
def test_the_window_is_open_for_24_hours(hours: float, code: int | None) -> None:
    facts = course.Facts(last_inbound_at=NOW - timedelta(hours=hours), template=None, blocked=False)
    failing = course.failing(QUEUED, facts, NOW)
    assert (failing and failing.code) == code


def test_a_message_that_waited_too_long_is_not_sent() -> None:
    facts = course.Facts(last_inbound_at=NOW, template=None, blocked=False)
    failing = course.failing(msgspec.structs.replace(QUEUED, expires_at=NOW), facts, NOW)
    assert failing == course.Failing(status="failed", code=30036)


def test_a_step_without_a_delay_never_comes() -> None:
    sent = QUEUED.moved("sent", NOW)
    assert course.next_step(sent, Delays(delivered=None)) is None
    assert course.next_step(sent.moved("delivered", NOW), Delays(read=None)) is None
