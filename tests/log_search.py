"""Every line that is logged while tests run, at DEBUG, searched for phone numbers and secrets.

The log is configured as a server's is; its lines go to the search in place of standard error. A test during which a
line holds what no line may hold fails, and says which line. What is searched for is written here once more, in other
words than in `log.py`: the numbers that tests use, and the secrets that tests are given.
"""

import contextlib
import io
import logging
import re
from collections import deque
from collections.abc import Generator, Iterator
from typing import Final

import pytest
import structlog

from overture import log

FORBIDDEN: Final = re.compile(
    r"(?:\+|%2[Bb]|(?<![0-9A-Za-z.-]))1?555[0-9]{7}(?![0-9A-Za-z])"  # the numbers of tests: 555 is nobody's
    r"|ovt_[a-z]+_[A-Za-z0-9]+_[A-Za-z0-9]{8,}"  # our API keys
    r"|a twilio auth token|another account's token|hunter22"
    r"|[Bb]earer\s+[A-Za-z0-9._-]{8,}|[Bb]asic\s+[A-Za-z0-9+/]{8,}={0,2}(?![A-Za-z])"
    r"|mauve elephants"  # what people wrote, where a test marks it
)


class Search(io.TextIOBase):
    """A stream that keeps the lines it finds something in, and the last ones, for a test that fails."""

    def __init__(self) -> None:
        self.lines = 0
        self.found: list[str] = []
        self.last: Final[deque[str]] = deque(maxlen=30)

    def write(self, text: str) -> int:
        """Search what is logged."""
        self.lines += text.count("\n")
        self.last.append(text)
        if FORBIDDEN.search(text):
            self.found.append(text)
        return len(text)


SEARCH: Final = Search()


LINES: Final = "lines searched"  # the name under which a test's report carries how many there were


@contextlib.contextmanager
def searching() -> Iterator[None]:
    """Configure the log at DEBUG, and send it to the search."""
    root = logging.getLogger()
    others, level = root.handlers[:], root.level
    with contextlib.redirect_stderr(SEARCH):
        log.configure("debug", "json")
    [ours] = root.handlers
    root.handlers[:0] = others
    try:
        yield
    finally:
        root.removeHandler(ours)
        root.setLevel(level)
        structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _no_line_holds_a_secret(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test during which one was logged."""
    SEARCH.found.clear()
    SEARCH.last.clear()
    before = SEARCH.lines
    with searching():
        yield
    if SEARCH.lines > before:
        request.node.user_properties.append((LINES, SEARCH.lines - before))
    assert not SEARCH.found, f"logged: {SEARCH.found[:3]}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the last lines that were logged beside a failure."""
    report = yield
    if report.failed and SEARCH.last:
        report.sections.append(("The last lines that were logged", "".join(SEARCH.last)))
    return report
