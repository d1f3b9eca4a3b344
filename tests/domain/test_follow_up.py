"""Follow-ups: an agent speaks up only where nothing has happened since, and where an opening could go out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from overture.domain.channel import Channel
from overture.domain.conversation import Mode
from overture.domain.follow_up import LONGEST, Drop, FollowUp, Later, Speak, Standing, Verdict, judge

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
PENDING = FollowUp(due_at=NOW, epoch=3, after_seq=7)
STANDING = Standing(mode=Mode.BOT, epoch=3, last_seq=7, in_a_row=0, channel=Channel.SMS)
WHATSAPP = {"channel": Channel.WHATSAPP}
LATER = NOW + timedelta(hours=9)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Speak()),
        ({"last_seq": 8}, Drop(reason="stale")),
        ({"epoch": 4}, Drop(reason="stale")),
        ({"mode": Mode.HUMAN}, Drop(reason="stale")),
        ({"mode": Mode.PAUSED}, Drop(reason="stale")),
        ({"mode": Mode.ENDED}, Drop(reason="stale")),
        ({"opted_out": True, "quiet_until": LATER}, Drop(reason="recipient_opted_out")),
        ({"in_a_row": 1}, Speak()),
        ({"in_a_row": 2}, Drop(reason="too_many_follow_ups")),
        ({"refused": "country_not_allowed"}, Drop(reason="country_not_allowed")),
        ({"in_turn": True}, Later(until=NOW + timedelta(seconds=30), reason="turn_under_way")),
        ({"quiet_until": LATER}, Later(until=LATER, reason="quiet_hours")),
        ({"quiet_until": NOW}, Speak()),
        ({"quiet_until": NOW + LONGEST + timedelta(seconds=1)}, Drop(reason="expired")),
        ({**WHATSAPP, "last_inbound_at": NOW - timedelta(hours=2)}, Speak()),
        ({**WHATSAPP, "last_inbound_at": NOW - timedelta(hours=25)}, Drop(reason="window_closed")),
        (WHATSAPP, Drop(reason="window_closed")),
        ({**WHATSAPP, "stands_in": True}, Speak()),
    ],
)
def test_what_becomes_of_a_follow_up_depends_on_what_happened_since(changes: dict[str, Any], verdict: Verdict) -> None:
    assert judge(PENDING, replace(STANDING, **changes), NOW) == verdict


def test_one_that_is_not_due_waits_for_its_time() -> None:
    pending = replace(PENDING, due_at=LATER)
    assert judge(pending, STANDING, NOW) == Later(until=LATER, reason="not_yet_due")


def test_an_agent_that_allows_none_never_follows_up() -> None:
    assert judge(PENDING, STANDING, NOW, at_most=0) == Drop(reason="too_many_follow_ups")


@given(
    epoch=st.integers(2, 4),
    last_seq=st.integers(6, 8),
    in_a_row=st.integers(0, 3),
    mode=st.sampled_from(Mode),
    channel=st.sampled_from(Channel),
    in_turn=st.booleans(),
    opted_out=st.booleans(),
    minutes=st.none() | st.integers(-60, 60 * 24 * 40),
)
def test_whoever_is_written_to_was_left_alone_and_whatever_waits_comes_up_again(
    minutes: int | None, channel: Channel, **rest: Any
) -> None:
    quiet = None if minutes is None else NOW + timedelta(minutes=minutes)
    verdict = judge(PENDING, Standing(channel=channel, quiet_until=quiet, **rest), NOW)
    match verdict:
        case Speak():
            assert (rest["mode"], rest["epoch"], rest["last_seq"]) == (Mode.BOT, 3, 7)
            assert not rest["opted_out"]
            assert not rest["in_turn"]
            assert rest["in_a_row"] < 2
            assert quiet is None or quiet <= NOW
        case Later(until=until):
            assert until > NOW
        case Drop(reason=reason):
            assert reason
