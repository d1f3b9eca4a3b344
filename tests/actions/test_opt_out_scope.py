"""How far an opt-out reaches: the workspace, one Messaging Service, one sender; and that a START undoes just that."""

from typing import Any

import pytest

from overture.actions.explain_rules import explain_rules
from overture.actions.link_address import link_address, unlink_address
from overture.actions.openings import Started
from overture.domain.agent import EndReason
from overture.domain.opt_out import OptOutScope
from overture.domain.rules import Rules
from overture.store import opt_outs
from tests.scripted_twilio import Refuse
from tests.world import ADA, BOB, OURS, SMS, WORKSPACE, World, add_sender

SAME, APART = "+15557770001", "+15557770002"
SERVICE = "MG" + "1" * 32
NUMBERS = {"own": OURS, "same service": SAME, "apart": APART}


@pytest.fixture
async def house(world: World) -> World:
    """Three senders on SMS: two of one Messaging Service, and one apart."""
    await world.change("UPDATE sender SET messaging_service_sid = $1 WHERE channel = 'sms'", SERVICE)
    await add_sender(world, SMS, SAME, messaging_service_sid=SERVICE)
    await add_sender(world, SMS, APART)
    return world


async def open_from(world: World) -> set[str]:
    """From which senders Ada may be written to."""
    answers = {name: await world.answers(from_number=number, text="Hi") for name, number in NUMBERS.items()}
    return {name for name, answer in answers.items() if isinstance(answer, Started)}


ALL = set(NUMBERS)


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        (None, set[str]()),
        (OptOutScope.WORKSPACE, set[str]()),
        (OptOutScope.SERVICE, {"apart"}),
        (OptOutScope.SENDER, {"same service", "apart"}),
    ],
)
async def test_a_stop_reaches_as_far_as_the_workspace_set(
    house: World, scope: OptOutScope | None, left: set[str]
) -> None:
    await house.rules(Rules(opt_out_scope=scope))
    started = {name: await house.starts(from_number=number) for name, number in NUMBERS.items()}
    await house.hears("STOP")
    ended = {name for name, an_id in started.items() if (await house.conversation(an_id)).end_reason is not None}
    assert ended == ALL - left
    assert len(await house.rows("SELECT message_id FROM outbox")) == len(left)
    await house.sends(3)
    assert len(house.twilio.posts) == len(left)
    assert await open_from(house) == left
    assert bool(await house.column("SELECT 1 FROM contact WHERE opted_out_at IS NOT NULL")) is (not left)
    await house.hears("START")
    assert await open_from(house) == ALL
    assert await house.column("SELECT 1 FROM contact WHERE opted_out_at IS NOT NULL OR opted_out_of IS NOT NULL") == []


async def test_a_start_counts_only_where_a_stop_did(house: World) -> None:
    await house.rules(Rules(opt_out_scope=OptOutScope.SENDER))
    apart = await house.starts(from_number=APART)
    await house.hears("STOP")
    await house.hears("YES", to=APART)
    assert (await house.conversation(apart)).turn_due_at is not None, "an answer there"
    assert await open_from(house) == {"same service", "apart"}
    await house.hears("YES")
    assert await open_from(house) == ALL


async def test_each_stop_has_its_own_start(house: World) -> None:
    await house.rules(Rules(opt_out_scope=OptOutScope.SENDER))
    await house.hears("STOP")
    await house.hears("STOP", to=APART)
    assert await open_from(house) == {"same service"}
    await house.hears("START", to=APART)
    assert await open_from(house) == {"same service", "apart"}


async def test_a_narrow_opt_out_is_asked_when_a_message_leaves(house: World) -> None:
    """Another process has queued it after the opt-out was read there."""
    an_id = await house.starts()
    [sender] = await house.column("SELECT sender_id FROM outbox")
    narrow = {f"sender:{sender}": house.clock.now()}
    await house.store.write(lambda tx: opt_outs.set_all(tx, {(WORKSPACE, ADA): narrow}))
    await house.sends()
    assert house.twilio.posts == []
    assert [line.reason for line in await house.lines(an_id)] == ["recipient_opted_out"]


@pytest.mark.parametrize(
    ("scope", "from_number", "left", "after_start_elsewhere"),
    [
        (OptOutScope.WORKSPACE, OURS, set[str](), {"apart"}),
        (OptOutScope.SERVICE, OURS, {"apart"}, {"apart"}),
        (OptOutScope.SENDER, OURS, {"apart"}, {"apart"}),
        (OptOutScope.SENDER, APART, {"own", "same service"}, {"own", "same service", "apart"}),
    ],
)
async def test_what_the_provider_refuses_is_its_service_or_its_sender(
    house: World, scope: OptOutScope, from_number: str, left: set[str], after_start_elsewhere: set[str]
) -> None:
    await house.rules(Rules(opt_out_scope=scope))
    house.twilio.script.append(Refuse(status=400, code=21610))
    refused = await house.starts(from_number=from_number)
    await house.sends()
    assert (await house.conversation(refused)).end_reason is EndReason.OPT_OUT
    assert await open_from(house) == left
    house.clock.passes(seconds=1)
    await house.hears("START", to=APART)
    assert await open_from(house) == after_start_elsewhere


async def test_two_contacts_that_are_one_keep_every_narrow_opt_out(house: World) -> None:
    await house.rules(Rules(opt_out_scope=OptOutScope.SENDER))
    await house.hears("STOP")
    await house.hears("STOP", by=BOB, to=APART)
    goes_on = await house.starts(from_number=APART)
    [ada] = await house.column("SELECT id FROM contact WHERE address = $1", ADA)
    now, ids = house.clock.now(), house.ids
    await house.store.write(
        lambda tx: link_address(tx, workspace_id=WORKSPACE, contact_id=ada, address=BOB, now=now, ids=ids)
    )
    assert (await house.conversation(goes_on)).end_reason is EndReason.OPT_OUT
    assert await open_from(house) == {"same service"}


async def test_an_address_that_is_parted_takes_the_narrow_opt_outs_along(house: World) -> None:
    await house.rules(Rules(opt_out_scope=OptOutScope.SENDER))
    await house.hears("STOP")
    [ada] = await house.column("SELECT id FROM contact WHERE address = $1", ADA)
    given: dict[str, Any] = {"workspace_id": WORKSPACE, "contact_id": ada, "now": house.clock.now(), "ids": house.ids}
    await house.store.write(lambda tx: link_address(tx, address=BOB, **given))
    await house.store.write(lambda tx: unlink_address(tx, address=ADA, **given))
    for number in (ADA, BOB):
        refused: Any = await house.answers(to_number=number)
        assert refused.code == "recipient_opted_out", number


async def test_what_the_rules_say_of_a_contact_is_what_they_say_to_that_sender(house: World) -> None:
    await house.rules(Rules(opt_out_scope=OptOutScope.SENDER))
    await house.hears("STOP")

    async def said_from(number: str) -> str:
        told = await house.store.read(
            lambda tx: explain_rules(
                tx,
                WORKSPACE,
                to_number=ADA,
                channel=SMS,
                agent_id=None,
                from_number=number,
                now=house.clock.now(),
            )
        )
        return next(one.ruling.value for one in told.said if one.rule == "opt_out")

    assert [await said_from(number) for number in (OURS, APART)] == ["refused", "allowed"]
