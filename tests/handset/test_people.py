"""People: the other form of a number, ids in place of numbers, words of a service's own, and a past."""

from typing import Any

import pytest

from handset.carrier.numbers import other_form
from handset.testing import Receiver, RunningHandset, running
from tests.handset.conftest import ADA, GRACE, SERVICE, SMS, WHATSAPP, config_for
from tests.handset.rest import ask

MARIA, MARIA_ANSWERS = "whatsapp:+5215512345678", "whatsapp:+525512345678"
ID = "whatsapp:US.13491208655302741918"
SECOND_ID = "whatsapp:US.99991208655302741918"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+5511987654321", "+551187654321"),
        ("+525512345678", "+5215512345678"),
        ("+541112345678", "+5491112345678"),
        ("whatsapp:+5511987654321", "whatsapp:+551187654321"),
    ],
)
def test_a_number_has_two_forms_in_three_countries(one: str, other: str) -> None:
    assert (other_form(one), other_form(other)) == (other, one)


@pytest.mark.parametrize("address", [ADA, GRACE, ID, "12345", "+55119", "+5255123456789"])
def test_elsewhere_a_number_has_one(address: str) -> None:
    assert other_form(address) is None


async def test_who_answers_from_the_other_form_is_the_same_person(receiver: Receiver) -> None:
    phones = [{"address": MARIA, "name": "Maria", "answers_as": "other_form"}]
    async with running(config_for(receiver, phones=phones)) as handset:
        await handset.types(MARIA, WHATSAPP, "hola")
        await handset.wait_for(lambda: receiver.at("/inbound"))
        params = receiver.at("/inbound")[0].params
        assert (params["From"], params["WaId"], params["ProfileName"]) == (MARIA_ANSWERS, "525512345678", "Maria")
        for to in (MARIA, MARIA_ANSWERS):  # both reach her, and both find the window open
            sid = (await handset.posts(To=to, From=WHATSAPP, Body="hola"))["sid"]
            await handset.wait_for_status(sid, "read")
        assert len(await handset.messages(MARIA)) == 3
        assert [phone["address"] for phone in await handset.phones()] == [MARIA]
        listed = (await ask(handset, "GET", ".json", params={"To": MARIA}))[1]["messages"]
        assert [message["to"] for message in listed] == [MARIA]  # the list takes an address at its word


async def test_a_stop_holds_for_both_forms(receiver: Receiver) -> None:
    joao, answers = "+5511987654321", "+551187654321"
    phones = [{"address": joao, "answers_as": "other_form"}]
    async with running(config_for(receiver, phones=phones)) as handset:
        await handset.types(joao, SMS, "STOP")
        for to in (joao, answers):
            assert (await handset.posts(To=to, From=SMS, Body="but"))["code"] == 21610
        await handset.opts_in(answers, SMS)
        assert (await handset.posts(To=joao, From=SMS, Body="welcome"))["status"] == "queued"


async def test_a_number_is_hidden_shown_and_changed(handset: RunningHandset, receiver: Receiver) -> None:
    identities: list[dict[str, Any]] = [
        {"answers_as": ID, "bsuid": ID[9:], "username": "grace.h"},
        {"bsuid": ID[9:]},
        {"answers_as": "whatsapp:+15550009999", "bsuid": SECOND_ID[9:]},  # a new number is a new id
    ]
    for number, identity in enumerate(identities):
        shown = await handset.puts_phone(GRACE, name="Grace", **identity)
        assert shown["username"] == identity.get("username", "")
        await handset.types(GRACE, WHATSAPP, str(number))
    await handset.wait_for(lambda: len(receiver.at("/inbound")) == 3)
    told = [received.params for received in receiver.at("/inbound")]
    assert [(p["From"], p["ExternalUserId"], p.get("WaId")) for p in told] == [
        (ID, ID, None),
        (GRACE, ID, GRACE[10:]),
        ("whatsapp:+15550009999", SECOND_ID, "15550009999"),
    ]
    assert {p["ProfileName"] for p in told} == {"Grace"}
    sid = (await handset.posts(To=SECOND_ID, From=WHATSAPP, Body="hi"))["sid"]
    await handset.wait_for_status(sid, "read")
    assert len(await handset.messages(GRACE)) == 4  # one person all along
    stranger = (await handset.posts(To=ID, From=WHATSAPP, Body="hi"))["sid"]
    assert (await handset.wait_for_status(stranger, "undelivered"))["error_code"] == 63016  # the old id is nobody's


@pytest.mark.parametrize(
    "identity",
    [
        {"answers_as": "nobody"},
        {"answers_as": SMS},
        {"answers_as": "other_form"},
        {"bsuid": "us.1"},
        {"username": "x" * 81},
    ],
)
async def test_an_identity_that_cannot_be_is_refused(handset: RunningHandset, identity: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="400"):
        await handset.puts_phone(GRACE, **identity)


KEYWORDS = {
    "stop": ["ALTO"],
    "start": ["SEGUIR"],
    "help": ["AYUDA"],
    "stopped": "Listo.",
    "started": "De nuevo.",
    "helped": "Escriba ALTO.",
}


@pytest.mark.parametrize(("phone", "sender", "done"), [(ADA, SMS, "delivered"), (GRACE, WHATSAPP, "read")])
async def test_a_service_has_words_of_its_own_on_all_its_channels(
    receiver: Receiver, phone: str, sender: str, done: str
) -> None:
    services = [{"sid": SERVICE, "numbers": [SMS, WHATSAPP], "keywords": KEYWORDS}]
    async with running(config_for(receiver, services=services)) as handset:
        for word in ("ayuda", "alto", "seguir", "STOP"):
            await handset.types(phone, sender, word)
        await handset.wait_for(lambda: len(receiver.at("/inbound")) == 4)
        told = [received.params["OptOutType"] for received in receiver.at("/inbound")]
        assert told == ["HELP", "STOP", "START", "STOP"]

        async def answered() -> bool:
            return await handset.received_by(phone) == ["Escriba ALTO.", "Listo.", "De nuevo.", "Listo."]

        await handset.wait_for(answered)
        assert (await handset.posts(To=phone, From=sender, Body="but"))["code"] == 21610
        through = await handset.posts(To=phone, MessagingServiceSid=SERVICE, Body="but")
        assert (await handset.wait_for_status(through["sid"], "failed"))["error_code"] == 21610


async def test_a_past_is_listed_and_told_to_nobody(receiver: Receiver) -> None:
    history = [
        {"from": GRACE, "to": WHATSAPP, "body": "two", "at": "2026-01-02T10:00:00Z"},
        {"from": WHATSAPP, "to": GRACE, "body": "one", "at": "2026-01-01T10:00:00Z", "status": "read"},
    ]
    async with running(config_for(receiver, history=history)) as handset:
        await handset.types(GRACE, WHATSAPP, "four")
        await handset.recalls({"from": GRACE, "to": WHATSAPP, "body": "three", "at": "2026-01-03T10:00:00Z"})
        page = (await ask(handset, "GET", ".json", params={"PageSize": "2"}))[1]
        rest = (await ask(handset, "GET", page["next_page_uri"].split("Messages", 1)[1]))[1]
        shown = [(m["body"], m["direction"]) for m in (*page["messages"], *rest["messages"])]
        assert shown == [("four", "inbound"), ("three", "inbound"), ("two", "inbound"), ("one", "outbound-api")]
        assert page["messages"][1]["date_sent"] == "Sat, 03 Jan 2026 10:00:00 +0000"
        dated = (await ask(handset, "GET", ".json", params={"DateSent": "2026-01-01"}))[1]["messages"]
        assert [message["body"] for message in dated] == ["one"]
        await handset.wait_for(lambda: receiver.at("/inbound"))
        assert [received.params["Body"] for received in receiver.at("/inbound")] == ["four"]


async def test_what_was_said_yesterday_opens_the_window_as_long_as_it_lasts(receiver: Receiver) -> None:
    clock = {"at": "2026-05-03T12:00:00Z"}
    for at, status in (("2026-05-02T12:30:00Z", "read"), ("2026-05-02T11:30:00Z", "undelivered")):
        history = [{"from": GRACE, "to": WHATSAPP, "body": "hello", "at": at}]
        async with running(config_for(receiver, history=history, clock=clock)) as handset:
            sid = (await handset.posts(To=GRACE, From=WHATSAPP, Body="hi"))["sid"]
            await handset.wait_for_status(sid, status)


async def test_a_past_survives_a_restart_in_its_place(receiver: Receiver, tmp_path: Any) -> None:
    history = [{"from": ADA, "to": SMS, "body": "old", "at": "2026-01-01T10:00:00Z"}]
    for _ in range(2):
        async with running(config_for(receiver, history=history), data=tmp_path) as handset:
            bodies = [message["body"] for message in await handset.messages(ADA)]
            assert bodies[:1] == ["old"]
            assert bodies.count("old") == 1
            await handset.types(ADA, SMS, "new")


@pytest.mark.parametrize(
    "past",
    [
        {"from": ADA, "to": "+15550009999", "at": "2026-01-01T10:00:00Z"},
        {"from": SMS, "to": WHATSAPP, "at": "2026-01-01T10:00:00Z"},
        {"from": GRACE, "to": SMS, "at": "2026-01-01T10:00:00Z"},
        {"from": "ada", "to": SMS, "at": "2026-01-01T10:00:00Z"},
        {"from": ADA, "to": SMS, "at": "2026-01-01T10:00:00"},
        {"from": ADA, "to": SMS, "at": "2190-01-01T10:00:00Z"},
        {"from": ADA, "to": SMS},
    ],
)
async def test_a_past_that_cannot_have_been_is_refused(handset: RunningHandset, past: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="400"):
        await handset.recalls(past)
