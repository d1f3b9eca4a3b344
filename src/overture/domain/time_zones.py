"""Time zones: by name, and which of them a telephone number may be in.

`zoneinfo` reads a table of facts and keeps it; nothing here depends on the machine's own time or place.
"""

from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from overture.domain.number_zones import BY_PREFIX
from overture.domain.variants import canonical

MAINLAND: Final = ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles")
"""Where somebody behind a +1 of an area code that the table does not know most likely is."""

_LONGEST: Final = max(map(len, BY_PREFIX))
_AREA: Final = len("1208")
_OF_NO_AREA: Final = (
    *(500, 521, 522, 523, 524, 525, 526, 527, 528, 529, 532, 533, 544, 566, 577, 588, 600, 622, 700, 710),
    *(800, 833, 844, 855, 866, 877, 888, 900),
)
"""Behind +1: toll-free, personal and premium numbers. They may ring anywhere."""


@lru_cache(maxsize=1024)  # zoneinfo itself holds on to eight, and reads the others anew
def find_zone(name: str) -> ZoneInfo | None:
    """The time zone of an IANA name, None where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a name that is a folder of the database
        return None


def zones_of(address: str) -> tuple[str, ...]:
    """Every time zone that a number in E.164 may be in, by its longest known prefix.

    Behind +1 many area codes are told exchange by exchange; a number of another exchange may be in any of their zones.
    Nothing where the table does not say: no such prefix, an address that is no number, or an area code that was never
    given out (555) or is newer than the table.
    """
    return _zones_of(beginning_of(address)) if address.startswith("+") else ()


def beginning_of(address: str) -> str:
    """The digits that tell where a number may be: numbers that share them share everything that is said here."""
    return canonical(address)[: _LONGEST + 1]


@lru_cache(maxsize=8192)
def _zones_of(start: str) -> tuple[str, ...]:
    for length in range(len(start), 1, -1):
        if (zones := BY_PREFIX.get(start[1:length])) is not None:
            is_told = length > 2 or start[1] != "1" or int(start[2:5] or 0) in _OF_NO_AREA
            return zones if is_told else _of_area(start[1:5])
    return ()


@lru_cache(maxsize=1024)  # each looks through the whole table
def _of_area(area: str) -> tuple[str, ...]:
    within = (zones for prefix, zones in BY_PREFIX.items() if prefix.startswith(area) and len(area) == _AREA)
    return tuple(sorted({zone for zones in within for zone in zones}))
