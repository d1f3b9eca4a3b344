"""Which zones a number may be in: the library's table, and never a guess for what it does not know."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import timezone
from phonenumbers.tzdata import TIMEZONE_DATA

from overture.domain.number_zones import BY_PREFIX
from overture.domain.time_zones import find_zone, zones_of


def test_the_table_of_zones_is_the_librarys() -> None:
    assert BY_PREFIX == TIMEZONE_DATA


def test_every_zone_of_the_table_can_be_loaded() -> None:
    names = {name for zones in BY_PREFIX.values() for name in zones}
    assert not [name for name in names if find_zone(name) is None]


@given(prefix=st.sampled_from(sorted(BY_PREFIX)), rest=st.from_regex(r"[0-9]{10}", fullmatch=True))
def test_the_zones_of_a_number_are_the_librarys(prefix: str, rest: str) -> None:
    """For numbers that have an area; the library wants to know of others what the whole country has."""
    number = f"+{prefix}{rest}"[:12]
    theirs = phonenumbers.parse(number)
    if phonenumbers.is_valid_number(theirs) and not number.startswith(("+52", "+54", "+55", "+1")):
        assert zones_of(number) == tuple(timezone.time_zones_for_geographical_number(theirs))


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        ("+12125550100", ("America/New_York",)),
        ("+14155550100", ("America/Los_Angeles",)),
        ("+12082015555", BY_PREFIX["1208201"]),
        ("+12085550100", ("America/Boise", "America/Los_Angeles")),  # Idaho is told exchange by exchange: 555 is none
        ("+5216641234567", BY_PREFIX["52664"]),  # the 1 of old Mexican numbers tells no place
        ("+15550100001", ()),
        ("+16215550100", ()),  # an area code that is newer than the table
        ("+18005550100", BY_PREFIX["1"]),
        ("+9991234567", ()),
        ("+1", ()),
        ("+", ()),
        ("", ()),
        ("US.ABC123", ()),
        ("12125550100", ()),
    ],
)
def test_a_number_is_where_its_longest_prefix_says(number: str, zones: tuple[str, ...]) -> None:
    assert zones_of(number) == zones


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "Europe", "../etc/passwd", "a" * 5000, "Europe/Berlin\0"])
def test_what_is_no_zone_is_none(name: str) -> None:
    assert find_zone(name) is None
