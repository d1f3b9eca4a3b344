"""Numbers are read when they are possible, and never guessed."""

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from overture.domain import numbers
from overture.domain.channel import Channel
from overture.domain.number_lengths import LENGTHS


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+15559876543", "+15559876543"),
        ("whatsapp:+15559876543", "+15559876543"),
        ("WhatsApp:+1 555 987 6543", "+15559876543"),
        (" +1 (555) 987-6543\n", "+15559876543"),
        ("+1.555.987.6543", "+15559876543"),
        ("+44 20\u00a07946\u20110958", "+442079460958"),
        ("\u202a+15559876543\u202c", "+15559876543"),
        ("+49 170 / 1234567", "+491701234567"),
        ("15559876543", None),  # a + is never guessed
        ("0015559876543", None),
        ("555-987-6543", None),
        ("+44 (0)20 7946 0958", None),  # whose zero is it?
        ("+1555987654", None),  # a digit short
        ("+155598765432", None),  # a digit long
        ("+9991234567", None),  # no such country
        ("+0123456789", None),
        ("+1555FLOWERS", None),
        ("+15559876543x12", None),
        ("++15559876543", None),
        ("+1555987654٣", None),  # a digit, but not one of E.164
        ("sms:+15559876543", None),
        ("", None),
        ("+", None),
        ("+1", None),
        ("whatsapp:", None),
        ("+1555" + "-" * 100_000 + "9876543", None),
    ],
)
def test_a_number_is_read_as_it_was_meant(text: str, number: str | None) -> None:
    assert numbers.read_number(text) == number


def _lengths_of(code: int, region: str) -> tuple[int, ...]:
    """The library's lengths of national numbers, those of calls inside an area included."""
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    assert metadata is not None
    known = metadata.general_desc
    assert known is not None
    return tuple(sorted({*known.possible_length, *known.possible_length_local_only}))


def test_the_table_of_lengths_is_the_librarys() -> None:
    theirs = {code: _lengths_of(code, regions[0]) for code, regions in COUNTRY_CODE_TO_REGION_CODE.items()}
    assert theirs == LENGTHS


@given(code=st.sampled_from(sorted(LENGTHS)), national=st.from_regex(r"[0-9]{1,13}", fullmatch=True))
@example(code=1, national="5559876543")
@example(code=1, national="5559876")
@example(code=39, national="0612345678")
@example(code=43, national="123")
def test_what_is_possible_here_is_possible_there(code: int, national: str) -> None:
    """For numbers in their international form: others (with a trunk zero) the library corrects, and we refuse."""
    number = f"+{code}{national}"[:16]
    try:
        theirs = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        assert not numbers.is_possible(number)
        return
    if phonenumbers.format_number(theirs, phonenumbers.PhoneNumberFormat.E164) == number:
        assert numbers.is_possible(number) == phonenumbers.is_possible_number(theirs)
        assert numbers.read_number(number) == (number if phonenumbers.is_possible_number(theirs) else None)


@given(st.text(max_size=80))
def test_whatever_is_read_is_a_possible_number(text: str) -> None:
    read = numbers.read_number(text)
    assert read is None or numbers.is_possible(read)


@pytest.mark.parametrize(
    ("channel", "text", "address"),
    [
        (Channel.WHATSAPP, "whatsapp:US.13491208655302741918", "US.13491208655302741918"),
        (Channel.WHATSAPP, "US.ENT.13491208655302741918", "US.ENT.13491208655302741918"),
        (Channel.WHATSAPP, "whatsapp:+15559876543", "+15559876543"),
        (Channel.SMS, "US.13491208655302741918", None),
        (Channel.WHATSAPP, "us.1349", None),
        (Channel.WHATSAPP, "US.", None),
        (Channel.WHATSAPP, "US." + "1" * 129, None),
        (Channel.WHATSAPP, "US.12 34", None),
    ],
)
def test_whatsapp_also_knows_people_by_an_id(channel: Channel, text: str, address: str | None) -> None:
    assert numbers.read_address(channel, text) == address
