"""What hearing a contact writes: the rows that a round of inbound messages asks for, one write a table."""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from overture.actions import change_consent, keep_medium
from overture.domain import consent, reply_time, routing
from overture.domain.agent import Agent, FlowSpec, Json
from overture.domain.channel import split_address
from overture.domain.conversation import Mode
from overture.domain.delivery import DeliveryStatus
from overture.domain.event import Event, EventKind
from overture.domain.ids import shard_for
from overture.domain.message import Author, Direction, Text
from overture.domain.ports import Ids, Inbound
from overture.domain.reply_time import QuietTimes
from overture.domain.sending import REPLY_LIFE, KnownContact, KnownThread, Priority
from overture.domain.variants import canonical
from overture.store import contacts, conversations, events, messages, outbox, senders, threads, timers
from overture.store.engine import Writing


class Facts(Struct, frozen=True, kw_only=True):
    """What is on record for one inbound message.

    `agent` is the version that carries (or carried) the pair's conversation, `last` the conversation opened last,
    `resuming_agent` the present version of the agent that carried it, where it is still in use.
    """

    contact: KnownContact | None
    thread: KnownThread | None
    live: conversations.Conversation | None
    last: conversations.Conversation | None
    agent: Agent | None
    inbound_agent: Agent | None
    resuming_agent: Agent | None = None


class _Line(Struct, frozen=True, kw_only=True):
    """A message on its way into a conversation that exists."""

    message: Inbound
    workspace_id: str
    conversation_id: str
    shard: int


def _written(message: Inbound) -> str:
    """The contact's own words, without descriptions of what came with them."""
    return message.text if message.body is None else message.body


class Plan:
    """Decides inbound messages, and writes what follows."""

    def __init__(self, *, now: datetime, ids: Ids, quiet: QuietTimes) -> None:
        self._now: Final = now
        self._ids: Final = ids
        self._quiet: Final = quiet
        self.unrouted: Final[set[int]] = set()
        self._contacts: Final[dict[int, contacts.NewContact]] = {}
        self._names: Final[list[tuple[str, str, str]]] = []
        self._threads: Final[dict[int, threads.NewThread]] = {}
        self._heard: Final[dict[int, tuple[str, int, datetime, str]]] = {}
        self._consents: Final[dict[int, change_consent.Change]] = {}
        self._hearings: Final[dict[int, tuple[conversations.Hearing, _Line]]] = {}
        self._notes: Final[dict[int, _Line]] = {}
        self._confirm: Final[dict[int, tuple[str, str]]] = {}
        self._conversations: Final[dict[int, tuple[conversations.NewConversation, Inbound, Agent]]] = {}
        self._events: Final[dict[int, Event]] = {}

    def decide(self, n: int, message: Inbound, sender: senders.Sender, facts: Facts) -> str:
        """What becomes of one message, in a few words, with its rows put on the plan."""
        contact = self._meet(n, message, sender, facts)
        meaning = self._meaning(message, sender, contact)
        if meaning in (consent.Meaning.OPT_OUT, consent.Meaning.OPT_IN):
            return self._change_consent(n, message, sender, facts, contact, meaning)
        if meaning is consent.Meaning.HELP and self._provider_answers(message, sender):
            return self._note(n, message, facts, "help, answered by the provider")
        if sender.removed_at is not None:
            return self._nowhere(n, message, sender)
        if facts.live is not None and contact.opted_out_at is not None:
            return self._note(n, message, facts, "silence, after an opt-out")
        if facts.live is not None:
            return self._hear(n, message, sender, facts, facts.live)
        last = facts.last
        where = routing.route(
            _written(message),
            last_ended_at=None if last is None else last.ended_at,
            last_reason=None if last is None else last.end_reason,
            opted_out=contact.opted_out_at is not None,
            has_inbound_agent=facts.inbound_agent is not None,
            now=message.received_at or self._now,
        )
        match where:
            case routing.Route.RESUME if facts.resuming_agent is not None and last is not None:
                return self._open(n, message, sender, facts, contact, facts.resuming_agent, last)
            case routing.Route.INBOUND_AGENT | routing.Route.RESUME if facts.inbound_agent is not None:
                return self._open(n, message, sender, facts, contact, facts.inbound_agent, None)
            case routing.Route.SILENCE | routing.Route.NOTE:
                return self._note(n, message, facts, "silence")
            case _:
                return self._nowhere(n, message, sender)

    async def write(self, tx: Writing) -> set[int]:
        """Write the plan; the messages whose conversation changed meanwhile, to be decided again."""
        lost = await self._write_people(tx)
        heard = await conversations.hear(
            tx,
            [hearing for n, (hearing, _) in self._hearings.items() if n not in lost],
            self._now,
            longest=reply_time.LONGEST,
        )
        new = {n: row for n, row in self._conversations.items() if n not in lost}
        opened = await conversations.insert_where_free(tx, [row[0] for row in new.values()], self._now)
        lost |= {n for n, (row, _, _) in new.items() if row.id not in opened}
        lost |= {n for n, (h, _) in self._hearings.items() if n not in lost and (h.workspace_id, h.id) not in heard}
        await change_consent.change_consents(
            tx, [change for n, change in self._consents.items() if n not in lost], self._now, self._ids
        )
        notes = {n: line for n, line in self._notes.items() if n not in lost}
        noted = await conversations.note(
            tx, [(li.workspace_id, li.conversation_id) for li in notes.values()], self._now
        )
        lines = [
            (line, heard[line.workspace_id, line.conversation_id].seq)
            for n, (_, line) in self._hearings.items()
            if n not in lost
        ]
        lines += [(line, noted[line.workspace_id, line.conversation_id][0]) for line in notes.values()]
        lines += [
            (self._line(message, row.workspace_id, row.id, row.shard), 1)
            for n, (row, message, _) in new.items()
            if n not in lost
        ]
        new_messages = [self._message(line, seq) for line, seq in lines]
        await messages.insert_all(tx, new_messages, now=self._now)
        heard_with = [(line.message, of) for (line, _), of in zip(lines, new_messages, strict=True)]
        await keep_medium.note_media(tx, heard_with, self._now, self._ids)
        await threads.hear(tx, [row for n, row in self._heard.items() if n not in lost])
        await self._write_beside(tx, lost)
        await self._write_confirmations(tx, lost)
        told = [event for n, event in self._events.items() if n not in lost]
        told += [self._received(line, seq) for line, seq in lines]
        await events.insert_all(tx, told, self._now)
        return lost

    def _meet(self, n: int, message: Inbound, sender: senders.Sender, facts: Facts) -> KnownContact:
        form = split_address(message.contact)[1]
        contact = facts.contact
        if contact is None:
            address = canonical(form)
            shard = shard_for(sender.workspace_id, address)
            an_id = self._ids.new(self._now, shard)
            self._contacts[n] = contacts.NewContact(
                workspace_id=sender.workspace_id, address=address, id=an_id, shard=shard, name=message.profile_name
            )
            contact = KnownContact(id=an_id, shard=shard, address=address)
        elif message.profile_name:
            self._names.append((sender.workspace_id, contact.address, message.profile_name))
        thread_id = self._thread_id(n, sender, facts, contact, form)
        self._heard[n] = (thread_id, contact.shard, message.received_at or self._now, form)
        return contact

    def _thread_id(self, n: int, sender: senders.Sender, facts: Facts, contact: KnownContact, form: str) -> str:
        if facts.thread is not None:
            return facts.thread.id
        thread_id = self._ids.new(self._now, contact.shard)
        self._threads[n] = threads.NewThread(
            id=thread_id,
            shard=contact.shard,
            workspace_id=sender.workspace_id,
            channel=sender.channel.value,
            sender_id=sender.id,
            contact_id=contact.id,
            contact_address=form,
            last_conversation_id=None,
        )
        return thread_id

    def _meaning(self, message: Inbound, sender: senders.Sender, contact: KnownContact) -> consent.Meaning:
        if message.opt_out_type is not None:
            return consent.meaning_of_opt_out_type(message.opt_out_type)
        meanings = [
            consent.meaning(
                words,
                channel=sender.channel,
                sender_kind=sender.kind,
                opted_out=contact.opted_out_at is not None,
                handling=sender.keyword_handling,
            )
            for words in (message.button_payload or "", _written(message))
        ]
        return next((one for one in meanings if one is not consent.Meaning.NOTHING), consent.Meaning.NOTHING)

    def _provider_answers(self, message: Inbound, sender: senders.Sender) -> bool:
        return message.opt_out_type is not None or consent.provider_answers(
            _written(message), channel=sender.channel, handling=sender.keyword_handling
        )

    def _change_consent(
        self,
        n: int,
        message: Inbound,
        sender: senders.Sender,
        facts: Facts,
        contact: KnownContact,
        meaning: consent.Meaning,
    ) -> str:
        out = meaning is consent.Meaning.OPT_OUT
        self._consents[n] = change_consent.Change(
            workspace_id=sender.workspace_id,
            contact_id=contact.id,
            contact_key=contact.address,
            shard=contact.shard,
            channel=sender.channel,
            opted_out=out,
            source="contact",
            evidence=message.text[:500],
            sender_id=sender.id,
        )
        outcome = self._note(n, message, facts, "opted out" if out else "opted in")
        answered = self._provider_answers(message, sender)
        first = contact.opted_out_at is None
        if out and first and not answered and n in self._notes and facts.thread is not None:
            self._confirm[n] = (facts.thread.id, sender.id)
        return outcome

    def _hear(
        self, n: int, message: Inbound, sender: senders.Sender, facts: Facts, live: conversations.Conversation
    ) -> str:
        line = self._line(message, live.workspace_id, live.id, live.shard)
        self._hearings[n] = (
            conversations.Hearing(
                workspace_id=live.workspace_id,
                id=live.id,
                quiet=self._quiet_after(message, facts.agent, expects_choice=live.expects == "choice"),
                drafts_early=facts.agent is not None and not isinstance(facts.agent.spec, FlowSpec),
            ),
            line,
        )
        return "heard" if live.mode is Mode.BOT else f"heard, for {live.mode.value}"

    def _quiet_after(self, message: Inbound, agent: Agent | None, *, expects_choice: bool) -> timedelta:
        return self._quiet.after(
            message.text,
            expects_choice=expects_choice,
            is_button=message.button_payload is not None,
            own=None if agent is None else agent.spec.quiet_seconds,
        )

    def _note(self, n: int, message: Inbound, facts: Facts, outcome: str) -> str:
        """Keep a message, without an answer, on the pair's conversation where there is one."""
        of = facts.live or facts.last
        if of is not None:
            self._notes[n] = self._line(message, of.workspace_id, of.id, of.shard)
        return outcome

    def _open(
        self,
        n: int,
        message: Inbound,
        sender: senders.Sender,
        facts: Facts,
        contact: KnownContact,
        agent: Agent,
        last: conversations.Conversation | None,
    ) -> str:
        conversation_id = self._ids.new(self._now, contact.shard)
        thread_id = self._heard[n][0]
        due_at = self._now + self._quiet_after(message, agent, expects_choice=False)
        row = conversations.NewConversation(
            id=conversation_id,
            shard=contact.shard,
            workspace_id=sender.workspace_id,
            thread_id=thread_id,
            channel=sender.channel,
            agent_id=agent.id,
            agent_version=agent.version,
            last_seq=1,
            in_seq=1,
            turn_due_at=due_at if isinstance(agent.spec, FlowSpec) else self._now,
            reply_due_at=due_at,
            first_pending_at=self._now,
            variables={} if last is None else last.variables,
            previous_conversation_id=None if last is None else last.id,
        )
        self._conversations[n] = (row, message, agent)
        self._tell(n, EventKind.CONVERSATION_STARTED, sender.workspace_id, conversation_id, agent_id=agent.id)
        return "resumed" if last is not None else "opened by the contact"

    def _nowhere(self, n: int, message: Inbound, sender: senders.Sender) -> str:
        self.unrouted.add(n)
        self._tell(n, EventKind.INBOUND_UNROUTED, sender.workspace_id, None, provider_sid=message.sid)
        return "No conversation, and the sender has no inbound agent."

    async def _write_people(self, tx: Writing) -> set[int]:
        lost: set[int] = set()
        if self._contacts:
            made = await contacts.insert_new(tx, list(self._contacts.values()), self._now)
            lost |= {n for n, c in self._contacts.items() if (c.workspace_id, c.address) not in made}
        if self._names:
            await contacts.name_unnamed(tx, self._names)
        if self._threads:
            met = await threads.insert_new(
                tx, [thread for n, thread in self._threads.items() if n not in lost], self._now
            )
            lost |= {n for n, t in self._threads.items() if n not in lost and t.id not in met}
        return lost

    async def _write_beside(self, tx: Writing, lost: set[int]) -> None:
        opened = [(n, row, agent) for n, (row, _, agent) in self._conversations.items() if n not in lost]
        await timers.insert_all(
            tx,
            [
                timers.Timer(
                    due_at=self._now + agent.inactivity,
                    conversation_id=row.id,
                    kind=timers.TimerKind.INACTIVITY,
                    shard=row.shard,
                    workspace_id=row.workspace_id,
                    epoch=0,
                    after_seq=1,
                )
                for _, row, agent in opened
            ],
        )
        last = [(row.thread_id, row.shard, row.id) for _, row, _ in opened if row.thread_id is not None]
        await threads.set_last_conversations(tx, last)

    async def _write_confirmations(self, tx: Writing, lost: set[int]) -> None:
        """The one message that may follow an opt-out, where nobody but us can say it."""
        confirm = {n: pair for n, pair in self._confirm.items() if n not in lost}
        for n, (thread_id, sender_id) in confirm.items():
            line = self._notes[n]
            noted = await conversations.note(tx, [(line.workspace_id, line.conversation_id)], self._now)
            seq, epoch = noted[line.workspace_id, line.conversation_id]
            new = messages.NewMessage(
                id=self._ids.new(self._now, line.shard),
                workspace_id=line.workspace_id,
                conversation_id=line.conversation_id,
                seq=seq,
                shard=line.shard,
                direction=Direction.OUT,
                author=Author.AGENT,
                body=Text(text=consent.CONFIRMATION),
            )
            send = outbox.send_of(new, thread_id=thread_id, sender_id=sender_id, epoch=epoch)
            until = self._now + REPLY_LIFE
            await messages.insert_all(tx, [new], now=self._now, expires_at=until)
            await outbox.insert_all(
                tx, [send], now=self._now, expires_at=until, priority=Priority.REPLY, confirms_opt_out=True
            )

    def _line(self, message: Inbound, workspace_id: str, conversation_id: str, shard: int) -> _Line:
        return _Line(message=message, workspace_id=workspace_id, conversation_id=conversation_id, shard=shard)

    def _message(self, line: _Line, seq: int) -> messages.NewMessage:
        return messages.NewMessage(
            id=self._ids.new(self._now, line.shard),
            workspace_id=line.workspace_id,
            conversation_id=line.conversation_id,
            seq=seq,
            shard=line.shard,
            direction=Direction.IN,
            author=Author.CONTACT,
            body=Text(text=line.message.text),
            status=DeliveryStatus.RECEIVED,
            provider_sid=line.message.sid,
        )

    def _received(self, line: _Line, seq: int) -> Event:
        return events.make(
            self._ids,
            EventKind.MESSAGE_RECEIVED,
            line.workspace_id,
            line.conversation_id,
            self._now,
            seq=seq,
            provider_sid=line.message.sid,
        )

    def _tell(self, n: int, kind: EventKind, workspace_id: str, conversation_id: str | None, **data: Json) -> None:
        self._events[n] = events.make(self._ids, kind, workspace_id, conversation_id, self._now, **data)
