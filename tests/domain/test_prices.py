"""Prices: the longest prefix counts, amounts are exact, and a list is taken whole or not at all."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overture.domain import cost, price_list, prices, spending
from overture.domain.channel import Channel
from overture.domain.cost import Counted
from overture.domain.errors import Invalid
from overture.domain.message import Template, Text
from overture.domain.prices import Category, Cost, Price, PriceTable, amount, estimate
from overture.domain.template import Category as TemplateCategory

SMS, WHATSAPP = Channel.SMS, Channel.WHATSAPP
HEAD = b"channel,prefix,category,price,currency\n"
MARKETING, UTILITY, AUTHENTICATION = (
    TemplateCategory.MARKETING,
    TemplateCategory.UTILITY,
    TemplateCategory.AUTHENTICATION,
)

digits = st.text("0123", max_size=5)  # few digits, so that prefixes meet


def table(*lines: str) -> PriceTable:
    """The table of some lines of a list, in dollars."""
    given = price_list.read(HEAD + "".join(f"{line},USD\n" for line in lines).encode())
    return PriceTable(revision="r", currency=given.currency, rows=given.rows)


RATES = table(
    "sms,+1,,0.0079",
    "sms,+49,,0.0979",
    "sms,+4915,,0.1",
    "whatsapp,+,service,0.005",
    "whatsapp,+49,marketing,0.1131",
    "whatsapp,+49,utility,0.0456",
    "whatsapp,+49,authentication,0.0636",
)


@given(st.dictionaries(digits, st.integers(0, 10**12), max_size=12), digits)
def test_the_longest_prefix_counts_as_in_a_plain_search(known: dict[str, int], number: str) -> None:
    rows = [
        Price(channel=SMS, prefix=f"+{prefix}", category=Category.SEGMENT, micros=micros)
        for prefix, micros in known.items()
    ]
    found = PriceTable(revision="r", currency="EUR", rows=rows).find(SMS, Category.SEGMENT, f"+{number}")
    fitting = [prefix for prefix in known if number.startswith(prefix)]
    expected = known[max(fitting, key=len)] if fitting else None
    assert (None if found is None else found.micros) == expected
    assert found is None or found.prefix == f"+{max(fitting, key=len)}"


@pytest.mark.parametrize(
    ("channel", "number", "segments", "category", "is_template", "is_open", "micros"),
    [
        (SMS, "+15550100001", 1, None, False, False, 7_900),
        (SMS, "+15550100001", 3, None, False, False, 23_700),
        (SMS, "+4930123456", 1, None, False, False, 97_900),
        (SMS, "+4915112345678", 1, None, False, False, 100_000),
        (SMS, "+4915", 2, None, False, False, 200_000),
        (SMS, "+33612345678", 1, None, False, False, None),
        (SMS, "12345", 1, None, False, False, None),
        (SMS, "+15550100001", None, None, True, False, None),
        (WHATSAPP, "+4915112345678", 1, None, False, True, 5_000),
        (WHATSAPP, "+15550100001", 1, None, False, True, 5_000),
        (WHATSAPP, "+4915112345678", 1, MARKETING, True, False, 118_100),
        (WHATSAPP, "+4915112345678", 1, MARKETING, True, True, 118_100),
        (WHATSAPP, "+4915112345678", 1, UTILITY, True, False, 50_600),
        (WHATSAPP, "+4915112345678", 1, UTILITY, True, True, 5_000),
        (WHATSAPP, "+4915112345678", 1, AUTHENTICATION, True, True, 68_600),
        (WHATSAPP, "+4915112345678", 1, None, True, True, None),
        (WHATSAPP, "+15550100001", 1, MARKETING, True, False, None),
        (WHATSAPP, "+15550100001", 1, UTILITY, True, True, 5_000),
        (WHATSAPP, "US.1234567890", 1, None, False, True, None),
        (Channel.API, "", 1, None, False, True, None),
    ],
)
def test_a_message_costs_so_much(
    channel: Channel,
    number: str,
    segments: int | None,
    category: TemplateCategory | None,
    is_template: bool,
    is_open: bool,
    micros: int | None,
) -> None:
    found = estimate(
        RATES,
        channel,
        number,
        segments=segments,
        category=category,
        is_template=is_template,
        is_window_open=is_open,
    )
    assert found == (None if micros is None else Cost(micros=micros, currency="USD"))
    assert estimate(None, channel, number, segments=segments) is None


def test_what_meta_takes_without_the_providers_fee_is_no_price() -> None:
    meta = table("whatsapp,+49,marketing,0.1131")
    assert estimate(meta, WHATSAPP, "+4915", segments=1, category=MARKETING, is_template=True) is None


def test_a_row_of_nothing_is_a_price() -> None:
    free = table("sms,+,,0")
    assert estimate(free, SMS, "+15550100001", segments=2) == Cost(micros=0, currency="USD")


@pytest.mark.parametrize(
    ("micros", "written"),
    [
        (0, "0.00"),
        (1, "0.000001"),
        (7_900, "0.0079"),
        (10_000, "0.01"),
        (1_500_000, "1.50"),
        (-7_500, "-0.0075"),
        (10**18 + 1, "1000000000000.000001"),
    ],
)
def test_an_amount_is_written_as_a_decimal(micros: int, written: str) -> None:
    assert amount(micros) == written


@given(st.integers(-(10**15), 10**15), st.integers(0, 500))
def test_amounts_are_exact_however_many_are_added(micros: int, times: int) -> None:
    assert Fraction(amount(micros * times)) == Fraction(micros, prices.MICROS) * times


def test_messages_cost_together_what_each_does_and_nothing_is_known_where_one_is_not() -> None:
    one, none = Counted(segments=1, cost=Cost(micros=7, currency="USD")), Counted(segments=1, cost=None)
    assert cost.total([one, one, one]) == Cost(micros=21, currency="USD")
    assert cost.total([one, none]) is None
    assert cost.total([]) is None


def test_segments_are_those_of_the_words_that_leave() -> None:
    template = Template(content_sid="HX", variables={})
    shown = Template(content_sid="HX", variables={}, rendered="a" * 161)
    told = [cost.segments_of(body, SMS) for body in (Text(text="’" + "a" * 70), template, shown)]
    assert told == [2, None, 2]
    assert [cost.segments_of(template, channel) for channel in (WHATSAPP, Channel.API)] == [1, None]


@given(
    st.dictionaries(
        st.tuples(st.sampled_from([SMS, WHATSAPP]), st.integers(0, 10**15 - 1).map(lambda n: f"+{n or ''}")),
        st.integers(0, 10**12 - 1),
        min_size=1,
        max_size=20,
    )
)
def test_what_is_exported_is_imported_again_to_the_last_digit(known: dict[tuple[Channel, str], int]) -> None:
    rows = {
        Price(
            channel=channel,
            prefix=prefix,
            category=Category.SEGMENT if channel is SMS else Category.MARKETING,
            micros=micros,
        )
        for (channel, prefix), micros in known.items()
    }
    written = price_list.write(PriceTable(revision="r", currency="EUR", rows=rows))
    again = price_list.read(written.encode())
    assert (again.currency, set(again.rows)) == ("EUR", rows)


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"sms,+1,,0.0079,USD",
        b"\xef\xbb\xbf" + HEAD + b"sms,+1,,0.0079,USD\n",
        HEAD.replace(b"\n", b"\r\n") + b"sms,+1,,0.0079,USD\r\n\r\n",
        HEAD.upper() + b"\n\nSMS, +1 ,,0.007900,USD\n,,,,\n",
        b'"channel","prefix","category","price","currency"\n"sms","+1","","0.0079","USD"\n',
    ],
)
def test_what_spreadsheets_do_to_a_list_changes_nothing(raw: bytes) -> None:
    assert price_list.read(raw).rows == (Price(channel=SMS, prefix="+1", category=Category.SEGMENT, micros=7_900),)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "The price list is empty."),
        (b"\n \n", "The price list is empty."),
        (HEAD, "It has no rows."),
        (b"sms,+1,,0.0079,USD\n", "Line 1: it must name the columns; channel, prefix, category, price, currency is"),
        (b"channel,prefix,price,category,currency\n", "Line 1: it must name the columns; the columns stand in another"),
        (b"channel;prefix;category;price;currency\n", "Line 1: its fields are not parted by commas."),
        (HEAD + b"sms,+1,,0,0079,USD\n", "Line 2: it has 6 fields, not 5; a price is written with a point."),
        (HEAD + b'sms,+1,,"0,0079",USD\n', "Line 2: price '0,0079' has a comma; write a point."),
        (HEAD + b"sms,+1,,0.0079\n", "Line 2: it has 4 fields, not 5."),
        (HEAD + b"\nsms,+1,,,USD\n", "Line 3: price is empty."),
        (HEAD + b"sms,+1,,-1,USD\n", "Line 2: price '-1' is negative."),
        (HEAD + b"sms,+1,,1e3,USD\n", "Line 2: price '1e3' is no decimal number."),
        (HEAD + b"sms,+1,,$1,USD\n", "Line 2: price '$1' is no decimal number."),
        (HEAD + "sms,+1,,١,USD\n".encode(), "is no decimal number."),
        (HEAD + b"sms,+1,,nan,USD\n", "Line 2: price 'nan' is no decimal number."),
        (HEAD + b"sms,+1,,1000000,USD\n", "more than six digits before its point."),
        (HEAD + b"sms,+1,,0.0000001,USD\n", "more than six decimals."),
        (HEAD + b"sms,+1,," + b"9" * 100_000 + b",USD\n", "more than six digits before its point."),
        (HEAD + b"sms,,,1,USD\n", "Line 2: prefix is empty."),
        (HEAD + b"sms,1,,1,USD\n", "Line 2: prefix '1' is not + and the first digits of a number."),
        (HEAD + b"sms,+01,,1,USD\n", "Line 2: prefix '+01' is not +"),
        (HEAD + b"sms,+1234567890123456,,1,USD\n", "is not + and the first digits"),
        (HEAD + b"fax,+1,,1,USD\n", "Line 2: channel 'fax' is neither sms nor whatsapp."),
        (HEAD + b",+1,,1,USD\n", "Line 2: channel is empty."),
        (HEAD + b"sms,+1,marketing,1,USD\n", "Line 2: category 'marketing' is for WhatsApp alone; leave it empty."),
        (HEAD + b"whatsapp,+1,,1,USD\n", "Line 2: category is empty."),
        (HEAD + b"whatsapp,+1,referral,1,USD\n", "is none of service, marketing, utility, authentication."),
        (HEAD + b"sms,+1,,1,\n", "Line 2: currency is empty."),
        (HEAD + b"sms,+1,,1,usd\n", "Line 2: currency 'usd' is not three capital letters, as USD."),
        (HEAD + b"sms,+1,,1,USD\nsms,+2,,1,EUR\n", "Line 3: its currency is EUR, that of the rows before USD"),
        (HEAD + b"sms,+1,,1,USD\nsms,+1,,2,USD\n", "Line 3: line 2 gives a price for the same numbers."),
        (HEAD + b'sms,"+1,,1,USD\n', "Line 2: it cannot be read"),
        (HEAD + b'sms,+1,,1,"US"D\n', "Line 2: it cannot be read"),
        (HEAD + b"sms,+1,," + b"x" * 200_000 + b",USD\n", "Line 2: it cannot be read"),
        (HEAD + b"sms,+1,,1,USD\nsms,+2,,1,\xff\n", "The price list is not UTF-8: line 3 holds other bytes."),
        (HEAD.decode().encode("utf-16"), "The price list is UTF-16."),
        (HEAD + b"sms,+1,,1,\0\n", "U+0000"),
    ],
)
def test_a_list_that_is_wrong_is_refused_with_its_line(raw: bytes, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        price_list.read(raw)
    assert told in refused.value.description
    assert refused.value.hint


def test_every_wrong_line_is_named_and_of_very_many_the_first() -> None:
    with pytest.raises(Invalid) as refused:
        price_list.read(HEAD + b"sms,+1,,1,USD\nsms,+2,,x,USD\nsms,+3,,1,USD\nfax,+4,,1,USD\n")
    assert [line[:7] for line in refused.value.description.splitlines()] == ["Line 3:", "Line 5:"]
    with pytest.raises(Invalid) as refused:
        price_list.read(HEAD + b"nothing\n" * 1000)
    lines = refused.value.description.splitlines()
    assert (len(lines), lines[-1]) == (21, "And 980 more.")


def test_a_list_has_no_more_rows_than_there_is_room_for() -> None:
    whole = HEAD + b"".join(b"sms,+%d,,1,USD\n" % (10**6 + n) for n in range(price_list.MOST_ROWS))
    assert len(whole) < price_list.MOST_BYTES
    with pytest.raises(Invalid, match="Line 200002: there are more than 200,000 rows"):
        price_list.read(whole + b"sms,+9,,1,USD\n")


@given(st.binary(max_size=200))
def test_whatever_a_file_holds_is_read_or_refused_in_words(raw: bytes) -> None:
    told = []
    for given_bytes in (raw, HEAD + raw):
        try:
            price_list.read(given_bytes)
        except Invalid as refused:
            told.append(refused.description)
    assert all(told)


NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_period_is_whole_days_with_both_ends() -> None:
    period = spending.period(date(2026, 3, 1), date(2026, 3, 1), NOON)
    assert period.ends - period.begins == DAY
    usual = spending.period(None, None, NOON)
    assert (usual.begins.date(), usual.ends.date()) == (date(2026, 2, 2), date(2026, 3, 4))
    assert spending.period(None, date(2020, 1, 31), NOON).begins.date() == date(2020, 1, 2)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 3, 2), date(2026, 3, 1)),
        (date(2026, 3, 4), None),
        (date(2024, 1, 1), date(2026, 1, 1)),
        (date.min, date.min),
        (None, date.min),
        (None, date.max),
        (date.max, date.max),
    ],
)
def test_days_that_make_no_period_are_refused(first: date | None, last: date | None) -> None:
    with pytest.raises(Invalid):
        spending.period(first, last, NOON)
