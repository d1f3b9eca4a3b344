"""The out road: what is claimed is on disk before it is handed over, and what became of it decides what follows."""

import asyncio
from typing import Any

import pytest

from overture.actions.claim_deliveries import Claims, claim_deliveries
from overture.actions.record_outcome import Outcome, record_outcomes
from overture.domain.agent import EndReason
from overture.domain.conversation import Mode
from overture.domain.delivery import DeliveryStatus
from overture.domain.errors import OutcomeUnknown
from overture.domain.ports import Outgoing
from overture.workers import outbox
from tests.scripted_twilio import Hold, Refuse, Then
from tests.world import ACCOUNT, ADA, BOB, OURS, SMS, WHATSAPP, World, a_world, add_sender


async def state(world: World) -> list[tuple[Any, ...]]:
    """The outbox: (state, attempt, resent) of each message."""
    return [
        tuple(row) for row in await world.rows("SELECT state, attempt, resent FROM outbox ORDER BY created_at, seq")
    ]


async def test_the_attempt_is_on_disk_before_the_provider_hears_of_it(world: World) -> None:
    held = Hold()
    world.twilio.script.append(held)
    an_id = await world.starts()
    sending = asyncio.create_task(world.sends())
    await asyncio.wait_for(held.landed.wait(), 5)
    assert await state(world) == [("sending", 1, False)]
    [attempt] = await world.rows("SELECT number, state, sid FROM attempt")
    assert tuple(attempt) == (1, "sending", None)
    held.released.set()
    await sending
    assert await state(world) == []
    [attempt] = await world.rows("SELECT number, state, sid, status FROM attempt")
    assert tuple(attempt) == (1, "accepted", world.twilio.taken[0]["sid"], "queued")
    [line] = await world.lines(an_id)
    assert (line.status, line.provider_sid) == (DeliveryStatus.QUEUED, world.twilio.taken[0]["sid"])


async def test_a_few_are_claimed_before_the_provider_has_room_for_them(world: World) -> None:
    await world.starts()
    await world.sends()  # the provider has answered: all of its room is used
    most, released = outbox.IN_FLIGHT + outbox.AHEAD, asyncio.Event()
    held = [Hold(released=released) for _ in range(most + 10)]
    world.twilio.script += held
    await world.starts_all(*(world.asks(to_number=f"+1555{n:07}", text=f"For {n}") for n in range(most + 10)))
    await world.out.look()
    await asyncio.wait_for(held[outbox.IN_FLIGHT - 1].landed.wait(), 10)
    assert await world.value("SELECT count(*) FROM outbox WHERE state = 'sending'") == most
    assert await world.out.look() is None
    assert len(world.twilio.posts) == 1 + outbox.IN_FLIGHT
    released.set()
    await world.sends(2)
    assert len(world.twilio.taken) == 1 + most + 10


async def test_what_is_handed_over(world: World) -> None:
    await world.starts()
    await add_sender(world, SMS, "+15557770000", messaging_service_sid="MG" + "0" * 32)
    await world.starts(from_number="+15557770000", to_number=BOB)
    await world.sends()
    first, second = sorted(world.twilio.posts, key=lambda post: post["To"])
    assert (first["From"], first["To"], first["Body"]) == (OURS, ADA, "Hello Ada")
    assert first["ValidityPeriod"] == str(4 * 3600)
    assert "MessagingServiceSid" not in first
    assert (second["From"], second["MessagingServiceSid"]) == ("+15557770000", "MG" + "0" * 32)


@pytest.mark.promise("P9")
async def test_a_429_waits_and_goes_again(world: World) -> None:
    world.twilio.script += [Refuse(status=429, code=20429, headers={"Retry-After": "7"}), Refuse(status=429)]
    an_id = await world.starts()
    await world.sends()
    assert await state(world) == [("queued", 1, False)]
    await world.sends()
    assert len(world.twilio.posts) == 1  # not yet
    world.clock.passes(seconds=7)
    await world.sends()
    world.clock.passes(seconds=1)
    await world.sends()
    assert world.twilio.said == ["Hello Ada"]
    assert await world.column("SELECT state FROM attempt ORDER BY number") == ["rejected", "rejected", "accepted"]
    assert (await world.lines(an_id))[0].status is DeliveryStatus.QUEUED


async def test_a_provider_that_is_not_there_was_never_asked(world: World) -> None:
    await world.starts()
    world.client._accounts = {
        ACCOUNT: type(world.client._accounts[ACCOUNT])(sid=ACCOUNT, auth_token="t", base_url="http://127.0.0.1:1")
    }
    await world.sends()
    assert await state(world) == [("queued", 1, False)]


@pytest.mark.parametrize(
    ("code", "reason"), [(21211, "twilio_21211"), (21617, "twilio_21617"), (99999, "twilio_99999")]
)
async def test_a_permanent_refusal_fails_the_message_with_code_and_sentence(
    world: World, code: int, reason: str
) -> None:
    world.twilio.script.append(Refuse(status=400, code=code))
    an_id = await world.starts()
    await world.sends(2)
    [line] = await world.lines(an_id)
    assert (line.status, line.error_code, line.reason) == (DeliveryStatus.FAILED, code, reason)
    assert await state(world) == []
    assert len(world.twilio.posts) == 1
    [[data, conversation_id]] = await world.events("message.failed")
    assert conversation_id == an_id
    assert str(code) in data
    assert "description" in data


async def test_an_opt_out_that_the_provider_knows_of_becomes_ours(world: World) -> None:
    world.twilio.script.append(Refuse(status=400, code=21610))
    an_id = await world.starts(text="Part. " * 400)
    await world.sends(3)
    assert len(world.twilio.posts) == 1
    conversation = await world.conversation(an_id)
    assert (conversation.mode, conversation.end_reason) == (Mode.ENDED, EndReason.OPT_OUT)
    assert await world.column("SELECT source FROM consent WHERE change = 'opt_out'") == ["provider"]
    assert [line.reason for line in await world.lines(an_id)] == ["twilio_21610", "recipient_opted_out"]
    refused: Any = await world.answers(text="Hello again")
    assert refused.code == "recipient_opted_out"


@pytest.mark.parametrize(
    ("status", "code", "stopped"),
    [
        (401, 20003, "both senders"),
        (400, 21606, "the one sender"),
        (401, None, "both senders"),
        (403, None, "both senders"),
    ],
)
async def test_a_misconfiguration_rests_what_it_concerns_and_keeps_the_queue(
    world: World, status: int, code: int | None, stopped: str
) -> None:
    world.twilio.script.append(Refuse(status=status, code=code))
    await world.starts()
    await world.sends()
    rows = await world.rows("SELECT channel FROM sender WHERE stopped_at IS NOT NULL ORDER BY channel")
    expected = {"both senders": ["sms", "whatsapp"], "the one sender": ["sms"]}[stopped]
    assert [row[0] for row in rows] == expected
    assert len(await world.events("sender.stopped")) == len(expected)
    assert [row[0] for row in await state(world)] == ["queued"]
    world.clock.passes(minutes=5)
    await world.sends()
    assert len(world.twilio.posts) == 1  # nothing is tried while the sender rests
    await world.timers.look()
    world.clock.passes(minutes=11)
    await world.timers.look()  # now and then the operator is taken to have acted
    await world.sends()
    assert world.twilio.said == ["Hello Ada"]


@pytest.mark.promise("P2")
@pytest.mark.parametrize("bad", [Then.FAIL, Then.TAKE_AND_FAIL, Then.RESET, Then.TAKE_AND_RESET])
async def test_what_may_have_landed_is_not_sent_again(world: World, bad: Then) -> None:
    world.twilio.script.append(bad)
    await world.starts()
    await world.sends(2)
    world.clock.passes(seconds=119)
    await world.sends(2)
    assert await state(world) == [("uncertain", 1, False)]
    assert len(world.twilio.posts) == 1


async def test_nothing_of_the_pair_goes_before_the_fate_of_the_one_before_is_known(world: World) -> None:
    world.twilio.script.append(Then.TAKE_AND_RESET)
    await world.starts(text="Part. " * 400)
    await world.starts(to_number=BOB)
    await world.sends(3)
    assert [post["To"] for post in world.twilio.posts].count(ADA) == 1
    assert [post["To"] for post in world.twilio.posts].count(BOB) == 1
    uncertain = next(taken for taken in world.twilio.taken if taken["to"] in (ADA, BOB) and taken["to"] == ADA)
    await world.is_told(uncertain, "sent")
    await world.sends()
    assert [post["To"] for post in world.twilio.posts].count(ADA) == 2


async def test_one_message_at_a_time_for_a_pair_and_in_order(world: World) -> None:
    held = Hold()
    world.twilio.script.append(held)
    an_id = await world.starts(text=" ".join(f"Sentence number {n}." for n in range(300)))
    sending = asyncio.create_task(world.sends(5))
    await held.landed.wait()
    await world.out.look()
    assert len(world.twilio.posts) == 1
    held.released.set()
    await sending
    await world.sends(5)
    assert world.twilio.said == await world.texts(an_id)
    assert len(world.twilio.said) > 3


async def test_replies_go_before_openings(world: World) -> None:
    await world.starts()
    await world.sends()
    for n in range(5):
        await world.starts(to_number=f"+1555020000{n}")
    await world.hears("Monday")
    await world.takes_turns()
    [claimed] = await claim(world, limit=1)
    assert claimed.to == ADA
    assert len(await claim(world, limit=10)) == 5


async def claim(world: World, limit: int = 10) -> list[Outgoing]:
    """Claim, as a process that dies right afterwards."""
    [claimed] = await world.store.write(
        lambda tx: claim_deliveries(tx, [Claims(limit=limit)], world.clock.now(), world.ids)
    )
    return claimed


async def test_two_workers_never_claim_the_same(world: World) -> None:
    for n in range(20):
        await world.starts(to_number=f"+155502000{n:02}")
    claims = await asyncio.gather(*(claim(world, limit=15) for _ in range(4)))
    ids = [outgoing.message_id for claimed in claims for outgoing in claimed]
    assert len(ids) == len(set(ids))
    assert len(ids) + len(await claim(world, limit=100)) == 20


async def test_an_expired_message_is_never_sent_and_says_so(world: World) -> None:
    an_id = await world.starts()
    world.clock.passes(hours=4)
    await world.sends()
    assert world.twilio.posts == []
    [line] = await world.lines(an_id)
    assert (line.status, line.reason) == (DeliveryStatus.FAILED, "expired")
    assert len(await world.events("message.refused")) == 1


async def test_what_cannot_be_taken_in_time_expires(world: World) -> None:
    an_id = await world.starts()
    world.clock.passes(hours=3, minutes=59)
    world.twilio.script.append(Refuse(status=429, headers={"Retry-After": "120"}))
    await world.sends()
    [line] = await world.lines(an_id)
    assert (line.status, line.reason) == (DeliveryStatus.FAILED, "expired")
    assert await state(world) == []


async def test_a_whatsapp_text_waits_no_longer_than_its_window(world: World) -> None:
    await world.hears("hello", channel=WHATSAPP)
    world.clock.passes(hours=23)
    an_id = await world.starts(channel=WHATSAPP)
    world.clock.passes(hours=1)
    await world.sends()
    assert world.twilio.posts == []
    assert (await world.lines(an_id))[0].reason == "window_closed"


@pytest.mark.promise("P22")
@pytest.mark.parametrize("channel", [SMS, WHATSAPP])
async def test_a_stop_between_queue_and_claim_wins(world: World, channel: Any) -> None:
    await world.hears("hello", channel=channel)
    an_id = await world.starts(channel=channel, text="Part. " * 400)
    await world.sends()
    await world.hears("STOP", channel=channel)
    await world.sends(4)
    said = [post["Body"] for post in world.twilio.posts]
    confirmations = [text for text in said[1:] if "unsubscribed" in text]
    assert said[1:] == confirmations
    assert len(confirmations) == (1 if channel is WHATSAPP else 0)
    assert (await world.conversation(an_id)).end_reason is EndReason.OPT_OUT


@pytest.mark.promise("P22")
async def test_a_stop_that_is_written_after_the_queue_was_read_is_asked_for_in_the_claim(world: World) -> None:
    """Even where the queue was not cleared (another sender's conversation), the claim itself refuses."""
    await add_sender(world, SMS, "+15557770000")
    other = await world.starts(from_number="+15557770000")
    await world.change("UPDATE contact SET opted_out_at = 1")
    await world.sends()
    assert world.twilio.posts == []
    assert (await world.lines(other))[0].reason == "recipient_opted_out"


async def test_a_late_answer_to_an_attempt_that_was_given_up_is_kept(world: World) -> None:
    """The claim ran out, the message was resent, and then the first attempt's answer came after all."""
    await world.starts()
    [first] = await claim(world)
    await uncertain_for_good(world)
    assert await state(world) == [("queued", 1, True)]
    accepted = await world.client.send(first)
    [current] = await world.store.write(
        lambda tx: record_outcomes(
            tx, [Outcome(message_id=first.message_id, attempt=1, result=accepted)], world.clock.now(), world.ids
        )
    )
    assert current
    await world.sends()
    assert len(world.twilio.posts) == 1  # it is known now: it is not sent again


async def uncertain_for_good(world: World) -> None:
    world.clock.passes(seconds=31)
    await world.settles()
    world.clock.passes(seconds=60)
    await world.settles()
    world.clock.passes(seconds=60)
    await world.settles()


async def test_a_provider_client_that_breaks_leaves_the_outcome_unknown(world: World) -> None:
    await world.starts()
    [claimed] = await claim(world)
    outcome = Outcome(message_id=claimed.message_id, attempt=1, result=OutcomeUnknown("broke", "It broke."))
    await world.store.write(lambda tx: record_outcomes(tx, [outcome], world.clock.now(), world.ids))
    assert await state(world) == [("uncertain", 1, False)]


@pytest.mark.promise("P7")
async def test_two_processes_send_in_order_and_nothing_twice(postgresql_url: str) -> None:
    async with a_world(postgresql_url) as one, a_world(postgresql_url, furnish=False) as two:
        two.client._accounts = one.client._accounts
        expected = {}
        for n in range(8):
            text = " ".join(f"Sentence {k} to {n}." for k in range(400))
            expected[f"+1555020000{n}"] = await one.texts(await one.starts(to_number=f"+1555020000{n}", text=text))
        for _ in range(30):
            await asyncio.gather(one.sends(), two.sends())
            if not await one.value("SELECT count(*) FROM outbox"):
                break
        for to, texts in expected.items():
            assert [taken["body"] for taken in one.twilio.taken if taken["to"] == to] == texts
