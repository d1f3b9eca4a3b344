"""When somebody in the United States may be written to unasked: the federal hours, and the states that are stricter.

The federal hours are those of 47 CFR 64.1200(c)(1). The states' come from the tables of messaging vendors as they stood
in 2026, not from the statutes: counsel must confirm them. A state is known by the area code, which tells where a number
was given out; area codes are those of the North American Numbering Plan, and a test compares them with what
phonenumbers knows.
"""

from typing import Final

from msgspec import Struct

from overture.domain.template_check import is_american

SOURCE: Final = "vendor tables, counsel must confirm"
AS_OF: Final = "2026"


class Allowed(Struct, frozen=True, kw_only=True, cache_hash=True):
    """The local hours in which a message may go, from and up to; `sunday` where that day has others."""

    place: str
    hours: tuple[int, int]
    sunday: tuple[int, int] | None = None


FEDERAL: Final = Allowed(place="US", hours=(8, 21))
STATES: Final = (
    Allowed(place="US-CT", hours=(9, 20)),
    Allowed(place="US-FL", hours=(8, 20)),
    Allowed(place="US-MD", hours=(8, 20)),
    Allowed(place="US-MS", hours=(8, 20)),
    Allowed(place="US-NJ", hours=(8, 20)),
    Allowed(place="US-OK", hours=(8, 20)),
    Allowed(place="US-RI", hours=(9, 18)),
    Allowed(place="US-TX", hours=(9, 21), sunday=(12, 21)),
    Allowed(place="US-WA", hours=(8, 20)),
)
AREA_CODES: Final = {
    "US-CT": "203 475 860 959",
    "US-FL": "239 305 321 324 352 386 407 448 561 645 656 689 727 728 754 772 786 813 850 863 904 941 954",
    "US-MD": "227 240 301 410 443 667",
    "US-MS": "228 601 662 769",
    "US-NJ": "201 551 609 640 732 848 856 862 908 973",
    "US-OK": "405 539 572 580 918",
    "US-RI": "401",
    "US-TX": "210 214 254 281 325 346 361 409 430 432 469 512 682 713 726 737 806 817 830 832 903 915 936 940 945 956 "
    "972 979",
    "US-WA": "206 253 360 425 509 564",
}
_BY_AREA: Final = {area: one for one in STATES for area in AREA_CODES[one.place].split()}


def hours_of(number: str) -> Allowed | None:
    """The hours that the law leaves for a number, None where it is not one of the United States.

    Each state of the table is stricter than the federal hours, so one of them is enough.
    """
    return _BY_AREA.get(number[2:5], FEDERAL) if is_american(number) else None
