"""A signal is a hint: it wakes who waits, is not lost for a road that was busy, and leaves nothing behind."""

import asyncio

from overture.store.signals import Signals


async def test_a_signal_wakes_whoever_waits() -> None:
    signals = Signals()
    waiting = [asyncio.create_task(signals.wait("outbox", 5)) for _ in range(3)]
    await asyncio.sleep(0)
    signals.wake("outbox")
    assert await asyncio.gather(*waiting) == [True, True, True]


async def test_a_signal_that_meets_a_busy_road_is_not_lost() -> None:
    signals = Signals()
    signals.wake("outbox")
    signals.wake("outbox")
    assert await signals.wait("outbox", 0.01)
    assert not await signals.wait("outbox", 0.01)


async def test_a_signal_of_another_topic_wakes_nobody() -> None:
    signals = Signals()
    signals.wake("turns")
    assert not await signals.wait("outbox", 0.01)


async def test_a_signal_is_passed_on_but_one_that_was_heard_is_not() -> None:
    signals, passed = Signals(), list[str]()
    signals.pass_on = passed.append
    signals.wake("outbox")
    signals.heard("turns")
    assert passed == ["outbox"]


async def test_topics_of_chats_leave_nothing_behind() -> None:
    """There is one for every conversation that ever was."""
    signals = Signals()
    for n in range(100):
        signals.wake(f"reply:{n}")
        await signals.wait(f"reply:{n}", 0)
    assert not signals._waiting
    assert not signals._pending
