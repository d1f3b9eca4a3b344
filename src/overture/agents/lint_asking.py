"""What a linter sees in the nodes that look things up or ask a model: ways to nowhere, values that nobody gives."""

from collections.abc import Iterator

from overture.agents import answers, tools, variables
from overture.agents.kinds import prompt_node
from overture.agents.lint_texts import Finding, error, lint_message, warning
from overture.domain.agent import FlowSpec, Node, Prompt, Search
from overture.domain.knowledge import MOST_BASES


def targets(node: Node) -> list[str]:
    """Where a node leads by what it found, or by what a model failed to answer."""
    ways = [] if node.search is None else [node.search.found, node.search.missing]
    ways += [] if node.prompt is None else [node.prompt.failed]
    return [way for way in ways if way is not None]


def lint_asking(spec: FlowSpec, where: str, node: Node, known: frozenset[str]) -> Iterator[Finding]:
    """What is wrong with a node that searches or prompts."""
    kinds = [name for name in ("ask", "call", "search", "prompt") if getattr(node, name) is not None]
    if len(kinds) > 1 and kinds != ["ask", "call"]:
        yield error(
            where, f"A node does one thing, and this has {' and '.join(kinds)}.", "Give each a node of its own."
        )
    if node.search is not None:
        yield from _lint_search(spec, f"{where}.search", node, node.search, known)
    if node.prompt is not None:
        yield from _lint_prompt(spec, f"{where}.prompt", node.prompt, known)
    for way in targets(node):
        if way not in spec.nodes:
            yield error(where, f"There is no node '{way}'.", "Correct the name, or add the node.")


def early(name: str) -> Finding:
    """A flow that looks something up, or asks a model, before it has asked the contact anything."""
    return error(
        f"nodes.{name}",
        "It is reached before the first question, but an opening is written before any turn.",
        "Ask the contact something first.",
    )


def lint_names(spec: FlowSpec, bases: frozenset[str] | None, models: frozenset[str] | None) -> Iterator[Finding]:
    """Knowledge bases and model endpoints that are not there; None where it is not known which there are."""
    for name, node in spec.nodes.items():
        for base in [] if node.search is None else node.search.bases:
            if bases is not None and base not in bases:
                hint = f"`overture knowledge put {base} FILE` brings it; until then nothing is found in it."
                yield warning(f"nodes.{name}.search.bases", f"There is no knowledge base '{base}'.", hint)
        if node.prompt is not None:
            yield from lint_endpoint(f"nodes.{name}.prompt", node.prompt.model, models)


def lint_endpoint(where: str, asked: str | None, models: frozenset[str] | None) -> Iterator[Finding]:
    """A model endpoint that is not there; None for `models` where it is not known which there are."""
    if models is None:
        return
    if not models:
        hint = "Name one in the settings (OVERTURE_MODEL_BASE_URL); until then no model answers."
        yield warning(where or "model", "The settings name no model.", hint)
    elif asked is not None and asked not in models:
        hint = "Name an endpoint of the settings, or leave it out: then the first one is asked."
        yield warning(f"{where}.model".removeprefix("."), f"There is no model endpoint '{asked}'.", hint)


def _lint_search(spec: FlowSpec, where: str, node: Node, search: Search, known: frozenset[str]) -> Iterator[Finding]:
    if len(search.bases) > MOST_BASES:
        hint = "Put what belongs together into one knowledge base: headings keep it apart."
        yield error(f"{where}.bases", f"It names {len(search.bases)} bases, at most {MOST_BASES} are used.", hint)
    for name in variables.names_in(search.query or ""):
        if name not in known:
            yield error(f"{where}.query", f"'{name}' is neither a slot nor a variable.", "Correct the name.")
    if search.query is not None and not search.query.strip():
        yield error(f"{where}.query", "Nothing is looked for.", "Leave it out: what the contact wrote is looked for.")
    if search.found is not None and (node.then or node.goto or node.end or node.hand_over):
        yield warning(f"{where}.found", "With it the node's own ways on are never taken.", "Keep one of them.")
    yield from _lint_slot(spec, where, search.slot)


def _lint_prompt(spec: FlowSpec, where: str, prompt: Prompt, known: frozenset[str]) -> Iterator[Finding]:
    if not prompt.instructions.strip():
        yield error(f"{where}.instructions", "They are empty.", "Say what the model is to answer.")
    slots = known - variables.SYSTEM - spec.variables.keys()
    for name in dict.fromkeys(variables.names_in(prompt.instructions)):
        if name in slots:
            hint = f"Take it out, and list it: sees: [{name}]. The model is then shown it as data."
            yield error(f"{where}.instructions", f"'{name}' holds what a contact or a server says.", hint)
    for name in prompt.sees:
        if name not in known:
            yield error(f"{where}.sees", f"'{name}' is neither a slot nor a variable.", "Correct the name.")
    if prompt.fallback is not None:
        yield from lint_message(f"{where}.fallback", prompt.fallback, known)
    if prompt.type != "text" and prompt.slot is None:
        yield error(f"{where}.type", "Only an answer that is kept has a type.", "Name a slot, or leave the type out.")
    if prompt.type == "choice" and len(answers.forms_of(prompt_node.question(prompt))) < 2:
        yield error(f"{where}.choices", "There is nothing to choose from.", "List at least two choices.")
    elif prompt.type != "choice" and prompt.choices is not None:
        yield error(f"{where}.choices", f"An answer of type {prompt.type} has none.", "Set type: choice.")
    yield from _lint_slot(spec, where, prompt.slot)


def _lint_slot(spec: FlowSpec, where: str, slot: str | None) -> Iterator[Finding]:
    if slot is None:
        return
    if slot in variables.SYSTEM:
        yield error(f"{where}.slot", f"'{slot}' is a name of the system.", "Choose another name.")
    elif slot in spec.variables:
        yield error(f"{where}.slot", f"'{slot}' is a variable of the caller's.", "Choose another name.")
    elif slot in tools.slots(spec):
        yield warning(f"{where}.slot", f"A tool saves '{slot}' as well.", "Choose another name.")
