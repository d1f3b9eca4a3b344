"""The time of a follow-up is read from a length or a day and a time, and bounded."""

from datetime import UTC, datetime, timedelta

import pytest

from overture.agents.follow_up_time import read_due
from overture.domain.errors import Invalid

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("after", "due_at"),
    [
        ("1m", NOW + timedelta(minutes=1)),
        ("2h", NOW + timedelta(hours=2)),
        (" 1d 12h ", NOW + timedelta(days=1, hours=12)),
        ("30d", NOW + timedelta(days=30)),
        ("2027-03-02 10:00", datetime(2027, 3, 2, 9, tzinfo=UTC)),
        ("tomorrow 10:00", datetime(2027, 3, 2, 9, tzinfo=UTC)),
        ("tomorrow at 5:30", datetime(2027, 3, 2, 16, 30, tzinfo=UTC)),  # nobody is written to before dawn
        ("tomorrow 22:00", datetime(2027, 3, 2, 21, tzinfo=UTC)),
        ("2027-03-29 10:00", datetime(2027, 3, 29, 8, tzinfo=UTC)),  # summer time began the day before
    ],
)
def test_a_length_or_a_day_and_a_time_names_an_instant_in_the_zone(after: str, due_at: datetime) -> None:
    assert read_due(after, now=NOW, timezone="Europe/Berlin") == due_at


@pytest.mark.parametrize(
    "after",
    ["", "soon", "2", "-2h", "0h", "59s", "31d", "400d", "99999d", "2027-03-01 10:00", "2027-03-02", "10:00",
     "2027-04-05 10:00", "\x00", "²h", "1h" * 60, "9" * 10_000],
)  # fmt: skip
def test_whatever_names_no_time_or_one_out_of_bounds_is_told_back(after: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_due(after, now=NOW)
    assert refused.value.field == "after"
    assert refused.value.hint


def test_an_agent_may_bound_its_follow_ups_closer() -> None:
    with pytest.raises(Invalid, match="at least"):
        read_due("1h", now=NOW, shortest=timedelta(hours=2))
