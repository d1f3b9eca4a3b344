"""Quiet hours: when a message that nobody is waiting for may reach its recipient.

The recipient's own time counts, and a number tells only where it may be: a message goes when every rule that applies
allows it in every time zone that is possible. A minute of the day is quiet or it is not, by what a clock on the wall
shows, so the hour that a clock skips or repeats needs no rule of its own.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from msgspec import Struct

from overture.domain import us_hours
from overture.domain.errors import NotAllowed, Refusal
from overture.domain.rules import Applying, QuietHours, Scope, Span, TimeOfDay
from overture.domain.time_zones import MAINLAND, beginning_of, find_zone, zones_of

HORIZON: Final = timedelta(days=15)  # rules go by the week, and the clock may change within it
BECAUSE_OF_RULE: Final = "rule"
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = 24 * 60
_MANY: Final = 3  # local times that a refusal names: more say nothing more
_OWNERS: Final = (Scope.WORKSPACE, Scope.AGENT, Scope.SENDER)
_Hours: TypeAlias = tuple[QuietHours | None, QuietHours | None, QuietHours | None]
_Quiet: TypeAlias = tuple[int, int]
"""Minutes of a day, from and up to; where the first is greater, the night's two ends of the day."""


class Demand(Struct, frozen=True, kw_only=True, cache_hash=True):
    """One demand for silence: the quiet minutes of each day of the week, Monday first, and the zones it counts in.

    `because` is `rule`, or the place whose law it is (`US`, `US-TX`); `scope` whose rule asked for it.
    """

    scope: Scope
    because: str
    week: tuple[_Quiet, ...]
    zones: tuple[str, ...]


class Explained(Struct, frozen=True, kw_only=True):
    """How one demand stands in one of the recipient's possible time zones.

    `local_time` is None where this machine does not know the zone, `next_allowed` where no time is near.
    """

    scope: Scope
    because: str
    time_zone: str
    is_quiet: bool
    local_time: datetime | None
    next_allowed: datetime | None


class Times(Struct, frozen=True, kw_only=True):
    """When a message may first leave, and until when it is worth it."""

    due_at: datetime
    expires_at: datetime
    is_deferred: bool = False


def next_allowed(applying: Applying, address: str, now: datetime, *, time_zone: str | None = None) -> datetime | None:
    """The first instant, not before `now`, at which a message may go; None where there is none within `HORIZON`.

    `time_zone` is the recipient's, where the caller knows it.
    """
    demands = demands_of(applying, address, time_zone)
    if not demands:
        return now
    minute = _minute_of(now)
    found = _next(demands, minute)
    return now if found == minute else found


def times_of(
    applying: Applying, address: str, now: datetime, *, time_zone: str | None, life: timedelta | None, usual: timedelta
) -> Times | Refusal:
    """When an opening leaves, or why it cannot before it is worth nothing.

    `life` is what its caller gives it, from now on; the `usual` one begins when it may first leave.
    """
    due_at = next_allowed(applying, address, now, time_zone=time_zone)
    expires_at = now + life if life is not None else (due_at or now) + usual
    if due_at is None or due_at >= expires_at:
        return _refused(applying, address, now, due_at, time_zone)
    return Times(due_at=due_at, expires_at=expires_at, is_deferred=due_at > now)


def explain(applying: Applying, address: str, now: datetime, *, time_zone: str | None = None) -> list[Explained]:
    """Everything that quiet hours say of an address now, rule by rule and zone by zone."""
    minute = _minute_of(now)
    told = []
    for demand in demands_of(applying, address, time_zone):
        for name in demand.zones:
            opens = _open_from(demand.week, name, minute, minute + HORIZON)
            zone = find_zone(name)
            told.append(
                Explained(
                    scope=demand.scope,
                    because=demand.because,
                    time_zone=name,
                    is_quiet=opens != minute,
                    local_time=None if zone is None else now.astimezone(zone),
                    next_allowed=now if opens == minute else opens,
                )
            )
    return told


def local_times(told: Sequence[Explained]) -> str:
    """What time it is for the recipient, zone by zone; of many zones the first few."""
    by_zone = {one.time_zone: one.local_time for one in told}
    shown = [
        f"an unknown time in {name}" if local is None else f"{local:%a %H:%M} in {name}"
        for name, local in by_zone.items()
    ]
    return ", ".join(shown[:_MANY]) + (f" and {len(shown) - _MANY} more zones" if len(shown) > _MANY else "")


def demands_of(applying: Applying, address: str, time_zone: str | None = None) -> tuple[Demand, ...]:
    """What the rules that apply demand for an address; nothing where no quiet hours are set."""
    if not applying.asks_for_quiet:
        return ()
    return _demands_at(applying.quiet_hours, applying.time_zone, beginning_of(address), time_zone)


@lru_cache(maxsize=8192)
def _demands_at(hours: _Hours, agent_zone: str, beginning: str, time_zone: str | None) -> tuple[Demand, ...]:
    """What is demanded for all addresses of one beginning."""
    known = zones_of(beginning) if time_zone is None else (time_zone,)
    guess = MAINLAND if beginning.startswith("+1") else ("UTC",)
    return _demands(hours, agent_zone, known, guess, us_hours.hours_of(beginning))


@lru_cache(maxsize=4096)
def _demands(
    hours: _Hours, agent_zone: str, known: tuple[str, ...], guess: tuple[str, ...], law: us_hours.Allowed | None
) -> tuple[Demand, ...]:
    demands = []
    for scope, own in zip(_OWNERS, hours, strict=True):
        if own is None:
            continue
        said = own.time_zone or (hours[0].time_zone if hours[0] is not None else None)
        spoken = said or (agent_zone if agent_zone != "UTC" else None)  # an agent that names no zone is in UTC
        zones = known or ((spoken,) if spoken else guess)
        demands.append(Demand(scope=scope, because=BECAUSE_OF_RULE, week=_week(own), zones=zones))
        if own.stricter_states and law is not None:
            demands.append(Demand(scope=scope, because=law.place, week=_lawful_week(law), zones=zones))
    return tuple(demands)


def _week(own: QuietHours) -> tuple[_Quiet, ...]:
    days = own.days
    usual = (_minutes(own.start), _minutes(own.end))
    week: list[_Quiet] = []
    for day in (days.mon, days.tue, days.wed, days.thu, days.fri, days.sat, days.sun):
        match day:
            case None:
                week.append(usual)
            case Span(start=start, end=end):
                week.append((_minutes(start), _minutes(end)))
            case _:
                week.append((0, _DAY))
    return tuple(week)


def _lawful_week(law: us_hours.Allowed) -> tuple[_Quiet, ...]:
    """Quiet from the end of what is allowed to its beginning."""
    opens, closes = law.hours
    sunday_opens, sunday_closes = law.sunday or law.hours
    return (*[(closes * 60, opens * 60)] * 6, (sunday_closes * 60, sunday_opens * 60))


def _minutes(time: TimeOfDay) -> int:
    return int(time[:2]) * 60 + int(time[3:])


@lru_cache(maxsize=64)  # many messages are asked about at one instant
def _minute_of(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0)


@lru_cache(maxsize=16384)
def _next(demands: tuple[Demand, ...], minute: datetime) -> datetime | None:
    """The first whole minute from one on that every demand allows in every zone.

    By night the answer of the hour's beginning is that of all its minutes.
    """
    found = _search(demands, minute.replace(minute=0))
    return found if found is None or found >= minute else _search(demands, minute)


@lru_cache(maxsize=16384)
def _search(demands: tuple[Demand, ...], minute: datetime) -> datetime | None:
    """As `_next`. Few zones differ: those that show the same time are searched once, and asked again at the end."""
    at, until = minute, minute + HORIZON
    everything = list(dict.fromkeys((demand.week, zone) for demand in demands for zone in demand.zones))
    differing = list({(week, _offset(zone, at)): (week, zone) for week, zone in everything}.values())
    while at <= until:
        began = at
        for week, zone in differing:
            if (later := _open_from(week, zone, at, until)) is None:
                return None
            at = later
        if at > began:
            continue
        for week, zone in everything:
            if (later := _open_from(week, zone, at, until)) is None:
                return None
            at = later
        if at == began:
            return at
    return None


def _offset(name: str, at: datetime) -> timedelta | None:
    zone = find_zone(name)
    return None if zone is None else at.astimezone(zone).utcoffset()


def _open_from(week: tuple[_Quiet, ...], name: str, at: datetime, until: datetime) -> datetime | None:
    """The first whole minute from `at` on that is not quiet in a zone. In a zone that nobody knows all are quiet."""
    zone = find_zone(name)
    while zone is not None and at <= until:
        local = at.astimezone(zone)
        left = _minutes_left(week[local.weekday()], local.hour * 60 + local.minute)
        if left == 0:
            return at
        then = (at + left * _MINUTE).astimezone(zone)
        at = at + left * _MINUTE if then.utcoffset() == local.utcoffset() else _clock_change(at, left, zone)
    return None


def _minutes_left(quiet: _Quiet, minute: int) -> int:
    """How many minutes of this day's quiet are left, 0 where it is not quiet."""
    start, end = quiet
    if start <= end:
        return end - minute if start <= minute < end else 0
    if minute < end:
        return end - minute
    return _DAY - minute if minute >= start else 0


def _clock_change(at: datetime, minutes: int, zone: ZoneInfo) -> datetime:
    """The first minute after `at` in which a zone's clock is set otherwise, where it is so many minutes later."""
    before, low, high = at.astimezone(zone).utcoffset(), 0, minutes
    while high - low > 1:
        middle = (low + high) // 2
        if (at + middle * _MINUTE).astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return at + high * _MINUTE


def _refused(
    applying: Applying, address: str, now: datetime, due_at: datetime | None, time_zone: str | None
) -> Refusal:
    quiet = [one for one in explain(applying, address, now, time_zone=time_zone) if one.is_quiet]
    told = {one.time_zone: one.local_time for one in quiet}
    unknown = [name for name, local in told.items() if local is None]
    if unknown:
        return NotAllowed(
            "quiet_hours",
            f"This server does not know the time zone {unknown[0]}, so it cannot tell the recipient's quiet hours.",
            field="to_number",
            hint="Install the time zone database (tzdata), or correct the zone's name.",
        )
    where = local_times(quiet)
    scopes = " and ".join(dict.fromkeys(f"the {one.scope}'s" for one in quiet))
    said = f"It is {where} for the recipient: quiet hours by {scopes} rules" if quiet else "The recipient's quiet hours"
    if due_at is None:
        return NotAllowed(
            "quiet_hours",
            f"{said} leave no time at which the recipient may be written to, wherever the number is.",
            field="to_number",
            hint="Give recipient_timezone where you know it, or change the quiet hours.",
        )
    return NotAllowed(
        "quiet_hours",
        f"{said}. The message may leave at {due_at.isoformat()}, after it has expired.",
        field="expires_in_seconds",
        hint=f"Give it {int((due_at - now).total_seconds()) + 60} seconds or more, or ask again then.",
    )
