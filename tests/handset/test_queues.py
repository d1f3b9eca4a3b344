"""Senders' queues, schedules, prices, smart encoding: what the carrier does to a message before it leaves."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from handset.carrier import encoding, segments
from handset.carrier.prices import price
from handset.carrier.queues import Lines
from handset.config import Queues
from handset.testing import Receiver, RunningHandset, running
from tests.handset import contract
from tests.handset.conftest import ADA, APPROVED, GRACE, SERVICE, SMS, TOLL_FREE, WHATSAPP, config_for
from tests.handset.rest import ask
from tests.handset.test_carrier import NOW, QUEUED, statuses

STILL = {"at": "2026-05-03T12:00:00Z", "rate": 0}


@pytest.mark.parametrize(
    ("sender", "seconds"), [(SMS, 1.0), (TOLL_FREE, 1 / 3), ("12345", 0.01), (WHATSAPP, 1 / 80), ("+15550000009", 5.0)]
)
def test_each_kind_of_sender_has_its_pace(sender: str, seconds: float) -> None:
    lines = Lines(Queues(senders={"+15550000009": 0.2}))
    message = msgspec.structs.replace(QUEUED, from_address=sender)
    turns = [(lines.take(message, NOW) or NOW) - NOW for _ in range(3)]
    assert [turn.total_seconds() for turn in turns] == pytest.approx([0, seconds, 2 * seconds], abs=1e-5)


def test_a_long_text_takes_a_turn_for_each_segment() -> None:
    lines = Lines(Queues())
    message = msgspec.structs.replace(QUEUED, from_address=SMS, segments=4)
    assert [lines.take(message, NOW), lines.take(message, NOW)] == [NOW, NOW + timedelta(seconds=4)]
    assert lines.take(message, NOW + timedelta(hours=1)) == NOW + timedelta(hours=1)  # an idle sender saves nothing up


async def test_what_lines_up_leaves_in_its_turn(receiver: Receiver) -> None:
    async with running(config_for(receiver, queues={}, clock=STILL)) as handset:
        sids = [(await handset.posts(To=ADA, From=SMS, Body=str(n)))["sid"] for n in range(3)]
        await handset.advances(0.5)
        await handset.wait_for_status(sids[0], "delivered")
        assert [m["status"] for m in await handset.messages(ADA)] == ["delivered", "queued", "queued"]
        await handset.advances(2)
        last = await handset.wait_for_status(sids[2], "delivered")
        assert [change["at"] for change in last["history"]][1] == "2026-05-03T12:00:02Z"


async def test_a_full_queue_takes_nothing_more(receiver: Receiver) -> None:
    config = config_for(receiver, queues={"seconds": 3}, clock=STILL)
    async with running(config) as handset:
        form = {"To": ADA, "From": SMS, "Body": "hello", "StatusCallback": receiver.url("/status")}
        answers = [await handset.posts(**form) for _ in range(4)]
        assert [answer.get("code") for answer in answers] == [None, None, None, 21611]
        through = await handset.posts(To=ADA, MessagingServiceSid=SERVICE, Body="hello")
        assert through["status"] == "accepted"  # a service hears of it later
        await handset.advances(0.1)
        assert (await handset.wait_for_status(through["sid"], "failed"))["error_code"] == 30001


async def test_what_waits_longer_than_it_is_valid_is_not_sent(receiver: Receiver) -> None:
    config = config_for(receiver, queues={"senders": {SMS: 0.05}}, clock=STILL)
    async with running(config) as handset:
        await handset.posts(To=ADA, From=SMS, Body="first")
        sid = (await handset.posts(To=ADA, From=SMS, Body="second", ValidityPeriod="6"))["sid"]
        third = (await handset.posts(To=ADA, From=SMS, Body="third"))["sid"]
        await handset.advances(6)
        assert (await handset.wait_for_status(sid, "failed"))["error_code"] == 30036
        await handset.advances(15)
        await handset.wait_for_status(third, "delivered")  # the turn of what expired is free


async def test_a_queue_goes_on_after_a_restart(receiver: Receiver, tmp_path: Any) -> None:
    config = config_for(receiver, queues={"seconds": 2}, clock=STILL)
    async with running(config, data=tmp_path) as handset:
        for _ in range(2):
            await handset.posts(To=ADA, From=SMS, Body="hello")
    async with running(config, data=tmp_path) as handset:
        assert (await handset.posts(To=ADA, From=SMS, Body="hello"))["code"] == 21611


async def test_a_price_is_known_a_while_after_the_delivery(receiver: Receiver) -> None:
    delays = {"sent": 0, "delivered": 0, "read": None, "price": 60}
    async with running(config_for(receiver, delays=delays, clock=STILL)) as handset:
        sid = (await handset.posts(To=ADA, From=SMS, Body="x" * 161))["sid"]
        await handset.wait_for_status(sid, "delivered")
        assert (await ask(handset, "GET", f"/{sid}.json"))[1]["price"] is None
        await handset.advances(60)

        async def priced() -> Any:
            message = (await ask(handset, "GET", f"/{sid}.json"))[1]
            return message if message["price"] else None

        message = await handset.wait_for(priced)
        contract.fits("api.v2010.account.message", message)
        assert (message["price"], message["price_unit"]) == ("-0.01580", "USD")


@pytest.mark.parametrize(
    ("to", "media", "expected"),
    [
        (ADA, (), "-0.00790"),
        ("+447700900001", (), "-0.04630"),
        ("+390000000001", (), "-0.08000"),
        (ADA, ("https://example.com/a.jpg",), "-0.02000"),
        (GRACE, (), "-0.00500"),
    ],
)
def test_a_price_follows_destination_and_kind(to: str, media: tuple[str, ...], expected: str) -> None:
    assert price(msgspec.structs.replace(QUEUED, to_address=to, media_urls=media), None) == expected


async def test_smart_encoding_keeps_a_text_one_sms(receiver: Receiver) -> None:
    services = [{"sid": SERVICE, "numbers": [SMS, WHATSAPP], "smart_encoding": True}]
    body = "\u201cIt\u2019s ready\u201d \u2014 see you\u2026 " + "x" * 60
    async with running(config_for(receiver, services=services)) as handset:
        plain = await handset.posts(To=ADA, From=SMS, Body=body)
        assert (plain["body"], plain["num_segments"]) == (body, "2")
        asked = await handset.posts(To=ADA, From=SMS, Body=body, SmartEncoded="true")
        assert (asked["body"][:24], asked["num_segments"]) == ('"It\'s ready" - see you..', "1")
        through = await handset.posts(To=ADA, MessagingServiceSid=SERVICE, Body=body)
        assert (await handset.wait_for_status(through["sid"], "delivered"))["segments"] == 1
        whatsapp = await handset.posts(To=GRACE, From=WHATSAPP, Body=body, SmartEncoded="true")
        assert whatsapp["body"] == body


def test_smart_encoding_yields_gsm_alone_and_leaves_it_be() -> None:
    assert all(set(sent) <= segments.BASIC | segments.EXTENDED for sent in encoding.PAIRS.values())
    gsm = "".join(segments.BASIC | segments.EXTENDED)
    assert encoding.smart(gsm) == gsm


def in_seconds(seconds: int) -> str:
    at = datetime.now(UTC) + timedelta(seconds=seconds)  # noqa: TID251 - the API takes the real time
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ScheduleType": "fixed"}, 35111),
        ({"SendAt": in_seconds(3600)}, 35117),
        ({"ScheduleType": "soon", "SendAt": in_seconds(3600)}, 35115),
        ({"ScheduleType": "fixed", "SendAt": "tomorrow"}, 35114),
        ({"ScheduleType": "fixed", "SendAt": in_seconds(200)}, 35114),
        ({"ScheduleType": "fixed", "SendAt": in_seconds(36 * 86_400)}, 35114),
        ({"ScheduleType": "fixed", "SendAt": in_seconds(3600), "MessagingServiceSid": "", "From": SMS}, 35118),
    ],
)
async def test_a_schedule_that_cannot_be_is_refused(
    handset: RunningHandset, changes: dict[str, str], code: int
) -> None:
    form = {"To": ADA, "MessagingServiceSid": SERVICE, "Body": "later"} | changes
    assert (await handset.posts(**form))["code"] == code


async def test_a_scheduled_message_leaves_when_it_is_due_unless_it_was_taken_back(receiver: Receiver) -> None:
    form = {"To": ADA, "MessagingServiceSid": SERVICE, "Body": "later", "ScheduleType": "fixed"}
    form |= {"SendAt": "2026-05-03T13:00:00Z", "StatusCallback": receiver.url("/status")}
    async with running(config_for(receiver, clock=STILL)) as handset:
        kept, taken = [(await handset.posts(**form))["sid"] for _ in range(2)]
        assert (await ask(handset, "DELETE", f"/{kept}.json"))[1]["code"] == 20009
        assert (await ask(handset, "POST", f"/{kept}.json", data={"Body": ""}))[1]["code"] == 20009
        assert (await ask(handset, "POST", f"/{taken}.json", data={"Status": "canceled"}))[1]["status"] == "canceled"
        assert (await ask(handset, "POST", f"/{taken}.json", data={"Status": "canceled"}))[1]["code"] == 30409
        await handset.types(ADA, SMS, "STOP")  # takes nothing back that was scheduled
        await handset.opts_in(ADA, SMS)
        await handset.advances(3601)
        await handset.wait_for_status(kept, "delivered")
        await handset.wait_for(lambda: len(receiver.at("/status")) == 4)
        assert sorted(statuses(receiver)) == ["canceled", "delivered", "queued", "sent"]


async def test_feedback_is_taken_and_may_change(handset: RunningHandset) -> None:
    sid = (await handset.posts(To=ADA, From=SMS, Body="code 123", ProvideFeedback="true"))["sid"]
    for outcome in ("unconfirmed", "confirmed"):
        status, feedback = await ask(handset, "POST", f"/{sid}/Feedback.json", data={"Outcome": outcome})
        contract.fits("api.v2010.account.message.message_feedback", feedback)
        assert (status, feedback["outcome"], feedback["message_sid"]) == (201, outcome, sid)
    assert (await ask(handset, "POST", f"/{sid}/Feedback.json", data={"Outcome": "maybe"}))[0] == 400
    assert (await ask(handset, "POST", f"/SM{'0' * 32}/Feedback.json"))[0] == 404


async def test_test_credentials_send_nothing_and_know_the_magic_numbers_alone(receiver: Receiver) -> None:
    accounts = [{"sid": "AC" + "5" * 32, "auth_token": "test", "test": True}]
    async with running(config_for(receiver, accounts=accounts)) as handset:
        fine = {"From": "+15005550006", "Body": "hello", "StatusCallback": receiver.url("/status")}
        message = await handset.posts(To=ADA, **fine)
        contract.fits("api.v2010.account.message", message)
        assert message["status"] == "queued"
        assert await handset.messages() == []
        assert (await handset.posts(**fine, To="+15005550009"))["code"] == 21614
        assert (await handset.posts(To=ADA, From=SMS, Body="hello"))["code"] == 21606
        assert (await handset.posts(To=ADA, MessagingServiceSid=SERVICE, Body="hello"))["code"] == 20008
        assert (await handset.posts(To=GRACE, From=WHATSAPP, ContentSid=APPROVED))["code"] == 21606
