"""A test that holds a promise names one that was made, and docs/promises.md says which tests those are."""

import ast

from tests import promises
from tests.architecture import tree


def test_markers_name_promises_that_were_made() -> None:
    unknown = [
        f"{tree.name(path)}:{node.lineno} {ast.unparse(node)}"
        for path in tree.python_files("tests")
        for node in ast.walk(tree.parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "promise"
        if not node.args
        or not all(isinstance(arg, ast.Constant) and arg.value in promises.PROMISES for arg in node.args)
    ]
    assert not unknown


def test_every_promise_that_was_made_is_told() -> None:
    assert list(promises.PROMISES) == [f"P{number}" for number in range(1, 30)]


def test_the_table_lists_the_tests_that_are_marked() -> None:
    """Its figures may be of an earlier day, its tests not: `python -m tests.promises` writes it anew."""
    made = promises.table(promises.held(), promises.read_runs())
    assert promises.TABLE.read_text(encoding="utf-8") == made, "run python -m tests.promises"


def test_figures_are_of_tests_that_are_there() -> None:
    marked = {test.key for tests in promises.held().values() for test in tests}
    assert set(promises.read_runs()) <= marked
