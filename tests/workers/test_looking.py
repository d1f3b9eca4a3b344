"""The provider's list is looked through: once for many, while it changes, an account apart from others, by any row."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from overture.actions.settle_delivery import Finding, settle_deliveries
from overture.adapters.twilio.client import TwilioAccount
from overture.domain.agent import OnUncertain
from overture.domain.delivery import DeliveryStatus
from overture.domain.errors import Unavailable
from overture.domain.message import Template
from overture.store.batch import Batch
from overture.workers import looking
from overture.workers.sweeps import SettleRoad
from tests.scripted_twilio import ScriptedTwilio, Then
from tests.workers.test_outbox import claim, state
from tests.world import ACCOUNT, ADA, BOOKER, NOON, OURS, SMS, WHATSAPP, World, add_sender

OTHER_ACCOUNT = "AC" + "f" * 32
SERVICE = "MG" + "0" * 32


async def die_while_sending(world: World, count: int, *, lands: bool = True, **asked: Any) -> None:
    """So many messages are claimed, handed over (or not), and their process dies."""
    for n in range(count):
        await world.starts(to_number=f"+155502{n:05}", text=f"Text {n}", **asked)
    while claimed := await claim(world, limit=100):
        for outgoing in claimed:
            if lands:
                await world.client.send(outgoing)
        world.clock.passes(seconds=1)
    world.clock.passes(seconds=31)


async def settles_for_good(world: World) -> None:
    for _ in range(6):
        world.clock.passes(seconds=31)
        await world.settles()


async def states(world: World) -> list[str]:
    return [row[0] for row in await state(world)]


@pytest.mark.promise("P2")
@pytest.mark.parametrize(("count", "lists"), [(3, 3), (20, 20), (21, 1), (60, 1)])
async def test_many_of_one_sender_are_looked_for_in_one_list(world: World, count: int, lists: int) -> None:
    await die_while_sending(world, count)
    await world.settles()
    assert await states(world) == []
    assert world.twilio.listings == lists
    sids = await world.rows("SELECT m.body, a.sid FROM attempt a JOIN message m ON m.id = a.message_id")
    assert {json.loads(body)["text"]: sid for body, sid in sids} == {m["body"]: m["sid"] for m in world.twilio.taken}


async def test_what_a_service_sends_may_come_from_any_of_its_numbers(world: World) -> None:
    await add_sender(world, SMS, "+15557770000", messaging_service_sid=SERVICE)
    await die_while_sending(world, 25, from_number="+15557770000")
    for n, taken in enumerate(world.twilio.taken):
        taken |= {"from": "" if n % 2 else "+15557770009", "messaging_service_sid": SERVICE}
    await world.settles()
    assert await states(world) == []


@pytest.mark.promise("P2")
async def test_n_of_the_same_words_need_n_records(world: World) -> None:
    """Two attempts of one message and one of another, of which but one landed: nobody takes it silently."""
    await world.saves(msgspec.structs.replace(BOOKER, on_uncertain=OnUncertain.HOLD))
    world.twilio.script += [Then.RESET, Then.RESET]
    first = await world.starts(text="Same words")
    await world.sends()
    await settles_for_good(world)
    assert await states(world) == ["needs_review"]
    second = await world.starts(text="Same words", idempotency_key="again")
    await world.sends()
    landed = world.twilio.take(world.twilio.posts[0])  # whose is it?
    await settles_for_good(world)
    assert await states(world) == ["needs_review", "needs_review"]
    told = [json.loads(data)["description"] for data, _ in await world.events("message.needs_review")]
    assert "cannot be told" in told[1]
    await world.is_told(landed, "delivered")  # its callback says: the first's
    assert [(await world.lines(an_id))[0].status for an_id in (first, second)] == [
        DeliveryStatus.DELIVERED,
        DeliveryStatus.QUEUED,
    ]
    assert len(world.twilio.posts) == 2


@pytest.mark.promise("P2")
async def test_with_a_record_for_each_the_later_message_takes_the_later_one(world: World) -> None:
    await world.saves(msgspec.structs.replace(BOOKER, on_uncertain=OnUncertain.HOLD))
    world.twilio.script += [Then.RESET, Then.TAKE_AND_RESET]
    await world.starts(text="Same words")
    await world.sends()
    await settles_for_good(world)
    late = world.twilio.take(world.twilio.posts[0])
    world.clock.passes(seconds=5)
    await world.starts(text="Same words", idempotency_key="again")
    await world.sends()
    world.clock.passes(seconds=31)
    await world.settles()
    assert await states(world) == ["needs_review"]
    assert await world.column("SELECT sid FROM attempt WHERE sid IS NOT NULL") == [world.twilio.taken[1]["sid"]]
    assert late["sid"] != world.twilio.taken[1]["sid"]


@pytest.mark.parametrize("looks_first", [True, False])
async def test_an_agent_may_have_the_uncertain_held(world: World, looks_first: bool) -> None:
    """The agent's word counts that is in force when it is settled."""
    if looks_first:
        await world.saves(msgspec.structs.replace(BOOKER, on_uncertain=OnUncertain.HOLD))
    world.twilio.script.append(Then.RESET)
    an_id = await world.starts()
    await world.sends()
    if not looks_first:
        await world.saves(msgspec.structs.replace(BOOKER, on_uncertain=OnUncertain.HOLD))
    await settles_for_good(world)
    await world.sends()
    assert await state(world) == [("needs_review", 1, False)]
    assert len(world.twilio.posts) == 1
    [line] = await world.lines(an_id)
    assert (line.reason, line.possible_duplicate) == ("needs_review", False)


@pytest.mark.parametrize(
    ("spoilt", "becomes"),
    [
        ("UPDATE agent SET deleted_at = 1", "queued"),  # the conversation's own version says resend
        ('UPDATE agent_version SET spec = \'{"kind": "from the future"}\'', "needs_review"),
    ],
)
async def test_where_the_agent_cannot_be_asked(world: World, spoilt: str, becomes: str) -> None:
    world.twilio.script.append(Then.RESET)
    await world.starts()
    await world.sends()
    await world.change(spoilt)
    await settles_for_good(world)
    assert await states(world) == [becomes]


@pytest.mark.promise("P2")
async def test_a_list_that_does_not_reach_back_far_enough_proves_nothing(world: World) -> None:
    world.twilio.script.append(Then.RESET)
    await world.starts()
    await world.sends()
    world.clock.passes(seconds=31)
    for _ in range(looking.MOST_PAGES * 50 + 1):
        world.twilio.take({"To": ADA, "From": OURS, "Body": "Somebody else's"})
    await settles_for_good(world)
    assert await state(world) == [("uncertain", 1, False)]


async def test_a_list_that_changes_while_it_is_read_shows_each_once(world: World) -> None:
    for n in range(7):
        world.twilio.take({"To": ADA, "From": OURS, "Body": str(n)})
    world.twilio.arriving += [{"To": ADA, "From": OURS, "Body": "new"}] * 3
    listing = await looking.read_list(
        world.client, ACCOUNT, sender=OURS, to=ADA, since=NOON - timedelta(hours=1), page_size=2
    )
    assert [message.body for message in listing.found] == ["6", "5", "4", "3", "2", "1", "0"]
    assert listing.reaches(NOON - timedelta(days=300))


async def test_a_list_is_read_no_further_than_is_asked_for(world: World) -> None:
    for minutes in range(9, 0, -1):
        world.twilio.take({"To": ADA, "From": OURS, "Body": ""}, at=NOON - timedelta(minutes=minutes))
    listing = await looking.read_list(
        world.client, ACCOUNT, sender=None, to=ADA, since=NOON - timedelta(minutes=3), page_size=2
    )
    assert world.twilio.listings == 2
    assert listing.reaches(NOON - timedelta(minutes=3))
    assert not listing.reaches(NOON - timedelta(minutes=4))


@pytest.mark.promise("P15")
async def test_a_row_that_cannot_be_read_stops_no_other(world: World) -> None:
    await die_while_sending(world, 3)
    [[spoilt, conversation_id]] = await world.rows("SELECT id, conversation_id FROM message ORDER BY id LIMIT 1")
    await world.change("UPDATE message SET body = '{' WHERE id = $1", spoilt)
    await world.settles()
    assert await world.rows("SELECT message_id, state FROM outbox") == [(spoilt, "needs_review")]
    [[data, told_of]] = await world.events("message.needs_review")
    assert (json.loads(data)["message_id"], told_of) == (spoilt, conversation_id)
    assert await world.column("SELECT state FROM attempt WHERE message_id = $1", spoilt) == ["uncertain"]


@pytest.mark.promise("P9")
async def test_an_account_whose_lists_fail_holds_no_other_back(world: World) -> None:
    await add_sender(world, SMS, "+15557770000", account_sid=OTHER_ACCOUNT)
    accounts = dict(world.client._accounts)
    async with ScriptedTwilio(world.clock, OTHER_ACCOUNT).listening() as other:
        world.client._accounts = {
            **accounts,
            OTHER_ACCOUNT: TwilioAccount(sid=OTHER_ACCOUNT, auth_token="t", base_url=other.base_url),
        }
        await die_while_sending(world, 2)
        await world.starts(from_number="+15557770000")
        [claimed] = await claim(world)
        await world.client.send(claimed)
        world.clock.passes(seconds=31)
        world.client._accounts = {OTHER_ACCOUNT: world.client._accounts[OTHER_ACCOUNT]}  # the first is not set up now
        await world.settles()
        assert await states(world) == ["uncertain", "uncertain"]
        assert await world.column("SELECT account_sid FROM attempt WHERE sid IS NOT NULL") == [OTHER_ACCOUNT]
        world.client._accounts = accounts
        world.clock.passes(seconds=31)
        await world.settles()
        assert await states(world) == []


async def test_what_comes_up_while_its_account_is_still_looked_through_waits(world: World) -> None:
    await die_while_sending(world, 2)
    await world.settling.look()
    world.clock.passes(seconds=31)
    await world.settling.look()
    await world.settling.drain()
    assert world.twilio.listings == 2
    assert await states(world) == []


@pytest.mark.promise("P11")
async def test_a_database_that_is_away_in_the_middle_loses_nothing(world: World) -> None:
    await die_while_sending(world, 3)
    away = True

    async def settle(*asked: Any) -> list[str]:
        if away:
            raise Unavailable("database_away", "The database is away.")
        return await settle_deliveries(*asked)

    findings: Batch[Finding, str] = Batch(world.store, settle, world.ids)
    road = SettleRoad(store=world.store, provider=world.client, ids=world.ids, findings=findings)
    await road.look()
    await road.drain()
    assert await states(world) == ["uncertain"] * 3
    away = False
    world.clock.passes(seconds=31)
    await road.look()
    await road.drain()
    assert await states(world) == []


async def test_looking_can_be_given_up(world: World) -> None:
    await die_while_sending(world, 3)
    await world.settling.look()
    await asyncio.wait_for(world.settling.give_up(), 5)
    await world.settling.drain()
    world.clock.passes(seconds=31)
    await world.settles()
    assert await states(world) == []


async def test_the_next_look_is_when_the_next_is_due(world: World) -> None:
    assert await world.settling.look() is None
    world.twilio.script.append(Then.RESET)
    await world.starts()
    await world.sends()
    assert await world.settling.look() == 30
    world.clock.passes(seconds=12)
    assert await world.settling.look() == 18


async def test_a_template_between_texts_of_the_same_time_is_found_by_what_is_left(world: World) -> None:
    """The text has its record by its words, so the other one is the template's."""
    await world.is_heard_before(WHATSAPP)
    template = Template(content_sid="HX" + "0" * 32)
    await world.starts(channel=WHATSAPP, text="Hello Ada")
    await world.sends()
    await world.starts(channel=WHATSAPP, text=None, template=template)
    world.twilio.script.append(Then.TAKE_AND_RESET)
    await world.sends()
    world.twilio.taken[1]["body"] = "Rendered"
    world.clock.passes(seconds=31)
    await world.settles()
    assert await states(world) == []
    assert await world.column("SELECT sid FROM attempt ORDER BY started_at, message_id") == [
        taken["sid"] for taken in world.twilio.taken
    ]
