"""What a message will cost is written down with it, by the table that is in force; the dry run tells it before."""

from typing import Any

import pytest

from overture.actions.save_templates import save_template
from overture.actions.start_conversation import DryRun, DryRunCost, dry_run
from overture.actions.write_message import Message, write_message
from overture.domain.agent import TemplateUse
from overture.domain.errors import Refusal
from overture.domain.rules import Cap, Measure, Rules
from overture.domain.template import Approval, Category, Content, Template
from overture.store import prices
from tests.pricing import LIST, expected, has_prices
from tests.takings import taken
from tests.world import ACCOUNT, BOB, WHATSAPP, WORKSPACE, World

SID = "HX" + "0" * 31 + "1"
BERLIN = "+4915112345678"
UNKNOWN = DryRunCost(amount=None, currency=None, is_known=False)


def dollars(amount: str) -> DryRunCost:
    return DryRunCost(amount=amount, currency="USD", is_known=True)


async def a_template(world: World, category: Category | None) -> TemplateUse:
    """An approved template of a category is known."""
    found = Template(
        content_sid=SID,
        account_sid=ACCOUNT,
        name="greeting",
        language="en",
        contents=(Content(type="twilio/text", text="Hello {{1}}!"),),
        category=category,
        approval=Approval.APPROVED,
        samples={"1": "you"},
    )
    await world.store.write(
        lambda tx: save_template(
            tx,
            workspace_id=WORKSPACE,
            account_sid=ACCOUNT,
            content_sid=SID,
            found=found,
            asked_at=world.clock.now(),
        )
    )
    return TemplateUse(content_sid=SID, variables={"1": "Ada"})


async def would_cost(world: World, **changes: Any) -> tuple[int, DryRunCost]:
    """Segments and cost, as the dry run tells them."""
    told: DryRun | Refusal = await world.store.read(lambda tx: dry_run(tx, world.asks(**changes), world.clock.now()))
    assert isinstance(told, DryRun), told
    return told.segments, told.cost


@pytest.mark.parametrize(
    ("text", "segments", "amount"),
    [("Hello Ada", 1, "0.0083"), ("a" * 161, 2, "0.0166"), ("漢" * 135, 3, "0.0249"), ("“Hello”", 1, "0.0083")],
)
async def test_the_dry_run_tells_what_an_sms_would_cost_and_it_is_kept_with_it(
    world: World, text: str, segments: int, amount: str
) -> None:
    await has_prices(world)
    assert await would_cost(world, text=text) == (segments, dollars(amount))
    await world.starts(text=text)
    assert await expected(world) == [(segments, segments * 8_300, "USD")]


async def test_a_long_text_costs_what_its_parts_do(world: World) -> None:
    await has_prices(world)
    text = "word " * 400  # 1999 characters: two messages of eleven and three segments
    segments, told = await would_cost(world, text=text)
    await world.starts(text=text)
    rows = await expected(world)
    assert len(rows) == 2
    assert sum(row[0] for row in rows) == segments
    assert told == dollars(f"{sum(row[1] for row in rows) / 1_000_000:.4f}")
    assert all(row[1] == row[0] * 8_300 for row in rows)


async def test_without_a_table_segments_are_counted_and_no_cost_is_known(world: World) -> None:
    assert await would_cost(world) == (1, UNKNOWN)
    await world.starts()
    assert await expected(world) == [(1, None, None)]


async def test_a_number_without_a_row_has_no_known_cost(world: World) -> None:
    await has_prices(world)
    assert await would_cost(world, to_number=BERLIN) == (1, UNKNOWN)
    await world.starts(to_number=BERLIN)
    assert await expected(world) == [(1, None, None)]


@pytest.mark.parametrize(
    ("category", "is_open", "told", "micros"),
    [
        (Category.MARKETING, False, dollars("0.03"), 30_000),
        (Category.MARKETING, True, dollars("0.03"), 30_000),
        (Category.UTILITY, False, dollars("0.009"), 9_000),
        (Category.UTILITY, True, dollars("0.005"), 5_000),
        (Category.AUTHENTICATION, False, UNKNOWN, None),
        (None, False, UNKNOWN, None),
    ],
)
async def test_a_template_costs_by_its_category_and_the_window(
    world: World, category: Category | None, is_open: bool, told: DryRunCost, micros: int | None
) -> None:
    await has_prices(world)
    if is_open:
        await world.is_heard_before(WHATSAPP, to=BERLIN)
    template = await a_template(world, category)
    asked = {"to_number": BERLIN, "channel": WHATSAPP, "text": None, "template": template}
    assert await would_cost(world, **asked) == (1, told)
    await world.starts(**asked)
    assert (await expected(world))[-1] == (1, micros, None if micros is None else "USD")


async def test_a_template_that_nobody_knows_has_no_known_cost(world: World) -> None:
    await has_prices(world)
    unknown = TemplateUse(content_sid=SID, variables={})
    assert await would_cost(world, channel=WHATSAPP, text=None, template=unknown) == (1, UNKNOWN)


async def test_free_text_in_an_open_window_costs_the_providers_fee(world: World) -> None:
    await has_prices(world)
    await world.is_heard_before(WHATSAPP)
    assert await would_cost(world, channel=WHATSAPP) == (1, dollars("0.005"))


async def test_replies_have_their_cost_and_what_contacts_write_has_none(world: World) -> None:
    await has_prices(world)
    an_id = await world.starts()
    await world.hears("Monday")
    await world.takes_turns()
    lines = await world.lines(an_id)
    told = [(line.segments, None if line.cost is None else line.cost.micros) for line in lines]
    assert told == [(1, 8_300), (None, None), (1, 8_300)]


@pytest.mark.parametrize(
    ("category", "hours", "micros"),
    [(Category.UTILITY, 1, 5_000), (Category.UTILITY, 30, 9_000), (Category.MARKETING, 1, 30_000)],
)
async def test_a_template_that_a_person_sends_costs_by_its_category_and_the_window(
    world: World, category: Category, hours: int, micros: int
) -> None:
    await has_prices(world)
    await world.is_heard_before(WHATSAPP, to=BERLIN)
    an_id = await world.starts(channel=WHATSAPP, to_number=BERLIN)
    await world.sends()
    use = await a_template(world, category)
    world.clock.passes(hours=hours)
    asked = Message(workspace_id=WORKSPACE, conversation_id=an_id, by="Eve", digest="d", template=use, takes_over=True)
    await world.store.write(lambda tx: write_message(tx, asked, world.clock.now(), world.ids))
    assert (await expected(world))[-1] == (1, micros, "USD")


async def test_the_confirmation_of_an_opt_out_has_its_cost(world: World) -> None:
    await has_prices(world)
    await world.is_heard_before(WHATSAPP)
    await world.starts(channel=WHATSAPP)
    await world.hears("STOP", channel=WHATSAPP)
    assert await expected(world) == [(1, 5_000, "USD")] * 2


async def test_the_table_that_is_in_force_counts_and_what_was_written_before_keeps_its_cost(world: World) -> None:
    await has_prices(world)
    await world.starts()
    world.clock.passes(seconds=1)
    await has_prices(world, LIST.replace("0.0083", "0.01").replace("USD", "EUR"))
    await world.starts(to_number=BOB)
    world.clock.passes(seconds=1)
    await world.store.write(lambda tx: prices.clear(tx, WORKSPACE))
    await world.starts(to_number="+15550100003")
    assert await expected(world) == [(1, 8_300, "USD"), (1, 10_000, "EUR"), (1, None, None)]
    assert await world.value("SELECT count(*) FROM price") == 0


async def test_one_process_replaces_the_table_and_another_goes_by_it_at_once(world: World) -> None:
    first = await has_prices(world)
    assert await world.store.read(lambda tx: prices.find_in_force(tx, WORKSPACE, first)) is not None
    later = await has_prices(world, LIST.replace("0.0083", "0.02"))
    late = await world.store.read(lambda tx: prices.find_in_force(tx, WORKSPACE, "seen before it was replaced"))
    assert late is not None
    assert (late.revision, first != later) == (later, True)
    assert await would_cost(world) == (1, dollars("0.02"))


async def test_a_template_in_place_of_a_text_has_no_cost_of_the_texts(world: World) -> None:
    await has_prices(world)
    await world.is_heard_before(WHATSAPP)
    world.clock.passes(minutes=1)
    an_id = await world.starts(channel=WHATSAPP, template=await a_template(world, Category.UTILITY))
    assert await expected(world) == [(1, 5_000, "USD")]
    await world.sends()
    await world.is_told(world.twilio.taken[0], "failed", code=63016)
    assert await world.texts(an_id) == ["Hello Ada!"]
    assert await expected(world) == [(1, None, None)]


@pytest.mark.parametrize("refused", [False, True])
async def test_a_template_in_place_of_a_text_has_its_own_cost_and_caps_count_it(world: World, *, refused: bool) -> None:
    await has_prices(world)
    await world.rules(Rules(caps=[Cap(at_most=1_000_000, within_seconds=86_400, count=Measure.MONEY)]))
    await world.is_heard_before(WHATSAPP, to=BERLIN)
    world.clock.passes(minutes=1)
    template = await a_template(world, Category.MARKETING)
    await world.starts(channel=WHATSAPP, to_number=BERLIN, template=template)
    assert await expected(world) == [(1, 5_000, "USD")]
    if refused:
        await world.sends()
        await world.is_told(world.twilio.taken[0], "failed", code=63016)
    else:
        await world.change("UPDATE thread SET last_inbound_at = 0")
    await world.sends()
    assert await expected(world) == [(1, 30_000, "USD")]
    assert await taken(world) == 30_000
