"""Follow up: what an agent has pending is judged when its timer fires, and once more where its words are committed.

The rules for openings decide, for nobody waits for these words. What is put off or dropped is told, with its reason.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, assert_never

from msgspec import Struct
from msgspec.structs import replace

from overture.actions.find_lacking_consent import applying, find_lacking, seen_from
from overture.actions.reserve_openings import Carrier, Ledger, hold_caps, look_at_caps
from overture.domain import consent_rule, countries, quiet_hours
from overture.domain.agent import Agent
from overture.domain.caps import SPENT
from overture.domain.errors import Refusal
from overture.domain.event import EventKind
from overture.domain.follow_up import MOST_IN_A_ROW, Drop, FollowUp, Later, Speak, Standing, Why, judge
from overture.domain.ports import Ids
from overture.domain.quiet_hours import Times
from overture.domain.rules import Rules
from overture.domain.sending import ByTurn, Facts, Open, Start
from overture.domain.turn import SpeakUp
from overture.store import agents, conversations, events, follow_ups, senders, threads, timers
from overture.store import quiet_hours as openings
from overture.store.conversations import Conversation
from overture.store.engine import Reading, Writing
from overture.store.follow_ups import Pending
from overture.store.timers import Timer, TimerKind

TRIGGER: Final = "follow_up"


class Ground(Struct, frozen=True, kw_only=True):
    """What decides over a follow-up beside its conversation: who it goes to, the rules, and the caps as they stand.

    `start` and `facts` are those that an opening at this moment would have; None over the API, which has no rules.
    `looked_at` are all caps, `held` those that it is counted under here: segments and money are counted as it leaves.
    """

    agent: Agent | None
    start: Start | None = None
    facts: Facts | None = None
    time_zone: str | None = None
    looked_at: Ledger | None = None
    held: Ledger | None = None


async def schedule(tx: Writing, present: Conversation, wish: SpeakUp, after_seq: int, now: datetime, ids: Ids) -> None:
    """Let this be what the conversation's agent has pending. The caller commits, and holds the row."""
    asked = FollowUp(due_at=wish.due_at, epoch=present.epoch, after_seq=after_seq)
    await follow_ups.set_one(tx, (present.workspace_id, present.id), asked, wish.about)
    await timers.insert_all(tx, [_timer(present, asked, asked.due_at)])
    told = events.make(
        ids, EventKind.FOLLOW_UP_SCHEDULED, present.workspace_id, present.id, now, due_at=asked.due_at.isoformat()
    )
    await events.insert_all(tx, [told], now)


async def fire(tx: Writing, due: Sequence[Timer], now: datetime, ids: Ids) -> None:
    """Act on timers of this kind that are due; they are out of the store already. The caller commits."""
    if not due:
        return
    found = await conversations.lock_all(tx, [(timer.workspace_id, timer.conversation_id) for timer in due])
    versions = await agents.find_versions(tx, ((c.workspace_id, c.agent_id, c.agent_version) for c in found.values()))
    for timer in due:
        present = found.get((timer.workspace_id, timer.conversation_id))
        if present is None:
            continue
        pending = await follow_ups.find(tx, present.workspace_id, present.id)
        if pending is None or pending.next_at is None or pending.next_at > now:
            continue  # another one took its place, or none; one that is due now may have no other timer than this
        agent = versions.get((present.workspace_id, present.agent_id, present.agent_version))
        await _act(tx, present, pending, await read_ground(tx, present, agent, now), now, ids)


async def read_ground(tx: Reading, present: Conversation, agent: Agent | None, now: datetime) -> Ground:
    """What decides over a follow-up in a conversation, nothing of it held."""
    if present.thread_id is None:
        return Ground(agent=agent)
    key = (present.workspace_id, present.id)
    pair = (await threads.find_of_conversations(tx, [key]))[key]
    sender = await senders.find(tx, present.workspace_id, pair.sender_id)
    start = Start(
        workspace_id=present.workspace_id,
        agent_id=present.agent_id,
        channel=present.channel,
        to_number=pair.contact_address,
        from_number="" if sender is None else sender.address,
        digest="",
    )
    [known] = await threads.read_pairs(tx, [(present.workspace_id, pair.contact_key, pair.sender_id)])
    ruling = applying(agent, sender)
    [lacks] = await find_lacking(tx, [start], [agent], [ruling], [known])
    kept = (await openings.find_openings(tx, [key])).get(key, openings.NOTHING)
    facts = Facts(
        agent=agent,
        sender_id=None if sender is None else sender.id,
        contact=seen_from(known.contact, sender),
        thread=known.thread,
        rules=ruling,
        lacks_consent=lacks,
    )
    looked_at = await look_at_caps(tx, [(0, start, facts)], now)
    return Ground(agent=agent, start=start, facts=facts, time_zone=kept.time_zone, looked_at=looked_at)


async def prepare(tx: Writing, claimed: Conversation, agent: Agent, now: datetime, ids: Ids) -> Ground:
    """As `read_ground`, the caps held until the commit: asked before the conversation is, as openings hold them.

    Who holds caps takes in what stands beside them. That is saved at once: whatever becomes of the follow-up.
    """
    ground = await read_ground(tx, claimed, agent, now)
    if ground.start is None or ground.facts is None:
        return ground
    held = await hold_caps(tx, [(0, ground.start, _counted_facts(ground.facts))], now)
    await held.write(tx, lambda _: [], ids)
    return replace(ground, held=held)


async def may_speak(tx: Writing, ground: Ground, present: Conversation, now: datetime, ids: Ids) -> bool:
    """Whether a follow-up's words may be committed; where not, it is dropped and told. The caller holds the row.

    What only has to wait is committed: it waits in the outbox like any opening.
    """
    pending = await follow_ups.find(tx, present.workspace_id, present.id)
    if pending is None:
        return present.in_seq > present.handled_seq  # the contact wrote when it was too late to draft it again
    standing = _standing(replace(present, turn_due_at=None), pending, ground, now)
    verdict = judge(pending.asked, standing, now, **_most(ground))
    if isinstance(verdict, Drop):
        await drop(tx, present, verdict.reason, now, ids)
        return False
    return True


async def count(tx: Writing, ground: Ground, carrier: Carrier, ids: Ids) -> None:
    """Count a follow-up that is written under the caps that it was found to fit under. The caller commits."""
    if ground.held is not None:
        await ground.held.write(tx, lambda _: [carrier], ids)


async def drop(tx: Writing, present: Conversation, reason: str, now: datetime, ids: Ids) -> None:
    """Nothing is pending any more, and it is told why. The caller commits, and holds the row."""
    await follow_ups.clear(tx, (present.workspace_id, present.id), spoke=False)
    told = events.make(ids, EventKind.FOLLOW_UP_DROPPED, present.workspace_id, present.id, now, reason=reason)
    await events.insert_all(tx, [told], now)


async def _act(tx: Writing, present: Conversation, pending: Pending, ground: Ground, now: datetime, ids: Ids) -> None:
    key = (present.workspace_id, present.id)
    verdict = judge(pending.asked, _standing(present, pending, ground, now), now, **_most(ground))
    match verdict:
        case Speak():
            await follow_ups.begin(tx, key, now)
        case Later(until=until, reason=reason):
            await follow_ups.put_off(tx, key, until, reason)
            await timers.insert_all(tx, [_timer(present, pending.asked, until)])
            if reason != pending.waits:
                told = events.make(ids, EventKind.FOLLOW_UP_DEFERRED, *key, now, reason=reason, until=until.isoformat())
                await events.insert_all(tx, [told], now)
        case Drop(reason=reason):
            await drop(tx, present, reason, now, ids)
        case _ as never:
            assert_never(never)


def _standing(present: Conversation, pending: Pending, ground: Ground, now: datetime) -> Standing:
    facts = ground.facts
    standing = Standing(
        mode=present.mode,
        epoch=present.epoch,
        last_seq=present.last_seq,
        in_a_row=pending.in_a_row,
        channel=present.channel,
        in_turn=present.turn_due_at is not None,
    )
    if facts is None or ground.start is None:
        return standing
    quiet_until = quiet_hours.next_allowed(facts.rules, ground.start.to_number, now, time_zone=ground.time_zone)
    return replace(
        standing,
        opted_out=facts.contact is not None and facts.contact.opted_out_at is not None,
        last_inbound_at=None if facts.thread is None else facts.thread.last_inbound_at,
        stands_in=ground.agent is not None and ground.agent.spec.fallback_template is not None,
        quiet_until=quiet_until,
        refused=Why.NO_TIME_ALLOWED.value if quiet_until is None else _refused(ground, now),
    )


def _refused(ground: Ground, now: datetime) -> str | None:
    """The code with which the rules refuse an opening now, for good."""
    start, facts = ground.start, ground.facts
    if start is None or facts is None:
        return None
    if facts.sender_id is None:
        return "sender_removed"
    refused: object = consent_rule.refuse(start.channel, facts.contact, facts.lacks_consent)
    refused = refused or countries.refuse(start.to_number, facts.rules)
    if refused is None and ground.looked_at is not None:
        refused = ground.looked_at.decide(0, start, facts, _as_opening(now), ())
    if ground.held is not None and not isinstance(refused, Refusal):
        refused = ground.held.decide(0, start, _counted_facts(facts), _as_opening(now), ())
    return refused.code if isinstance(refused, Refusal) else None


def _as_opening(now: datetime) -> Open:
    return Open(opening=ByTurn(), times=Times(due_at=now, expires_at=now))


def _counted_facts(facts: Facts) -> Facts:
    """The facts with the caps that a follow-up is counted under before it leaves."""
    of = facts.rules
    counted = replace(of, workspace=_counted(of.workspace), agent=_counted(of.agent), sender=_counted(of.sender))
    return replace(facts, rules=counted)


def _counted(rules: Rules) -> Rules:
    return replace(rules, caps=[cap for cap in rules.caps if cap.count not in SPENT])


def _most(ground: Ground) -> dict[str, int]:
    return {"at_most": MOST_IN_A_ROW if ground.agent is None else ground.agent.spec.max_follow_ups}


def _timer(present: Conversation, asked: FollowUp, due_at: datetime) -> Timer:
    return Timer(
        due_at=due_at,
        conversation_id=present.id,
        kind=TimerKind.FOLLOW_UP,
        shard=present.shard,
        workspace_id=present.workspace_id,
        epoch=asked.epoch,
        after_seq=asked.after_seq,
    )
