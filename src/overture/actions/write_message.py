"""Write a message by hand into a conversation: under the rules of every other message, and in order with them."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.actions import in_hand
from overture.actions.say_by_hand import say
from overture.actions.take_over import take_over
from overture.domain import writing
from overture.domain.agent import TemplateUse
from overture.domain.conversation import Mode
from overture.domain.errors import Conflict, Refusal, WrongMode
from overture.domain.message import Author
from overture.domain.ports import Ids
from overture.domain.template import Known
from overture.store import messages, people, templates
from overture.store.conversations import Conversation
from overture.store.engine import Reading, Writing
from overture.store.people import KeptKey

_LONGEST: Final = 100  # lines of one message: 10,000 characters are far fewer


class Message(Struct, frozen=True, kw_only=True):
    """What a person writes: `text`, or `template`.

    `takes_over` says what happens where the agent has the conversation: True takes it over, False leaves it to the
    agent and writes beside it, None refuses. `digest` is the fingerprint of all that was asked.
    """

    workspace_id: str
    conversation_id: str
    by: str
    digest: str
    text: str | None = None
    template: TemplateUse | None = None
    takes_over: bool | None = None
    idempotency_key: str | None = None


class Written(Struct, frozen=True, kw_only=True):
    """The lines on disk, in order; `replayed` where an earlier call had written them."""

    message_ids: tuple[str, ...]
    replayed: bool = False


async def write_message(tx: Writing, asked: Message, now: datetime, ids: Ids) -> Written:
    """Write it. The caller commits.

    Raises Unknown, WrongMode where it has ended or its agent has it, Conflict for a key that was used otherwise, and
    what the rules refuse.
    """
    held = await in_hand.hold(tx, asked.workspace_id, asked.conversation_id)
    if (known := await _find_written(tx, asked)) is not None:
        return known
    held = await in_hand.hold_live(tx, asked.workspace_id, asked.conversation_id)
    await _have_it(tx, held, asked, now, ids)
    bodies = await _bodies(tx, held, asked, now)
    lines = await say(tx, held, bodies, author=Author.OPERATOR, now=now, ids=ids)
    await people.mark_answered(tx, asked.workspace_id, asked.conversation_id)
    if asked.idempotency_key is not None:
        kept = KeptKey(
            digest=asked.digest,
            conversation_id=asked.conversation_id,
            first_seq=lines[0].seq,
            last_seq=lines[-1].seq,
        )
        if not await people.keep_key(tx, asked.workspace_id, asked.idempotency_key, kept, now):
            raise _reused()  # by another conversation, this very moment
    return Written(message_ids=tuple(line.id for line in lines))


async def _have_it(tx: Writing, held: Conversation, asked: Message, now: datetime, ids: Ids) -> None:
    """Let the person who writes have the conversation, where nobody has it or they ask for it."""
    if held.mode is Mode.BOT and asked.takes_over is None:
        raise WrongMode(
            "agent_has_it",
            "The conversation's agent carries it on, and would answer beside you.",
            field="take_over",
            hint="Give take_over: true to take it over with this message, or false to write beside the agent.",
        )
    if held.mode is Mode.HUMAN:
        takes = await people.find_taker(tx, asked.workspace_id, asked.conversation_id) is None
    else:
        takes = held.mode is Mode.PAUSED or bool(asked.takes_over)
    if takes:
        await take_over(
            tx,
            workspace_id=asked.workspace_id,
            conversation_id=asked.conversation_id,
            by=asked.by,
            reason="wrote",
            now=now,
            ids=ids,
        )


async def _bodies(tx: Reading, held: Conversation, asked: Message, now: datetime) -> writing.Bodies:
    between = None
    if held.thread_id is not None:
        between = await people.find_correspondents(tx, held.workspace_id, held.thread_id)
    known: Known | None = None
    if asked.template is not None and between is not None:
        key = (held.workspace_id, between.account_sid, asked.template.content_sid)
        known = (await templates.find(tx, [key])).get(key)
    settled = writing.settle(asked.text, asked.template, channel=held.channel, between=between, known=known, now=now)
    if isinstance(settled, Refusal):
        raise settled
    return settled


async def _find_written(tx: Reading, asked: Message) -> Written | None:
    """What an earlier call with the same key wrote. Raises Conflict where that was something else."""
    if asked.idempotency_key is None:
        return None
    kept = await people.find_key(tx, asked.workspace_id, asked.idempotency_key)
    if kept is None:
        return None
    if kept.digest != asked.digest or kept.first_seq is None or kept.last_seq is None:
        raise _reused()
    first, last = kept.first_seq, kept.last_seq
    lines = await messages.list_after(tx, asked.workspace_id, kept.conversation_id, first - 1, _LONGEST)
    ours = (line.id for line in lines if line.seq <= last)
    return Written(message_ids=tuple(ours), replayed=True)


def _reused() -> Conflict:
    return Conflict(
        "idempotency_key_reused",
        "This Idempotency-Key was used for a different request.",
        hint="Give every request a key of its own; repeat a key only with the very same body.",
    )
