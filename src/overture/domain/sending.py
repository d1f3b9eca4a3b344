"""Sending: which message may open a conversation, and which may leave, decided in one place for every road.

An opening, an agent's reply, an API caller's and an operator's message all pass here. Pure: facts in, verdicts out.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final, TypeAlias

from msgspec import Struct

from overture.domain import choices, message, reasons, segments, template_opening, window
from overture.domain.agent import Agent, Json, OnActive, OpeningPreference, TemplateUse
from overture.domain.channel import Channel
from overture.domain.conversation import Mode
from overture.domain.errors import Conflict, Invalid, NotAllowed, Refusal, Unknown
from overture.domain.pace import Tail
from overture.domain.reasons import Reason
from overture.domain.rules import Applying
from overture.domain.template import Known

OPENING_LIFE: Final = timedelta(hours=4)  # an opening that waited longer than a morning surprises its reader
REPLY_LIFE: Final = timedelta(minutes=30)  # a reply belongs to the moment it answers
_SHORTEST_LIFE: Final = timedelta(seconds=1)  # the provider counts whole seconds: it would hold a shorter one longer
REPEAT: Final = timedelta(seconds=60)  # an identical call within this time is a retry of its caller, not a wish


class Priority(IntEnum):
    """Who goes first where messages wait: replies before openings."""

    REPLY = 0
    OPENING = 1


class Start(Struct, frozen=True, kw_only=True):
    """What a caller asks for: a conversation with `to_number` from `from_number`.

    Numbers are read and possible already. `digest` is the fingerprint of everything that was asked;
    `is_template_missing` where the provider has just said that it has no such template.
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


class KnownContact(Struct, frozen=True, kw_only=True):
    """What is on record of a contact: `address` is the one first known, whatever alias was asked for.

    `revision` moves with what it is known by: with another one, none of this may be true any more.
    """

    id: str
    shard: int
    address: str
    opted_out_at: datetime | None = None
    revision: int = 0


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
    `channels` what the sender's address can do; `template` the one that the call names, where it is known;
    `rules` those of its workspace, agent and sender; `queues` the ends of those that its sender's pace makes wait.
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
    rules: Applying = Applying()
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
    ends: LiveConversation | None = None


class Join(Struct, frozen=True, kw_only=True):
    """Go: say this in the conversation that is going on already."""

    opening: message.Text | message.Template
    live: LiveConversation


Verdict: TypeAlias = Open | Join | Replay | Refusal


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
    if facts.contact is not None and facts.contact.opted_out_at is not None:
        return NotAllowed(
            "recipient_opted_out",
            "The recipient has opted out and must not be written to.",
            field="to_number",
            hint="Only the recipient can lift this, by writing START.",
        )
    if _is_repeat(asked, facts, now):
        assert facts.live is not None
        return Replay(conversation_id=facts.live.id)
    opening = choose_opening(asked, facts, facts.agent, now)
    if isinstance(opening, Refusal):
        return opening
    return _beside(facts.live, opening, facts.agent)


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
            return _closed("initial_message")
        case _ if facts.opens_by_turn and is_open:
            return ByTurn()
        case _ if facts.greeting is not None and is_open:
            return message.Text(text=facts.greeting, options=facts.greeting_options)
        case _ if agent.spec.opening_template is not None and not is_open:
            return _filled(agent.spec.opening_template)
        case _ if not is_open:
            return _closed("template")
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


def choose_again(body: message.Body, agent: Agent | None, *, is_open: bool) -> message.Body | None:
    """What goes in place of a message that WhatsApp refused because its window is closed; None where nothing can.

    Where the contact wrote meanwhile the text may go after all. Else the template does that the caller gave with it,
    or the agent's for openings. A template that was refused has no place to give way to. It is asked once a message.
    """
    if not isinstance(body, message.Text):
        return None
    if is_open:
        return body
    template = body.otherwise or (None if agent is None else agent.spec.opening_template)
    if template is None:
        return None
    return message.Template(content_sid=template.content_sid, variables=template.variables, instead_of=body.text)


def _closed(field: str) -> Refusal:
    return NotAllowed(
        "window_closed",
        "The contact has not written in the last 24 hours, so WhatsApp takes only an approved template.",
        field=field,
        hint="Give a template, or wait until the contact writes.",
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


def _beside(live: LiveConversation | None, opening: Opening, agent: Agent) -> Verdict:
    """What a live conversation on the same pair means for the new one."""
    if live is None:
        return Open(opening=opening)
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
        return Join(opening=opening, live=live)
    return Open(opening=opening, ends=live)


class Leaving(Struct, frozen=True, kw_only=True):
    """What decides, at the last moment, over a message that is to leave; `rules` only where it opens a conversation."""

    body: message.Text | message.Template
    channel: Channel
    epoch: int
    expires_at: datetime
    conversation_epoch: int
    opted_out_at: datetime | None
    last_inbound_at: datetime | None
    sender_active: bool
    confirms_opt_out: bool = False
    rules: Applying = Applying()


class Stay(Struct, frozen=True, kw_only=True):
    """The message does not leave, for good; `reason` is the code, `description` for people."""

    reason: str
    description: str


STAYS: Final[Mapping[str, str]] = {
    reason.value: reasons.TABLE[reason].sentence
    for reason in (
        Reason.RECIPIENT_OPTED_OUT,
        Reason.CANCELLED,
        Reason.EXPIRED,
        Reason.WINDOW_CLOSED,
        Reason.SENDER_REMOVED,
    )
}


def may_leave(leaving: Leaving, now: datetime) -> Stay | None:
    """None where a queued message may be handed to the provider now, else why it never will be.

    Asked in the transaction that claims it, so that nothing older than an opt-out or a takeover leaves.
    """
    reason: str | None = None
    if leaving.opted_out_at is not None and not leaving.confirms_opt_out:
        reason = "recipient_opted_out"
    elif leaving.epoch != leaving.conversation_epoch:
        reason = "cancelled"
    elif leaving.expires_at - now < _SHORTEST_LIFE:
        reason = "expired"
    elif not leaving.sender_active:
        reason = "sender_removed"
    elif (
        leaving.channel is Channel.WHATSAPP
        and isinstance(leaving.body, message.Text)
        and not window.is_open(leaving.last_inbound_at, now)
    ):
        reason = "window_closed"
    return None if reason is None else Stay(reason=reason, description=STAYS[reason])
