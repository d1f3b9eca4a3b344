"""The one place where Handset takes the time from.

Everything that is dated or due asks this clock, so that a settable one can stand in its place: the carrier's
steps, the 24-hour window, the dates in answers and in webhooks.
"""

from datetime import UTC, datetime


class Clock:
    """The system's time, in UTC."""

    def now(self) -> datetime:
        """This instant, aware and in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the clock that everybody else is sent to
