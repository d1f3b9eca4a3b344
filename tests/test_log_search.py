"""The search of the log finds what no line may hold, and is on while every test runs."""

import logging

import pytest

from overture import log
from tests.log_search import SEARCH, Search

pytestmark = pytest.mark.promise("P29")


@pytest.mark.parametrize(
    "line",
    [
        "to +15550100001",
        "From=whatsapp%3A%2B15550100001",
        '{"number": 15550100001}',
        "whatsapp:+15551230001",
        "Authorization: Bearer abcdefghij",
        "Basic QUMxMjM6c2VjcmV0",
        "key ovt_live_Ab3dE6gH9k_" + "x" * 43,
        "with a twilio auth token",
    ],
)
def test_what_no_line_may_hold_is_found(line: str) -> None:
    search = Search()
    search.write(line + "\n")
    assert search.found == [line + "\n"]


@pytest.mark.parametrize(
    "line",
    [
        "to [number ..01]",
        "SM00000000000000000000015550100001",
        "019cb391-c200-71e1-8018-99da386d8acd",
        '{"timestamp": "2026-03-03T12:00:00.155501Z"}',
        "the basic plan",
    ],
)
def test_what_lines_are_for_passes(line: str) -> None:
    search = Search()
    search.write(line + "\n")
    assert search.found == []


def test_every_line_of_this_run_is_searched() -> None:
    """How many there were in a whole run is counted by `tests/reaching.py`."""
    before = SEARCH.lines
    log.get("a test").debug("sent", to="+15550100001")
    logging.getLogger("a library").debug("sent to %s", "+15550100001")
    assert SEARCH.lines == before + 2
    assert SEARCH.found == []
