"""The machine's clock: the one place that reads it."""

from datetime import UTC, datetime


class SystemClock:
    """Tells the time of this machine, in UTC."""

    def now(self) -> datetime:
        """This instant."""
        return datetime.now(UTC)
