"""The clock that everything dated or due goes by: set, advanced, hurried, stopped."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from handset.clock import Clock, Line
from handset.testing import Receiver, RunningHandset, running
from tests.handset.conftest import ADA, GRACE, SMS, WHATSAPP, config_for

MAY = datetime(2031, 5, 3, 12, tzinfo=UTC)
SLOW = {"sent": 60.0, "delivered": 60.0, "read": 60.0}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_it_shows_what_its_line_says() -> None:
    clock = Clock()
    real_at = clock.now() - timedelta(seconds=100)
    clock.set(Line(at=MAY, real_at=real_at, rate=40.0))
    assert timedelta(seconds=4000) <= clock.now() - MAY < timedelta(seconds=4400)
    clock.set(Line(at=MAY, rate=0.0))
    assert clock.now() == clock.now() == MAY
    clock.advance(3600)
    assert clock.now() == MAY + timedelta(hours=1)
    assert clock.line.rate == 0


async def test_two_that_are_told_the_same_line_show_the_same_time() -> None:
    line = Line(at=MAY, real_at=Clock().now(), rate=100.0)
    one, other = Clock(line), Clock(line)
    assert abs(one.now() - other.now()) < timedelta(seconds=1)


async def test_who_waits_for_an_instant_is_woken_when_the_clock_gets_there() -> None:
    clock = Clock(Line(at=MAY, rate=0.0))
    waiting = asyncio.ensure_future(clock.until(MAY + timedelta(hours=1)))
    await asyncio.sleep(0)
    clock.advance(1800)
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.advance(1800)
    async with asyncio.timeout(1):
        await waiting
    clock.set(Line(at=MAY, rate=1000.0))
    async with asyncio.timeout(1):
        await clock.until(MAY + timedelta(seconds=20))


async def test_what_became_due_by_a_jump_happens_at_once_and_bears_its_own_date(receiver: Receiver) -> None:
    config = config_for(receiver, delays=SLOW, clock={"at": MAY.isoformat(), "rate": 0.0})
    async with running(config) as handset:
        await handset.types(GRACE, WHATSAPP, "hello")
        sid = (await handset.posts(To=GRACE, From=WHATSAPP, Body="hi"))["sid"]
        await handset.advances(59)
        assert (await handset.messages(GRACE))[-1]["status"] == "queued"
        await handset.advances(301)
        read = await handset.wait_for_status(sid, "read")
        assert [(change["status"], at(change["at"]) - MAY) for change in read["history"]] == [
            ("queued", timedelta(0)),
            ("sent", timedelta(minutes=1)),
            ("delivered", timedelta(minutes=2)),
            ("read", timedelta(minutes=3)),
        ]


async def test_a_fast_clock_makes_the_carrier_fast(receiver: Receiver) -> None:
    async with running(config_for(receiver, delays=SLOW)) as handset:
        await handset.sets_clock(rate=1000.0)
        sid = (await handset.posts(To=ADA, From=SMS, Body="hi"))["sid"]
        await handset.wait_for_status(sid, "delivered")


async def test_the_window_closes_when_the_clock_says_so(handset: RunningHandset) -> None:
    await handset.types(GRACE, WHATSAPP, "hello")
    await handset.advances(24 * 3600 - 10)
    still = (await handset.posts(To=GRACE, From=WHATSAPP, Body="hi"))["sid"]
    await handset.wait_for_status(still, "read")
    await handset.advances(10)
    late = (await handset.posts(To=GRACE, From=WHATSAPP, Body="hi"))["sid"]
    assert (await handset.wait_for_status(late, "undelivered"))["error_code"] == 63016


async def test_dates_are_the_clocks(handset: RunningHandset) -> None:
    await handset.sets_clock(MAY, rate=0.0)
    assert (await handset.posts(To=ADA, From=SMS, Body="hi"))["date_created"] == "Sat, 03 May 2031 12:00:00 +0000"
    shown = await handset.clock()
    assert (at(shown["now"]), at(shown["at"]), shown["rate"]) == (MAY, MAY, 0.0)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "clock", {"at": "soon"}),
        ("PUT", "clock", {"at": "2031-05-03T12:00:00"}),  # no zone
        ("PUT", "clock", {"at": "0001-01-01T00:00:00Z"}),
        ("PUT", "clock", {"at": "9999-12-31T23:59:59Z"}),
        ("PUT", "clock", {"rate": -1}),
        ("PUT", "clock", {"rate": 1e9}),
        ("PUT", "clock", {"rate": "fast"}),
        ("PUT", "clock", {"pace": 2}),
        ("PUT", "clock", []),
        ("POST", "clock/advance", {}),
        ("POST", "clock/advance", {"seconds": "1"}),
        ("POST", "clock/advance", {"seconds": 1e300}),
        ("POST", "clock/advance", {"seconds": -1e9 - 1}),
    ],
)
async def test_a_time_that_makes_no_sense_is_refused(
    handset: RunningHandset, http: aiohttp.ClientSession, method: str, path: str, body: Any
) -> None:
    async with http.request(method, f"{handset.base_url}/handset/v1/{path}", json=body) as response:
        answer = await response.json()
        assert response.status == 400
    assert set(answer) == {"error", "hint"}
    assert abs(at((await handset.clock())["now"]) - Clock().now()) < timedelta(minutes=1)


async def test_a_clock_is_not_led_beyond_its_years(handset: RunningHandset, http: aiohttp.ClientSession) -> None:
    url = f"{handset.base_url}/handset/v1/clock/advance"
    statuses = []
    for _ in range(8):
        async with http.post(url, json={"seconds": 1e9}) as response:
            statuses.append(response.status)
    assert statuses == [200] * 5 + [400] * 3
