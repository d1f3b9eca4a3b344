"""When a follow-up is due: a length of silence ("2h", "1d12h") or a day and a time ("tomorrow 10:00"), in a zone.

What a model or an author writes is not taken at its word: the sooner or later of it is bounded, and told back.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Final

from overture.agents import dates, variables
from overture.agents.script_reading import read_length
from overture.domain.errors import Invalid
from overture.domain.follow_up import LONGEST, SHORTEST
from overture.domain.time_zones import find_zone

_LONGEST_TEXT: Final = 100
_BY_DAY: Final = (time(6), time(17, 59))  # of the two readings of "10:00" exactly one lies here
_HOW: Final = 'Write a length such as "2h" or "1d12h", or a day and a time such as "2027-03-02 10:00".'


def read_due(
    after: str,
    *,
    now: datetime,
    timezone: str = "UTC",
    language: str = "en",
    shortest: timedelta = SHORTEST,
    longest: timedelta = LONGEST,
) -> datetime:
    """The instant that `after` names. Raises Invalid where it names none, or one outside its bounds."""
    due_at = _due(after, now, timezone, language) if len(after) <= _LONGEST_TEXT else None
    if due_at is None:
        raise Invalid("invalid_follow_up", "This names no time for a follow-up.", field="after", hint=_HOW)
    if not shortest <= due_at - now <= longest:
        raise Invalid(
            "invalid_follow_up",
            f"A follow-up comes at least {shortest} and at most {longest} from now.",
            field="after",
            hint=_HOW,
        )
    return due_at


def _due(after: str, now: datetime, timezone: str, language: str) -> datetime | None:
    length = read_length(after)
    if length is not None:
        return now + length
    today = variables.today(now, timezone)
    earliest, latest = _BY_DAY
    named = dates.read_both(after, language, today=today) or dates.read_both(
        after, language, today=today, earliest=earliest, latest=latest
    )
    if named is None:
        return None
    return datetime.combine(*named, tzinfo=find_zone(timezone) or UTC).astimezone(UTC)
