"""Conditions of a flow's branches: `service == "cut" and people <= 4`.

The grammar is cut down to names, constants, comparisons, `and`/`or`/`not` and plain arithmetic before anything is
evaluated: no calls, no attributes, no formatting, no powers. What is left ends quickly on any input.
"""

import ast
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, cast

import simpleeval

from overture.domain.agent import Json

LONGEST: Final = 200  # characters; longer ones belong into two branches
OF_TOOLS: Final = ("ok", "status", "outcome")  # what `tool.ok` and its like tell of the turn's last call

_ALLOWED: Final = (
    *(ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd),
    *(ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div),
    *(ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple),
)

_ERRORS: Final = (
    simpleeval.InvalidExpression,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)


class _Names(dict[str, Json]):
    """A missing name is None: it is false, equals nothing, and no comparison of size with it holds."""

    def __missing__(self, name: str) -> None:
        return None


def holds(condition: str, values: Mapping[str, Json]) -> bool:
    """Whether a condition holds for the values; one that cannot be read or computed does not."""
    try:
        tree = _parsed(condition)
        evaluator = simpleeval.EvalWithCompoundTypes(functions={}, names=_Names(values))
        return bool(evaluator.eval(condition, previously_parsed=tree.body))
    except _ERRORS:
        return False


def names_in(condition: str) -> set[str]:
    """The names that a condition uses. Raises ValueError, with a sentence, where it cannot be read."""
    try:
        return {node.id for node in ast.walk(_parsed(condition)) if isinstance(node, ast.Name)}
    except _ERRORS as error:
        raise ValueError(str(error) if isinstance(error, ValueError) else "it is not a condition") from error


@lru_cache(maxsize=1024)
def _parsed(condition: str) -> ast.Expression:
    if len(condition) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST} characters")
    if "\\" in condition:
        raise ValueError("it holds a backslash")
    tree = _OfTools().visit(ast.parse(condition.strip(), mode="eval"))
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise ValueError(f"it uses {type(node).__name__}, and only names, constants and comparisons are understood")
    return cast("ast.Expression", tree)


class _OfTools(ast.NodeTransformer):
    """Reads `tool.ok` as one name: it is the only thing that looks like an attribute."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id == "tool" and node.attr in OF_TOOLS:
            return ast.Name(id=f"tool.{node.attr}", ctx=ast.Load())
        return node
