"""Numbers and addresses that people write into a chat, and days that are read back to them."""

from datetime import UTC, datetime

import pytest

from overture.agents import details, kinds
from overture.domain.agent import Ask, FlowSpec, Node
from overture.domain.channel import Channel
from overture.domain.turn import Began, Heard, Scene


@pytest.mark.parametrize(
    ("text", "country", "means"),
    [
        ("+49 30 123456", None, "+4930123456"),
        ("It's 0049 (30) 123 456.", None, "+4930123456"),
        ("030/123456", "49", "+4930123456"),
        ("(555) 123-4567", "1", "+15551234567"),
        ("my number is 555-123-4567, thanks", "1", "+15551234567"),
        ("+1 555 123 4567 or +1 555 123 4568", None, None),
        ("+1 555 123 4567, I repeat, +1-555-123-4567", None, "+15551234567"),
        ("030/123456", None, None),
        ("12", "49", None),
        ("", "49", None),
        ("no", "49", None),
        ("order 12345678901234567890", "1", None),
        ("٠٣٠١٢٣٤٥٦", "49", None),
    ],
)
def test_a_phone_number(text: str, country: str | None, means: str | None) -> None:
    assert details.phone(text, country) == means


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("ada@example.org", "ada@example.org"),
        ("It is Ada.Lovelace+news@Example.ORG.", "Ada.Lovelace+news@example.org"),
        ("<mailto:ada@sub.example.co.uk>", "ada@sub.example.co.uk"),
        ("ada@example.org or bob@example.org", None),
        ("ada at example dot org", None),
        ("ada@example", None),
        ("ada@@example.org", None),
        ("ada..b@example.org", None),
        ("@example.org", None),
        ("", None),
        ("a" * 70 + "@example.org", None),
        ("a@" + "b." * 500 + "org", None),
    ],
)
def test_an_e_mail_address(text: str, means: str | None) -> None:
    assert details.email(text) == means


def test_no_long_text_takes_long() -> None:
    for hostile in ("a." * 500, "a@" * 500, "1 " * 500, "a@a." * 250, "(" * 1000):
        details.email(hostile)
        details.phone(hostile, "1")


FLOW = FlowSpec(
    name="Booking",
    timezone="America/New_York",
    nodes={
        "start": Node(
            say="When?",
            ask=Ask(slot="when", type="datetime", earliest="09:00", latest="18:00", max_days=30),
            goto="mail",
        ),
        "mail": Node(say="{when}: where do I confirm it?", ask=Ask(slot="mail", type="email"), goto="done"),
        "done": Node(say="I write to {mail}.", end="completed"),
    },
)


def test_a_day_is_of_the_agent_s_zone_and_is_read_back_in_words() -> None:
    """It is the 27th already in UTC, and the 26th in New York."""
    scene = Scene(now=datetime(2026, 11, 27, 2, tzinfo=UTC), channel=Channel.SMS, variables={})
    state, _ = kinds.step(FLOW, kinds.begin(FLOW), Began(), scene)
    state, finish = kinds.step(FLOW, state, Heard(texts=("tomorrow at 3",)), scene)
    assert kinds.slots(state)["when"] == "2026-11-27T15:00"
    assert finish.replies == ("Friday 27 November 2026, 15:00: where do I confirm it?",)  # type: ignore[union-attr]
    state, finish = kinds.step(FLOW, state, Heard(texts=("ada@example.org",)), scene)
    assert finish.replies == ("I write to ada@example.org.",)  # type: ignore[union-attr]


def test_what_names_no_one_day_is_asked_again() -> None:
    scene = Scene(now=datetime(2026, 11, 26, 12, tzinfo=UTC), channel=Channel.SMS, variables={})
    state, _ = kinds.step(FLOW, kinds.begin(FLOW), Began(), scene)
    state, finish = kinds.step(FLOW, state, Heard(texts=("Thursday at 3",)), scene)
    assert "when" not in kinds.slots(state)
    assert finish.replies == ("Sorry, I did not get that. When?",)  # type: ignore[union-attr]
