"""Say something in a chat over the API: the contact's line is on disk and its turn is due at once."""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from overture.domain.channel import Channel
from overture.domain.conversation import Mode
from overture.domain.errors import NotAllowed, Refusal, Unknown
from overture.domain.event import EventKind
from overture.domain.message import Author, Direction, Text
from overture.domain.ports import Ids
from overture.store import conversations, events, messages
from overture.store.conversations import Conversation
from overture.store.engine import Writing

_AT_ONCE: Final = timedelta(0)


class Said(Struct, frozen=True, kw_only=True):
    """The number of the line; the first agent's line after it is its answer."""

    seq: int


async def say_in_chat(
    tx: Writing, *, workspace_id: str, chat_id: str, text: str, now: datetime, ids: Ids
) -> Said | Refusal:
    """Keep a line of the contact. The same text while its turn runs is the same line. The caller commits."""
    conversation = await conversations.find_locked(tx, workspace_id, chat_id)
    if conversation is None or conversation.deleted_at is not None:
        return Unknown(
            "chat_unknown", f"Chat {chat_id} does not exist.", field="chat_id", hint="POST /v2/chat/{chat_id} opens it."
        )
    if conversation.channel is not Channel.API:
        return NotAllowed(
            "wrong_channel",
            f"Chat {chat_id} runs over {conversation.channel.value}: its contact answers by phone.",
            field="chat_id",
        )
    if conversation.mode is Mode.ENDED:
        return NotAllowed("chat_ended", f"Chat {chat_id}: the chat has ended.", field="chat_id", hint="Open a new one.")
    if (waiting := await _waiting(tx, conversation)) is not None and waiting.text == text:
        return Said(seq=waiting.seq)
    hearing = conversations.Hearing(workspace_id=workspace_id, id=chat_id, quiet=_AT_ONCE, drafts_early=True)
    heard = (await conversations.hear(tx, [hearing], now, longest=_AT_ONCE))[workspace_id, chat_id]
    line = messages.NewMessage(
        id=ids.new(now, conversation.shard),
        workspace_id=workspace_id,
        conversation_id=chat_id,
        seq=heard.seq,
        shard=conversation.shard,
        direction=Direction.IN,
        author=Author.CONTACT,
        body=Text(text=text),
        place=conversation.place,
    )
    await messages.insert_all(tx, [line], now=now)
    received = events.make(ids, EventKind.MESSAGE_RECEIVED, workspace_id, chat_id, now, seq=heard.seq)
    await events.insert_all(tx, [received], now)
    return Said(seq=heard.seq)


async def _waiting(tx: Writing, conversation: Conversation) -> messages.Message | None:
    """The last line that nobody has answered yet."""
    if conversation.in_seq <= conversation.handled_seq:
        return None
    lines = await messages.list_after(tx, conversation.workspace_id, conversation.id, conversation.in_seq - 1, 1)
    return lines[0] if lines else None
