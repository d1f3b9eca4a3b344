"""Faults of webhooks: lost, doubled, shuffled, late, forged, signed wrongly, and with news in them."""

from pathlib import Path
from typing import Any

import pytest
from twilio.request_validator import RequestValidator

from handset.testing import Answer, Received, Receiver, RunningHandset, running
from tests.handset.conftest import ADA, GRACE, SMS, WHATSAPP, config_for


def is_genuine(handset: RunningHandset, received: Received, token: str | None = None) -> bool:
    validator = RequestValidator(token or handset.auth_token)
    return bool(validator.validate(received.url, received.params, received.headers["X-Twilio-Signature"]))


def texts(receiver: Receiver) -> list[str]:
    return [received.params["Body"] for received in receiver.at("/inbound")]


def statuses(receiver: Receiver) -> list[str]:
    return [received.params["MessageStatus"] for received in receiver.at("/status")]


async def sends(handset: RunningHandset, receiver: Receiver, to: str = ADA) -> str:
    sender = WHATSAPP if to.startswith("whatsapp:") else SMS
    answer = await handset.posts(To=to, From=sender, Body="hi", StatusCallback=receiver.url("/status"))
    return str(answer["sid"])


async def test_a_lost_webhook_never_comes(handset: RunningHandset, receiver: Receiver) -> None:
    await handset.faults({"kind": "lost", "on": "inbound", "next": 1}, {"kind": "lost", "status": "sent"})
    await handset.types(ADA, SMS, "lost")
    await handset.types(ADA, SMS, "found")
    sid = await sends(handset, receiver)
    await handset.wait_for(lambda: receiver.at("/status"))
    assert (texts(receiver), statuses(receiver)) == (["found"], ["delivered"])
    lost = [webhook for webhook in await handset.webhooks() if not webhook["attempts"]]
    assert [(webhook["finished"], webhook["error"]) for webhook in lost] == [
        (True, "lost on purpose (fault-1)"),
        (True, "lost on purpose (fault-2)"),
    ]
    assert [act["traffic"] for act in await handset.acts("lost")] == ["inbound", "status"]
    assert (await handset.acts("lost"))[1]["message_sid"] == sid


async def test_a_doubled_webhook_comes_again_and_is_obeyed_once(handset: RunningHandset, receiver: Receiver) -> None:
    receiver.answers("/inbound", Answer(body="<Response><Message>Welcome</Message></Response>"))
    await handset.faults({"kind": "duplicated", "times": 3, "on": "inbound"})
    await handset.types(ADA, SMS, "hello")
    await handset.types(ADA, SMS, "and")
    await handset.wait_for(lambda: len(receiver.at("/inbound")) == 8)
    assert texts(receiver) == ["hello"] * 4 + ["and"] * 4
    assert all(is_genuine(handset, received) for received in receiver.at("/inbound"))
    assert len({received.headers["I-Twilio-Idempotency-Token"] for received in receiver.at("/inbound")}) == 2

    async def replied() -> bool:
        return (await handset.received_by(ADA)) == ["Welcome"] * 2

    await handset.wait_for(replied)
    assert [len(webhook["attempts"]) for webhook in await handset.webhooks()] == [4, 4]


async def test_a_doubled_webhook_has_its_retries_each_time(receiver: Receiver) -> None:
    receiver.answers("/in", Answer(status=500))
    numbers = [{"address": SMS, "inbound_url": receiver.url("/in#rc=2&rp=5xx")}]
    async with running(config_for(receiver, numbers=numbers, services=[], faults=[{"kind": "duplicated"}])) as handset:
        await handset.types(ADA, SMS, "hello")
        await handset.wait_for(lambda: len(receiver.at("/in")) == 6)


@pytest.mark.parametrize("seed", range(3))
async def test_shuffled_statuses_come_in_another_order(receiver: Receiver, seed: int) -> None:
    faults = [{"kind": "shuffled", "seconds": 60, "on": "status", "seed": seed}]
    async with running(config_for(receiver, clock={"rate": 0.0}, faults=faults)) as handset:
        await handset.types(GRACE, WHATSAPP, "hello")
        await sends(handset, receiver, GRACE)
        await handset.advances(30)

        async def told() -> bool:
            return len([webhook for webhook in await handset.webhooks() if webhook["kind"] == "status"]) == 3

        await handset.wait_for(told)
        assert statuses(receiver) == []
        await handset.advances(60)
        await handset.wait_for(lambda: len(receiver.at("/status")) == 3)
        assert sorted(statuses(receiver)) == ["delivered", "read", "sent"]
        assert statuses(receiver) != ["sent", "delivered", "read"]
        assert len(await handset.acts("shuffled")) == 3


async def test_shuffled_texts_of_one_phone_come_in_another_order(handset: RunningHandset, receiver: Receiver) -> None:
    await handset.faults({"kind": "shuffled", "seconds": 0.3})
    typed = [str(number) for number in range(6)]
    for text in typed:
        await handset.types(ADA, SMS, text)
    await handset.wait_for(lambda: len(receiver.at("/inbound")) == 6)
    assert sorted(texts(receiver)) == typed
    assert texts(receiver) != typed


async def test_a_late_webhook_is_overtaken(receiver: Receiver) -> None:
    faults = [{"kind": "late", "seconds": 3600, "body": "slow"}]
    async with running(config_for(receiver, clock={"rate": 0.0}, faults=faults)) as handset:
        await handset.types(ADA, SMS, "slow one")
        await handset.types(ADA, SMS, "quick one")
        await handset.wait_for(lambda: texts(receiver) == ["quick one"])
        await handset.advances(3600)
        await handset.wait_for(lambda: texts(receiver) == ["quick one", "slow one"])


async def test_a_forged_webhook_comes_before_the_real_one_and_its_answer_is_told(
    handset: RunningHandset, receiver: Receiver
) -> None:
    receiver.answers("/inbound", Answer(status=403), Answer())
    await handset.faults("forged")
    sid = await handset.types(ADA, SMS, "hello")
    await handset.wait_for(lambda: len(receiver.at("/inbound")) == 2)
    forged, real = receiver.at("/inbound")
    assert (is_genuine(handset, forged), is_genuine(handset, real)) == (False, True)
    assert (forged.params["Body"], real.params["Body"]) == ("This text is forged.", "hello")
    assert forged.params["MessageSid"] != real.params["MessageSid"] == sid
    assert [act["answered"] for act in await handset.acts("forged")] == [403]
    await sends(handset, receiver)
    await handset.wait_for(lambda: len(receiver.at("/status")) == 4)
    assert statuses(receiver) == ["failed", "sent", "failed", "delivered"]
    assert [is_genuine(handset, received) for received in receiver.at("/status")] == [False, True, False, True]


@pytest.mark.parametrize("token", [None, "the-new-token"])
async def test_a_webhook_is_signed_with_another_token(
    handset: RunningHandset, receiver: Receiver, token: str | None
) -> None:
    await handset.faults({"kind": "wrong_token", **({"token": token} if token else {})})
    await handset.types(ADA, SMS, "hello")
    await handset.wait_for(lambda: receiver.at("/inbound"))
    [received] = receiver.at("/inbound")
    assert not is_genuine(handset, received)
    assert token is None or is_genuine(handset, received, token)


async def test_parameters_that_nobody_knows_are_signed_too(handset: RunningHandset, receiver: Receiver) -> None:
    await handset.faults("unknown_parameters")
    await handset.types(ADA, SMS, "hello")
    await handset.wait_for(lambda: receiver.at("/inbound"))
    [received] = receiver.at("/inbound")
    assert received.params["HandsetNewParameter"] == "1"
    assert received.params["handset-new-parameter"] == "<ünknown & new>"
    assert is_genuine(handset, received)


async def test_several_faults_meet_in_one_webhook(handset: RunningHandset, receiver: Receiver) -> None:
    await handset.faults("unknown_parameters", "duplicated", "forged", "late:0.05", "wrong_token")
    await handset.types(ADA, SMS, "hello")
    await handset.wait_for(lambda: len(receiver.at("/inbound")) == 3)
    assert [received.params["Body"] for received in receiver.at("/inbound")] == [
        "This text is forged.",
        "hello",
        "hello",
    ]
    assert {act["kind"] for act in await handset.acts()} == {
        *("unknown_parameters", "duplicated", "forged", "late", "wrong_token")
    }


async def test_what_waits_is_forgotten_with_its_message(handset: RunningHandset, receiver: Receiver) -> None:
    await handset.faults("late:3600", {"kind": "shuffled", "seconds": 3600, "to": WHATSAPP})
    await handset.types(ADA, SMS, "late")
    await handset.types(GRACE, WHATSAPP, "shuffled")
    await handset.forgets()
    await handset.lift_faults()
    await handset.advances(7200)
    await handset.types(ADA, SMS, "now")
    await handset.wait_for(lambda: texts(receiver) == ["now"])
    assert await handset.acts() == []


async def test_acts_and_late_webhooks_survive_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    config: dict[str, Any] = config_for(receiver)
    async with running(config | {"faults": [{"kind": "late", "seconds": 3600, "next": 1}]}, data=tmp_path) as handset:
        await handset.types(ADA, SMS, "late")
        [act] = await handset.acts()
    async with running(config, data=tmp_path) as handset:
        assert await handset.acts() == [act]
        await handset.wait_for(lambda: texts(receiver) == ["late"])
