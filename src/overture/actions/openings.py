"""What opening conversations writes: the rows that a round of decisions asks for, one write a table.

Another process may make the same contact, thread, key or conversation first. What did not insert is told to the
caller, who decides it again with the facts that won.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Final, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from overture.actions.cancel_deliveries import cancel_deliveries
from overture.actions.hold_contact import find_changed
from overture.actions.join_queue import Queues
from overture.actions.reserve_openings import Carrier, Ledger
from overture.actions.time_openings import is_unusual, time_openings
from overture.agents import kinds
from overture.domain import consent_rule, cost, variants
from overture.domain.agent import Agent, EndReason, Json
from overture.domain.cost import Carried
from overture.domain.errors import Refusal
from overture.domain.event import Event, EventKind
from overture.domain.ids import shard_for
from overture.domain.message import Author, Direction, Template
from overture.domain.ports import Ids
from overture.domain.quiet_hours import Times
from overture.domain.sending import (
    OPENING_LIFE,
    Facts,
    Join,
    KnownContact,
    Open,
    Priority,
    Replay,
    Start,
    decide_start,
)
from overture.store import contacts, conversations, events, idempotency, messages, outbox, threads, timers
from overture.store.engine import Writing


class Started(Struct, frozen=True, kw_only=True):
    """A conversation is on disk. `replayed` where an earlier call had made it; its opening leaves now, or when due.

    `warnings` are codes.
    """

    conversation_id: str
    replayed: bool = False
    scheduled_for: datetime | None = None
    warnings: tuple[str, ...] = ()


Answer: TypeAlias = Started | Refusal
_T = TypeVar("_T")


class Plan:
    """The rows that one round of decisions asks for."""

    def __init__(self, caps: Ledger, *, now: datetime, ids: Ids) -> None:
        self._caps: Final = caps
        self._now: Final = now
        self._ids: Final = ids
        self._contacts: Final[dict[int, contacts.NewContact]] = {}
        self._known: Final[dict[int, tuple[str, KnownContact]]] = {}
        self._threads: Final[dict[int, threads.NewThread]] = {}
        self._met_again: Final[dict[int, tuple[str, int, str]]] = {}
        self._keys: Final[dict[int, tuple[str, str, str, str]]] = {}
        self._ends: Final[dict[int, tuple[str, str, int, EndReason]]] = {}
        self._ended_threads: Final[dict[str, str]] = {}
        self._conversations: Final[dict[int, conversations.NewConversation]] = {}
        self._joins: Final[dict[int, tuple[Start, Facts, Join, tuple[Carried, ...]]]] = {}
        self._messages: Final[dict[int, list[messages.NewMessage]]] = {}
        self._sends: Final[dict[int, list[outbox.NewSend]]] = {}
        self._times: Final[dict[int, tuple[Start, str, Times]]] = {}
        self._timers: Final[dict[int, timers.Timer]] = {}
        self._consents: Final[dict[int, contacts.ConsentChange]] = {}
        self._events: Final[dict[int, Event]] = {}
        self._keys_won: set[int] = set()
        self._made: set[int] = set()
        self._queues: Final = Queues(now)

    def decide(self, n: int, start: Start, facts: Facts) -> Answer:
        """The answer to one call, with its rows put on the plan."""
        verdict = decide_start(start, facts, self._now)
        carried = cost.carry(start, facts, verdict, self._now)
        if (full := self._queues.refuse(facts, verdict, carried)) is not None:
            return full
        match self._caps.decide(n, start, facts, verdict, carried):
            case Open() as opened:
                return self._open(n, start, facts, opened, carried)
            case Refusal() as refusal:
                return refusal
            case Replay(conversation_id=an_id):
                return Started(conversation_id=an_id, replayed=True)
            case Join(live=live, times=times) as join:
                if facts.contact is not None:
                    self._known[n] = (start.workspace_id, facts.contact)
                self._joins[n] = (start, facts, join, carried)
                self._key(n, start, live.id)
                warnings = consent_rule.warnings(facts.lacks_consent)
                if warnings:
                    self._events[n] = self._lacking(start, facts, live.id)
                return self._started(n, start, live.id, times, warnings)

    async def write(self, tx: Writing) -> set[int]:
        """Write the plan; the calls that another process overtook, to be decided again."""
        lost = await self._write_people(tx)
        lost |= await self._write_conversations(tx, lost)
        joined = await self._write_joins(tx, lost)
        lost |= {n for n in self._joins if n not in joined and n not in lost}
        await self._free_keys(tx, lost)
        expires_at = self._now + OPENING_LIFE
        said = list(chain.from_iterable(_kept(self._messages, lost)))
        await messages.insert_openings(tx, said, now=self._now, expires_at=expires_at)
        sends = list(chain.from_iterable(_kept(self._sends, lost)))
        await outbox.insert_all(tx, sends, now=self._now, expires_at=expires_at, priority=Priority.OPENING)
        deferred = {n for n, (_, _, times) in self._times.items() if times.is_deferred}
        await self._queues.write(tx, list(chain.from_iterable(_kept(self._sends, lost | deferred))))
        timed = [(*self._times[n], self._messages.get(n, ())) for n in self._times if n not in lost]
        await time_openings(tx, timed)
        await self._caps.write(tx, self._carriers, self._ids, lost=lost, made=self._made)
        await timers.insert_all(tx, _kept(self._timers, lost))
        if self._consents:
            await contacts.record_changes(tx, _kept(self._consents, lost), self._now)
        await events.insert_all(tx, _kept(self._events, lost), self._now)
        return lost

    def _carriers(self, n: int) -> list[Carrier]:
        """What carries an opening: its messages, or the conversation in which the agent will compose it."""
        return [(m.id, m.shard) for m in self._messages.get(n, ())] or [
            (self._conversations[n].id, self._conversations[n].shard)
        ]

    def _open(self, n: int, start: Start, facts: Facts, opened: Open, carried: Sequence[Carried]) -> Answer:
        assert facts.agent is not None
        assert facts.sender_id is not None
        contact = self._contact(n, start, facts)
        shard = contact.shard if facts.thread is None else facts.thread.shard
        conversation_id = self._ids.new(self._now, shard)
        thread_id = self._thread(n, start, facts, contact, conversation_id)
        if opened.ends is not None:
            self._ends[n] = (start.workspace_id, opened.ends.id, opened.ends.epoch, EndReason.SUPERSEDED)
            self._ended_threads[opened.ends.id] = thread_id
        self._key(n, start, conversation_id)
        self._conversations[n] = conversations.NewConversation(
            id=conversation_id,
            shard=shard,
            workspace_id=start.workspace_id,
            thread_id=thread_id,
            channel=start.channel,
            agent_id=facts.agent.id,
            agent_version=facts.agent.version,
            last_seq=len(carried),
            turn_due_at=None if carried and not kinds.awaits_silence(facts.agent.spec) else opened.times.due_at,
            variables=_variables(start, opened),
            start_digest=start.digest,
            previous_conversation_id=None if opened.ends is None else opened.ends.id,
        )
        self._timers[n] = timers.Timer(
            due_at=opened.times.due_at + facts.agent.inactivity,
            conversation_id=conversation_id,
            kind=timers.TimerKind.INACTIVITY,
            shard=shard,
            workspace_id=start.workspace_id,
            epoch=0,
            after_seq=0,
        )
        warnings = consent_rule.warnings(facts.lacks_consent)
        warned: dict[str, Json] = {"warnings": list(warnings)} if warnings else {}
        self._events[n] = events.make(
            self._ids,
            EventKind.CONVERSATION_STARTED,
            start.workspace_id,
            conversation_id,
            self._now,
            agent_id=facts.agent.id,
            channel=start.channel.value,
            **warned,
        )
        self._say(n, start, facts, (conversation_id, shard, thread_id), carried, first_seq=1, epoch=0)
        if start.consent is not None:
            self._consents[n] = self._evidence(start, facts.agent, contact)
        return self._started(n, start, conversation_id, opened.times, warnings)

    def _started(self, n: int, start: Start, conversation_id: str, times: Times, warnings: tuple[str, ...]) -> Started:
        if is_unusual(start, times):
            self._times[n] = (start, conversation_id, times)
        return Started(
            conversation_id=conversation_id,
            scheduled_for=times.due_at if times.is_deferred else None,
            warnings=warnings,
        )

    def _contact(self, n: int, start: Start, facts: Facts) -> KnownContact:
        if facts.contact is not None:
            self._known[n] = (start.workspace_id, facts.contact)
            return facts.contact
        address = variants.canonical(start.to_number)
        shard = shard_for(start.workspace_id, address)
        an_id = self._ids.new(self._now, shard)
        self._contacts[n] = contacts.NewContact(
            workspace_id=start.workspace_id,
            address=address,
            id=an_id,
            shard=shard,
            counted=self._caps.written_for(n),
        )
        return KnownContact(id=an_id, shard=shard, address=address)

    def _thread(self, n: int, start: Start, facts: Facts, contact: KnownContact, conversation_id: str) -> str:
        if facts.thread is not None:
            self._met_again[n] = (facts.thread.id, facts.thread.shard, conversation_id)
            return facts.thread.id
        assert facts.sender_id is not None
        an_id = self._ids.new(self._now, contact.shard)
        self._threads[n] = threads.NewThread(
            id=an_id,
            shard=contact.shard,
            workspace_id=start.workspace_id,
            channel=start.channel.value,
            sender_id=facts.sender_id,
            contact_id=contact.id,
            contact_address=start.to_number,
            last_conversation_id=conversation_id,
        )
        return an_id

    def _key(self, n: int, start: Start, conversation_id: str) -> None:
        if start.idempotency_key:
            self._keys[n] = (start.workspace_id, start.idempotency_key, start.digest, conversation_id)

    def _say(
        self,
        n: int,
        start: Start,
        facts: Facts,
        where: tuple[str, int, str],
        carried: Sequence[Carried],
        *,
        first_seq: int,
        epoch: int,
    ) -> None:
        """Queue what carries the opening on (conversation, shard, thread), one after the other."""
        assert facts.sender_id is not None
        conversation_id, shard, thread_id = where
        author = Author.AGENT if start.text is None and start.template is None else Author.CALLER
        for seq, one in enumerate(carried, first_seq):
            new = messages.NewMessage(
                id=self._ids.new(self._now, shard),
                workspace_id=start.workspace_id,
                conversation_id=conversation_id,
                seq=seq,
                shard=shard,
                direction=Direction.OUT,
                author=author,
                body=one.body,
                segments=one.counted.segments,
                cost=one.counted.cost,
            )
            send = outbox.send_of(new, thread_id=thread_id, sender_id=facts.sender_id, epoch=epoch)
            self._queues.join(facts, new)
            self._messages.setdefault(n, []).append(new)
            self._sends.setdefault(n, []).append(send)

    def _lacking(self, start: Start, facts: Facts, conversation_id: str) -> Event:
        """That a call which joins a conversation lacks consent; of one that is opened its own event tells it."""
        who: dict[str, Json] = {} if facts.contact is None else {"contact_id": facts.contact.id}
        return events.make(self._ids, EventKind.CONSENT_MISSING, start.workspace_id, conversation_id, self._now, **who)

    def _evidence(self, start: Start, agent: Agent, contact: KnownContact) -> contacts.ConsentChange:
        return contacts.ConsentChange(
            id=self._ids.new(self._now, contact.shard),
            shard=contact.shard,
            workspace_id=start.workspace_id,
            contact_id=contact.id,
            sender_id=None,
            channel=start.channel.value,
            change="evidence",
            source="api",
            evidence=msgspec.json.encode(start.consent).decode(),
            at=self._now,
            purpose=consent_rule.purpose_of(agent.spec.purpose) or consent_rule.ANY,
        )

    async def _write_people(self, tx: Writing) -> set[int]:
        lost = await find_changed(tx, self._known)
        if self._contacts:
            made = await contacts.insert_new(tx, list(self._contacts.values()), self._now)
            self._made = {n for n, c in self._contacts.items() if (c.workspace_id, c.address) in made}
            lost |= self._contacts.keys() - self._made
        if self._threads:
            met = await threads.insert_new(tx, _kept(self._threads, lost), self._now)
            lost |= {n for n, t in self._threads.items() if n not in lost and t.id not in met}
        return lost

    async def _write_conversations(self, tx: Writing, lost: set[int]) -> set[int]:
        overtaken: set[int] = set()
        if self._keys:
            used = await idempotency.insert_where_free(tx, _kept(self._keys, lost), self._now)
            overtaken |= {n for n, key in self._keys.items() if n not in lost and key[:2] not in used}
            self._keys_won = self._keys.keys() - lost - overtaken
        if self._ends:
            ends = _kept(self._ends, lost | overtaken)
            done = await conversations.end_all(tx, ends, self._now)
            overtaken |= {n for n, end in self._ends.items() if n not in lost and end[:2] not in done}
            ended = [end for end in ends if end[:2] in done]
            waiting = [(self._ended_threads[end[1]], end[1], end[2]) for end in ended]
            await cancel_deliveries(tx, waiting, self._now, self._ids)
            gone = [self._superseded(workspace, an_id) for workspace, an_id, _, _ in ended]
            await events.insert_all(tx, gone, self._now)
        new = _kept(self._conversations, lost | overtaken)
        opened = await conversations.insert_where_free(tx, new, self._now)
        overtaken |= {n for n, c in self._conversations.items() if n not in lost and c.id not in opened}
        if self._met_again:
            await threads.set_last_conversations(tx, _kept(self._met_again, lost | overtaken))
        return overtaken

    async def _write_joins(self, tx: Writing, lost: set[int]) -> set[int]:
        joins = {n: join for n, join in self._joins.items() if n not in lost}
        if not joins:
            return set()
        wanted = [(start.workspace_id, join.live.id, len(carried)) for start, _, join, carried in joins.values()]
        seqs = await conversations.take_seqs(tx, wanted, self._now)
        joined = set()
        for n, (start, facts, join, carried) in joins.items():
            if (taken := seqs.get((start.workspace_id, join.live.id))) is None:
                continue
            assert facts.thread is not None
            where = (join.live.id, facts.thread.shard, facts.thread.id)
            self._say(n, start, facts, where, carried, first_seq=taken[0], epoch=taken[1])
            joined.add(n)
        again = [
            (start.workspace_id, join.live.id, start.digest) for n, (start, _, join, _) in joins.items() if n in joined
        ]
        await conversations.ask_again(tx, again, self._now)
        return joined

    async def _free_keys(self, tx: Writing, lost: set[int]) -> None:
        """Give back the keys that were won for conversations which then did not come about."""
        mine = [key[:2] for n, key in self._keys.items() if n in lost and n in self._keys_won]
        if mine:
            await idempotency.delete(tx, mine)

    def _superseded(self, workspace_id: str, conversation_id: str) -> Event:
        return events.make(
            self._ids,
            EventKind.CONVERSATION_ENDED,
            workspace_id,
            conversation_id,
            self._now,
            reason=EndReason.SUPERSEDED.value,
        )


def _variables(start: Start, opened: Open) -> dict[str, Json]:
    """The caller's values; a text that gave way to its template is kept for the agent as `initial_message`."""
    if start.text is None or not isinstance(opened.opening, Template):
        return start.variables
    return {"initial_message": start.text, **start.variables}


def _kept(rows: Mapping[int, _T], lost: set[int]) -> list[_T]:
    return [row for n, row in rows.items() if n not in lost]
