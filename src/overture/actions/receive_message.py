"""Receive messages: the in road's second commit. Consent first, then the window, then the conversation they belong to.

One read, one pure decision each, one write a table. Messages of one contact are received one after the other, in
order of arrival; a conversation that ended or began meanwhile is decided again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from overture.actions import hearings, recognise_contact
from overture.domain import variants
from overture.domain.channel import Channel, split_address
from overture.domain.event import EventKind
from overture.domain.listening import Listening
from overture.domain.ports import Ids, Inbound
from overture.store import agents, attempts, conversations, events, messages, senders, threads
from overture.store.engine import Writing

_ROUNDS: Final = 64  # as many messages of one contact as one batch can hold


class Received(Struct, frozen=True, kw_only=True):
    """What became of an inbound message; `workspace_id` is None where its account is not ours."""

    outcome: str
    routed: bool = True
    workspace_id: str | None = None


async def receive_messages(
    tx: Writing, inbound: Sequence[Inbound], now: datetime, ids: Ids, listening: Listening
) -> list[Received]:
    """Receive each, in the order given. The caller commits."""
    addressed = [(m.account_sid, *split_address(m.sender)) for m in inbound]
    written_by = [(m.account_sid, *split_address(m.contact)) for m in inbound]
    known = await senders.find_by_account(tx, [*addressed, *written_by])
    inbound = await _with_quotes(tx, inbound, [known.get(to) for to in addressed])
    answers: list[Received | None] = [None] * len(inbound)
    left: list[int] = []
    for n, (to, by) in enumerate(zip(addressed, written_by, strict=True)):
        if to not in known:
            answers[n] = await _tell_unknown(tx, inbound[n], now, ids)
        elif by in known and known[by].removed_at is None:
            answers[n] = Received(outcome="from a sender of ours, not answered", workspace_id=known[to].workspace_id)
        else:
            left.append(n)
    seen = {known[addressed[n]].id for n in left if _is_first_webhook(inbound[n], known[addressed[n]])}
    if seen:
        await senders.see_webhooks(tx, seen, now)
    for _ in range(_ROUNDS):
        if not left:
            break
        this_round, left = _apart(inbound, known, addressed, left)
        batch = [(n, inbound[n], known[addressed[n]]) for n in this_round]
        round_answers, lost = await _receive_round(tx, batch, now, ids, listening)
        for n, answer in round_answers.items():
            answers[n] = answer
        left = sorted([*lost, *left])
    if left:
        raise RuntimeError("inbound messages could not be settled in one commit")
    return [answer for answer in answers if answer is not None]


async def _with_quotes(
    tx: Writing, inbound: Sequence[Inbound], addressed: Sequence[senders.Sender | None]
) -> Sequence[Inbound]:
    """The messages, with the words of what they quote: a message of ours, by the SID of any of its tries."""
    quoting = [(m.account_sid, m.replied_to_sid) for m in inbound if m.replied_to_sid is not None]
    if not quoting:
        return inbound
    tries = {(one.account_sid, one.sid): one for one in await attempts.find(tx, quoting, [])}
    keys = [(one.workspace_id, one.conversation_id, one.seq) for one in tries.values()]
    texts = {an_id: line.text for an_id, line in (await messages.find_all(tx, keys)).items()}
    filled = []
    for message, sender in zip(inbound, addressed, strict=True):
        of = tries.get((message.account_sid, message.replied_to_sid))
        is_ours = of is not None and sender is not None and of.workspace_id == sender.workspace_id
        filled.append(replace(message, quoted=texts.get(of.message_id)) if of is not None and is_ours else message)
    return filled


def _is_first_webhook(message: Inbound, sender: senders.Sender) -> bool:
    return not message.recovered and sender.webhook_seen_at is None


async def _tell_unknown(tx: Writing, message: Inbound, now: datetime, ids: Ids) -> Received:
    """Leave a message to an address that is no sender of ours for a person, and tell who has the account."""
    workspace_id = await senders.find_workspace_of_account(tx, message.account_sid)
    if workspace_id is not None:
        told = events.make(ids, EventKind.INBOUND_UNROUTED, workspace_id, None, now, provider_sid=message.sid)
        await events.insert_all(tx, [told], now)
    return Received(outcome="The address written to is no active sender.", routed=False, workspace_id=workspace_id)


def _apart(
    inbound: Sequence[Inbound],
    known: dict[tuple[str, Channel, str], senders.Sender],
    addressed: Sequence[tuple[str, Channel, str]],
    left: Sequence[int],
) -> tuple[list[int], list[int]]:
    """Split into one message a contact, and the rest that must see what it changed."""
    touched: set[tuple[str, str]] = set()
    this_round: list[int] = []
    later: list[int] = []
    for n in left:
        workspace = known[addressed[n]].workspace_id
        keys = {(workspace, contact_key(inbound[n]))}
        if (other := inbound[n].also_known_as) is not None:
            keys.add((workspace, variants.canonical(split_address(other)[1])))
        (later if keys & touched else this_round).append(n)
        touched |= keys
    return this_round, later


def contact_key(message: Inbound) -> str:
    """The address under which a message's writer is on record."""
    return variants.canonical(split_address(message.contact)[1])


async def _receive_round(
    tx: Writing,
    batch: Sequence[tuple[int, Inbound, senders.Sender]],
    now: datetime,
    ids: Ids,
    listening: Listening,
) -> tuple[dict[int, Received], set[int]]:
    batch = await recognise_contact.recognise_contacts(tx, batch, now, ids)
    facts = await _read_facts(tx, batch)
    plan = hearings.Plan(now=now, ids=ids, listening=listening)
    answers: dict[int, Received] = {}
    people: set[str] = set()
    later: set[int] = set()
    for (n, message, sender), known in zip(batch, facts, strict=True):
        if known.contact is not None and known.contact.id in people:
            later.add(n)  # the same person by another of its addresses
            continue
        answers[n] = Received(outcome=plan.decide(n, message, sender, known), workspace_id=sender.workspace_id)
        if known.contact is not None:
            people.add(known.contact.id)
    lost = await plan.write(tx) | later
    answers = {
        n: Received(outcome=answer.outcome, routed=n not in plan.unrouted, workspace_id=answer.workspace_id)
        for n, answer in answers.items()
        if n not in lost
    }
    return answers, lost


async def _read_facts(tx: Writing, batch: Sequence[tuple[int, Inbound, senders.Sender]]) -> list[hearings.Facts]:
    pairs = await threads.read_pairs(
        tx, [(sender.workspace_id, contact_key(message), sender.id) for _, message, sender in batch]
    )
    wanted = []
    for (_, _, sender), pair in zip(batch, pairs, strict=True):
        if pair.live is not None:
            wanted.append((sender.workspace_id, pair.live.id))
        elif pair.thread is not None and pair.thread.last_conversation_id is not None:
            wanted.append((sender.workspace_id, pair.thread.last_conversation_id))
    found = await conversations.find_all(tx, wanted)
    versions = await agents.find_versions(tx, ((c.workspace_id, c.agent_id, c.agent_version) for c in found.values()))
    inbound_agents = {(s.workspace_id, s.inbound_agent_id) for _, _, s in batch if s.inbound_agent_id is not None}
    current = await agents.find_current(tx, inbound_agents | {(c.workspace_id, c.agent_id) for c in found.values()})
    facts = []
    for (_, _, sender), pair in zip(batch, pairs, strict=True):
        live = None if pair.live is None else found.get((sender.workspace_id, pair.live.id))
        last_id = None if pair.thread is None else pair.thread.last_conversation_id
        last = None if last_id is None else found.get((sender.workspace_id, last_id))
        of = live or last
        facts.append(
            hearings.Facts(
                contact=pair.contact,
                thread=pair.thread,
                live=live,
                last=last,
                agent=None if of is None else versions.get((of.workspace_id, of.agent_id, of.agent_version)),
                resuming_agent=None if last is None else current.get((last.workspace_id, last.agent_id)),
                inbound_agent=None
                if sender.inbound_agent_id is None
                else current.get((sender.workspace_id, sender.inbound_agent_id)),
            )
        )
    return facts
