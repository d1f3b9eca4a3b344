"""The machine's clock and its randomness, behind their ports."""

import os
from datetime import UTC, datetime, timedelta

from overture.adapters.clock import SystemClock
from overture.adapters.ids import RandomIds
from overture.domain import ids
from overture.domain.ports import Clock, Ids

NOW = datetime(2026, 11, 22, 10, 0, 0, 123000, tzinfo=UTC)


def test_the_clock_tells_aware_time_in_utc() -> None:
    clock: Clock = SystemClock()
    assert clock.now().utcoffset() == timedelta(0)


def test_ids_are_all_different_and_of_their_instant_and_shard() -> None:
    made: Ids = RandomIds()
    several = [made.new(NOW, shard=777) for _ in range(5000)]
    assert len(set(several)) == 5000
    for one in several:
        assert ids.is_uuid(one)
        assert ids.shard_of(one) == 777
        assert one[14] == "7"
        assert one[19] in "89ab"
        assert int(one[:8] + one[9:13], 16) - int(NOW.timestamp() * 1000) in (0, 1)  # 4,096 fit into a millisecond
    assert several == sorted(several)


def test_without_a_shard_ids_spread_over_all_of_them() -> None:
    made = RandomIds()
    assert len({ids.shard_of(made.new(NOW)) for _ in range(20_000)}) == ids.SHARDS


def test_a_later_id_sorts_after_an_earlier_one() -> None:
    made = RandomIds()
    assert made.new(NOW) < made.new(NOW + timedelta(milliseconds=1))


def test_a_forked_child_makes_other_ids_than_its_parent() -> None:
    made = RandomIds()
    made.new(NOW, 1)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, made.new(NOW, 1).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 100).decode()
    os.close(reading)
    os.close(writing)
    assert theirs != made.new(NOW, 1)
