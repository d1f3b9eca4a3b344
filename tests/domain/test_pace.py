"""Pace: no second has more than the pace and one, whoever claims and whenever; and nothing of it is lost."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overture.domain import pace
from overture.domain.channel import Channel
from overture.domain.message import Template, Text
from overture.domain.pace import HORIZON, REFILL, Flow
from tests.world import NOON

SECOND = timedelta(seconds=1)


def leave(flow: Flow, now: datetime, *, cost: int = 1, most: int = 10_000) -> tuple[Flow, list[datetime]]:
    """What a claim at an instant plans, where enough waits."""
    flow = pace.steady(flow, now)
    if not pace.room(flow, now):
        return flow, []
    planned: list[datetime] = []
    while len(planned) < most and (at := pace.earliest([flow], now)) <= now + HORIZON:
        flow = pace.after(flow, at, cost, opening=True)
        planned.append(at)
    return flow, planned


@pytest.mark.parametrize(
    ("per_second", "cost", "seconds"), [(1, 1, 1.0), (4, 1, 0.25), (10, 3, 0.3), (0.5, 2, 4.0), (3, 1, 0.333334)]
)
def test_a_message_keeps_its_pool_busy(per_second: float, cost: int, seconds: float) -> None:
    assert pace.interval(per_second, cost) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("body", "channel", "cost"),
    [
        (Text(text="x" * 160), Channel.SMS, 1),
        (Text(text="x" * 161), Channel.SMS, 2),
        (Text(text="ж" * 71), Channel.SMS, 2),
        (Text(text="x" * 1000), Channel.WHATSAPP, 1),
        (Template(content_sid="HX1"), Channel.SMS, 1),
        (Template(content_sid="HX1", rendered="x" * 161), Channel.SMS, 2),
    ],
)
def test_what_a_message_counts(body: Text | Template, channel: Channel, cost: int) -> None:
    assert pace.cost_of(body, channel) == cost


@pytest.mark.parametrize(
    ("ahead", "room"),
    [(-3600.0, 4), (0.0, 4), (0.05, 3), (REFILL.total_seconds(), 2), (REFILL.total_seconds() + 0.001, 0), (5.0, 0)],
)
def test_a_pool_of_ten_a_second_has_room(ahead: float, room: int) -> None:
    flow = Flow(per_second=10, tat=NOON + timedelta(seconds=ahead))
    assert pace.room(flow, NOON) == room


@pytest.mark.promise("P10")
@given(
    per_second=st.sampled_from([0.5, 1, 3, 7.5, 25, 100]),
    looks=st.lists(
        st.tuples(st.floats(0, 1.5), st.floats(-0.02, 0.02), st.integers(0, 50), st.integers(1, 3)), max_size=60
    ),
)
def test_no_second_has_more_than_the_pace_and_one(
    per_second: float, looks: list[tuple[float, float, int, int]]
) -> None:
    """Whichever of some workers claims, with a clock that is a little off, after whatever pause, of whatever cost."""
    flow, at, sent = Flow(per_second=per_second), NOON, list[tuple[datetime, int]]()
    for pause, off, most, cost in looks:
        at += timedelta(seconds=pause)
        flow, planned = leave(flow, at + timedelta(seconds=off), cost=cost, most=most)
        sent += [(instant, cost) for instant in planned]
    assert [instant for instant, _ in sent] == sorted(instant for instant, _ in sent)
    for first, (begin, _) in enumerate(sent):
        within = [cost for instant, cost in sent[first:] if instant < begin + SECOND]
        assert sum(within[:-1]) <= per_second  # the last one of a second has as many segments as it has
        assert len(within) <= per_second + 1


@pytest.mark.promise("P10")
@given(
    per_second=st.sampled_from([0.5, 1, 3, 7.5, 25, 100]),
    late=st.lists(st.floats(0, 1), min_size=40, max_size=80),
)
def test_no_rate_is_lost_to_a_worker_that_comes_late(per_second: float, late: list[float]) -> None:
    flow, planned = leave(Flow(per_second=per_second, tat=NOON), NOON)
    latest = REFILL + pace.credit(per_second) * 0.99
    for part in late:
        flow, more = leave(flow, max(NOON, pace.has_room_at(flow)) + latest * part)
        planned += more
    lasted = (planned[-1] - planned[0]).total_seconds()
    assert len(planned) - 1 == pytest.approx(lasted * per_second, rel=0.001, abs=1)


def test_time_without_messages_saves_nothing_up() -> None:
    flow, _ = leave(Flow(per_second=2), NOON)
    later = NOON + timedelta(hours=1)
    _, planned = leave(flow, later)
    assert planned == [later]


@pytest.mark.parametrize(
    ("per_second", "seconds"), [(1, 0.9), (10, 0.09), (0.5, 0.9), (0.1, 1), (0.001, 1), (7.5, 0.06), (0.9, 0.1)]
)
def test_so_much_lateness_is_made_up_for(per_second: float, seconds: float) -> None:
    assert pace.credit(per_second).total_seconds() == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(hours=3), timedelta(days=400)])
def test_a_clock_that_is_set_back_stops_nobody(back: timedelta) -> None:
    flow, planned = leave(Flow(per_second=1), NOON)
    then = NOON - back
    flow = pace.steady(flow, then)
    assert flow.tat <= then + HORIZON + pace.interval(1)
    flow, planned = leave(flow, pace.has_room_at(flow))
    assert len(planned) == 1
    assert planned[0] <= then + HORIZON + SECOND


@pytest.mark.parametrize("room", [1, 2, 3, 10])
def test_while_openings_wait_one_of_five_is_one(room: int) -> None:
    flow, went = Flow(per_second=100), list[bool]()
    for _ in range(60):
        kept = pace.kept_for_openings(flow, room)
        for opening in [True] * kept + [False] * (room - kept):
            flow = pace.after(flow, NOON, 1, opening=opening)
            went.append(opening)
    assert sum(went) == pytest.approx(len(went) / pace.ONE_OF, abs=1)
    assert all(any(went[n : n + 2 * pace.ONE_OF]) for n in range(len(went) - 2 * pace.ONE_OF))


def test_replies_without_openings_owe_one_at_most() -> None:
    flow = Flow(per_second=100)
    for _ in range(1000):
        flow = pace.after(flow, NOON, 1, opening=False)
    assert pace.kept_for_openings(flow, 1) == 1
    flow = pace.after(flow, NOON, 1, opening=True)
    assert pace.kept_for_openings(flow, 1) == 0
