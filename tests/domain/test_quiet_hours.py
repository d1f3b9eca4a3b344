"""Quiet hours: when a message may reach its recipient, by rules, zones, clocks that are set, and states."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import geodata

from overture.domain import quiet_hours, us_hours
from overture.domain.agent import FlowSpec, Node
from overture.domain.errors import NotAllowed
from overture.domain.quiet_hours import Times, explain, next_allowed, times_of
from overture.domain.rules import FOR_MARKETING, Applying, Days, QuietHours, Rules, Scope, Span
from overture.domain.time_zones import MAINLAND, find_zone, zones_of
from tests.sizes import size

BERLIN, LONDON, NEW_YORK = "+4930123456", "+442079460958", "+12125550100"
MIAMI, BALTIMORE, DALLAS, PROVIDENCE, HARTFORD = (
    "+13055550100",
    "+14105550100",
    "+12145550100",
    "+14015550100",
    "+12035550100",
)
SEVEN = "+78005550100"  # Russia's and Kazakhstan's: Moscow, Almaty and Aqtobe
TORONTO, PREMIUM, NOBODY = "+14165550100", "+19005550100", "+15550100001"
NIGHT = QuietHours(start="20:00", end="09:00", stricter_states=False)
LONG = QuietHours(start="18:00", end="09:00", stricter_states=False)
FEW = QuietHours(start="00:00", end="00:00")  # nothing of its own: only what the law asks for
NODES = {"start": Node(say="Hi", end="completed")}


def of(hours: QuietHours | None, **others: QuietHours | str) -> Applying:
    given = {name: Rules(quiet_hours=one) for name, one in others.items() if isinstance(one, QuietHours)}
    zone = others.get("time_zone", "UTC")
    return Applying(workspace=Rules(quiet_hours=hours), time_zone=str(zone), **given)


def at(local: str, zone: str, *, fold: int = 0) -> datetime:
    """An instant, by what a clock on a wall shows."""
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "end", "clock", "opens"),
    [
        ("20:00", "09:00", "2026-03-03T19:59:59", "2026-03-03T19:59:59"),
        ("20:00", "09:00", "2026-03-03T20:00", "2026-03-04T09:00"),
        ("20:00", "09:00", "2026-03-03T23:59:59", "2026-03-04T09:00"),
        ("20:00", "09:00", "2026-03-04T00:00", "2026-03-04T09:00"),
        ("20:00", "09:00", "2026-03-04T08:59:59.999999", "2026-03-04T09:00"),
        ("20:00", "09:00", "2026-03-04T09:00", "2026-03-04T09:00"),
        ("12:00", "14:00", "2026-03-04T11:59", "2026-03-04T11:59"),
        ("12:00", "14:00", "2026-03-04T12:30", "2026-03-04T14:00"),
        ("12:00", "14:00", "2026-03-04T14:00", "2026-03-04T14:00"),
        ("00:00", "08:00", "2026-03-04T07:00", "2026-03-04T08:00"),
        ("21:00", "00:00", "2026-03-04T22:00", "2026-03-05T00:00"),
        ("09:00", "09:00", "2026-03-04T03:00", "2026-03-04T03:00"),  # the same time twice: never quiet
        ("00:01", "00:00", "2026-03-04T12:00", "2026-03-05T00:00"),  # one minute a day is left
    ],
)
def test_the_night_ends_when_it_is_told(start: str, end: str, clock: str, opens: str) -> None:
    rules = of(QuietHours(start=start, end=end))
    assert next_allowed(rules, BERLIN, at(clock, "Europe/Berlin")) == at(opens, "Europe/Berlin")


@pytest.mark.parametrize(
    ("zone", "start", "end", "asked", "opens"),
    [
        # New York, 2026-03-08: 02:00 becomes 03:00
        ("America/New_York", "20:00", "09:00", "2026-03-07T23:00-05:00", "2026-03-08T09:00-04:00"),
        ("America/New_York", "20:00", "02:30", "2026-03-08T01:00-05:00", "2026-03-08T03:00-04:00"),
        ("America/New_York", "02:15", "02:45", "2026-03-08T01:59-05:00", "2026-03-08T01:59-05:00"),
        ("America/New_York", "02:15", "03:15", "2026-03-08T03:05-04:00", "2026-03-08T03:15-04:00"),
        # New York, 2026-11-01: 02:00 becomes 01:00, and 01:30 comes twice
        ("America/New_York", "20:00", "01:30", "2026-10-31T23:00-04:00", "2026-11-01T01:30-04:00"),
        ("America/New_York", "20:00", "01:30", "2026-11-01T01:10-05:00", "2026-11-01T01:30-05:00"),
        ("America/New_York", "20:00", "09:00", "2026-10-31T23:00-04:00", "2026-11-01T09:00-05:00"),
        # London, 2026-03-29: 01:00 becomes 02:00; 2026-10-25: 02:00 becomes 01:00
        ("Europe/London", "20:00", "01:30", "2026-03-29T00:30+00:00", "2026-03-29T02:00+01:00"),
        ("Europe/London", "21:00", "08:00", "2026-03-28T22:00+00:00", "2026-03-29T08:00+01:00"),
        ("Europe/London", "21:00", "08:00", "2026-10-24T22:00+01:00", "2026-10-25T08:00+00:00"),
        ("Europe/London", "01:15", "01:45", "2026-10-25T01:20+00:00", "2026-10-25T01:45+00:00"),
        # Lord Howe, by half an hour: 2026-10-04 02:00 becomes 02:30, 2026-04-05 02:00 becomes 01:30
        ("Australia/Lord_Howe", "20:00", "02:15", "2026-10-04T01:50+10:30", "2026-10-04T02:30+11:00"),
        ("Australia/Lord_Howe", "20:00", "09:00", "2026-10-03T22:00+10:30", "2026-10-04T09:00+11:00"),
        ("Australia/Lord_Howe", "20:00", "01:45", "2026-04-05T01:35+10:30", "2026-04-05T01:45+10:30"),
        ("Australia/Lord_Howe", "20:00", "09:00", "2026-04-04T22:00+11:00", "2026-04-05T09:00+10:30"),
    ],
)
def test_clocks_that_are_set_move_no_night(zone: str, start: str, end: str, asked: str, opens: str) -> None:
    rules = of(QuietHours(start=start, end=end))
    found = next_allowed(rules, "+870123456789", datetime.fromisoformat(asked), time_zone=zone)
    assert found == datetime.fromisoformat(opens)


DAYS = Days(sat=Span(start="18:00", end="10:00"), sun="all_day")


@pytest.mark.parametrize(
    ("clock", "opens"),
    [
        ("2026-03-06T21:00", "2026-03-07T10:00"),  # Friday night: Saturday has hours of its own
        ("2026-03-07T17:59", "2026-03-07T17:59"),
        ("2026-03-07T18:00", "2026-03-09T09:00"),  # over all of Sunday
        ("2026-03-08T12:00", "2026-03-09T09:00"),
    ],
)
def test_a_day_may_have_hours_of_its_own(clock: str, opens: str) -> None:
    rules = of(QuietHours(days=DAYS))
    assert next_allowed(rules, BERLIN, at(clock, "Europe/Berlin")) == at(opens, "Europe/Berlin")


@pytest.mark.parametrize(
    ("number", "zone", "clock", "opens"),
    [
        (NEW_YORK, "America/New_York", "2026-03-04T07:59", "2026-03-04T08:00"),  # federal: from 8 to 21
        (NEW_YORK, "America/New_York", "2026-03-04T20:59", "2026-03-04T20:59"),
        (NEW_YORK, "America/New_York", "2026-03-04T21:00", "2026-03-05T08:00"),
        (MIAMI, "America/New_York", "2026-03-04T20:00", "2026-03-05T08:00"),
        (BALTIMORE, "America/New_York", "2026-03-04T20:00", "2026-03-05T08:00"),
        (HARTFORD, "America/New_York", "2026-03-04T08:30", "2026-03-04T09:00"),
        (HARTFORD, "America/New_York", "2026-03-04T20:00", "2026-03-05T09:00"),
        (PROVIDENCE, "America/New_York", "2026-03-04T18:00", "2026-03-05T09:00"),
        (DALLAS, "America/Chicago", "2026-03-07T20:59", "2026-03-07T20:59"),
        (DALLAS, "America/Chicago", "2026-03-07T21:00", "2026-03-08T12:00"),  # into a Sunday on which clocks are set
        (DALLAS, "America/Chicago", "2026-03-08T11:59", "2026-03-08T12:00"),
        (TORONTO, "America/Toronto", "2026-03-04T03:00", "2026-03-04T03:00"),  # not one of the United States
        (BERLIN, "Europe/Berlin", "2026-03-04T03:00", "2026-03-04T03:00"),
    ],
)
def test_stricter_states_are_heeded(number: str, zone: str, clock: str, opens: str) -> None:
    assert next_allowed(of(FEW), number, at(clock, zone)) == at(opens, zone)
    lax = msgspec.structs.replace(FEW, stricter_states=False)
    assert next_allowed(of(lax), number, at(clock, zone)) == at(clock, zone)


def test_the_area_codes_of_the_states_are_those_that_the_library_knows() -> None:
    names = {"CT": "Connecticut", "FL": "Florida", "MD": "Maryland", "MS": "Mississippi", "NJ": "New Jersey"}
    names |= {"OK": "Oklahoma", "RI": "Rhode Island", "TX": "Texas", "WA": "Washington State"}
    theirs: dict[str, set[str]] = {f"US-{short}": set() for short in names}
    for prefix, texts in geodata.GEOCODE_DATA.items():
        for short, name in names.items():
            text = texts.get("en", "")
            if prefix[0] == "1" and len(prefix) >= 4 and (text == name or text.endswith(f", {short}")):
                theirs[f"US-{short}"].add(prefix[1:4])
    assert {place: set(codes.split()) for place, codes in us_hours.AREA_CODES.items()} == theirs
    assert {one.place for one in us_hours.STATES} == set(theirs)


def test_every_state_is_stricter_than_the_federal_hours() -> None:
    opens, closes = us_hours.FEDERAL.hours
    for state in us_hours.STATES:
        for first, last in (state.hours, state.sunday or state.hours):
            assert opens <= first < last <= closes


def test_a_number_that_may_be_in_several_zones_waits_for_all_of_them() -> None:
    for number in (SEVEN, "+18005550100", "+62811234567"):
        zones = zones_of(number)
        assert len(zones) > 1
        found = next_allowed(of(NIGHT), number, at("2026-03-03T22:00", "UTC"))
        assert found is not None
        hours = [found.astimezone(ZoneInfo(zone)).hour for zone in zones]
        assert 9 in hours
        assert all(9 <= hour < 20 for hour in hours)


def test_two_zones_behind_one_area_code_leave_what_is_common() -> None:
    two = next(number for area in range(201, 990) if len(zones_of(number := f"+1{area}5550100")) == 2)
    east, west = sorted(zones_of(two), key=lambda zone: at("2026-03-04T09:00", zone))
    first = next_allowed(of(NIGHT), two, at("2026-03-04T03:00", east))
    assert first == at("2026-03-04T09:00", west)
    assert next_allowed(of(NIGHT), two, at("2026-03-04T20:00", east)) == at("2026-03-05T09:00", west)


def test_a_number_that_may_be_everywhere_is_never_free() -> None:
    assert len(zones_of(PREMIUM)) > 20
    assert next_allowed(of(LONG), PREMIUM, at("2026-03-04T12:00", "UTC")) is None
    assert next_allowed(of(LONG), PREMIUM, at("2026-03-04T12:00", "UTC"), time_zone="UTC") is not None


@pytest.mark.parametrize(
    ("rules", "zone"),
    [
        (of(msgspec.structs.replace(NIGHT, time_zone="Asia/Tokyo"), time_zone="Asia/Dubai"), "Asia/Tokyo"),
        (of(msgspec.structs.replace(NIGHT, time_zone="Asia/Tokyo"), agent=NIGHT), "Asia/Tokyo"),
        (of(NIGHT, time_zone="Asia/Dubai"), "Asia/Dubai"),
    ],
)
def test_a_number_that_tells_no_zone_is_in_that_of_the_rules(rules: Applying, zone: str) -> None:
    for unknown in (NOBODY, "US.ABC123", "+8881234567890", ""):
        assert zones_of(unknown) == ()
        assert next_allowed(rules, unknown, at("2026-03-04T03:00", zone)) == at("2026-03-04T09:00", zone)


def test_where_nothing_tells_the_zone_it_is_the_mainland_behind_plus_one_and_utc_elsewhere() -> None:
    assert {one.time_zone for one in explain(of(NIGHT), NOBODY, at("2026-03-04T03:00", "UTC"))} == set(MAINLAND)
    assert next_allowed(of(NIGHT), "US.ABC123", at("2026-03-04T03:00", "UTC")) == at("2026-03-04T09:00", "UTC")


def test_every_rule_that_applies_must_allow_it() -> None:
    rules = of(
        QuietHours(start="20:00", end="08:00"),
        agent=QuietHours(start="12:00", end="13:00"),
        sender=QuietHours(start="08:00", end="12:00"),
    )
    assert next_allowed(rules, BERLIN, at("2026-03-04T03:00", "Europe/Berlin")) == at(
        "2026-03-04T13:00", "Europe/Berlin"
    )
    assert {one.scope for one in explain(rules, BERLIN, at("2026-03-04T12:30", "Europe/Berlin")) if one.is_quiet} == {
        Scope.AGENT
    }


def test_without_rules_nothing_is_quiet() -> None:
    now = datetime(2026, 3, 4, 3, 0, 0, 123, tzinfo=UTC)
    assert next_allowed(Applying(), NEW_YORK, now) is now
    assert explain(Applying(), NEW_YORK, now) == []


@pytest.mark.parametrize(
    ("purpose", "kept"), [("marketing", True), (" Marketing ", True), ("", False), ("sell", False)]
)
def test_an_agent_for_marketing_keeps_quiet_hours_by_itself(purpose: str, kept: bool) -> None:
    spec = FlowSpec(name="A", nodes=NODES, purpose=purpose)
    assert spec.ruling.quiet_hours == (FOR_MARKETING if kept else None)
    own = FlowSpec(name="A", nodes=NODES, purpose=purpose, rules=Rules(quiet_hours=FEW))
    assert own.ruling.quiet_hours == FEW


def test_what_is_quiet_is_explained_zone_by_zone() -> None:
    now = at("2026-03-04T20:30", "America/New_York")
    told = explain(of(QuietHours(start="22:00", end="07:00")), MIAMI, now)
    assert [(one.because, one.is_quiet) for one in told] == [("rule", False), ("US-FL", True)]
    assert told[1].local_time is not None
    assert f"{told[1].local_time:%H:%M}" == "20:30"
    assert told[1].next_allowed == at("2026-03-05T08:00", "America/New_York")
    assert told[0].next_allowed == now


def test_an_opening_waits_as_long_as_it_is_worth() -> None:
    def times(life: timedelta | None) -> object:
        night = at("2026-03-04T22:00", "Europe/Berlin")
        return times_of(of(NIGHT), BERLIN, night, time_zone=None, life=life, usual=timedelta(hours=4))

    opens = at("2026-03-05T09:00", "Europe/Berlin")
    assert times(None) == Times(due_at=opens, expires_at=opens + timedelta(hours=4), is_deferred=True)
    long = timedelta(hours=11, seconds=1)
    assert times(long) == Times(due_at=opens, expires_at=opens + timedelta(seconds=1), is_deferred=True)
    refused = times(timedelta(hours=11))
    assert isinstance(refused, NotAllowed)
    assert (refused.code, refused.field) == ("quiet_hours", "expires_in_seconds")
    assert "Wed 22:00 in Europe/Berlin" in refused.description
    assert "the workspace's" in refused.description
    assert "2026-03-05T08:00:00+00:00" in refused.description
    assert refused.hint is not None


def test_what_may_never_go_is_refused_and_says_so() -> None:
    now = at("2026-03-04T12:00", "UTC")
    always = QuietHours(days=msgspec.convert(dict.fromkeys(Days.__struct_fields__, "all_day"), Days))
    for rules, number in ((of(always), BERLIN), (of(LONG), PREMIUM)):
        refused = times_of(rules, number, now, time_zone=None, life=None, usual=timedelta(hours=4))
        assert isinstance(refused, NotAllowed)
        assert "no time" in refused.description


def test_a_zone_that_this_machine_does_not_know_is_quiet() -> None:
    now = at("2026-03-04T12:00", "UTC")
    refused = times_of(of(NIGHT), BERLIN, now, time_zone="Mars/Olympus", life=None, usual=timedelta(hours=4))
    assert isinstance(refused, NotAllowed)
    assert "Mars/Olympus" in refused.description
    [told] = explain(of(NIGHT), BERLIN, now, time_zone="Mars/Olympus")
    assert (told.is_quiet, told.local_time, told.next_allowed) == (True, None, None)


@pytest.mark.parametrize(
    "text",
    [
        b'{"quiet_hours": {"start": "24:00"}}',
        b'{"quiet_hours": {"start": "8:00"}}',
        b'{"quiet_hours": {"start": 8}}',
        b'{"quiet_hours": {"days": {"sunday": "all_day"}}}',
        b'{"quiet_hours": {"days": {"sun": "never"}}}',
        b'{"quiet_hours": {"days": {"sun": {"start": "10:00"}}}}',
        b'{"quiet_hours": {"time_zone": ""}}',
        b'{"quiet_hours": {"time_zone": "../../etc/passwd"}}',
        b'{"quiet_hours": {"begin": "20:00"}}',
        b'{"quiet_hours": "\xff"}',
    ],
)
def test_hours_that_mean_nothing_are_not_read(text: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        msgspec.json.decode(text, type=Rules)


def test_hours_are_stored_as_they_are_said() -> None:
    hours = QuietHours(start="19:00", days=DAYS, time_zone="Europe/Berlin")
    text = msgspec.json.encode(Rules(quiet_hours=hours))
    assert msgspec.json.decode(text, type=Rules) == Rules(quiet_hours=hours)
    assert msgspec.json.decode(b'{"quiet_hours": {}}', type=Rules) == Rules(quiet_hours=QuietHours())


TIMES = st.times().map(lambda time: f"{time:%H:%M}")
SPANS = st.builds(Span, start=TIMES, end=TIMES)
DAY = st.none() | st.just("all_day") | SPANS
HOURS = st.builds(
    QuietHours, start=TIMES, end=TIMES, days=st.builds(Days, sun=DAY, mon=DAY), stricter_states=st.booleans()
)
PEOPLE = st.sampled_from([BERLIN, LONDON, NEW_YORK, DALLAS, PROVIDENCE, NOBODY, SEVEN, "+61255501000"])
CHANGES = st.sampled_from(  # around the days on which clocks are set
    [at(day, "UTC") for day in ("2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31")]
)


def is_allowed(rules: Applying, number: str, when: datetime) -> bool:
    """The definition, word by word: what the clocks on all the walls show."""
    for demand in quiet_hours.demands_of(rules, number):
        for name in demand.zones:
            zone = find_zone(name)
            assert zone is not None
            local = when.astimezone(zone)
            start, end = demand.week[local.weekday()]
            minute = local.hour * 60 + local.minute
            if start <= minute < end if start <= end else minute < end or minute >= start:
                return False
    return True


@settings(max_examples=size(small=60, full=2000), deadline=None)
@given(workspace=HOURS, agent=st.none() | HOURS, number=PEOPLE, day=CHANGES, seconds=st.integers(0, 3 * 86_400))
def test_the_next_allowed_instant_is_allowed_and_the_first(
    workspace: QuietHours, agent: QuietHours | None, number: str, day: datetime, seconds: int
) -> None:
    rules = Applying(workspace=Rules(quiet_hours=workspace), agent=Rules(quiet_hours=agent))
    now = day + timedelta(seconds=seconds)
    found = next_allowed(rules, number, now)
    until = now + timedelta(days=2) if found is None else min(found, now + timedelta(days=2))
    step = now
    while step < until:  # minute by minute, and nothing before it is allowed
        assert not is_allowed(rules, number, step)
        step = step.replace(second=0, microsecond=0) + timedelta(minutes=1)
    if found is not None:
        assert found >= now
        assert is_allowed(rules, number, found)
