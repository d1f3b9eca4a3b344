"""What a node of a flow asks of the world besides a tool, and what the flow learns by it.

The flow goes through its nodes; which of them looks something up, or asks a model, is told apart here alone.
"""

from collections.abc import Iterable, Mapping

from overture.agents.kinds import prompt_node, search_node
from overture.agents.kinds.learned import Learned
from overture.domain.agent import FlowSpec, Json, Node, Prompt, Search
from overture.domain.channel import REPLY_LIMIT
from overture.domain.turn import ModelAnswered, ModelFailed, NeedModel, NeedSearch, Scene, Searched


def kept_by(node: Node) -> frozenset[str]:
    """The slots that a node fills with what it learns."""
    return frozenset(step.slot for step in (node.search, node.prompt) if step is not None and step.slot is not None)


def asks(node: Node) -> bool:
    """Whether a node asks anything of the world besides a tool."""
    return node.search is not None or node.prompt is not None


def need(
    spec: FlowSpec, node: Node, *, scene: Scene, values: Mapping[str, Json], heard: Iterable[str]
) -> NeedSearch | NeedModel | None:
    """What a node needs; None where it asks nothing."""
    if node.search is not None:
        return search_node.need(node.search, heard, values)
    if node.prompt is not None:
        return prompt_node.need(spec, node.prompt, scene, values, heard)
    return None


def learn(
    spec: FlowSpec, name: str, told: Searched | ModelAnswered | ModelFailed, *, scene: Scene, known: frozenset[str]
) -> Learned:
    """What a node learned. Raises ValueError where it asked for no such thing."""
    match told, spec.nodes.get(name):
        case Searched(), Node(search=Search() as search):
            return search_node.learn(search, told, REPLY_LIMIT[scene.channel], known)
        case ((ModelAnswered() | ModelFailed()), Node(search=None, prompt=Prompt() as prompt)):
            return prompt_node.learn(spec, prompt, told, scene.channel, known)
        case _:
            raise ValueError("the flow asked for no such thing")
