"""A test that holds a promise names one that was made: P1 to P29 of docs/promises.md."""

import ast

from tests.architecture import tree

MADE = {f"P{number}" for number in range(1, 30)}


def test_markers_name_promises_that_were_made() -> None:
    unknown = [
        f"{tree.name(path)}:{node.lineno} {ast.unparse(node)}"
        for path in tree.python_files("tests")
        for node in ast.walk(tree.parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "promise"
        if not node.args or not all(isinstance(arg, ast.Constant) and arg.value in MADE for arg in node.args)
    ]
    assert not unknown
