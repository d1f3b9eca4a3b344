"""What a linter sees in limits on what models cost: an endpoint without a price has no answer that fits under one."""

from collections.abc import Iterator

from overture.agents.lint_texts import Finding, warning
from overture.domain.agent import AgentSpec, FlowSpec, PromptSpec
from overture.domain.tool_address import Surroundings


def lint_limits(spec: AgentSpec, surroundings: Surroundings | None) -> Iterator[Finding]:
    """Limits on cost over an endpoint without a price. Without `surroundings` nobody knows the prices."""
    if surroundings is None or surroundings.models is None:
        return
    limited = {
        "limits.cost_per_conversation": spec.limits.cost_per_conversation,
        "rules.model_budget.cost_per_day": spec.rules.model_budget.cost_per_day,
    }
    for endpoint in dict.fromkeys(_asked(spec)):
        is_there = bool(surroundings.models) if endpoint is None else endpoint in surroundings.models
        if not is_there or endpoint in surroundings.priced:
            continue
        whose = "The first model endpoint" if endpoint is None else f"The model endpoint '{endpoint}'"
        for where, limit in limited.items():
            if limit is not None:
                hint = "Set its prices per million tokens and their currency in the settings, or limit tokens instead."
                yield warning(where, f"{whose} has no price, so the agent stops before its first question to it.", hint)


def _asked(spec: AgentSpec) -> Iterator[str | None]:
    match spec:
        case PromptSpec():
            yield spec.model
        case FlowSpec():
            yield from (node.prompt.model for node in spec.nodes.values() if node.prompt is not None)
