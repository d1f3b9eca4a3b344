"""What becomes of the messages that contacts write: one decision each, which asks for rows.

Consent comes first and counts however late it is known. What was written before its sender was activated only tells the
window; what is too late to be answered goes to people.
"""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from overture.actions import change_consent
from overture.actions.hand_over import HandOver
from overture.actions.hearing_rows import Rows
from overture.domain import consent, opt_out, reply_time, routing
from overture.domain.agent import Agent, FlowSpec
from overture.domain.channel import split_address
from overture.domain.conversation import Mode
from overture.domain.event import EventKind
from overture.domain.ids import shard_for
from overture.domain.listening import Listening
from overture.domain.numbers import is_bsuid
from overture.domain.opt_out import OptOutScope
from overture.domain.ports import Ids, Inbound
from overture.domain.sending import KnownContact, KnownThread
from overture.domain.variants import canonical
from overture.store import contacts, conversations, senders, threads


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


def _written(message: Inbound) -> str:
    """The contact's own words, without descriptions of what came with them."""
    return message.text if message.body is None else message.body


class Plan(Rows):
    """Decides inbound messages, and writes what follows."""

    def __init__(self, *, now: datetime, ids: Ids, listening: Listening) -> None:
        super().__init__(now=now, ids=ids, transcribes=listening.transcribes)
        self._listening: Final = listening
        self.unrouted: Final[set[int]] = set()

    def decide(self, n: int, message: Inbound, sender: senders.Sender, facts: Facts) -> str:
        """What becomes of one message, in a few words, with its rows put on the plan."""
        contact = self._meet(n, message, sender, facts).seen_from(sender.id, sender.messaging_service_sid)
        meaning = self._meaning(message, sender, contact)
        if meaning in (consent.Meaning.OPT_OUT, consent.Meaning.OPT_IN):
            return self._change_consent(n, message, sender, facts, contact, meaning)
        if self._is_history(message, sender):
            return "history, from before the sender was activated"
        if meaning is consent.Meaning.HELP and self._provider_answers(message, sender):
            return self._note(n, message, facts, "help, answered by the provider")
        if sender.removed_at is not None:
            return self._nowhere(n, message, sender)
        if facts.live is not None and contact.opted_out_at is not None:
            return self._note(n, message, facts, "silence, after an opt-out")
        too_late = self._too_late(message)
        if facts.live is not None and facts.live.mode is Mode.BOT and too_late is not None:
            return self._hand_over(n, message, facts, facts.live, too_late)
        if facts.live is not None:
            return self._hear(n, message, sender, facts, facts.live)
        last = facts.last
        where = routing.route(
            _written(message),
            last_ended_at=None if last is None else last.ended_at,
            last_reason=None if last is None else last.end_reason,
            opted_out=contact.opted_out_at is not None,
            has_inbound_agent=facts.inbound_agent is not None,
            now=self._written_at(message),
            is_reaction=message.is_reaction,
        )
        match where:
            case routing.Route.RESUME if facts.resuming_agent is not None and last is not None:
                return self._open(n, message, sender, facts.resuming_agent, last)
            case routing.Route.INBOUND_AGENT | routing.Route.RESUME if facts.inbound_agent is not None:
                return self._open(n, message, sender, facts.inbound_agent, None)
            case routing.Route.SILENCE | routing.Route.NOTE:
                return self._note(n, message, facts, "silence")
            case _:
                return self._nowhere(n, message, sender)

    def _meet(self, n: int, message: Inbound, sender: senders.Sender, facts: Facts) -> KnownContact:
        form = split_address(message.contact)[1]
        contact = facts.contact
        if contact is not None:
            self._known[n] = (sender.workspace_id, contact)
        if contact is None:
            address = canonical(form)
            shard = shard_for(sender.workspace_id, address)
            an_id = self._ids.new(self._now, shard)
            self._contacts[n] = contacts.NewContact(
                workspace_id=sender.workspace_id,
                address=address,
                id=an_id,
                shard=shard,
                name=message.profile_name,
                met_by=sender.id if is_bsuid(address) else None,
            )
            contact = KnownContact(id=an_id, shard=shard, address=address)
        elif message.profile_name:
            self._names.append((sender.workspace_id, contact.address, message.profile_name))
        thread_id, thread_shard = self._thread(n, sender, facts, contact, form)
        self._heard[n] = (thread_id, thread_shard, self._written_at(message), form)
        return contact

    def _thread(
        self, n: int, sender: senders.Sender, facts: Facts, contact: KnownContact, form: str
    ) -> tuple[str, int]:
        if facts.thread is not None:
            return facts.thread.id, facts.thread.shard
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
        return thread_id, contact.shard

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
                also_stop=self._listening.also_stop,
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
        out, at = meaning is consent.Meaning.OPT_OUT, self._written_at(message)
        if not out and contact.opted_out_at is not None and at < contact.opted_out_at:
            return self._note(n, message, facts, "opted in, before an opt-out that is known already")
        self._consents[n] = _change(message, sender, contact, out=out, at=at)
        outcome = self._note(n, message, facts, "opted out" if out else "opted in")
        answered = self._provider_answers(message, sender) or self._is_history(message, sender)
        answered = answered or self._too_late(message) is not None
        first = contact.opted_out_at is None
        if out and first and not answered and n in self._notes and facts.thread is not None:
            said = message.button_payload or _written(message)
            self._confirm[n] = facts.thread.id, sender.id, self._listening.confirmation or consent.confirmation(said)
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
        return self._listening.quiet.after(
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
        agent: Agent,
        last: conversations.Conversation | None,
    ) -> str:
        thread_id, shard = self._heard[n][:2]
        conversation_id = self._ids.new(self._now, shard)
        due_at = self._now + self._quiet_after(message, agent, expects_choice=False)
        row = conversations.NewConversation(
            id=conversation_id,
            shard=shard,
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
        if (too_late := self._too_late(message)) is not None:
            self._hand_overs[n] = _too_late(sender.workspace_id, conversation_id, too_late)
        return "resumed" if last is not None else "opened by the contact"

    def _hand_over(
        self, n: int, message: Inbound, facts: Facts, live: conversations.Conversation, late: timedelta
    ) -> str:
        self._hand_overs[n] = _too_late(live.workspace_id, live.id, late)
        return self._note(n, message, facts, "too late to be answered, for people")

    def _nowhere(self, n: int, message: Inbound, sender: senders.Sender) -> str:
        self.unrouted.add(n)
        self._tell(n, EventKind.INBOUND_UNROUTED, sender.workspace_id, None, provider_sid=message.sid)
        return "No conversation, and the sender has no inbound agent."

    def _written_at(self, message: Inbound) -> datetime:
        """When a contact wrote, as far as we know; never in our future, whatever a clock says."""
        return self._now if message.received_at is None else min(message.received_at, self._now)

    def _is_history(self, message: Inbound, sender: senders.Sender) -> bool:
        return sender.activated_at is not None and self._written_at(message) < sender.activated_at

    def _too_late(self, message: Inbound) -> timedelta | None:
        """How late a message is that nobody may answer without thinking."""
        late = self._now - self._written_at(message)
        return late if late > self._listening.quiet.answer_late else None


def _change(
    message: Inbound, sender: senders.Sender, contact: KnownContact, *, out: bool, at: datetime
) -> change_consent.Change:
    """A STOP reaches as far as the workspace set; a START lifts whatever keeps this sender silent."""
    service = sender.messaging_service_sid
    key = opt_out.key_of(sender.workspace_rules.opt_out_scope or OptOutScope.WORKSPACE, sender.id, service)
    stops = () if key is None else (key,)
    return change_consent.Change(
        workspace_id=sender.workspace_id,
        contact_id=contact.id,
        contact_key=contact.address,
        shard=contact.shard,
        channel=sender.channel.value,
        opted_out=out,
        source="contact",
        evidence=message.text[:500],
        sender_id=sender.id,
        at=at,
        of=stops if out else opt_out.keys_over(sender.id, service),
        whole=key is None or not out,
    )


def _too_late(workspace_id: str, conversation_id: str, late: timedelta) -> HandOver:
    note = f"A message of the contact became known {reply_time.in_words(late)} after it was written."
    return HandOver(workspace_id=workspace_id, conversation_id=conversation_id, reason="late_inbound", note=note)
