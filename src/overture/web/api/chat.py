"""Chats: open one over the API, write into it, look at any conversation, end it.

A message's answer is its agent's reply: the message is committed, a worker is woken, and the call waits for what the
worker commits.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal, TypeVar

from msgspec import Meta, Struct

from overture.actions.end_conversation import end_conversation
from overture.actions.open_chat import open_chat
from overture.actions.say_in_chat import say_in_chat
from overture.domain import ids as id_forms
from overture.domain.access import Scope
from overture.domain.agent import EndReason
from overture.domain.conversation import Mode
from overture.domain.errors import Invalid, Refusal, Unknown
from overture.domain.message import Direction
from overture.store import conversations, messages
from overture.store.engine import Reading
from overture.web import reading
from overture.web.api import chat_shapes
from overture.web.api.chat_shapes import (
    AgentMessage,
    ChatListResponse,
    ChatMessageResponse,
    ChatPage,
    ChatResponse,
    Seen,
)
from overture.web.errors import ReplyPending
from overture.web.parts import Parts
from overture.web.routes import Call, delete, get, post

T = TypeVar("T")

_LOOK_SECONDS: Final = 0.25  # a reply that another process commits is found this late at most
_OF_BOOKING: Final = {"model_id": "2a886b7d-d52d-4f8b-8ea0-19d3edc79214"}  # the shipped agent agents/booking.yaml
_REPLIES: Final = 50  # lines after a message that may be its answer


class NewChat(Struct, frozen=True, kw_only=True):
    """A chat to open: `model_id`, or `agent_id`, which is the same."""

    model_id: Annotated[str, Meta(min_length=1, max_length=64, description="The agent's id.")] | None = None
    agent_id: (
        Annotated[
            str,
            Meta(min_length=1, max_length=64, description="An alias of `model_id`, which goes before it."),
        ]
        | None
    ) = None
    metadata: Annotated[dict[str, Any], Meta(description="Anything; kept with the chat.")] | None = None


class NewMessage(Struct, frozen=True, kw_only=True):
    """A message of the contact."""

    message: Annotated[str, Meta(min_length=1, max_length=10_000, description="What the contact says.")]


class ListChats(Struct, frozen=True, kw_only=True):
    """Which chats."""

    agent_id: Annotated[str, Meta(description="Only those of this agent.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=200, description="How many.")] = 10
    cursor: Annotated[str, Meta(max_length=200, description="The `next_cursor` of the page before.")] = ""


class Done(Struct, frozen=True, kw_only=True):
    """It is done."""

    status: Literal["ok"] = "ok"


@post("/v2/chat", may=Scope.SEND, takes=NewChat, gives=ChatResponse, tag="Chats", example=_OF_BOOKING, refusals=(400,))
async def create_chat_with_new_id(call: Call[NewChat, None]) -> ChatResponse:
    """Open a chat under a new id.

    As opening a chat, with an id that the server makes.
    """
    return await _open(call, call.parts.ids.new(call.now))


@post(
    "/v2/chat/{chat_id}",
    may=Scope.SEND,
    takes=NewChat,
    gives=ChatResponse,
    tag="Chats",
    example=_OF_BOOKING,
    refusals=(400,),
)
async def create_chat(call: Call[NewChat, None]) -> ChatResponse:
    """Open a chat.

    The caller chooses the id, a UUID. The same call again finds the chat it made; another agent or other metadata
    under the same id are refused.
    """
    chat_id = call.path["chat_id"]
    if not id_forms.is_uuid(chat_id):
        raise Invalid("invalid_request", "chat_id must be a UUID.", field="chat_id", hint="Make a new UUID.")
    return await _open(call, chat_id.lower())


@get("/v2/chat/{chat_id}", may=Scope.READ, gives=ChatResponse, tag="Chats", refusals=(404,))
async def get_chat(call: Call[None, None]) -> ChatResponse:
    """Get a chat.

    Or any other conversation: what was said, what became of each message, and how it stands.
    """
    chat_id = _known_form(call.path["chat_id"])
    seen = await call.parts.store.read(lambda tx: chat_shapes.find_seen(tx, call.workspace_id, chat_id))
    if seen is None:
        raise _unknown(chat_id)
    return ChatResponse(response=chat_shapes.chat(seen))


@get("/v2/chat", may=Scope.READ, asks=ListChats, gives=ChatListResponse, tag="Chats", refusals=(400,))
async def list_chats(call: Call[None, ListChats]) -> ChatListResponse:
    """List chats.

    Conversations on every channel are among them, newest first.
    """
    asked = call.query
    before = chat_shapes.read_cursor(asked.cursor)
    found = await call.parts.store.read(
        lambda tx: conversations.list_page(
            tx, call.workspace_id, agent_id=asked.agent_id, before=before, limit=asked.limit + 1
        )
    )
    page, has_more = found[: asked.limit], len(found) > asked.limit
    return ChatListResponse(
        response=ChatPage(
            chats=[chat_shapes.listed(one) for one in page],
            has_more=has_more,
            next_cursor=chat_shapes.cursor_after(page[-1]) if has_more else "",
        )
    )


@delete("/v2/chat/{chat_id}", may=Scope.SEND, gives=Done, tag="Chats", refusals=(404,))
async def delete_chat(call: Call[None, None]) -> Done:
    """Delete a chat.

    It ends, what waits to be sent is taken back, and it is hidden. Its deliveries stay on record.
    """
    chat_id, parts = _known_form(call.path["chat_id"]), call.parts
    was_there = await parts.store.write(
        lambda tx: end_conversation(
            tx,
            workspace_id=call.workspace_id,
            conversation_id=chat_id,
            reason=EndReason.CANCELLED,
            now=call.now,
            ids=parts.ids,
            hide=True,
        )
    )
    if not was_there:
        raise _unknown(chat_id)
    parts.signals.wake(f"reply:{chat_id}")
    return Done()


@post(
    "/v2/chat/{chat_id}/messages",
    may=Scope.SEND,
    takes=NewMessage,
    gives=ChatMessageResponse,
    tag="Chats",
    refusals=(400, 404, 504),
)
async def send_chat_message(call: Call[NewMessage, None]) -> ChatMessageResponse:
    """Send a message and get the reply.

    Where the reply takes longer than the server waits, the answer is 504 `reply_pending`: the message is kept, and
    the reply appears in the chat.
    """
    chat_id, parts, text = _known_form(call.path["chat_id"]), call.parts, call.body.message
    if not text.strip():
        raise Invalid("invalid_request", "message holds only spaces.", field="message", hint="Say something.")
    said = await parts.store.write(
        lambda tx: say_in_chat(
            tx, workspace_id=call.workspace_id, chat_id=chat_id, text=text, now=call.now, ids=parts.ids
        )
    )
    if isinstance(said, Refusal):
        raise said
    parts.signals.wake("turns")
    seq = said.seq

    async def look(tx: Reading) -> AgentMessage | None:
        return await _find_answer(tx, call.workspace_id, chat_id, seq)

    answer = await _until(parts, chat_id, look)
    if answer is None:
        raise ReplyPending(
            "reply_pending",
            f"The reply takes longer than {parts.reply_wait_seconds:g} seconds.",
            hint=f"The message is kept; GET /v2/chat/{chat_id} shows the reply once it is there.",
        )
    return ChatMessageResponse(response=answer)


async def _open(call: Call[NewChat, None], chat_id: str) -> ChatResponse:
    parts, metadata = call.parts, call.body.metadata or {}
    agent_id = call.body.model_id or call.body.agent_id
    if agent_id is None:
        raise Invalid("invalid_request", "model_id is missing.", field="model_id", hint="The agent's id.")
    reading.check_kept("metadata", metadata)
    opened = await parts.store.write(
        lambda tx: open_chat(
            tx,
            workspace_id=call.workspace_id,
            chat_id=chat_id,
            agent_id=agent_id,
            metadata=metadata,
            now=call.now,
            ids=parts.ids,
        )
    )
    if isinstance(opened, Refusal):
        raise opened
    if opened.created and opened.conversation.turn_due_at is not None:
        parts.signals.wake("turns")

    async def look(tx: Reading) -> Seen | None:
        seen = await chat_shapes.find_seen(tx, call.workspace_id, chat_id)
        return None if seen is not None and not seen.lines and seen.conversation.turn_due_at is not None else seen

    seen = await _until(parts, chat_id, look)  # a greeting that the model composes takes its turn
    if seen is None:
        seen = await parts.store.read(lambda tx: chat_shapes.find_seen(tx, call.workspace_id, chat_id))
    if seen is None:
        raise _unknown(chat_id)
    return ChatResponse(response=chat_shapes.chat(seen, with_history=not opened.created))


async def _find_answer(tx: Reading, workspace_id: str, chat_id: str, seq: int) -> AgentMessage | None:
    """What our side said to a message; None while it is not decided."""
    conversation = await conversations.find(tx, workspace_id, chat_id)
    if conversation is None or conversation.deleted_at is not None:
        raise _unknown(chat_id)
    lines = await messages.list_after(tx, workspace_id, chat_id, seq, _REPLIES)
    by_a_person = conversation.mode is Mode.HUMAN and any(line.direction is Direction.OUT for line in lines)
    if conversation.handled_seq >= seq or by_a_person:
        return chat_shapes.said(conversation, seq, lines)
    return None


async def _until(parts: Parts, chat_id: str, look: Callable[[Reading], Awaitable[T | None]]) -> T | None:
    """What a look at the chat finds, None where it finds nothing in time."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + parts.reply_wait_seconds
    while (found := await parts.store.read(look)) is None and (left := ends - loop.time()) > 0:
        await parts.signals.wait(f"reply:{chat_id}", min(left, _LOOK_SECONDS))
    return found


def _known_form(chat_id: str) -> str:
    return chat_id.lower() if id_forms.is_uuid(chat_id) else chat_id


def _unknown(chat_id: str) -> Unknown:
    return Unknown(
        "chat_unknown",
        f"Chat {chat_id} does not exist.",
        field="chat_id",
        hint="GET /v2/chat lists the chats there are.",
    )
