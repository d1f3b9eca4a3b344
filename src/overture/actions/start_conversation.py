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
from overture.actions.openings import Answer
from overture.agents import kinds, variables
from overture.domain import segments, variants
from overture.domain.agent import Agent
from overture.domain.channel import Channel
from overture.domain.errors import Conflict, Refusal
from overture.domain.message import Template, shown
from overture.domain.ports import Ids
from overture.domain.rules import NONE, Applying
from overture.domain.sending import (
    ByTurn,
    Facts,
    Join,
    Open,
    Replay,
    Start,
    decide_start,
    parts,
)
from overture.domain.template import Button, Known, render
from overture.store import agents, queues, senders, templates, threads
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


class DryRun(Struct, frozen=True, kw_only=True):
    """What a call would have done."""

    verdict: str
    opening: str | None
    kind: str | None
    segments: int
    encoding: str
    supersedes: str | None = None
    template: DryRunTemplate | None = None


async def start_conversations(tx: Writing, asked: Sequence[Start], now: datetime, ids: Ids) -> list[Answer]:
    """Answer each call in the order asked; the caller commits."""
    answers: list[Answer | None] = [None] * len(asked)
    left = list(range(len(asked)))
    for _ in range(len(asked) + _SPARE_ROUNDS):
        if not left:
            break
        this_round, left = _apart(asked, left)
        facts = await _read_facts(tx, [asked[n] for n in this_round], now)
        plan = openings.Plan(now=now, ids=ids)
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
    if not isinstance(verdict, Refusal) and (full := join_queue.Queues(now).refuse(asked, facts, verdict)) is not None:
        return full
    match verdict:
        case Refusal():
            return verdict
        case Replay():
            return DryRun(verdict="replay", opening=None, kind=None, segments=0, encoding="none")
        case Open(opening=opening) | Join(opening=opening):
            if isinstance(opening, ByTurn):
                return DryRun(verdict="open", opening=None, kind="agent", segments=0, encoding="unknown")
            carried = [shown(part) for part in parts(opening, asked.channel)]
            text, sms = "\n".join(carried), asked.channel is Channel.SMS
            return DryRun(
                verdict="open" if isinstance(verdict, Open) else "join",
                opening=text,
                kind="template" if isinstance(opening, Template) else "text",
                segments=sum(segments.count(part) for part in carried) if sms else len(carried),
                encoding=segments.encoding_of(text).value if sms else "none",
                supersedes=verdict.ends.id if isinstance(verdict, Open) and verdict.ends else None,
                template=_told(opening, facts.template, asked.channel) if isinstance(opening, Template) else None,
            )
        case _ as never:
            assert_never(never)


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
    known_templates = await _read_templates(tx, asked, sender_ids)
    tails = await queues.find_tails(tx, {one.id for one in sender_ids if one is not None and one.paced})
    facts = []
    for start, by, sender, pair in zip(asked, able, sender_ids, pairs, strict=True):
        agent = known_agents.get((start.workspace_id, start.agent_id))
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
                contact=pair.contact,
                thread=pair.thread,
                live=pair.live,
                key=pair.key,
                template=None if start.template is None else known_templates.get(_template_key(start, sender)),
                rules=_applying(agent, sender),
                queues=() if sender is None else tails.get(sender.id, ()),
            )
        )
    return facts


def _applying(agent: Agent | None, sender: Sender | None) -> Applying:
    return Applying(
        workspace=NONE if sender is None else sender.workspace_rules,
        agent=NONE if agent is None else agent.spec.rules,
        sender=NONE if sender is None else sender.rules,
    )


async def _read_templates(
    tx: Reading, asked: Sequence[Start], known_senders: Sequence[Sender | None]
) -> dict[templates.Key, Known]:
    """The templates that calls name, where they are known; where none names any, nothing is asked."""
    keys = [
        _template_key(start, sender)
        for start, sender in zip(asked, known_senders, strict=True)
        if start.template is not None and sender is not None
    ]
    return await templates.find(tx, keys) if keys else {}


def _template_key(start: Start, sender: Sender | None) -> templates.Key:
    assert start.template is not None
    return start.workspace_id, "" if sender is None else sender.account_sid, start.template.content_sid


def _missing(start: Start, agent: Agent) -> tuple[str, ...]:
    return tuple(
        name
        for name, declared in agent.spec.variables.items()
        if declared.required and declared.default is None and start.variables.get(name) in (None, "")
    )


def _greeting(start: Start, agent: Agent, now: datetime) -> tuple[str | None, tuple[str, ...]]:
    """The agent's own opening, and the choices that it offers."""
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
    if isinstance(values, variables.Missing):
        return None, ()
    return kinds.greeting(agent.spec, values), kinds.greeting_options(agent.spec, values)


def _too_busy() -> Refusal:
    return Conflict("conversation_active", "Too many calls for this contact arrived at once.", hint="Try again.")
