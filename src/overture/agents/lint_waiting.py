"""What a linter sees in how a flow waits: lengths that nobody can wait, and silence that leads nowhere."""

from collections.abc import Iterator

from overture.agents.kinds.waiting import awaits_silence, written_length
from overture.agents.lint_texts import Finding, error, warning
from overture.agents.script_reading import read_length
from overture.domain.agent import FlowSpec, Node
from overture.domain.follow_up import LONGEST, SHORTEST


def lint_waiting(spec: FlowSpec) -> Iterator[Finding]:
    """Everything wrong with how a flow's nodes wait."""
    for name, node in spec.nodes.items():
        yield from _lint_place(spec, f"nodes.{name}", node)
        yield from _lint_length(spec, f"nodes.{name}", node)
    if awaits_silence(spec) and spec.max_follow_ups == 0:
        yield error("max_follow_ups", "It is 0, so the flow never goes on by itself.", "Raise it, or wait nowhere.")


def _lint_place(spec: FlowSpec, where: str, node: Node) -> Iterator[Finding]:
    if node.after is not None:
        if node.ask is None:
            yield error(f"{where}.after", "Nothing is asked here, so nobody is silent.", "Use wait, or add an ask.")
        if node.after.goto not in spec.nodes:
            hint = "Correct the name, or add the node."
            yield error(f"{where}.after.goto", f"There is no node '{node.after.goto}'.", hint)
    if node.wait is not None and (node.ask is not None or node.call is not None):
        yield error(f"{where}.wait", "A node that asks or calls does not wait.", "Let a node of its own wait.")


def _lint_length(spec: FlowSpec, where: str, node: Node) -> Iterator[Finding]:
    written = written_length(node)
    if written is None:
        return
    place = f"{where}.after.silence" if node.wait is None else f"{where}.wait.for"
    length = read_length(written)
    if length is None or not SHORTEST <= length <= LONGEST:
        yield error(place, f"'{written}' is no length from a minute to thirty days.", "Write 30m, 2h, 1d12h.")
    elif length.total_seconds() >= spec.inactivity_seconds:
        hint = "Raise inactivity_seconds, or wait for less."
        yield warning(place, "The conversation ends for inactivity before this.", hint)
