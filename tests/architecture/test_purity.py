"""What imports cannot show: the pure rooms neither touch the world through a builtin nor ask for the time."""

import ast

from tests.architecture import tree

IMPURE_BUILTINS = {"open", "print", "input", "eval", "exec", "compile", "__import__", "breakpoint"}
IMPURE_METHODS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("uuid", "uuid4"),
}


def test_domain_and_agents_only_compute() -> None:
    found = [
        f"{tree.name(path)}:{node.lineno} {ast.unparse(node.func)}"
        for path in tree.python_files("src/overture/domain", "src/overture/agents")
        for node in ast.walk(tree.parsed(path))
        if isinstance(node, ast.Call) and is_impure(node.func)
    ]
    assert not found


def is_impure(called: ast.expr) -> bool:
    match called:
        case ast.Name(id=builtin):
            return builtin in IMPURE_BUILTINS
        case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=method):
            return (owner, method) in IMPURE_METHODS
        case _:
            return False
