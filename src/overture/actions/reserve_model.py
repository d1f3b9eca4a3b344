"""Reserve what a model's step may take, under every budget that it comes under, and settle it by what it took."""

from datetime import datetime

from msgspec import Struct

from overture.domain.agent import Agent
from overture.domain.model_budget import ModelBudget
from overture.domain.model_use import Bound, Taken, Use, find_spent
from overture.store import model_use, rules, steps
from overture.store.conversations import Conversation
from overture.store.engine import Writing
from overture.store.steps import NewStep


class Held(Struct, frozen=True, kw_only=True):
    """What was reserved for a step, and on which day."""

    use: Use
    day: int


async def reserve_model(
    tx: Writing, claimed: Conversation, agent: Agent, step: NewStep, use: Use, now: datetime
) -> Held | str:
    """Write down that a model will be asked and what that may take, or tell why no budget has room for it."""
    held = Held(use=use, day=model_use.day_of(now))
    spent = find_spent(await _bounds(tx, claimed, agent, held.day), use)
    if spent is not None:
        return spent
    await steps.begin(tx, claimed, step, now)
    await model_use.keep(tx, step.turn_id, step.number, use)
    await model_use.add(tx, claimed.workspace_id, claimed.agent_id, held.day, use, requests=1, sign=1)
    return held


async def settle_model(tx: Writing, claimed: Conversation, turn_id: str, number: int, *, held: Held, use: Use) -> None:
    """Count what a step took in place of what was reserved for it, on the day on which it began."""
    await model_use.keep(tx, turn_id, number, use)
    of = (claimed.workspace_id, claimed.agent_id, held.day)
    if use.currency == held.use.currency:
        difference = Use(
            input_tokens=use.input_tokens - held.use.input_tokens,
            output_tokens=use.output_tokens - held.use.output_tokens,
            micros=(use.micros or 0) - (held.use.micros or 0),
            currency=use.currency,
        )
        await model_use.add(tx, *of, difference, requests=0, sign=1)
        return
    await model_use.add(tx, *of, held.use, requests=-1, sign=-1)
    await model_use.add(tx, *of, use, requests=1, sign=1)


async def _bounds(tx: Writing, claimed: Conversation, agent: Agent, day: int) -> list[Bound]:
    """The limits that a step comes under, the widest first, which is the order in which they are waited for."""
    bounds, workspace_id = [], claimed.workspace_id
    of_all, of_agent = (await rules.get_of_workspace(tx, workspace_id)).model_budget, agent.spec.rules.model_budget
    if _limits(of_all):
        await model_use.hold(tx, workspace_id, "", day)
        taken = await model_use.sum_of_day(tx, workspace_id, day)
        bounds.append(_bound("The workspace's budget of a day", of_all, taken))
    if _limits(of_agent):
        await model_use.hold(tx, workspace_id, claimed.agent_id, day)
        taken = await model_use.sum_of_day(tx, workspace_id, day, claimed.agent_id)
        bounds.append(_bound("The agent's budget of a day", of_agent, taken))
    limits = agent.spec.limits
    if limits.tokens_per_conversation is not None or limits.cost_per_conversation is not None:
        bounds.append(
            Bound(
                whose="The agent's budget of a conversation",
                tokens=limits.tokens_per_conversation,
                micros=limits.cost_per_conversation,
                taken=await model_use.sum_of_conversation(tx, workspace_id, claimed.id),
            )
        )
    return bounds


def _limits(budget: ModelBudget) -> bool:
    return budget.tokens_per_day is not None or budget.cost_per_day is not None


def _bound(whose: str, budget: ModelBudget, taken: Taken) -> Bound:
    return Bound(whose=whose, tokens=budget.tokens_per_day, micros=budget.cost_per_day, taken=taken)
