"""A function fits on a screen and a module in a head.

Tables of facts are the exception: nobody reads them from top to bottom, and cutting one in two would hide rows.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture import tree

MODULE_LINES = 400
FUNCTION_LINES = 50  # without its docstring and decorators

TABLES = {
    "src/overture/domain/number_lengths.py": "how long a number may be, by country code",
    "src/overture/domain/number_zones.py": "which time zones a number may be in, by its first digits",
    "src/overture/domain/provider_errors.py": "what each of the provider's error codes means",
    "tests/domain/wish_tables.py": "what people write who want no more messages, by language",
}


def test_no_module_is_longer_than_400_lines() -> None:
    too_long = {
        tree.name(path): lines
        for path in tree.python_files("src", "tests", "benchmarks")
        if (lines := len(path.read_text().splitlines())) > MODULE_LINES and tree.name(path) not in TABLES
    }
    assert not too_long


def test_no_function_is_longer_than_50_lines() -> None:
    too_long = {
        f"{tree.name(path)}:{function.lineno} {function.name}": length
        for path in tree.python_files("src", "tests", "benchmarks")
        for function in functions(path)
        if (length := length_without_docstring(function)) > FUNCTION_LINES
    }
    assert not too_long


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    for node in ast.walk(tree.parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length_without_docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the last one, less the docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines
