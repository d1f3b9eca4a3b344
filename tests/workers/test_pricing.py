"""What was charged is read from the provider's list by its ids, and asked for a few times more where it comes late."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from handset.carrier import prices as handset_prices
from handset.testing import running
from overture.actions.settle_prices import settle_prices
from overture.adapters.twilio import wire
from overture.adapters.twilio.client import TwilioAccount, TwilioClient
from overture.domain import spending
from overture.domain.delivery import DeliveryStatus
from overture.domain.message import Text
from overture.domain.ports import Outgoing, ProviderMessage
from overture.domain.prices import Cost
from overture.domain.spending import By, Spent, Sum
from overture.store import deliveries
from overture.store import spending as stored_spending
from overture.workers.pricing import AT_MOST, PriceRoad
from tests.pricing import charged, expected, has_prices
from tests.scripted_twilio import Refuse
from tests.workers.sweeping import is_started, listens
from tests.world import ACCOUNT, AGENT, BOB, WORKSPACE, World

USD = "USD"


def is_priced(message: dict[str, Any], price: str | None = "-0.00790", **more: Any) -> None:
    """The provider has priced a message."""
    message |= {"status": "delivered", "price": price, "price_unit": USD, "num_segments": "1", **more}


async def spent(world: World, by: By = By.DAY) -> list[Spent]:
    """What was spent in the world's days."""
    period = spending.period(date(2026, 3, 1), date(2026, 3, 31), world.clock.now())
    return spending.summed(await world.store.read(lambda tx: stored_spending.list_parts(tx, WORKSPACE, period, by)))


async def test_a_sweep_settles_what_was_charged_by_the_id_and_changes_nothing_the_second_time(world: World) -> None:
    await has_prices(world)
    await world.starts(text="a" * 161)
    await world.starts(to_number=BOB)
    await world.sends()
    await listens(world)
    first, second = world.twilio.taken
    is_priced(first, "-0.02370", num_segments="3")
    await is_started(world)
    assert sorted(await charged(world), key=repr) == [(23_700, USD), (None, None)]
    assert sorted(await expected(world)) == [(1, 8_300, USD), (3, 16_600, USD)]  # the provider counted three
    is_priced(second)
    for _ in range(2):
        world.clock.passes(seconds=1)
        await is_started(world)
    assert sorted(await charged(world)) == [(7_900, USD), (23_700, USD)]


async def test_without_a_table_what_was_charged_is_kept_all_the_same(world: World) -> None:
    await world.starts()
    await world.sends()
    await listens(world)
    is_priced(world.twilio.taken[0])
    await is_started(world)
    assert await charged(world) == [(7_900, USD)]


async def test_both_ids_of_a_message_that_was_taken_twice_are_charged(world: World) -> None:
    await world.starts()
    await world.sends()
    again = {**world.twilio.taken[0], "sid": "SM" + "e" * 32}
    await world.is_told(again, "delivered")
    prices = [
        ProviderMessage(
            sid=sid,
            sender="",
            to="",
            body="",
            inbound=False,
            status=DeliveryStatus.DELIVERED,
            created_at=world.clock.now(),
            price=Cost(micros=7_900, currency=USD),
        )
        for sid in (world.twilio.taken[0]["sid"], again["sid"], "SM" + "f" * 32)
    ]
    assert await world.store.write(lambda tx: settle_prices(tx, ACCOUNT, prices)) == 2
    [message_id] = await world.column("SELECT id FROM message")
    courses = await world.store.read(lambda tx: deliveries.read_courses(tx, [message_id]))
    assert courses[message_id].charged == Cost(micros=15_800, currency=USD)
    [day] = await spent(world)
    assert (day.messages, day.sums) == (1, (Sum(currency=USD, charged=15_800),))
    assert await world.store.write(lambda tx: settle_prices(tx, "AC" + "9" * 32, prices)) == 0


async def test_what_was_spent_is_summed_by_day_sender_and_agent(world: World) -> None:
    await has_prices(world)
    await world.starts()
    await world.sends()
    is_priced(world.twilio.taken[0])
    await listens(world)
    await is_started(world)
    world.clock.passes(days=1)
    await world.starts(to_number=BOB, text="a" * 161)
    await world.sends()
    await world.starts(to_number="+15550100009")  # it has not left
    days = await spent(world)
    assert [(one.key, one.messages, one.segments, one.not_charged) for one in days] == [
        ("20515", 1, 1, 0),
        ("20516", 1, 2, 1),
    ]
    assert [one.sums for one in days] == [
        (Sum(currency=USD, expected=8_300, charged=7_900),),
        (Sum(currency=USD, expected=16_600),),
    ]
    [sender] = await spent(world, By.SENDER)
    assert (sender.name, sender.sums) == ("sms +15551230001", (Sum(currency=USD, expected=24_900, charged=7_900),))
    [agent] = await spent(world, By.AGENT)
    assert (agent.key, agent.messages, agent.sums) == (AGENT, 2, sender.sums)


async def test_currencies_are_never_added_up(world: World) -> None:
    await has_prices(world, "channel,prefix,category,price,currency\nsms,+,,0.01,EUR\n")
    await world.starts()
    await world.sends()
    is_priced(world.twilio.taken[0])
    await listens(world)
    await is_started(world)
    [day] = await spent(world)
    assert day.sums == (Sum(currency="EUR", expected=10_000), Sum(currency=USD, charged=7_900))


async def test_a_message_without_a_price_is_asked_for_three_times_and_then_let_be(world: World) -> None:
    await has_prices(world)
    road = PriceRoad(store=world.store, provider=world.client)
    await road.look()  # it begins now: what is older is history
    await world.starts()
    await world.sends()
    sid = world.twilio.taken[0]["sid"]
    seen = []
    for hours in (0.5, 1, 1, 4, 1, 12, 12, 48):
        world.clock.passes(hours=hours)
        for _ in range(2):
            await road.look()
        seen.append(len(world.twilio.fetched))
    assert seen == [0, 1, 1, 2, 2, 2, 3, 3]
    assert set(world.twilio.fetched) == {sid}
    assert await charged(world) == [(None, None)]


async def test_a_price_that_comes_late_is_kept_and_not_asked_for_again(world: World) -> None:
    await has_prices(world)
    road = PriceRoad(store=world.store, provider=world.client)
    await road.look()
    for n in range(AT_MOST + 5):
        await world.starts(to_number=f"+1555010{n:04}")
    for _ in range(3):
        await world.sends()
    for message in world.twilio.taken:
        is_priced(message)
    world.clock.passes(hours=2)
    await road.look()
    assert len(world.twilio.fetched) == AT_MOST
    await road.look()
    assert await charged(world) == [(7_900, USD)] * (AT_MOST + 5)
    world.clock.passes(hours=48)
    await road.look()
    assert len(world.twilio.fetched) == AT_MOST + 5


async def test_nobody_is_asked_where_there_is_no_table_or_nothing_to_charge(world: World) -> None:
    road = PriceRoad(store=world.store, provider=world.client)
    await road.look()
    assert await world.value("SELECT count(*) FROM price_look") == 0
    await has_prices(world)
    await road.look()
    world.twilio.script.append(Refuse(status=400, code=21610))
    await world.starts()
    await world.starts(to_number=BOB)
    await world.sends()
    await world.is_told(world.twilio.taken[0], "failed", code=30003)
    world.clock.passes(hours=30)
    await road.look()
    assert world.twilio.fetched == []


async def test_a_provider_that_is_away_costs_a_look_and_nothing_else(world: World) -> None:
    await has_prices(world)
    road = PriceRoad(store=world.store, provider=world.client)
    await road.look()
    await world.starts()
    await world.sends()
    world.twilio.taken.clear()  # it knows nothing of the message
    world.clock.passes(hours=2)
    await road.look()
    assert (len(world.twilio.fetched), await charged(world)) == (1, [(None, None)])


@pytest.mark.parametrize(
    ("price", "unit", "cost"),
    [
        ("-0.00750", "USD", Cost(micros=7_500, currency="USD")),
        ("-0.00750", "usd", Cost(micros=7_500, currency="USD")),
        ("-0.0000005", "USD", Cost(micros=0, currency="USD")),
        ("-0.0000015", "USD", Cost(micros=2, currency="USD")),
        ("0.00000", "EUR", Cost(micros=0, currency="EUR")),
        ("0.01", "EUR", Cost(micros=-10_000, currency="EUR")),
        ("-12", "JPY", Cost(micros=12_000_000, currency="JPY")),
        (-0.0075, "USD", Cost(micros=7_500, currency="USD")),
        (None, "USD", None),
        ("-0.0075", None, None),
        ("-0.0075", "dollars", None),
        ("-0.0075", "", None),
        ("", "USD", None),
        ("-0,0075", "USD", None),
        ("nan", "USD", None),
        ("-1e3", "USD", None),
        ("-" + "9" * 40, "USD", None),
        ("-0." + "9" * 40, "USD", None),
    ],
)
def test_a_price_is_read_to_the_millionth_or_not_at_all(
    price: str | float | None, unit: str | None, cost: Cost | None
) -> None:
    assert wire.charged(price, unit) == cost


async def test_the_stand_ins_prices_come_after_a_while_and_are_read() -> None:
    async with running({"numbers": [{"address": "+15551230000"}]}) as handset:
        account = TwilioAccount(sid=handset.account_sid, auth_token=handset.auth_token, base_url=handset.base_url)
        client = TwilioClient(accounts={handset.account_sid: account}, secret=b"secret")
        accepted = await client.send(
            Outgoing(
                message_id="m-1",
                attempt=1,
                account_sid=handset.account_sid,
                sender="+15551230000",
                to="+4915112345678",
                body=Text(text="a" * 161),
                validity_seconds=600,
            )
        )
        await handset.wait_for_status(accepted.sid, "delivered")
        [page] = [page async for page in client.list_pages(handset.account_sid, page_size=10)]
        [listed] = page.messages
        rate = dict(handset_prices.PER_SEGMENT)["+49"]
        assert listed.price == Cost(micros=round(rate * 2 * 1_000_000), currency=USD)
        assert (listed.segments, listed.created_at.tzinfo) == (2, UTC)
        assert listed.created_at < datetime.max.replace(tzinfo=UTC)
        await client.aclose()
