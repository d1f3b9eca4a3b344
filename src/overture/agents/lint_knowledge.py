"""What a linter sees in the knowledge of an agent: bases that are not there, or more than are looked through."""

from collections.abc import Iterator

from overture.agents.lint_texts import Finding, error, warning
from overture.domain.agent import PromptSpec
from overture.domain.knowledge import MOST_BASES


def lint_knowledge(spec: PromptSpec, known: frozenset[str] | None) -> Iterator[Finding]:
    """Everything wrong with the names of bases; `known` are those that there are, None where nobody knows."""
    if len(spec.knowledge) > MOST_BASES:
        hint = "Put what belongs together into one knowledge base: headings keep it apart."
        yield error("knowledge", f"It names {len(spec.knowledge)} bases, at most {MOST_BASES} are used.", hint)
    for place, name in enumerate(spec.knowledge):
        if name in spec.knowledge[:place]:
            yield warning(f"knowledge[{place}]", f"'{name}' is named twice.", "Name it once.")
        elif known is not None and name not in known:
            hint = f"`overture knowledge put {name} FILE` brings it; until then the agent answers without."
            yield warning(f"knowledge[{place}]", f"There is no knowledge base '{name}'.", hint)
