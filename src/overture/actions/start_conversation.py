"""Start conversations: the out road's first commit.

Openings are decided in order of arrival. One read, one pure fold and one write a table serve all of a batch; two
asks that touch the same contact or key are decided one after the other, so the later one sees the earlier one's
effect. Another process may win a thread or a key meanwhile: what did not insert is decided again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, assert_never

from msgspec import Struct

from overture.actions import join_queue, openings
from overture.actions.find_lacking_consent import applying, find_lacking, seen_from
from overture.actions.openings import Answer
from overture.actions.reserve_openings import hold_caps, look_at_caps
from overture.agents import kinds, template_values, variables
from overture.domain import consent_rule, cost, segments, variants
from overture.domain.agent import Agent, Json
from overture.domain.channel import Channel
from overture.domain.errors import Conflict, Refusal
from overture.domain.message import Template, shown
from overture.domain.ports import Ids
from overture.domain.prices import Cost, amount
from overture.domain.rules import Applying
from overture.domain.sending import (
    ByTurn,
    Facts,
    Join,
    Open,
    Replay,
    Start,
    decide_start,
)
from overture.domain.template import Button, Known, render
from overture.domain.template_opening import OwnTemplate
from overture.store import agents, prices, senders, templates, threads
from overture.store.engine import Reading, Writing
from overture.store.senders import Sender

_SPARE_ROUNDS: Final = 64  # each round decides one call at least, unless another process overtakes it


class DryRunTemplate(Struct, frozen=True, kw_only=True):
    """The template that would open the conversation, as it was when last fetched."""

    content_sid: str
    name: str
    language: str
    category: str | None
    approval: str
    buttons: list[Button]
    fetched_at: datetime


class DryRunCost(Struct, frozen=True, kw_only=True):
    """What the opening would cost, by the price table; null where that gives no price for it."""

    amount: str | None = None
    currency: str | None = None
    is_known: bool = False


class DryRun(Struct, frozen=True, kw_only=True):
    """What a call would have done."""

    verdict: str
    opening: str | None
    kind: str | None
    segments: int
    encoding: str
    supersedes: str | None = None
    scheduled_for: datetime | None = None
    template: DryRunTemplate | None = None
    cost: DryRunCost = DryRunCost()
    warnings: list[str] = []


async def start_conversations(tx: Writing, asked: Sequence[Start], now: datetime, ids: Ids) -> list[Answer]:
    """Answer each call in the order asked; the caller commits."""
    answers: list[Answer | None] = [None] * len(asked)
    left = list(range(len(asked)))
    for _ in range(len(asked) + _SPARE_ROUNDS):
        if not left:
            break
        this_round, left = _apart(asked, left)
        facts = await _read_facts(tx, [asked[n] for n in this_round], now)
        caps = await hold_caps(tx, [(n, asked[n], known) for n, known in zip(this_round, facts, strict=True)], now)
        plan = openings.Plan(caps, now=now, ids=ids)
        people: set[str] = set()
        later: set[int] = set()
        for n, known in zip(this_round, facts, strict=True):
            if known.contact is not None and known.contact.id in people:
                later.add(n)  # the same person by another of its addresses
                continue
            answers[n] = plan.decide(n, asked[n], known)
            if known.contact is not None:
                people.add(known.contact.id)
        lost = await plan.write(tx) | later
        for n in lost:
            answers[n] = None
        left = sorted([*lost, *left])
    return [answer or _too_busy() for answer in answers]


async def dry_run(tx: Reading, asked: Start, now: datetime) -> DryRun | Refusal:
    """What one call would do now; nothing is written."""
    [facts] = await _read_facts(tx, [asked], now)
    verdict = decide_start(asked, facts, now)
    carried = cost.carry(asked, facts, verdict, now)
    if (full := join_queue.Queues(now).refuse(facts, verdict, carried)) is not None:
        return full
    caps = await look_at_caps(tx, [(0, asked, facts)], now)
    verdict = caps.decide(0, asked, facts, verdict, carried)
    match verdict:
        case Refusal():
            return verdict
        case Replay():
            return DryRun(verdict="replay", opening=None, kind=None, segments=0, encoding="none")
        case Open(opening=opening, times=times) | Join(opening=opening, times=times):
            scheduled_for = times.due_at if times.is_deferred else None
            if isinstance(opening, ByTurn):
                return DryRun(
                    verdict="open",
                    opening=None,
                    kind="agent",
                    segments=0,
                    encoding="unknown",
                    scheduled_for=scheduled_for,
                )
            texts = [shown(one.body) for one in carried]
            text, sms = "\n".join(texts), asked.channel is Channel.SMS
            return DryRun(
                verdict="open" if isinstance(verdict, Open) else "join",
                opening=text,
                kind="template" if isinstance(opening, Template) else "text",
                segments=sum(segments.count(part) for part in texts) if sms else len(texts),
                encoding=segments.encoding_of(text).value if sms else "none",
                supersedes=verdict.ends.id if isinstance(verdict, Open) and verdict.ends else None,
                scheduled_for=scheduled_for,
                template=_told(opening, facts.template, asked.channel) if isinstance(opening, Template) else None,
                cost=_dry_cost(cost.total(one.counted for one in carried)),
                warnings=list(consent_rule.warnings(facts.lacks_consent)),
            )
        case _ as never:
            assert_never(never)


def _dry_cost(expected: Cost | None) -> DryRunCost:
    if expected is None:
        return DryRunCost()
    return DryRunCost(amount=amount(expected.micros), currency=expected.currency, is_known=True)


def _told(opening: Template, known: Known | None, channel: Channel) -> DryRunTemplate | None:
    if known is None or known.template.content_sid != opening.content_sid:
        return None
    one = known.template
    return DryRunTemplate(
        content_sid=one.content_sid,
        name=one.name,
        language=one.language,
        category=None if one.category is None else one.category.value,
        approval=one.approval.value,
        buttons=list(render(one, opening.variables, channel).buttons),
        fetched_at=known.fetched_at,
    )


def _apart(asked: Sequence[Start], left: Sequence[int]) -> tuple[list[int], list[int]]:
    """Split what is left into what can be decided side by side and what must see the others' effect first."""
    touched: set[tuple[str, str]] = set()
    now: list[int] = []
    later: list[int] = []
    for n in left:
        start = asked[n]
        touches = {(start.workspace_id, variants.canonical(start.to_number))}
        if start.idempotency_key:
            touches.add((start.workspace_id, "key " + start.idempotency_key))
        (later if touches & touched else now).append(n)
        touched |= touches
    return now, later


async def _read_facts(tx: Reading, asked: Sequence[Start], now: datetime) -> list[Facts]:
    known_agents = await agents.find_current(tx, ((a.workspace_id, a.agent_id) for a in asked))
    known_senders = await senders.find_by_number(tx, ((a.workspace_id, a.from_number) for a in asked))
    able = [known_senders.get((a.workspace_id, a.from_number), {}) for a in asked]
    sender_ids = [by.get(a.channel) for a, by in zip(asked, able, strict=True)]
    pairs = await threads.read_facts(
        tx, [(a, "" if sender is None else sender.id) for a, sender in zip(asked, sender_ids, strict=True)]
    )
    agents_of = [known_agents.get((a.workspace_id, a.agent_id)) for a in asked]
    opening_with = [_own_template(start, agent, now) for start, agent in zip(asked, agents_of, strict=True)]
    known_templates = await _read_templates(tx, asked, sender_ids, opening_with)
    tables = await prices.find_all_in_force(tx, ((s.workspace_id, s.prices_revision) for s in sender_ids if s))
    rulings = _rulings(agents_of, sender_ids)
    lacking = await find_lacking(tx, asked, agents_of, rulings, pairs)
    facts = []
    for start, by, sender, pair, own, agent, ruling, lacks in zip(
        asked, able, sender_ids, pairs, opening_with, agents_of, rulings, lacking, strict=True
    ):
        greeting, options = None, tuple[str, ...]()
        if agent is not None and start.text is None and start.template is None:
            greeting, options = _greeting(start, agent, now)
        facts.append(
            Facts(
                agent=agent,
                sender_id=None if sender is None else sender.id,
                channels=frozenset(by),
                greeting=greeting,
                greeting_options=options,
                opens_by_turn=agent is not None and kinds.needs_model_to_open(agent.spec),
                missing=() if agent is None else _missing(start, agent),
                contact=seen_from(pair.contact, sender),
                thread=pair.thread,
                live=pair.live,
                key=pair.key,
                template=known_templates.get(_template_key(start, sender, own)),
                own_template=own,
                rules=ruling,
                prices=tables.get(start.workspace_id),
                lacks_consent=lacks,
                queues=() if sender is None else sender.tails,
            )
        )
    return facts


def _rulings(agents_of: Sequence[Agent | None], senders_of: Sequence[Sender | None]) -> list[Applying]:
    """The rules that apply to each call: one and the same where agent and sender are."""
    known: dict[tuple[int, int], Applying] = {}
    rulings = []
    for agent, sender in zip(agents_of, senders_of, strict=True):
        pair = (id(agent), id(sender))
        if (ruling := known.get(pair)) is None:
            ruling = known[pair] = applying(agent, sender)
        rulings.append(ruling)
    return rulings


async def _read_templates(
    tx: Reading,
    asked: Sequence[Start],
    known_senders: Sequence[Sender | None],
    opening_with: Sequence[OwnTemplate | None],
) -> dict[templates.Key, Known]:
    """The templates that may open, where they are known; where there are none, nothing is asked."""
    keys = [
        _template_key(start, sender, own)
        for start, sender, own in zip(asked, known_senders, opening_with, strict=True)
        if (start.template is not None or own is not None) and sender is not None
    ]
    return await templates.find(tx, keys) if keys else {}


def _template_key(start: Start, sender: Sender | None, own: OwnTemplate | None) -> templates.Key:
    """Where the template of a call is looked up; where none may open it, nowhere."""
    use = start.template or (None if own is None else own.use)
    return start.workspace_id, "" if sender is None else sender.account_sid, "" if use is None else use.content_sid


def _own_template(start: Start, agent: Agent | None, now: datetime) -> OwnTemplate | None:
    """The agent's own opening template for a call that gives neither text nor template."""
    if agent is None or not opens_by_own_template(start, agent):
        return None
    assert agent.spec.opening_template is not None
    values = _values(start, agent, now)
    return None if values is None else template_values.fill(agent.spec, agent.spec.opening_template, values)


def opens_by_own_template(start: Start, agent: Agent) -> bool:
    """Whether a call is opened by its agent's own template where the window is closed."""
    asks_for_none = start.text is None and start.template is None
    return asks_for_none and start.channel is Channel.WHATSAPP and agent.spec.opening_template is not None


def _missing(start: Start, agent: Agent) -> tuple[str, ...]:
    return tuple(
        name
        for name, declared in agent.spec.variables.items()
        if declared.required and declared.default is None and start.variables.get(name) in (None, "")
    )


def _greeting(start: Start, agent: Agent, now: datetime) -> tuple[str | None, tuple[str, ...]]:
    """The agent's own opening, and the choices that it offers."""
    values = _values(start, agent, now)
    if values is None:
        return None, ()
    return kinds.greeting(agent.spec, values), kinds.greeting_options(agent.spec, values)


def _values(start: Start, agent: Agent, now: datetime) -> dict[str, Json] | None:
    """The values of a call's conversation by name; None where required ones are missing."""
    system = variables.system_variables(
        now=now,
        timezone=agent.spec.timezone,
        language=agent.spec.language,
        channel=start.channel,
        contact_number=start.to_number,
        agent_number=start.from_number,
        conversation_id="",
    )
    values = variables.resolve(agent.spec, start.variables, system)
    return None if isinstance(values, variables.Missing) else values


def _too_busy() -> Refusal:
    return Conflict("conversation_active", "Too many calls for this contact arrived at once.", hint="Try again.")
