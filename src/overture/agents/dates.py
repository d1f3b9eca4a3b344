"""Days and times of day: what a contact's text names, or that it is not understood.

Nothing is guessed here either. "Friday" said on a Friday, "next Tuesday" on a Monday, "3/4" and "at 5" each mean two
things; so do libraries, that take "no" for now and "we" for Wednesday. Every word must be known to belong to the day or
the time, or to stand harmlessly beside it, and one day or one time must be left.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date, time, timedelta
from functools import lru_cache
from typing import Final

from msgspec import Struct

from overture.agents import words, words_of_time

_APOSTROPHES: Final = dict.fromkeys(map(ord, "'’‘ʼ`´"))
_WEEK: Final = 7
_YEAR_FIRST: Final = r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
_DOTTED: Final = r"(?P<day>\d{1,2})\. ?(?P<month>\d{1,2})\.(?: ?(?P<year>\d{4}|\d{2})(?![\d:.]))?"
_SLASHED: Final = r"(?P<one>\d{1,2})/(?P<other>\d{1,2})(?:/(?P<year>\d{4}|\d{2}))?"


class Meant(Struct, frozen=True, kw_only=True):
    """What a text names: the days and times that are left, and whether every word of it was understood."""

    days: frozenset[date]
    times: frozenset[time]
    is_whole: bool


def read_day(text: str, language: str, *, today: date, most_days: int | None = None) -> date | None:
    """The one day from today on, at most `most_days` away, that a text names; a time beside it does no harm."""
    meant = understand(text, language, today=today)
    return _only_day(meant, today, most_days) if meant.is_whole else None


def read_time(
    text: str, language: str, *, today: date, earliest: time = time.min, latest: time = time.max
) -> time | None:
    """The one time of day within its bounds that a text names; "at 5" is one where the bounds leave one."""
    meant = understand(text, language, today=today)
    return _only_time(meant, earliest, latest) if meant.is_whole else None


def read_both(
    text: str,
    language: str,
    *,
    today: date,
    most_days: int | None = None,
    earliest: time = time.min,
    latest: time = time.max,
) -> tuple[date, time] | None:
    """The one day and the one time of day that a text names together."""
    meant = understand(text, language, today=today)
    day, at = _only_day(meant, today, most_days), _only_time(meant, earliest, latest)
    return (day, at) if meant.is_whole and day is not None and at is not None else None


def tell_day(day: date, language: str) -> str:
    """A day in words, with its weekday, so that who reads it back sees a mistake."""
    name = language[:2].lower()
    tongue = name if name in words_of_time.LANGUAGES else "en"
    weekday = words_of_time.DAY_NAMES[tongue][day.weekday()]
    month = words_of_time.MONTH_NAMES[tongue][day.month - 1]
    if tongue == "de":
        return f"{weekday}, {day.day}. {month} {day.year}"
    return (
        f"{weekday}, {month} {day.day}, {day.year}"
        if _month_first(language)
        else (f"{weekday} {day.day} {month} {day.year}")
    )


def understand(text: str, language: str, *, today: date) -> Meant:
    """Every reading of the days and times that a text names, in the language and in English."""
    rest = plain(text)
    days: list[set[date]] = []
    weekdays: set[int] = set()
    times: list[set[time]] = []
    for tongue in _tongues(language):
        reader = _reader(tongue)
        rest, found = _take(rest, reader.days)
        dated = [match for match in found if "weekday" not in match or "which" in match]
        bare = [match for match in found if match not in dated]
        days += [_days(match, language, tongue, today) for match in dated]
        weekdays |= {words_of_time.WEEKDAYS[tongue][match["weekday"]] for match in bare}
        rest, found = _take(rest, reader.times)
        times += [_times(match, tongue) for match in found]
    if not days and len(weekdays) == 1:
        days = [_weekday(next(iter(weekdays)), None, "en", today)]
    named = set.intersection(*days) if days else set()
    around = frozenset[str]().union(*(words_of_time.AROUND[tongue] for tongue in _tongues(language)))
    left = re.findall(r"[^\W_]+|[+-]", rest)
    return Meant(
        days=frozenset(day for day in named if weekdays <= {day.weekday()}),
        times=frozenset(set.intersection(*times)) if times else frozenset(),
        is_whole="?" not in text.rstrip("? \n") and all(word in around for word in left),
    )


def plain(text: str) -> str:
    """A text in the form that the tables are written in."""
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_APOSTROPHES).replace("a.m.", "am")
    return " ".join(re.sub(r"[,;!?()\"]", " ", folded.replace("p.m.", "pm")).split())


class _Reader(Struct, frozen=True):
    days: re.Pattern[str]
    times: re.Pattern[str]


@lru_cache(maxsize=4)
def _reader(tongue: str) -> _Reader:
    t = words_of_time
    month, weekday = _any(t.MONTHS[tongue]), _any(t.WEEKDAYS[tongue])
    count = rf"(?P<count>\d{{1,3}}|{_any({**words.NUMBERS[tongue], **t.A_FEW[tongue]})})"
    ordinal = r"(?:st|nd|rd|th)" if tongue == "en" else r"\."
    day = [
        _YEAR_FIRST,
        _DOTTED,
        _SLASHED,
        rf"(?:the )?(?P<day>\d{{1,2}}){ordinal}? ?(?:of )?(?P<name>{month})\b\.?(?: (?P<year>\d{{4}}))?",
        rf"(?P<name>{month})\.? (?:the )?(?P<day>\d{{1,2}}){ordinal}?(?: (?P<year>\d{{4}}))?(?!\d|:)",
        t.IN_DAYS[tongue].replace("{n}", count),
        t.IN_WEEKS[tongue].replace("{n}", count).replace("<count>", "<weeks>"),
        rf"(?:the )?(?P<alone>\d{{1,2}}){ordinal}(?! ?\d)",
        rf"(?:the )?(?P<word>{_any(t.FROM_TODAY[tongue])})",
        rf"(?:(?P<which>{t.THIS[tongue]}|{t.NEXT[tongue]}) )?(?P<weekday>{weekday})\.?",
    ]
    half = rf"(?: ?(?:(?P<before>{t.BEFORE_NOON[tongue]})|(?P<after>{t.AFTER_NOON[tongue]}))(?!\w))"
    hour = rf"(?P<hour>\d{{1,2}}|{_any(words.NUMBERS[tongue])})"
    clock = [
        rf"(?P<part>{_any(t.PARTS[tongue])}) {hour}(?: (?:{t.OCLOCK[tongue]}))?{half}?",
        rf"(?:at |um )?(?P<hour>\d{{1,2}})[:.h](?P<minute>\d{{2}})(?: ?(?:{t.OCLOCK[tongue]}))?{half}?(?![\d.])",
        rf"(?:at |um )?{hour} ?(?:{t.OCLOCK[tongue]})(?: (?P<minute>[0-5]?\d))?{half}?",
        rf"(?:at |um )?{hour}{half}",
        rf"(?:at |um ){hour}(?![:.]\d)",
        rf"(?:at )?(?P<named>{_any(t.NAMED_TIMES[tongue])})",
    ]
    return _Reader(days=_either(day), times=_either([*clock, r"(?:^|(?<= ))(?P<hour>\d{1,2})$"]))


def _either(forms: list[str]) -> re.Pattern[str]:
    """One pattern of several whose groups have the same names: each name gets its form's number."""
    numbered = [re.sub(r"\(\?P<(\w+)>", rf"(?P<\1_{n}>", form) for n, form in enumerate(forms)]
    return re.compile("|".join(rf"(?<![\w/]){form}(?![\w/])" for form in numbered))


def _take(text: str, pattern: re.Pattern[str]) -> tuple[str, list[dict[str, str]]]:
    """The text without what the pattern finds, and what was found, by name."""
    found = [
        {name.rsplit("_", 1)[0]: value for name, value in match.groupdict().items() if value is not None}
        for match in pattern.finditer(text)
    ]
    return pattern.sub(" ", text), found


def _days(found: Mapping[str, str], language: str, tongue: str, today: date) -> set[date]:
    """The days that one expression can mean."""
    t = words_of_time
    match found:
        case {"word": word}:
            return {today + timedelta(days=t.FROM_TODAY[tongue][word])}
        case {"count": count}:
            return {today + timedelta(days=_count(count, tongue))}
        case {"weeks": count}:
            return {today + timedelta(days=_WEEK * _count(count, tongue))}
        case {"weekday": name}:
            return _weekday(t.WEEKDAYS[tongue][name], found.get("which"), tongue, today)
        case {"alone": day}:
            return set(_next_of_month(int(day), today))
        case {"name": name, "day": day}:
            return set(_dated(int(day), t.MONTHS[tongue][name], found.get("year"), today))
        case {"month": month, "day": day}:
            return set(_dated(int(day), int(month), found.get("year"), today))
        case {"one": one, "other": other}:
            both = {(int(one), int(other)), (int(other), int(one))}
            if _month_first(language):
                both = {(int(other), int(one))}
            elif language.lower() not in {"en", ""}:
                both = {(int(one), int(other))}
            return {at for day, month in both for at in _dated(day, month, found.get("year"), today)}
        case _:
            return set()


def _weekday(wanted: int, which: str | None, tongue: str, today: date) -> set[date]:
    """The coming one. "Next" is another one for many people while the coming one lies in this week still."""
    ahead = (wanted - today.weekday()) % _WEEK
    coming = {today + timedelta(days=ahead)}
    later = {today + timedelta(days=ahead + _WEEK)}
    this_week = wanted >= today.weekday()
    if which is None:
        return coming if ahead else coming | later
    if which in words_of_time.NEXT[tongue].split("|"):
        return later | (coming if ahead else set()) if this_week else coming
    return coming if ahead else coming | later


def _dated(day: int, month: int, year: str | None, today: date) -> Iterator[date]:
    """The day of a month: of the year that is said, else the next one there is. The 29th of February may be far."""
    years = range(today.year, today.year + 9) if year is None else [int(year) + (2000 if len(year) == 2 else 0)]
    for one in years:
        try:
            at = date(one, month, day)
        except ValueError:
            continue
        if at >= today or year is not None:
            yield at
            return


def _next_of_month(day: int, today: date) -> Iterator[date]:
    for ahead in range(3):
        months = today.month - 1 + ahead
        try:
            at = date(today.year + months // 12, months % 12 + 1, day)
        except ValueError:
            continue
        if at >= today:
            yield at
            return


def _times(found: Mapping[str, str], tongue: str) -> set[time]:
    """The times of day that one expression can mean: two, where nothing tells which half of the day."""
    if (named := found.get("named")) is not None:
        return {time(*words_of_time.NAMED_TIMES[tongue][named])}
    written = found["hour"]
    hour = _count(written, tongue)
    minute = int(found.get("minute", 0)) + words_of_time.PARTS[tongue].get(found.get("part", ""), 0)
    if hour > 24 or minute > 59:
        return set()
    if "before" in found:
        hours = {hour % 12} if hour <= 12 else set()
    elif "after" in found:
        hours = {hour % 12 + 12} if hour <= 12 else {hour}
    else:
        exact = hour > 12 or hour == 0 or (written.startswith("0") and len(written) == 2)
        hours = {hour % 24} if exact else {hour % 12, hour % 12 + 12}
    return {time((60 * one + minute) // 60 % 24, minute % 60) for one in hours}


def _only_day(meant: Meant, today: date, most_days: int | None) -> date | None:
    last = date.max if most_days is None else today + timedelta(days=most_days)
    days = [day for day in meant.days if today <= day <= last]
    return days[0] if len(days) == 1 else None


def _only_time(meant: Meant, earliest: time, latest: time) -> time | None:
    times = [at for at in meant.times if earliest <= at <= latest]
    return times[0] if len(times) == 1 else None


def _count(text: str, tongue: str) -> int:
    return int(text) if text.isdecimal() else {**words.NUMBERS[tongue], **words_of_time.A_FEW[tongue]}[text]


def _any(table: Mapping[str, object]) -> str:
    return "|".join(re.escape(name) for name in sorted(table, key=len, reverse=True))


def _month_first(language: str) -> bool:
    """Whether a language's country writes the month before the day."""
    return language.lower().replace("_", "-") in {"en-us", "en-ph"}


def _tongues(language: str) -> tuple[str, ...]:
    own = language[:2].lower()
    return (own, "en") if own in words_of_time.LANGUAGES and own != "en" else ("en",)
