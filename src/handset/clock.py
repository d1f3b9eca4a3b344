"""The one place where Handset takes the time from.

Everything that is dated or due asks this clock: the carrier's steps, the 24-hour window, the lag of lists, the dates
in answers and in webhooks. What it shows is a line through the machine's time,

    shown = at + (machine - real_at) * rate

so that another program which is told the same three values shows the same time. What happens on a wire (time-outs,
a slow answer) goes by the machine's time: the peer at its other end knows no other.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec

FASTEST: Final = 1_000.0  # times the machine's pace; beyond it a step of the carrier is shorter than the loop's own
EARLIEST: Final = datetime(1971, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)  # leaves room for years at the fastest pace
LONGEST_WAIT_SECONDS: Final = 3600.0  # of the machine; then the clock is looked at anew

Rate = Annotated[float, msgspec.Meta(ge=0, le=FASTEST)]


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a clock shows: `at` when the machine shows `real_at`, and `rate` seconds for each of its seconds.

    `at` and `real_at` are this instant where they are not given. A rate of 0 makes the clock stand still.
    """

    at: datetime | None = None
    real_at: datetime | None = None
    rate: Rate = 1.0

    def __post_init__(self) -> None:
        for name, instant in (("at", self.at), ("real_at", self.real_at)):
            if instant is None:
                continue
            if instant.tzinfo is None:
                raise ValueError(f"{name}: {instant.isoformat()} has no zone; write 2026-05-03T12:00:00Z")
            if not EARLIEST <= instant <= LATEST:
                raise ValueError(f"{name}: {instant.isoformat()} is not between {EARLIEST.year} and {LATEST.year}")


class Clock:
    """A time in UTC that can be set, advanced, hurried and stopped."""

    def __init__(self, line: Line | None = None) -> None:
        self._changed = asyncio.Event()
        self._followers: list[Callable[[], None]] = []
        self._at = self._real_at = self._machine()
        self._rate = 1.0
        if line is not None:
            self.set(line)

    @property
    def line(self) -> Line:
        """The three values that say what it shows."""
        return Line(at=self._at, real_at=self._real_at, rate=self._rate)

    @property
    def rate(self) -> float:
        """How many seconds it shows for each second of the machine."""
        return self._rate

    def now(self) -> datetime:
        """The instant that it shows, aware and in UTC."""
        return self._at + (self._machine() - self._real_at) * self._rate

    def set(self, line: Line) -> None:
        """Show another time from now on; whoever waits for an instant looks again."""
        machine = self._machine()
        self._at = (line.at or machine).astimezone(UTC)
        self._real_at = (line.real_at or machine).astimezone(UTC)
        self._rate = line.rate
        self._tell()

    def advance(self, seconds: float) -> None:
        """Jump ahead; what has become due by then happens at once."""
        self._at += timedelta(seconds=seconds)
        self._tell()

    def on_change(self, act: Callable[[], None]) -> None:
        """Do this whenever the clock is set or advanced."""
        self._followers.append(act)

    def machine_seconds(self, length: timedelta) -> float:
        """How long the machine's clock goes while this one goes so far; for ever, when it stands still."""
        if length <= timedelta(0):
            return 0.0
        return length.total_seconds() / self._rate if self._rate else float("inf")

    async def until(self, instant: datetime) -> None:
        """Wait until it shows that instant or a later one."""
        while (left := instant - self.now()) > timedelta(0):
            changed = self._changed
            try:
                async with asyncio.timeout(min(self.machine_seconds(left), LONGEST_WAIT_SECONDS)):
                    await changed.wait()
            except TimeoutError:
                continue

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
        for act in self._followers:
            act()

    def _machine(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the clock that everybody else is sent to
