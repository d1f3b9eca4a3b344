"""Say something in a conversation besides its turns: the lines, their way out, and the events that tell of them."""

from collections.abc import Sequence
from datetime import datetime

from overture.actions.expect_costs import expect_costs
from overture.domain.event import EventKind
from overture.domain.message import Author, Body, Direction
from overture.domain.ports import Ids
from overture.domain.sending import REPLY_LIFE, Priority
from overture.store import conversations, events, messages, outbox, threads
from overture.store.conversations import Conversation
from overture.store.engine import Writing
from overture.store.messages import NewMessage


async def say(
    tx: Writing,
    present: Conversation,
    bodies: Sequence[Body],
    *,
    author: Author,
    now: datetime,
    ids: Ids,
    opens_until: datetime | None = None,
) -> list[NewMessage]:
    """Write bodies as the next lines, and queue them where they travel. The caller holds the row, and commits.

    They belong to the epoch that the conversation has by now. They are replies, unless it is given until when they are
    worth opening the conversation with: then they are under the rules of openings.
    """
    priority = Priority.REPLY if opens_until is None else Priority.OPENING
    expires_at = opens_until or now + REPLY_LIFE
    key = (present.workspace_id, present.id)
    first, epoch = (await conversations.take_seqs(tx, [(*key, len(bodies))], now))[key]
    lines = [
        NewMessage(
            id=ids.new(now, present.shard),
            workspace_id=present.workspace_id,
            conversation_id=present.id,
            seq=seq,
            shard=present.shard,
            direction=Direction.OUT,
            author=author,
            body=body,
        )
        for seq, body in enumerate(bodies, first)
    ]
    pair = None if present.thread_id is None else (await threads.find_of_conversations(tx, [key]))[key]
    lines = await expect_costs(tx, lines, pair, now)
    await messages.insert_all(tx, lines, now=now, expires_at=expires_at)
    if pair is not None:
        sends = [
            outbox.send_of(line, thread_id=pair.thread_id, sender_id=pair.sender_id, epoch=epoch) for line in lines
        ]
        await outbox.insert_all(tx, sends, now=now, expires_at=expires_at, priority=priority)
    told = [
        events.make(ids, EventKind.MESSAGE_QUEUED, *key, now, message_id=line.id, seq=line.seq, author=author.value)
        for line in lines
    ]
    await events.insert_all(tx, told, now)
    return lines
