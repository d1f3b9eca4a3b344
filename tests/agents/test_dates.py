"""Days and times of day that people write, in English and German, as golden tables; and what means two things."""

from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overture.agents import dates

THURSDAY = date(2026, 11, 26)


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("today", "2026-11-26"),
        ("Tomorrow please", "2026-11-27"),
        ("the day after tomorrow", "2026-11-28"),
        ("tomorrow at 5pm", "2026-11-27"),
        ("Friday", "2026-11-27"),
        ("on Tuesday", "2026-12-01"),
        ("this Saturday works for me", "2026-11-28"),
        ("next Tuesday", "2026-12-01"),
        ("How about Monday?", "2026-11-30"),
        ("I'd like Wed.", "2026-12-02"),
        ("in 3 days", "2026-11-29"),
        ("in two weeks", "2026-12-10"),
        ("in a week", "2026-12-03"),
        ("1 December", "2026-12-01"),
        ("December 1st", "2026-12-01"),
        ("Dec 1, 2026", "2026-12-01"),
        ("the 1st of December", "2026-12-01"),
        ("Tuesday 1 December", "2026-12-01"),
        ("may 3rd", "2027-05-03"),
        ("March 1", "2027-03-01"),
        ("the 30th", "2026-11-30"),
        ("the 3rd", "2026-12-03"),
        ("the 31st", "2026-12-31"),
        ("29 February", "2028-02-29"),
        ("2026-12-24", "2026-12-24"),
        ("24.12.", "2026-12-24"),
        ("24.12.2026", "2026-12-24"),
        ("12/24", "2026-12-24"),
        ("24/12/2026", "2026-12-24"),
        ("26 November", "2026-11-26"),
        ("25 November", "2027-11-25"),
    ],
)
def test_a_day_in_english(text: str, means: str) -> None:
    assert dates.read_day(text, "en", today=THURSDAY) == day(means)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("heute", "2026-11-26"),
        ("morgen", "2026-11-27"),
        ("morgen früh", "2026-11-27"),
        ("übermorgen bitte", "2026-11-28"),
        ("am Dienstag", "2026-12-01"),
        ("nächsten Dienstag", "2026-12-01"),
        ("diesen Samstag", "2026-11-28"),
        ("Mi.", "2026-12-02"),
        ("in drei Tagen", "2026-11-29"),
        ("in einer Woche", "2026-12-03"),
        ("in 2 Wochen", "2026-12-10"),
        ("am 1. Dezember", "2026-12-01"),
        ("1.12.", "2026-12-01"),
        ("01.12.26", "2026-12-01"),
        ("3/4", "2027-04-03"),
        ("am 3. März", "2027-03-03"),
        ("am 30.", "2026-11-30"),
        ("Dienstag, 1. Dezember 2026", "2026-12-01"),
        ("Ich hätte gerne einen Termin am Montag", "2026-11-30"),
        ("tomorrow", "2026-11-27"),
    ],
)
def test_a_day_in_german(text: str, means: str) -> None:
    assert dates.read_day(text, "de", today=THURSDAY) == day(means)


@pytest.mark.parametrize(
    "text",
    [
        *("", "no", "we are four", "to", "a", "as soon as possible", "whenever", "some day", "not tomorrow"),
        *("Thursday", "next Friday", "3/4", "Monday or Tuesday", "Monday, no Tuesday", "Tuesday 2 December"),
        *("31 November", "30 February", "32.1.", "25.11.2026", "13/13", "1999-01-01", "0.0.", "the 45th"),
        *("every Monday", "after Monday", "tomorrow?? is that possible? or not", "may", "sun is nice", "in 1000 days"),
        *("2026-13-01", "١/٢", "+1", "-1 december", "1" * 1000, "\x00", "tomorrow " * 200 + "not"),
    ],
)
def test_what_names_no_day_or_two_is_not_understood(text: str) -> None:
    assert dates.read_day(text, "en", today=THURSDAY) is None


def test_a_slash_is_read_as_the_language_s_country_does() -> None:
    read = {tag: dates.read_day("3/4", tag, today=THURSDAY) for tag in ("en-US", "en-GB", "en", "de", "fr")}
    april, march = date(2027, 4, 3), date(2027, 3, 4)
    assert read == {"en-US": march, "en-GB": april, "en": None, "de": april, "fr": april}


def test_a_day_too_far_away_is_not_taken() -> None:
    assert dates.read_day("in two weeks", "en", today=THURSDAY, most_days=14) == day("2026-12-10")
    assert dates.read_day("in two weeks", "en", today=THURSDAY, most_days=13) is None


@pytest.mark.parametrize(
    ("text", "language", "means"),
    [
        ("3pm", "en", "15:00"),
        ("3 p.m.", "en", "15:00"),
        ("at 3:30 pm", "en", "15:30"),
        ("15:30", "en", "15:30"),
        ("09:15", "en", "09:15"),
        ("12am", "en", "00:00"),
        ("12 pm", "en", "12:00"),
        ("noon", "en", "12:00"),
        ("midnight", "en", "00:00"),
        ("half past three in the afternoon", "en", "15:30"),
        ("quarter to nine in the morning", "en", "08:45"),
        ("seven in the evening", "en", "19:00"),
        ("tomorrow at 10 am", "en", "10:00"),
        ("15 Uhr", "de", "15:00"),
        ("um 15 Uhr 30", "de", "15:30"),
        ("15.30 Uhr", "de", "15:30"),
        ("halb vier nachmittags", "de", "15:30"),
        ("viertel nach neun vormittags", "de", "09:15"),
        ("dreiviertel acht abends", "de", "19:45"),
        ("mittags", "de", "12:00"),
        ("morgen um 17 Uhr", "de", "17:00"),
    ],
)
def test_a_time_of_day(text: str, language: str, means: str) -> None:
    assert dates.read_time(text, language, today=THURSDAY) == time.fromisoformat(means)


@pytest.mark.parametrize(
    "text",
    ["5", "at 5", "5:30", "half past three", "25:00", "10:75", "13 am", "", "now", "later", "3pm or 4pm", "3-5pm"],
)
def test_what_names_no_time_or_two_is_not_understood(text: str) -> None:
    assert dates.read_time(text, "en", today=THURSDAY) is None


@pytest.mark.parametrize(
    ("text", "means"),
    [("5", "17:00"), ("at 5", "17:00"), ("9", "09:00"), ("half past three", "15:30"), ("11:30", "11:30")],
)
def test_opening_hours_tell_which_half_of_the_day_is_meant(text: str, means: str) -> None:
    at = dates.read_time(text, "en", today=THURSDAY, earliest=time(9), latest=time(18))
    assert at == time.fromisoformat(means)
    assert dates.read_time("7 am", "en", today=THURSDAY, earliest=time(9), latest=time(18)) is None


@pytest.mark.parametrize(
    ("text", "language", "means"),
    [
        ("tomorrow at 3pm", "en", "2026-11-27T15:00"),
        ("3:30 pm on Tuesday please", "en", "2026-12-01T15:30"),
        ("December 1st 2026, 10:00 am", "en", "2026-12-01T10:00"),
        ("morgen früh um 9", "de", "2026-11-27T09:00"),
        ("am Dienstag um 15 Uhr", "de", "2026-12-01T15:00"),
        ("1.12. 15:30", "de", "2026-12-01T15:30"),
        ("tomorrow", "en", None),
        ("at 3pm", "en", None),
        ("tomorrow or Monday at 3pm", "en", None),
    ],
)
def test_a_day_and_a_time_together(text: str, language: str, means: str | None) -> None:
    both = dates.read_both(text, language, today=THURSDAY, earliest=time(8), latest=time(20))
    assert (both and f"{both[0]}T{both[1]:%H:%M}") == means


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "Tuesday 1 December 2026"),
        ("en-US", "Tuesday, December 1, 2026"),
        ("de", "Dienstag, 1. Dezember 2026"),
        ("ja", "Tuesday 1 December 2026"),
    ],
)
def test_a_day_is_told_with_its_weekday(language: str, told: str) -> None:
    assert dates.tell_day(date(2026, 12, 1), language) == told


@given(
    ahead=st.integers(0, 700),
    today=st.dates(date(2020, 1, 1), date(2090, 1, 1)),
    tag=st.sampled_from(["en", "en-US", "de"]),
)
def test_a_day_that_was_told_is_understood(ahead: int, today: date, tag: str) -> None:
    wanted = today + timedelta(days=ahead)
    assert dates.read_day(dates.tell_day(wanted, tag), tag, today=today) == wanted
    assert dates.read_day(wanted.isoformat(), tag, today=today) == wanted


@given(text=st.text(max_size=60), language=st.sampled_from(["en", "de", "fr", ""]))
def test_no_text_breaks_the_reading_and_no_day_lies_before_today(text: str, language: str) -> None:
    read = dates.read_day(text, language, today=THURSDAY)
    assert read is None or read >= THURSDAY
    dates.read_both(text, language, today=THURSDAY)
