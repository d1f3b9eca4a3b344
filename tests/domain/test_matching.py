"""Which of the provider's messages is the one whose answer was lost: each record belongs to one attempt at most."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from overture.domain import matching
from overture.domain.delivery import DeliveryStatus
from overture.domain.matching import Contested, Rival, Sought
from overture.domain.ports import ProviderMessage

AT = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
OURS, ADA, SERVICE = "+15551230001", "+15550100001", "MG" + "0" * 32


def sought(**changes: Any) -> Sought:
    given: dict[str, Any] = {"sender": OURS, "service": None, "to": ADA, "text": "Hello Ada", "started_at": AT}
    return Sought(**(given | changes))


def record(seconds: float = 1, sid: str = "SM1", **changes: Any) -> ProviderMessage:
    given: dict[str, Any] = {
        "sid": sid,
        "sender": OURS,
        "to": ADA,
        "body": "Hello Ada",
        "inbound": False,
        "status": DeliveryStatus.SENT,
        "created_at": AT + timedelta(seconds=seconds),
    }
    return ProviderMessage(**(given | changes))


@pytest.mark.parametrize(
    ("asked", "found", "fits"),
    [
        ({}, {}, True),
        ({}, {"inbound": True}, False),
        ({}, {"to": "+15550100002"}, False),
        ({}, {"sender": "+15551239999"}, False),
        ({}, {"sender": ""}, False),  # only a service leaves it open
        ({}, {"body": "Hello Bob"}, False),
        ({}, {"body": "hello ada"}, False),
        ({}, {"created_at": AT - timedelta(seconds=59)}, True),  # clocks differ
        ({}, {"created_at": AT - timedelta(seconds=61)}, False),
        ({}, {"created_at": AT + timedelta(hours=3)}, True),
        ({"service": SERVICE}, {"sender": "", "service": SERVICE}, True),  # it has yet to choose a number
        ({"service": SERVICE}, {"sender": "+15551239999", "service": SERVICE}, True),  # any of its numbers
        ({"service": SERVICE}, {"service": "MG" + "1" * 32}, False),
        ({"service": SERVICE}, {"sender": "", "service": None}, True),
        ({"service": SERVICE}, {"sender": OURS, "service": None}, True),
        ({"service": SERVICE}, {"sender": "+15551239999", "service": None}, False),
        ({}, {"service": SERVICE}, True),
        ({"text": None}, {"body": "Whatever the provider made of the template"}, True),
        ({"text": None}, {"to": "+15550100002"}, False),
        ({"text": ""}, {"body": ""}, True),
    ],
)
def test_what_fits(asked: dict[str, Any], found: dict[str, Any], fits: bool) -> None:
    assert bool(matching.fitting(sought(**asked), [record(**found)])) is fits


@pytest.mark.parametrize(
    ("sent", "recorded"),
    [
        ("It’s “you” – or… me", 'It\'s "you" - or... me'),  # smart encoding
        ("It's fine", "It’s fine"),
        (
            "Cost: ½ price 🎉 – today",
            "Cost: 1/2 price 🎉 - today",
        ),  # an emoji keeps it UCS-2, and is encoded all the same
        ("Two\n\nlines", "Two lines"),
        (" edges \n", "edges"),
        ("a\u00a0b\u200bc", "a bc"),
        ("ﬁne", "fine"),  # a ligature
        ("Hello", "Sent from your Twilio trial account - Hello"),
    ],
)
def test_a_text_is_compared_without_what_the_provider_may_alter(sent: str, recorded: str) -> None:
    assert matching.plain(sent) == matching.plain(recorded)


@pytest.mark.parametrize(
    ("one", "other"), [("Café", "Cafe"), ("10:30", "1030"), ("Yes", "yes"), ("", "?"), ("a b", "ab")]
)
def test_other_words_stay_others(one: str, other: str) -> None:
    assert matching.plain(one) != matching.plain(other)


def test_a_record_that_a_list_repeats_counts_once_and_the_oldest_comes_first() -> None:
    later, sooner = record(5, "SM5"), record(2, "SM2")
    assert matching.fitting(sought(), [later, sooner, later]) == (sooner, later)


MINUTE = 60
SAME = Rival(text="Hello Ada", started_at=AT - timedelta(minutes=3))
OTHER = Rival(text="Something else", started_at=AT - timedelta(minutes=3))
TEMPLATE = Rival(text=None, started_at=AT - timedelta(minutes=3))
LONG_AGO = Rival(text="Hello Ada", started_at=AT - timedelta(hours=2))


@pytest.mark.parametrize(
    ("asked", "free", "rivals", "chosen"),
    [
        ({}, [], [], None),
        ({}, [], [SAME], None),
        ({}, [record(1, "A")], [], "A"),
        ({}, [record(1, "A"), record(2, "B")], [], "A"),
        ({}, [record(1, "A")], [OTHER, LONG_AGO, TEMPLATE], "A"),  # none of them can have made it
        ({}, [record(1, "A")], [SAME], Contested()),  # one record, two that it may be
        ({}, [record(1, "A"), record(2, "B")], [SAME], "B"),  # one each, and the rival came first
        ({}, [record(1, "A"), record(2, "B")], [SAME, SAME], Contested()),
        ({}, [record(1, "A"), record(2, "B"), record(3, "C")], [SAME, SAME], "C"),
        ({}, [record(1, "A"), record(20 * MINUTE, "B")], [SAME], "B"),  # too late to be the rival's
        ({"text": None}, [record(1, "A")], [TEMPLATE], Contested()),
        ({"text": None}, [record(1, "A")], [SAME], Contested()),  # it says what the rival said
        ({"text": None}, [record(1, "A"), record(2, "B", body="Rendered")], [SAME], "B"),
        ({"text": None}, [record(1, "A", body="Rendered")], [LONG_AGO, SAME], "A"),
    ],
)
def test_whose_a_record_is(
    asked: dict[str, Any], free: list[ProviderMessage], rivals: list[Rival], chosen: object
) -> None:
    found = matching.choose(sought(**asked), free, rivals)
    assert (found.sid if isinstance(found, ProviderMessage) else found) == chosen
