"""WhatsApp's window is open for a day after the contact's last word, less a margin."""

from datetime import UTC, datetime, timedelta

import pytest

from overture.domain import window

WROTE = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("after", "is_open"),
    [
        (timedelta(0), True),
        (timedelta(hours=23, minutes=54, seconds=59), True),
        (timedelta(hours=23, minutes=55), False),
        (timedelta(days=30), False),
    ],
)
def test_the_window_closes_five_minutes_early(after: timedelta, is_open: bool) -> None:
    assert window.is_open(WROTE, WROTE + after) is is_open


def test_who_never_wrote_has_no_window() -> None:
    assert window.closes_at(None) is None
    assert not window.is_open(None, WROTE)
