"""A question with choices offers them, and every way to take one up is understood."""

from typing import Any

import msgspec
import pytest

from overture.actions.start_conversation import dry_run
from overture.domain.agent import Ask, FlowSpec, Node
from overture.domain.message import Text
from overture.store import messages
from tests.world import SMS, WHATSAPP, World, a_world

DAYS = FlowSpec(
    name="Days",
    nodes={
        "start": Node(
            say="Which day?",
            ask=Ask(slot="day", type="choice", choices={"Monday": ["mon"], "Tuesday": ["tue"], "some other day": []}),
            goto="done",
        ),
        "done": Node(say="{day} it is.", end="completed"),
    },
)
NUMBERED = "Which day?\n1 Monday\n2 Tuesday\n3 some other day"


@pytest.mark.parametrize(
    ("answer", "day"),
    [
        ("1", "Monday"), ("2.", "Tuesday"), ("3", "some other day"), ("monday", "Monday"), ("Tue", "Tuesday"),
        ("the second", "Tuesday"), ("number 1 please", "Monday"), ("option 3", "some other day"), ("4", None),
        ("1 or 2", None), ("not Monday", None),
    ],
)  # fmt: skip
async def test_on_sms_choices_are_numbers_and_the_number_and_the_word_both_count(
    sqlite_url: str, answer: str, day: str | None
) -> None:
    async with a_world(sqlite_url) as world:
        await world.saves(DAYS)
        an_id = await world.starts(text=None)
        await world.hears(answer)
        await world.takes_turns()
        said = f"{day} it is." if day else "Sorry, I did not get that. " + NUMBERED
        assert await world.texts(an_id) == [NUMBERED, f"> {answer}", said]


async def test_on_whatsapp_choices_are_kept_apart_and_a_payload_wins_over_the_text(world: World) -> None:
    await world.saves(DAYS)
    await world.is_heard_before(WHATSAPP)
    an_id = await world.starts(channel=WHATSAPP, text=None)
    body = (await world.lines(an_id))[0].body
    assert body == Text(text="Which day?", options=("Monday", "Tuesday", "some other day"))
    await world.sends()
    assert world.twilio.said == [NUMBERED]  # this provider creates no content
    await world.hears("Monday", channel=WHATSAPP, ButtonPayload="Tuesday", ButtonText="Monday")
    await world.takes_turns()
    assert (await world.texts(an_id))[-1] == "Tuesday it is."


async def test_the_version_before_reads_what_this_one_keeps(world: World) -> None:
    class OldText(msgspec.Struct, frozen=True, kw_only=True, tag="text", omit_defaults=True):
        text: str

    kept = messages.encode_body(Text(text="Which day?", options=("a", "b"), payload="x"))
    assert msgspec.json.decode(kept, type=OldText) == OldText(text="Which day?")
    assert messages.decode_body('{"type":"text","text":"Hi"}') == Text(text="Hi")
    assert messages.encode_body(Text(text="Hi")) == '{"type":"text","text":"Hi"}'


async def test_a_dry_run_counts_the_numbers(world: World) -> None:
    await world.saves(DAYS)
    told: Any = await world.store.read(lambda tx: dry_run(tx, world.asks(text=None, channel=SMS), world.clock.now()))
    assert (told.opening, told.segments) == (NUMBERED, 1)


async def test_a_text_of_the_callers_is_sent_as_it_is_and_still_answered_by_number(world: World) -> None:
    await world.saves(DAYS)
    an_id = await world.starts(text="Hello Ada")
    await world.hears("2")
    await world.takes_turns()
    assert await world.texts(an_id) == ["Hello Ada", "> 2", "Tuesday it is."]


async def test_choices_that_are_not_to_be_offered_are_not(world: World) -> None:
    start = DAYS.nodes["start"]
    assert start.ask is not None
    ask = msgspec.structs.replace(start.ask, offer=False)
    await world.saves(
        msgspec.structs.replace(DAYS, nodes={**DAYS.nodes, "start": msgspec.structs.replace(start, ask=ask)})
    )
    an_id = await world.starts(text=None)
    assert await world.texts(an_id) == ["Which day?"]
