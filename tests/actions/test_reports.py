"""What is told of messages comes to the same in any order, however often, and whoever tells it."""

from collections.abc import Sequence
from typing import Any

import pytest

from overture.actions.record_delivery import record_deliveries
from overture.actions.record_outcome import Outcome, record_outcomes
from overture.domain.delivery import FAILED, DeliveryStatus
from overture.domain.errors import Permanent, Transient
from overture.domain.ports import Accepted, StatusReport
from tests.scripted_twilio import Then
from tests.workers.test_outbox import claim, state
from tests.world import ACCOUNT, World

STATUSES = [status for status in DeliveryStatus if status is not DeliveryStatus.RECEIVED]


def report(message_id: str | None, sid: str, status: DeliveryStatus, **changes: Any) -> StatusReport:
    given: dict[str, Any] = {"account_sid": ACCOUNT, "message_id": message_id, "attempt": 1}
    if status in FAILED:
        given["error_code"] = 30008
    return StatusReport(sid=sid, status=status, **(given | changes))


async def tells(world: World, *reports: StatusReport) -> list[str]:
    return await world.store.write(lambda tx: record_deliveries(tx, reports, world.clock.now(), world.ids))


async def a_sent_message(world: World, bad: Then | None = None, **asked: Any) -> tuple[str, str]:
    """The ids of a conversation and its message, which the provider took (or not, as told)."""
    if bad is not None:
        world.twilio.script.append(bad)
    an_id = await world.starts(**asked)
    await world.sends()
    return an_id, (await world.lines(an_id))[0].id


NEVER = Then.RESET


async def is_left_alone(world: World) -> None:
    """Two looks, the settle time, and what follows from them."""
    for _ in range(6):
        world.clock.passes(seconds=31)
        await world.settles()


@pytest.mark.promise("P2")
@pytest.mark.parametrize("where", ["sending", "uncertain", "queued again", "sent again", "in review"])
async def test_a_report_that_names_message_and_attempt_settles_it_wherever_it_is(world: World, where: str) -> None:
    an_id = await world.starts()
    message_id = (await world.lines(an_id))[0].id
    if where == "sending":
        await claim(world)
    else:
        world.twilio.script.append(NEVER)
        await world.sends()
    if where in ("queued again", "sent again", "in review"):
        await is_left_alone(world)
        assert await state(world) == [("queued", 1, True)]
    if where in ("sent again", "in review"):
        world.twilio.script.append(NEVER)
        await world.sends()
    if where == "in review":
        await is_left_alone(world)
        assert await state(world) == [("needs_review", 2, True)]
    posts = len(world.twilio.posts)
    assert await tells(world, report(message_id, "SM" + "a" * 32, DeliveryStatus.SENT)) == ["recorded"]
    [line] = await world.lines(an_id)
    assert (line.status, line.reason, line.provider_sid) == (DeliveryStatus.SENT, None, "SM" + "a" * 32)
    if where == "sent again":  # what became of the second try is still to be found out, and then it is over
        assert await state(world) == [("uncertain", 2, True)]
        await is_left_alone(world)
    assert await state(world) == []
    world.clock.passes(minutes=10)
    await world.sends(2)
    assert len(world.twilio.posts) == posts


@pytest.mark.promise("P2")
@pytest.mark.parametrize("code", [21211, 20429])
async def test_a_second_try_that_is_refused_takes_nothing_from_a_first_that_arrived(world: World, code: int) -> None:
    an_id, message_id = await a_sent_message(world, NEVER)
    await is_left_alone(world)
    [second] = await claim(world)
    assert second.attempt == 2
    await tells(world, report(message_id, "SM" + "a" * 32, DeliveryStatus.DELIVERED))
    refused = Permanent(f"twilio_{code}", "No.") if code == 21211 else Transient(f"twilio_{code}", "Not now.")
    outcome = Outcome(message_id=message_id, attempt=2, result=refused)
    await world.store.write(lambda tx: record_outcomes(tx, [outcome], world.clock.now(), world.ids))
    assert (await world.lines(an_id))[0].status is DeliveryStatus.DELIVERED
    assert await state(world) == []


@pytest.mark.promise("P2")
async def test_an_answer_that_names_another_sid_than_the_callback_is_a_second_one(world: World) -> None:
    an_id = await world.starts()
    [claimed] = await claim(world)
    await tells(world, report(claimed.message_id, "SM" + "a" * 32, DeliveryStatus.SENT))
    late = Outcome(message_id=claimed.message_id, attempt=1, result=Accepted(sid="SM" + "b" * 32, status=STATUSES[0]))
    await world.store.write(lambda tx: record_outcomes(tx, [late], world.clock.now(), world.ids))
    [line] = await world.lines(an_id)
    assert (line.status, line.possible_duplicate) == (DeliveryStatus.SENT, True)
    assert await world.column("SELECT sid FROM second_sid") == ["SM" + "b" * 32]


@pytest.mark.promise("P2")
async def test_an_answer_that_comes_after_the_resend_was_queued_takes_it_back(world: World) -> None:
    an_id = await world.starts()
    [claimed] = await claim(world)
    await is_left_alone(world)
    assert await state(world) == [("queued", 1, True)]
    late = Outcome(message_id=claimed.message_id, attempt=1, result=Accepted(sid="SM" + "b" * 32, status=STATUSES[0]))
    await world.store.write(lambda tx: record_outcomes(tx, [late], world.clock.now(), world.ids))
    assert await state(world) == []
    assert (await world.lines(an_id))[0].provider_sid == "SM" + "b" * 32


async def test_a_second_sid_is_known_again_and_the_better_of_both_counts(world: World) -> None:
    an_id, message_id = await a_sent_message(world)
    first, second = world.twilio.taken[0]["sid"], "SM" + "b" * 32
    told = await tells(world, report(message_id, second, DeliveryStatus.SENT))
    assert told == ["recorded, of a second SID"]
    assert await tells(world, report(None, first, DeliveryStatus.FAILED, attempt=None)) == ["recorded"]
    assert (await world.lines(an_id))[0].status is DeliveryStatus.SENT
    assert await state(world) == []  # one of them is on its way: nothing goes again
    nameless = report(None, second, DeliveryStatus.DELIVERED, attempt=None)  # as a sweep tells it
    assert await tells(world, nameless, nameless) == ["recorded, of a second SID", "no news"]
    [line] = await world.lines(an_id)
    assert (line.status, line.provider_sid, line.possible_duplicate) == (DeliveryStatus.DELIVERED, second, True)


async def test_only_when_every_id_has_failed_the_message_goes_again(world: World) -> None:
    _, message_id = await a_sent_message(world)
    second = "SM" + "b" * 32
    await tells(world, report(message_id, second, DeliveryStatus.SENT))
    await tells(world, report(None, world.twilio.taken[0]["sid"], DeliveryStatus.FAILED, attempt=None))
    await tells(world, report(None, second, DeliveryStatus.UNDELIVERED, attempt=None))
    assert await state(world) == [("queued", 1, False)]


async def test_a_second_sid_belongs_to_somebody_and_settles_nobody_elses_message(world: World) -> None:
    _, message_id = await a_sent_message(world, text="Same words")
    twin = world.twilio.take(world.twilio.posts[0])
    await tells(world, report(message_id, twin["sid"], DeliveryStatus.SENT))
    await a_sent_message(world, NEVER, text="Same words", idempotency_key="again")
    await is_left_alone(world)
    assert await state(world) == [("queued", 1, True)]


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"status": DeliveryStatus.RECEIVED}, "impossible status"),
        ({"account_sid": "AC" + "f" * 32}, "another account's message"),
        ({"account_sid": "AC" + "f" * 32, "message_id": None, "attempt": None}, "unknown message"),
        ({"attempt": 7, "sid": "SM" + "c" * 32}, "unknown message"),
        ({"message_id": "no such message", "sid": "SM" + "c" * 32}, "unknown message"),
        ({"message_id": None, "attempt": None, "sid": "SM" + "c" * 32}, "unknown message"),
        ({"message_id": None, "attempt": None, "sid": ""}, "unknown message"),
        ({"status": DeliveryStatus.QUEUED}, "no news"),
    ],
)
async def test_what_tells_nothing_of_ours_changes_nothing_and_says_so(
    world: World, changes: dict[str, Any], outcome: str
) -> None:
    _, message_id = await a_sent_message(world)
    before = await snapshot(world)
    given = {"sid": world.twilio.taken[0]["sid"], "status": DeliveryStatus.DELIVERED, "message_id": message_id}
    asked: dict[str, Any] = {"account_sid": ACCOUNT, "attempt": 1, **given, **changes}
    assert await tells(world, StatusReport(**asked)) == [outcome]
    assert await snapshot(world) == before


async def snapshot(world: World) -> list[Sequence[Any]]:
    tables = ("message", "attempt", "second_sid", "outbox", "event", "thread", "contact", "conversation", "sender")
    return [list(map(tuple, await world.rows(f"SELECT * FROM {table}"))) for table in tables]


async def test_a_code_beside_a_status_that_is_no_failure_means_nothing(world: World) -> None:
    an_id, message_id = await a_sent_message(world)
    sid = world.twilio.taken[0]["sid"]
    await tells(world, report(message_id, sid, DeliveryStatus.DELIVERED, error_code=21610))
    [line] = await world.lines(an_id)
    assert (line.status, line.error_code, line.reason) == (DeliveryStatus.DELIVERED, None, None)
    assert await world.column("SELECT opted_out_at FROM contact") == [None]


async def test_reports_of_many_messages_are_recorded_together(world: World) -> None:
    sent = [await a_sent_message(world, to_number=f"+155502000{n:02}", text=f"Text {n}") for n in range(12)]
    sids = {taken["body"]: taken["sid"] for taken in world.twilio.taken}
    reports = [
        report(message_id, sids[f"Text {n}"], DeliveryStatus.DELIVERED if n % 2 else DeliveryStatus.FAILED)
        for n, (_, message_id) in enumerate(sent)
    ]
    assert await tells(world, *reports, *reports) == ["recorded"] * 12 + ["no news"] * 12
    statuses = [(await world.lines(an_id))[0].status for an_id, _ in sent]
    assert statuses == [DeliveryStatus.QUEUED, DeliveryStatus.DELIVERED] * 6
    assert len(await state(world)) == 6


async def test_what_a_person_dropped_stays_dropped_and_its_fate_is_recorded(world: World) -> None:
    an_id, message_id = await a_sent_message(world, NEVER)
    await world.change("UPDATE message SET status = 'failed', reason = 'dropped_by_operator'")
    await world.change("DELETE FROM outbox")
    sid = "SM" + "a" * 32
    await tells(world, report(message_id, sid, DeliveryStatus.SENT))
    [line] = await world.lines(an_id)
    assert (line.status, line.reason) == (DeliveryStatus.SENT, "dropped_by_operator")
    await tells(world, report(message_id, sid, DeliveryStatus.FAILED))
    [line] = await world.lines(an_id)
    assert (line.status, line.reason) == (DeliveryStatus.FAILED, "dropped_by_operator")
    assert await state(world) == []
