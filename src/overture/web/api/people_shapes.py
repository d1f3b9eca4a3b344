"""What our own API tells of conversations that people carry, and what it takes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from overture.domain.agent import EndReason
from overture.domain.channel import Channel
from overture.domain.conversation import Mode
from overture.domain.errors import Invalid
from overture.domain.notice import NoticeKind, NoticeState
from overture.domain.prices import amount
from overture.store.engine import instant, stored
from overture.store.model_use import Total
from overture.store.notices import Told
from overture.store.people import Shown
from overture.web.api.outbound import OutboundChatTemplate

MOST: Final = 200
_LATEST: Final = 2**53  # microseconds: far beyond any instant that a clock tells
_Who = Annotated[str, Meta(min_length=1, max_length=80, description="Who does it; else the key is named.")]


class ModelUseView(Struct, frozen=True, kw_only=True):
    """What the models of a conversation took, by currency; where no price was set, without one.

    `guessed` are requests whose tokens the provider did not count: their tokens are guessed from the texts' length.
    """

    requests: int
    guessed: int
    input_tokens: int
    output_tokens: int
    cost: Annotated[str | None, Meta(description="As a decimal.")]
    currency: str | None


class ConversationView(Struct, frozen=True, kw_only=True):
    """A conversation, and who has it.

    `mode` is `bot` while its agent carries it, `human` once it was handed over or taken over, `paused` where a person
    is wanted, `ended` for good. `note` says why the agent let go, `taken_by` who has it (null: nobody yet).
    `waits_since` is set where the contact waits for a person: nobody has taken it, or wrote since the contact did.
    `model_use` is told of one conversation, null in lists. `follow_up_at` is when its agent follows up if nobody writes
    until then, `follow_up_waits` why that was put off.
    """

    conversation_id: str
    agent_id: str
    channel: Channel
    mode: Mode
    note: str | None
    taken_by: str | None
    taken_at: datetime | None
    waits_since: datetime | None
    waits_seconds: int | None
    contact_number: str | None
    contact_name: str | None
    sender_number: str | None
    created_at: datetime
    last_activity_at: datetime
    end_reason: EndReason | None
    model_use: list[ModelUseView] | None = None
    follow_up_at: datetime | None = None
    follow_up_waits: str | None = None


class NoticeView(Struct, frozen=True, kw_only=True):
    """What the server that an agent's `hand_over.notify` names was told, and what became of it.

    `state` is `waiting` while it is tried, `delivered`, or `failed` where it was given up; `reason` says why the last
    try failed.
    """

    notice_id: str
    kind: NoticeKind
    state: NoticeState
    tries: int
    reason: str | None
    created_at: datetime
    finished_at: datetime | None


class ConversationDetails(ConversationView, frozen=True, kw_only=True):
    """A conversation, who has it, and the last notices of it, the newest first."""

    notices: list[NoticeView]


class ConversationList(Struct, frozen=True, kw_only=True):
    """A page of conversations; `next_cursor` is empty at the end."""

    conversations: list[ConversationView]
    next_cursor: str


class ListConversations(Struct, frozen=True, kw_only=True):
    """Which conversations."""

    mode: (
        Annotated[Literal["bot", "human", "paused", "ended"], Meta(description="Those of one mode; else all.")] | None
    ) = None
    waiting: Annotated[
        bool, Meta(description="Those whose contact waits for a person, the longest first; else the newest first.")
    ] = False
    live: Annotated[bool, Meta(description="Leave out those that have ended.")] = False
    cursor: Annotated[str, Meta(max_length=200, description="The `next_cursor` of the page before.")] = ""
    limit: Annotated[int, Meta(ge=1, le=MOST, description="How many.")] = 50


class TakeOver(Struct, frozen=True, kw_only=True):
    """Who takes it over."""

    by: _Who | None = None
    note: Annotated[str, Meta(max_length=500, description="Why, for colleagues.")] | None = None


class TakenOverView(Struct, frozen=True, kw_only=True):
    """A person has the conversation; `changed` is false where the same one had it before.

    `already_at_provider` are the agent's messages that nobody can stop any more: at most one, as it was being sent.
    """

    conversation_id: str
    mode: Mode
    taken_by: str
    changed: bool
    already_at_provider: list[str]


class WriteMessage(Struct, frozen=True, kw_only=True):
    """What to write: `text`, or `template` where WhatsApp's window is closed."""

    text: Annotated[str, Meta(min_length=1, max_length=10_000, description="The text; a long one is split.")] | None = (
        None
    )
    template: Annotated[OutboundChatTemplate, Meta(description="An approved template.")] | None = None
    take_over: (
        Annotated[
            bool,
            Meta(
                description="Where the agent has the conversation: true takes it over in the same commit, false writes "
                "beside the agent, which goes on. Without it the call is refused."
            ),
        ]
        | None
    ) = None
    by: _Who | None = None


class WrittenView(Struct, frozen=True, kw_only=True):
    """The message is on disk, and on its way: one id for each part."""

    conversation_id: str
    message_ids: list[str]


class HandBack(Struct, frozen=True, kw_only=True):
    """Who hands it back; `say` is written to the contact before."""

    say: Annotated[str, Meta(min_length=1, max_length=10_000, description="A last word of the person's.")] | None = None
    by: _Who | None = None


class HandedBackView(Struct, frozen=True, kw_only=True):
    """The agent has the conversation; `changed` is false where it had it before.

    `answers` where it has something to say at once: the contact's last words, or its own that were taken back.
    """

    conversation_id: str
    mode: Mode
    changed: bool
    answers: bool


class EndConversation(Struct, frozen=True, kw_only=True):
    """How it ends."""

    reason: (
        Annotated[
            Literal["completed", "handed_over"],
            Meta(description="Else handed_over where people have it, and completed where its agent has."),
        ]
        | None
    ) = None
    note: Annotated[str, Meta(max_length=500, description="Why; it is told in the event.")] | None = None
    by: _Who | None = None


class EndedView(Struct, frozen=True, kw_only=True):
    """The conversation has ended; `changed` is false where it had before, for `reason`."""

    conversation_id: str
    changed: bool
    reason: EndReason


def view_of(shown: Shown, now: datetime) -> ConversationView:
    """A conversation as the API tells it."""
    since = shown.waits_since
    return ConversationView(
        conversation_id=shown.id,
        agent_id=shown.agent_id,
        channel=shown.channel,
        mode=shown.mode,
        note=shown.note,
        taken_by=shown.taken_by,
        taken_at=shown.taken_at,
        waits_since=since,
        waits_seconds=None if since is None else max(0, int((now - since).total_seconds())),
        contact_number=shown.contact_number,
        contact_name=shown.contact_name,
        sender_number=shown.sender_number,
        created_at=shown.created_at,
        last_activity_at=shown.last_activity_at,
        end_reason=None if shown.end_reason is None else EndReason(shown.end_reason),
        follow_up_at=shown.follow_up_at,
        follow_up_waits=shown.follow_up_waits,
    )


def details_of(shown: Shown, told: Sequence[Told], now: datetime) -> ConversationDetails:
    """A conversation as the API tells it alone."""
    return ConversationDetails(
        **msgspec.structs.asdict(view_of(shown, now)),
        notices=[
            NoticeView(
                notice_id=one.id,
                kind=one.kind,
                state=one.state,
                tries=one.tries,
                reason=one.reason,
                created_at=one.created_at,
                finished_at=one.finished_at,
            )
            for one in told
        ],
    )


def model_use_of(totals: Sequence[Total]) -> list[ModelUseView]:
    """What models took, as the API tells it."""
    return [
        ModelUseView(
            requests=one.requests,
            guessed=one.guesses,
            input_tokens=one.input_tokens,
            output_tokens=one.output_tokens,
            cost=amount(one.micros) if one.currency else None,
            currency=one.currency or None,
        )
        for one in totals
    ]


def cursor_after(last: Shown, *, waiting: bool) -> str:
    """The cursor that goes on behind a conversation; opaque to callers."""
    at = last.waits_since if waiting else last.created_at
    assert at is not None
    return f"{stored(at)}.{last.id}"


def read_cursor(text: str) -> tuple[datetime, str] | None:
    """Where a cursor goes on, None for the beginning. Raises Invalid."""
    if not text:
        return None
    at, dot, an_id = text.partition(".")
    if not dot or not (at.isascii() and at.isdigit()) or len(at) > 16 or int(at) > _LATEST or "\0" in an_id:
        raise Invalid(
            "invalid_request", "cursor is none that a list gave.", field="cursor", hint="Take next_cursor as it is."
        )
    return instant(int(at)), an_id
