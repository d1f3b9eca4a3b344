"""Waiting: where a flow rests until somebody writes or a while has passed, and where it goes on from there."""

from datetime import datetime

from overture.agents.script_reading import read_length
from overture.domain.agent import FlowSpec, Node
from overture.domain.follow_up import LONGEST, SHORTEST
from overture.domain.turn import SpeakUp


def wish(spec: FlowSpec, name: str, now: datetime) -> SpeakUp | None:
    """What a flow that rests at a node wants to be asked later; None where it waits for the contact alone."""
    node = spec.nodes.get(name)
    written = None if node is None else written_length(node)
    length = None if written is None else read_length(written)
    if length is None:
        return None
    return SpeakUp(due_at=now + min(max(length, SHORTEST), LONGEST), about=name)


def written_length(node: Node) -> str | None:
    """The length for which a node waits, as its author wrote it."""
    if node.wait is not None:
        return node.wait.length
    return None if node.after is None else node.after.silence


def target(node: Node | None) -> str | None:
    """The node to which silence leads from a question."""
    return None if node is None or node.after is None else node.after.goto


def awaits_silence(spec: FlowSpec) -> bool:
    """Whether a flow may go on by itself: then its clock runs from its opening on, before anybody has written."""
    return any(written_length(node) is not None for node in spec.nodes.values())


def waits_at(spec: FlowSpec, name: str) -> bool:
    """Whether a node waits for a while rather than for an answer."""
    node = spec.nodes.get(name)
    return node is not None and node.wait is not None
