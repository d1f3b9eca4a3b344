"""What tests say that they reached, collected from all test processes into docs/promises.json.

A test that holds a promise asks for `reached` and says its figure in words: `reached("0 of 40 kills lost a message")`.
With `--promises` the figures are kept and docs/promises.md is written anew.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Final, TypeAlias

import pytest

from tests import log_search, promises, sizes

Reached: TypeAlias = Callable[[str], None]

_SEARCHED: Final = "tests/test_log_search.py::test_every_line_of_this_run_is_searched"
_PROPERTY: Final = "reached"  # pytest carries an item's properties from the processes that run it to the one that asked


@pytest.fixture
def reached(request: pytest.FixtureRequest) -> Reached:
    """Say which figure this test reached."""

    def say(figure: str) -> None:
        request.node.user_properties.append((_PROPERTY, figure))

    return say


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make `--promises` known."""
    parser.addoption(
        "--promises", action="store_true", help="keep what the tests of promises reached, in docs/promises.json"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect where it was asked for, in the one process that hears of every test."""
    if config.getoption("--promises") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Figures())


class Figures:
    """Listens to reports and keeps what was reached when all is done."""

    def __init__(self) -> None:
        self._marked: Final = {test.key for tests in promises.held().values() for test in tests}
        self._runs: Final[dict[str, promises.Run]] = {}
        self._lines = 0
        self._logging_tests = 0
        self._said: Final[defaultdict[str, list[tuple[str, str]]]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a case, and keep its figures."""
        key, _, case = report.nodeid.partition("[")
        if report.when == "teardown":  # the search of the log ends with the test
            found = [int(str(count)) for name, count in report.user_properties if name == log_search.LINES]
            self._logging_tests += bool(found)
            self._lines += sum(found)
        if key not in self._marked or report.skipped or (report.when != "call" and report.passed):
            return
        run = self._runs.setdefault(key, promises.Run(size="full" if sizes.FULL else "small"))
        run.cases += report.when == "call"
        run.failed += report.failed
        said = [str(figure) for name, figure in report.user_properties if name == _PROPERTY]
        self._said[key] += [(case.rstrip("]"), figure) for figure in said]

    def pytest_sessionfinish(self) -> None:
        """Write what was reached."""
        if _SEARCHED in self._runs:
            told = f"{self._lines} lines of {self._logging_tests} tests that log: 0 hits"
            self._said[_SEARCHED].append(("", told))
        for key, said in self._said.items():
            figures = sorted({figure for _, figure in said})
            self._runs[key].reached = figures if len(figures) == 1 else sorted(f"{c}: {f}" if c else f for c, f in said)
        promises.keep_runs(self._runs)
