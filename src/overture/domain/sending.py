"""Sending: which message may open a conversation, and which may leave, decided in one place for every road.

An opening, an agent's reply, an API caller's and an operator's message all pass here. Pure: facts in, verdicts out.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from overture.domain import (
    choices,
    closed_window,
    consent_rule,
    countries,
    message,
    opt_out,
    quiet_hours,
    segments,
    template_opening,
    window,
)
from overture.domain.agent import Agent, Json, OnActive, OpeningPreference, TemplateUse
from overture.domain.channel import Channel
from overture.domain.conversation import Mode
from overture.domain.errors import Conflict, Invalid, NotAllowed, Refusal, Unknown
from overture.domain.pace import Tail
from overture.domain.prices import PriceTable
from overture.domain.quiet_hours import Times
from overture.domain.rules import Applying, RequireConsent
from overture.domain.template import Known
from overture.domain.template_opening import OwnTemplate

OPENING_LIFE: Final = timedelta(hours=4)  # an opening that waited longer than a morning surprises its reader
REPLY_LIFE: Final = timedelta(minutes=30)  # a reply belongs to the moment it answers
REPEAT: Final = timedelta(seconds=60)  # an identical call within this time is a retry of its caller, not a wish


class Priority(IntEnum):
    """Who goes first where messages wait: replies before openings."""

    REPLY = 0
    OPENING = 1


class Start(Struct, frozen=True, kw_only=True):
    """What a caller asks for: a conversation with `to_number` from `from_number`.

    Numbers are read and possible already. `digest` is the fingerprint of everything that was asked;
    `is_template_missing` where the provider has just said that it has no such template as it names, or as its agent
    would open with. `time_zone` is the recipient's and `life` how long the opening is worth sending, where the caller
    says so.
    """

    workspace_id: str
    agent_id: str
    channel: Channel
    to_number: str
    from_number: str
    digest: str
    text: str | None = None
    template: TemplateUse | None = None
    variables: dict[str, Json] = {}
    idempotency_key: str | None = None
    consent: dict[str, Json] | None = None
    is_template_missing: bool = False
    time_zone: str | None = None
    life: timedelta | None = None


class KnownContact(Struct, frozen=True, kw_only=True):
    """What is on record of a contact: `address` is the one first known, whatever alias was asked for.

    `revision` moves with what it is known by: with another one, none of this may be true any more.
    """

    id: str
    shard: int
    address: str
    opted_out_at: datetime | None = None
    revision: int = 0
    opted_out_of: Mapping[str, datetime] = {}

    def seen_from(self, sender_id: str, service_sid: str | None) -> "KnownContact":
        """The contact as it stands to one sender: opted out where any of its opt-outs reaches that one."""
        if not self.opted_out_of:
            return self
        since = opt_out.since(self.opted_out_at, self.opted_out_of, sender_id, service_sid)
        return msgspec.structs.replace(self, opted_out_at=since)


class KnownThread(Struct, frozen=True, kw_only=True):
    """What is on record of a (sender, contact) pair. It keeps the shard of the contact that it was made for."""

    id: str
    shard: int
    last_inbound_at: datetime | None = None
    last_conversation_id: str | None = None


class LiveConversation(Struct, frozen=True, kw_only=True):
    """The conversation that is going on in a thread; `digest` and `asked_at` are those of the last call for it."""

    id: str
    mode: Mode
    epoch: int
    digest: str
    asked_at: datetime


class KnownKey(Struct, frozen=True, kw_only=True):
    """An idempotency key that was used before."""

    digest: str
    conversation_id: str


class Facts(Struct, frozen=True, kw_only=True):
    """Everything that decides over one start.

    `greeting` is the agent's own opening with this call's variables, None where the agent has none, and
    `greeting_options` the choices that it offers; `missing` the required variables that the call did not bring;
    `channels` what the sender's address can do; `template` the one that the call names, else the agent's
    `own_template` where that may open, as far as it is known; `rules` those of its workspace, agent and sender,
    `prices` the workspace's, where it has any; `lacks_consent` is what the rules say to that nobody is known to have
    agreed; `queues` the ends of those that its sender's pace makes wait.
    """

    agent: Agent | None
    sender_id: str | None
    channels: frozenset[Channel] = frozenset()
    greeting: str | None = None
    greeting_options: tuple[str, ...] = ()
    opens_by_turn: bool = False
    missing: tuple[str, ...] = ()
    contact: KnownContact | None = None
    thread: KnownThread | None = None
    live: LiveConversation | None = None
    key: KnownKey | None = None
    template: Known | None = None
    own_template: OwnTemplate | None = None
    rules: Applying = Applying()
    prices: PriceTable | None = None
    lacks_consent: RequireConsent = RequireConsent.OFF
    queues: tuple[Tail, ...] = ()


class Replay(Struct, frozen=True, kw_only=True):
    """The same call was answered before: this is its conversation."""

    conversation_id: str


class ByTurn(Struct, frozen=True):
    """The agent composes the opening itself, in a turn that is due at once."""


Opening: TypeAlias = message.Text | message.Template | ByTurn


class Open(Struct, frozen=True, kw_only=True):
    """Go: open a conversation with this message. `ends` is the live conversation that gives way."""

    opening: Opening
    times: Times
    ends: LiveConversation | None = None


class Join(Struct, frozen=True, kw_only=True):
    """Go: say this in the conversation that is going on already."""

    opening: message.Text | message.Template
    times: Times
    live: LiveConversation


Opens: TypeAlias = Open | Join
Verdict: TypeAlias = Opens | Replay | Refusal


def decide_start(asked: Start, facts: Facts, now: datetime) -> Verdict:
    """What becomes of one call: the rows of behaviour.md 1, in their order."""
    if facts.key is not None:
        if facts.key.digest == asked.digest:
            return Replay(conversation_id=facts.key.conversation_id)
        return Conflict(
            "idempotency_key_reused",
            "This Idempotency-Key was used for a different request.",
            hint="Give every request a key of its own; repeat a key only with the very same body.",
        )
    if facts.agent is None:
        return Unknown(
            "agent_unknown",
            f"There is no agent {asked.agent_id!r} in this workspace.",
            field="agent_id",
            hint="GET /v2/assistants lists the agents there are.",
        )
    if (refused := _refuse_sender(asked, facts)) is not None:
        return refused
    if facts.missing:
        return Invalid(
            "variable_missing",
            f"The agent needs a value for {', '.join(facts.missing)}.",
            field=f"custom_variables.{facts.missing[0]}",
            hint="Give each required variable in custom_variables.",
        )
    if (refused := consent_rule.refuse(asked.channel, facts.contact, facts.lacks_consent)) is not None:
        return refused
    if _is_repeat(asked, facts, now):
        assert facts.live is not None
        return Replay(conversation_id=facts.live.id)
    opening = choose_opening(asked, facts, facts.agent, now)
    if isinstance(opening, Refusal):
        return opening
    if (refused := countries.refuse(asked.to_number, facts.rules)) is not None:
        return refused
    times = quiet_hours.times_of(
        facts.rules, asked.to_number, now, time_zone=asked.time_zone, life=asked.life, usual=OPENING_LIFE
    )
    return times if isinstance(times, Refusal) else _beside(facts.live, opening, facts.agent, times)


def _refuse_sender(asked: Start, facts: Facts) -> Refusal | None:
    if facts.sender_id is not None:
        return None
    if facts.channels:
        can = ", ".join(sorted(facts.channels))
        return NotAllowed(
            "sender_cannot_channel",
            f"The sender {asked.from_number} cannot do {asked.channel}; it can do {can}.",
            field="channel",
            hint="Use a channel of this sender, or set the sender up for this channel.",
        )
    return Unknown(
        "sender_unknown",
        f"{asked.from_number} is not an activated sender of this workspace.",
        field="from_number",
        hint="Senders come from the settings (OVERTURE_SENDERS); `overture doctor` lists them.",
    )


def _is_repeat(asked: Start, facts: Facts, now: datetime) -> bool:
    live, thread = facts.live, facts.thread
    if asked.idempotency_key is not None or live is None or live.digest != asked.digest:
        return False
    heard = thread.last_inbound_at if thread is not None else None
    return now - live.asked_at < REPEAT and (heard is None or heard < live.asked_at)


def choose_opening(asked: Start, facts: Facts, agent: Agent, now: datetime) -> Opening | Refusal:
    """Which message opens the conversation, or why none can: the second table of behaviour.md 1."""
    heard = facts.thread.last_inbound_at if facts.thread is not None else None
    is_open = asked.channel is not Channel.WHATSAPP or window.is_open(heard, now)
    template_first = agent.spec.opening_preference is OpeningPreference.TEMPLATE and asked.channel is Channel.WHATSAPP
    match asked.text, asked.template:
        case str(text), None if is_open:  # what nearly every call asks for stands first
            return message.Text(text=text)
        case str(), TemplateUse() as template if not is_open or template_first:
            return _settled(template, asked, facts, now, is_open=is_open)
        case str(text), template if is_open:
            return message.Text(text=text, otherwise=template if asked.channel is Channel.WHATSAPP else None)
        case None, TemplateUse() as template:
            return _settled(template, asked, facts, now, is_open=is_open)
        case str(), None:
            return closed_window.refusal("initial_message")
        case _ if facts.opens_by_turn and is_open:
            return ByTurn()
        case _ if facts.greeting is not None and is_open:
            return message.Text(text=facts.greeting, options=facts.greeting_options)
        case _ if facts.own_template is not None and not is_open:
            return template_opening.settle_own(
                facts.own_template, facts.template, is_missing=asked.is_template_missing, to=asked.to_number, now=now
            )
        case _ if not is_open:
            return closed_window.refusal("template")
        case _:
            return Invalid(
                "opening_missing",
                "The agent has no greeting of its own to open a conversation with.",
                field="initial_message",
                hint="Give initial_message or template.",
            )


def parts(body: message.Text | message.Template, channel: Channel) -> tuple[message.Text | message.Template, ...]:
    """A body as the messages that carry it: folded where that keeps an SMS in GSM-7, split where it is too long.

    Choices are numbered on SMS, and offered under the last part on WhatsApp where they fit. Over the API they are left
    to who shows the chat.
    """
    if not isinstance(body, message.Text):
        return (body,)
    split = segments.split_body(body.text, channel)
    offered = body.options if channel is Channel.WHATSAPP and split and choices.picker(split[-1], body.options) else ()
    if not offered and channel is not Channel.API:
        text = choices.numbered(body.text, body.options)
        split = segments.split_body(segments.fold(text) if channel is Channel.SMS else text, channel)
    last = len(split) - 1
    return tuple(
        message.Text(text=part, otherwise=None if n else body.otherwise, options=offered if n == last else ())
        for n, part in enumerate(split)
    )


def _settled(
    template: TemplateUse, asked: Start, facts: Facts, now: datetime, *, is_open: bool
) -> message.Template | Refusal:
    return template_opening.settle(
        _filled(template),
        facts.template,
        is_missing=asked.is_template_missing,
        to=asked.to_number,
        purpose=template_opening.purpose_of(asked.channel, is_open=is_open),
        now=now,
    )


def _filled(template: TemplateUse) -> message.Template:
    return message.Template(content_sid=template.content_sid, variables=template.variables)


def _beside(live: LiveConversation | None, opening: Opening, agent: Agent, times: Times) -> Verdict:
    """What a live conversation on the same pair means for the new one."""
    if live is None:
        return Open(opening=opening, times=times)
    on_active = agent.spec.on_active
    if live.mode is Mode.HUMAN or on_active is OnActive.REJECT:
        return Conflict(
            "conversation_active",
            f"Conversation {live.id} is going on with this contact.",
            field="to_number",
            hint="A person has it in hand: write into it, or wait until it ends."
            if live.mode is Mode.HUMAN
            else "End it first, or let the agent's on_active be supersede or join.",
        )
    if on_active is OnActive.JOIN and not isinstance(opening, ByTurn):
        return Join(opening=opening, times=times, live=live)
    return Open(opening=opening, times=times, ends=live)
