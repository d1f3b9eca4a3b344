"""What people write when they mean a day or a time of day: tables by language, in the form that `dates.plain` gives."""

from typing import Final

LANGUAGES: Final = frozenset({"en", "de"})


def _words(line: str) -> list[str]:
    return line.split()


def _numbered(line: str, first: int) -> dict[str, int]:
    """Words that stand for one number each: names of the same are joined by a bar."""
    return {name: n for n, names in enumerate(line.split(), first) for name in names.split("|")}


MONTHS: Final = {
    "en": _numbered(
        "january|jan february|feb march|mar april|apr may june|jun july|jul august|aug september|sept|sep "
        "october|oct november|nov december|dec",
        1,
    ),
    "de": _numbered(
        "januar|jänner|jan februar|feber|feb märz|maerz|mär april|apr mai juni|jun juli|jul august|aug "
        "september|sept|sep oktober|okt november|nov dezember|dez",
        1,
    ),
}
WEEKDAYS: Final = {
    "en": _numbered(
        "monday|mon tuesday|tues|tue wednesday|weds|wed thursday|thurs|thur|thu friday|fri saturday|sat sunday|sun", 0
    ),
    "de": _numbered("montag|mo dienstag|di mittwoch|mi donnerstag|do freitag|fr samstag|sonnabend|sa sonntag|so", 0),
}
FROM_TODAY: Final = {
    "en": {"today": 0, "tonight": 0, "tomorrow": 1, "tmrw": 1, "day after tomorrow": 2},
    "de": {"heute": 0, "morgen": 1, "übermorgen": 2, "uebermorgen": 2},
}
THIS: Final = {"en": "this|this coming|coming", "de": "diesen|dieser|diese|kommenden|kommender"}
NEXT: Final = {"en": "next", "de": "nächsten|nächster|nächste|naechsten|naechste"}
IN_DAYS: Final = {"en": r"in {n} days?", "de": r"in {n} tag(?:en)?"}
IN_WEEKS: Final = {"en": r"in {n} weeks?", "de": r"in {n} wochen?"}
A_FEW: Final = {"en": {"a": 1}, "de": {"einer": 1, "einem": 1}}

# A time of day, before noon or after it: the half of the day that a word names.
BEFORE_NOON: Final = {
    "en": "am|a m|in the morning|morning",
    "de": "morgens|am morgen|früh|frueh|in der früh|vormittags|am vormittag|vormittag",
}
AFTER_NOON: Final = {
    "en": "pm|p m|in the afternoon|afternoon|in the evening|evening|at night",
    "de": "nachmittags|am nachmittag|nachmittag|abends|am abend|abend",
}
NAMED_TIMES: Final = {
    "en": {"noon": (12, 0), "midday": (12, 0), "midnight": (0, 0)},
    "de": {"mittags": (12, 0), "mittag": (12, 0), "mitternacht": (0, 0), "mitternachts": (0, 0)},
}
OCLOCK: Final = {"en": "oclock|o clock", "de": "uhr"}
# Parts of an hour: minutes added to the hour that is named.
PARTS: Final = {
    "en": {"half past": 30, "half": 30, "quarter past": 15, "quarter to": -15},
    "de": {"halb": -30, "viertel nach": 15, "viertel vor": -15, "dreiviertel": -15},
}

# What may stand around a day or a time without changing it.
AROUND: Final = {
    "en": frozenset(
        _words(
            "on at the by please i ill id we would will like want is fine good great ok okay works work for "
            "me lets say make it how about can you do thanks thank yes yeah sure that take and a an "
            "appointment prefer best suits suit hi hello morning afternoon evening in"
        )
    ),
    "de": frozenset(
        _words(
            "am um der den die das dem bitte ich wir würde möchte hätte gern gerne will ist wäre gut ok okay "
            "passt mir uns geht und danke ja klar nehme ein einen termin dann lieber es an hallo früh frueh "
            "morgens vormittag vormittags nachmittag nachmittags abend abends"
        )
    ),
}

# How a day is told.
DAY_NAMES: Final = {
    "en": _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    "de": _words("Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag"),
}
MONTH_NAMES: Final = {
    "en": _words("January February March April May June July August September October November December"),
    "de": _words("Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
}
