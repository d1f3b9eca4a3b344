"""What a round of inbound messages writes: the rows that were decided on, one write a table."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from overture.actions import change_consent, hand_over, keep_medium
from overture.actions.expect_costs import expect_costs
from overture.actions.hand_over import HandOver
from overture.actions.hold_contact import find_changed
from overture.actions.withdraw_follow_ups import withdraw_follow_ups
from overture.domain import reply_time
from overture.domain.agent import Agent, Json
from overture.domain.delivery import DeliveryStatus
from overture.domain.event import Event, EventKind
from overture.domain.message import Author, Direction, Text
from overture.domain.ports import Ids, Inbound
from overture.domain.sending import REPLY_LIFE, KnownContact, Priority
from overture.store import contacts, conversations, events, messages, outbox, threads, timers
from overture.store.engine import Writing


class Line(Struct, frozen=True, kw_only=True):
    """A message on its way into a conversation that exists."""

    message: Inbound
    workspace_id: str
    conversation_id: str
    shard: int


class Rows:
    """The rows of a round, by the number of the message that asks for them."""

    def __init__(self, *, now: datetime, ids: Ids, transcribes: bool) -> None:
        self._now: Final = now
        self._transcribes: Final = transcribes
        self._ids: Final = ids
        self._contacts: Final[dict[int, contacts.NewContact]] = {}
        self._names: Final[list[tuple[str, str, str]]] = []
        self._known: Final[dict[int, tuple[str, KnownContact]]] = {}
        self._threads: Final[dict[int, threads.NewThread]] = {}
        self._heard: Final[dict[int, tuple[str, int, datetime, str]]] = {}
        self._consents: Final[dict[int, change_consent.Change]] = {}
        self._hearings: Final[dict[int, tuple[conversations.Hearing, Line]]] = {}
        self._notes: Final[dict[int, Line]] = {}
        self._confirm: Final[dict[int, tuple[str, str, str]]] = {}
        self._conversations: Final[dict[int, tuple[conversations.NewConversation, Inbound, Agent]]] = {}
        self._hand_overs: Final[dict[int, HandOver]] = {}
        self._events: Final[dict[int, Event]] = {}

    async def write(self, tx: Writing) -> set[int]:
        """Write them; the messages whose conversation changed meanwhile, to be decided again."""
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
        heard_with = [(line.message, self._message(line, seq)) for line, seq in lines]
        await self._write_messages(tx, heard_with)
        await keep_medium.note_media(tx, heard_with, self._now, self._ids)
        await threads.hear(tx, [row for n, row in self._heard.items() if n not in lost])
        written = {n for rows in (self._hearings, self._notes, new) for n in rows if n not in lost}
        await withdraw_follow_ups(tx, {self._heard[n][0] for n in written}, self._now, self._ids)
        await self._write_beside(tx, lost)
        await self._write_confirmations(tx, lost)
        await hand_over.hand_over(
            tx, [one for n, one in self._hand_overs.items() if n not in lost], self._now, self._ids
        )
        told = [event for n, event in self._events.items() if n not in lost]
        told += [self._received(line, seq) for line, seq in lines]
        await events.insert_all(tx, told, self._now)
        return lost

    async def _write_people(self, tx: Writing) -> set[int]:
        lost = await find_changed(tx, self._known)
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

    async def _write_messages(self, tx: Writing, heard: Sequence[tuple[Inbound, messages.NewMessage]]) -> None:
        """Keep the lines; what comes late has the time at which it was written, as far as that is known."""
        late = [(of, kept) for of, kept in heard if reply_time.is_noticed(of.received_at, self._now)]
        of_now = [kept for of, kept in heard if not reply_time.is_noticed(of.received_at, self._now)]
        await messages.insert_all(tx, of_now, now=self._now)
        for of, kept in late:
            await messages.insert_all(tx, [kept], now=of.received_at or self._now)

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
        for n, (thread_id, sender_id, text) in confirm.items():
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
                body=Text(text=text),
            )
            send = outbox.send_of(new, thread_id=thread_id, sender_id=sender_id, epoch=epoch)
            until = self._now + REPLY_LIFE
            place = (line.workspace_id, line.conversation_id)
            pair = (await threads.find_of_conversations(tx, [place])).get(place)
            await messages.insert_all(
                tx, await expect_costs(tx, [new], pair, self._now), now=self._now, expires_at=until
            )
            await outbox.insert_all(
                tx, [send], now=self._now, expires_at=until, priority=Priority.REPLY, confirms_opt_out=True
            )

    def _line(self, message: Inbound, workspace_id: str, conversation_id: str, shard: int) -> Line:
        return Line(message=message, workspace_id=workspace_id, conversation_id=conversation_id, shard=shard)

    def _message(self, line: Line, seq: int) -> messages.NewMessage:
        return messages.NewMessage(
            id=self._ids.new(self._now, line.shard),
            workspace_id=line.workspace_id,
            conversation_id=line.conversation_id,
            seq=seq,
            shard=line.shard,
            direction=Direction.IN,
            author=Author.CONTACT,
            body=Text(
                text=line.message.text,
                replying_to=line.message.quoted,
                payload=line.message.button_payload,
                referral=line.message.referral,
                awaits_words=self._transcribes and line.message.has_voice_note,
            ),
            status=DeliveryStatus.RECEIVED,
            provider_sid=line.message.sid,
        )

    def _received(self, line: Line, seq: int) -> Event:
        return events.make(
            self._ids,
            EventKind.MESSAGE_RECEIVED,
            line.workspace_id,
            line.conversation_id,
            self._now,
            seq=seq,
            provider_sid=line.message.sid,
            **({"recovered": True} if line.message.recovered else {}),
            **({} if line.message.referral is None else {"referral": msgspec.to_builtins(line.message.referral)}),
        )

    def _tell(self, n: int, kind: EventKind, workspace_id: str, conversation_id: str | None, **data: Json) -> None:
        self._events[n] = events.make(self._ids, kind, workspace_id, conversation_id, self._now, **data)
