"""A conversation in the hosted platform's shapes: `ChatResponse`, `ChatMessage`, the cursor of a list.

Names and types are that API's own; `agent_id` of the contact's lines is the literal `user`, and `turn_number` counts
every message. What we add (channel, end reason, what became of each message) stands beside, never instead.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from overture.agents import kinds, transcript
from overture.agents.deeds import Step, deeds
from overture.domain import turn
from overture.domain.agent import Agent, EndReason, Json
from overture.domain.channel import Channel
from overture.domain.conversation import ChatStatus, Mode, chat_status
from overture.domain.delivery import DeliveryStatus
from overture.domain.errors import Invalid
from overture.domain.message import Author, Direction
from overture.domain.reasons import Reason
from overture.store import agents, conversations, messages, quiet_hours, steps, threads, turns
from overture.store.conversations import Conversation, Listed
from overture.store.engine import Reading, instant, stored
from overture.store.messages import Message

FIRST_STATE: Final = "greeting_state"
_MAIN_STATE: Final = "main_state"
_USER: Final = "user"
_ALL_LINES: Final = 10_000  # a conversation ends after a thousand turns at most
_STEPS: Final = 500  # the last of a conversation that its log tells of
_WHO: Final = {Author.CONTACT: turn.Author.CONTACT, Author.OPERATOR: turn.Author.OPERATOR}


class AgentMessage(Struct, frozen=True, kw_only=True):
    """What the agent said: an opening, or the answer to a message (empty where the agent chose silence)."""

    agent_message: str
    current_state: str
    timestamp: datetime
    turn_number: int


class ChatMessage(Struct, frozen=True, kw_only=True):
    """One line of a conversation."""

    agent_id: Annotated[str, Meta(description="The agent's id, or `user` for a line of the contact.")]
    current_state: str
    message: str
    timestamp: datetime
    turn_number: int
    author: Author
    status: Annotated[DeliveryStatus | None, Meta(description="The provider's word on an outgoing message.")] = None
    error_code: int | None = None
    reason: str | None = None


class Chat(Struct, frozen=True, kw_only=True):
    """A conversation with everything said in it."""

    chat_id: str
    chat_status: ChatStatus
    conversation_history: list[ChatMessage]
    initial_message: AgentMessage | None
    start_timestamp: datetime
    transcript: str
    fsm_log: dict[str, Any] | None
    agent_id: str
    channel: Channel
    contact_number: Annotated[str | None, Meta(description="The person's number; null in a chat over the API.")] = None
    end_reason: EndReason | None = None
    metadata: dict[str, Any] = {}
    scheduled_for: Annotated[
        datetime | None, Meta(description="When the opening may leave, while it waits for quiet hours to end.")
    ] = None


class ChatResponse(Struct, frozen=True, kw_only=True):
    """A chat."""

    status: Literal["ok"] = "ok"
    response: Chat


class ChatMessageResponse(Struct, frozen=True, kw_only=True):
    """The answer to a message."""

    status: Literal["ok"] = "ok"
    response: AgentMessage


class ListedChat(Struct, frozen=True, kw_only=True):
    """A chat in a list."""

    chat_id: str
    chat_status: ChatStatus
    start_timestamp: datetime
    agent_id: str
    channel: Channel
    end_reason: EndReason | None = None


class ChatPage(Struct, frozen=True, kw_only=True):
    """A page of chats, newest first; `next_cursor` is empty at the end."""

    chats: list[ListedChat]
    has_more: bool
    next_cursor: str


class ChatListResponse(Struct, frozen=True, kw_only=True):
    """A page of chats."""

    status: Literal["ok"] = "ok"
    response: ChatPage


class Seen(Struct, frozen=True, kw_only=True):
    """Everything on record that a chat's answer is made of."""

    conversation: Conversation
    lines: list[Message]
    agent: Agent | None
    turns: list[turns.TurnRecord]
    steps: list[steps.KeptStep]
    contact_number: str | None = None
    scheduled_for: datetime | None = None


async def find_seen(tx: Reading, workspace_id: str, conversation_id: str) -> Seen | None:
    """What is on record of a conversation, None where there is none that may be shown."""
    conversation = await conversations.find(tx, workspace_id, conversation_id)
    if conversation is None or conversation.deleted_at is not None:
        return None
    version = (workspace_id, conversation.agent_id, conversation.agent_version)
    return Seen(
        conversation=conversation,
        lines=await messages.list_after(tx, workspace_id, conversation_id, 0, _ALL_LINES),
        agent=(await agents.find_versions(tx, [version])).get(version),
        turns=await turns.list_of_conversation(tx, workspace_id, conversation_id),
        steps=await steps.list_of_conversation(tx, workspace_id, conversation_id, _STEPS),
        contact_number=await _find_number(tx, conversation.thread_id),
        scheduled_for=await _find_scheduled(tx, conversation),
    )


async def _find_number(tx: Reading, thread_id: str | None) -> str | None:
    if thread_id is None:
        return None
    found = (await threads.find_numbers(tx, [thread_id])).get(thread_id)
    return None if found is None else found[0]


async def _find_scheduled(tx: Reading, conversation: Conversation) -> datetime | None:
    if conversation.thread_id is None or conversation.mode is not Mode.BOT:
        return None
    workspace, an_id = conversation.workspace_id, conversation.id
    if conversation.last_seq == 0:  # the turn that composes it waits in its stead
        kept = await quiet_hours.find_openings(tx, [(workspace, an_id)])
        return kept[workspace, an_id].due_at
    because = Reason.QUIET_HOURS.value
    return await quiet_hours.find_scheduled(tx, workspace, an_id, conversation.thread_id, because=because)


def chat(seen: Seen, *, with_history: bool = True) -> Chat:
    """The chat's answer. Without history where it has just been opened: the platform then shows the opening alone."""
    conversation = seen.conversation
    spoken = _lines(seen.lines)
    return Chat(
        chat_id=conversation.id,
        chat_status=chat_status(conversation.mode, conversation.end_reason),
        conversation_history=_history(conversation.agent_id, seen.lines) if with_history else [],
        initial_message=_initial(seen.lines),
        start_timestamp=conversation.created_at,
        transcript=transcript.transcript(spoken),
        fsm_log=_fsm_log(seen, spoken),
        agent_id=conversation.agent_id,
        channel=conversation.channel,
        contact_number=seen.contact_number,
        end_reason=conversation.end_reason,
        metadata=conversation.metadata,
        scheduled_for=seen.scheduled_for,
    )


def said(conversation: Conversation, after_seq: int, lines: Sequence[Message]) -> AgentMessage:
    """What our side said after a message, in one text; an empty one where it was silent."""
    ours = [line for line in lines if line.direction is Direction.OUT]
    last = ours[-1] if ours else None
    return AgentMessage(
        agent_message="\n".join(line.text for line in ours),
        current_state=(last.place if last else None) or conversation.place or _MAIN_STATE,
        timestamp=last.created_at if last else conversation.last_activity_at,
        turn_number=last.seq if last else after_seq,
    )


def listed(one: Listed) -> ListedChat:
    """A chat in a list."""
    return ListedChat(
        chat_id=one.id,
        chat_status=chat_status(one.mode, one.end_reason),
        start_timestamp=one.created_at,
        agent_id=one.agent_id,
        channel=one.channel,
        end_reason=one.end_reason,
    )


def cursor_after(last: Listed) -> str:
    """The cursor that goes on behind a chat; opaque to callers."""
    return urlsafe_b64encode(f"{stored(last.created_at)} {last.id}".encode()).decode().rstrip("=")


def read_cursor(text: str) -> tuple[datetime, str] | None:
    """Where a cursor goes on, None for the beginning. Raises Invalid."""
    if not text:
        return None
    try:
        at, _, an_id = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)).decode().partition(" ")
        return instant(int(at)), an_id
    except (ValueError, OverflowError) as wrong:
        raise Invalid(
            "invalid_request", "cursor is none that a list gave.", field="cursor", hint="Take next_cursor as it is."
        ) from wrong


def _history(agent_id: str, lines: Sequence[Message]) -> list[ChatMessage]:
    history, place = [], FIRST_STATE
    for line in lines:
        place = line.place or place
        history.append(
            ChatMessage(
                agent_id=_USER if line.direction is Direction.IN else agent_id,
                current_state=place,
                message=line.text,
                timestamp=line.created_at,
                turn_number=line.seq,
                author=line.author,
                status=line.status,
                error_code=line.error_code,
                reason=line.reason,
            )
        )
    return history


def _initial(lines: Sequence[Message]) -> AgentMessage | None:
    if not lines or lines[0].direction is Direction.IN:
        return None
    first = lines[0]
    return AgentMessage(
        agent_message=first.text,
        current_state=first.place or FIRST_STATE,
        timestamp=first.created_at,
        turn_number=first.seq,
    )


def _lines(lines: Sequence[Message]) -> list[turn.Line]:
    return [
        turn.Line(author=_WHO.get(line.author, turn.Author.AGENT), text=line.text, at=line.created_at) for line in lines
    ]


def _fsm_log(seen: Seen, lines: Sequence[turn.Line]) -> dict[str, Json] | None:
    conversation, agent = seen.conversation, seen.agent
    if agent is None or not lines:
        return None
    state = None if conversation.state is None else kinds.decode(agent.spec, conversation.state.encode())
    return transcript.fsm_log(
        agent_id=agent.id,
        agent_name=agent.spec.name,
        place=conversation.place or FIRST_STATE,
        lines=lines,
        turns=[transcript.Turned(at=one.finished_at, path=one.path) for one in seen.turns],
        slots={} if state is None else kinds.slots(state),
        deeds=deeds(agent.spec, (_step(one) for one in seen.steps)),
    )


def _step(one: steps.KeptStep) -> Step:
    return Step(
        kind=one.kind,
        request=one.request,
        result=one.result,
        started_at=one.started_at,
        finished_at=one.finished_at,
    )
