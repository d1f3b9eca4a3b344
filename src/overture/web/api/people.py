"""Conversations and the people who carry them: who waits for one, taking over, writing, handing back, ending."""

from hashlib import sha256
from typing import Final

import msgspec

from overture.actions import in_hand
from overture.actions.close_conversation import close_conversation
from overture.actions.hand_back import HandedBack, hand_back
from overture.actions.take_over import take_over
from overture.actions.write_message import Message, Written, write_message
from overture.domain.access import Principal, Scope
from overture.domain.agent import EndReason
from overture.domain.conversation import Mode
from overture.domain.errors import Invalid
from overture.store import model_use, notices, people
from overture.store.engine import Reading, Writing
from overture.web import answers
from overture.web.api.outbound import read_key, read_template
from overture.web.api.people_shapes import (
    ConversationDetails,
    ConversationList,
    EndConversation,
    EndedView,
    HandBack,
    HandedBackView,
    ListConversations,
    TakenOverView,
    TakeOver,
    WriteMessage,
    WrittenView,
    cursor_after,
    details_of,
    model_use_of,
    read_cursor,
    view_of,
)
from overture.web.parts import Parts
from overture.web.routes import Answer, Call, get, post

_OWNER: Final = "owner"  # who comes by the socket of the data folder has no key to be named by
_KEY: Final = ("Idempotency-Key", "1 to 255 printable characters: the same key and body write the message once.")
_NOTICES: Final = 20
_REPLAYED: Final = ((b"overture-replayed", b"true"),)
_canonical: Final = msgspec.json.Encoder(order="deterministic").encode


@get(
    "/overture/v1/conversations",
    may=Scope.READ,
    asks=ListConversations,
    gives=ConversationList,
    tag="People",
    refusals=(400,),
)
async def list_conversations(call: Call[None, ListConversations]) -> ConversationList:
    """List conversations, and who has them.

    With `waiting=true` those whose contact waits for a person, the one that has waited longest first.
    """
    asked = call.query
    place = read_cursor(asked.cursor)
    mode = None if asked.mode is None else Mode(asked.mode)
    if asked.waiting and mode not in (None, Mode.HUMAN):
        raise Invalid(
            "invalid_request",
            f"Nobody waits for a person where mode is {asked.mode}, or waiting lists it anyway.",
            field="mode",
            hint="Leave mode out beside waiting.",
        )
    if asked.waiting:
        found = await call.parts.store.read(
            lambda tx: people.list_waiting(tx, call.workspace_id, after=place, limit=asked.limit + 1)
        )
    else:
        found = await call.parts.store.read(
            lambda tx: people.list_page(
                tx, call.workspace_id, mode=mode, is_live=asked.live, before=place, limit=asked.limit + 1
            )
        )
    page = found[: asked.limit]
    return ConversationList(
        conversations=[view_of(one, call.now) for one in page],
        next_cursor=cursor_after(page[-1], waiting=asked.waiting) if len(found) > asked.limit else "",
    )


@get(
    "/overture/v1/conversations/{conversation_id}",
    may=Scope.READ,
    gives=ConversationDetails,
    tag="People",
    refusals=(404,),
)
async def get_conversation(call: Call[None, None]) -> ConversationDetails:
    """Tell who has a conversation, whether its contact waits, and whether the operator's server was told."""
    an_id = call.path["conversation_id"]

    async def look(tx: Reading) -> ConversationDetails:
        found = await people.find(tx, call.workspace_id, an_id)
        if found is None:
            raise in_hand.unknown(an_id)
        told = await notices.list_of_conversation(tx, call.workspace_id, an_id, _NOTICES)
        totals = await model_use.list_of_conversation(tx, call.workspace_id, an_id)
        return msgspec.structs.replace(details_of(found, told, call.now), model_use=model_use_of(totals))

    return await call.parts.store.read(look)


@post(
    "/overture/v1/conversations/{conversation_id}/takeover",
    may=Scope.SEND,
    takes=TakeOver,
    gives=TakenOverView,
    tag="People",
    example={"by": "Bo"},
    refusals=(400, 404, 409),
)
async def take_conversation_over(call: Call[TakeOver, None]) -> TakenOverView:
    """Take a conversation over.

    From the answer on its agent says nothing more: what it had queued is taken back. Of a conversation that waits for
    somebody this is the acknowledgement. It is refused where the conversation has ended.
    """
    an_id, asked = call.path["conversation_id"], call.body
    taken = await call.parts.store.write(
        lambda tx: take_over(
            tx,
            workspace_id=call.workspace_id,
            conversation_id=an_id,
            by=asked.by or who(call.principal),
            note=asked.note,
            now=call.now,
            ids=call.parts.ids,
        )
    )
    return TakenOverView(
        conversation_id=an_id,
        mode=Mode.HUMAN,
        taken_by=taken.by,
        changed=taken.changed,
        already_at_provider=list(taken.leaving),
    )


@post(
    "/overture/v1/conversations/{conversation_id}/messages",
    may=Scope.SEND,
    takes=WriteMessage,
    gives=WrittenView,
    tag="People",
    example={"text": "Bo of the salon here. Tuesday at ten is yours.", "take_over": True},
    accepts=(_KEY,),
    refusals=(400, 404, 409, 422),
)
async def write_in_conversation(call: Call[WriteMessage, None]) -> Answer | WrittenView:
    """Write a message into a conversation.

    Under the rules of every other message: consent, WhatsApp's window, templates. It goes after what was written
    before it. Where nobody has the conversation yet, who writes has it from then on. It is refused where the
    conversation has ended, and where its agent has it unless `take_over` says what is to happen.
    """
    key = read_key(call.headers.get(b"idempotency-key"))
    message = to_message(call.workspace_id, call.path["conversation_id"], who(call.principal), call.body, key)
    written = await write(call.parts, message)
    shown = WrittenView(conversation_id=message.conversation_id, message_ids=list(written.message_ids))
    return Answer(body=answers.encode(shown), headers=_REPLAYED) if written.replayed else shown


@post(
    "/overture/v1/conversations/{conversation_id}/handback",
    may=Scope.SEND,
    takes=HandBack,
    gives=HandedBackView,
    tag="People",
    example={"say": "Our assistant will find a time with you."},
    refusals=(400, 404, 409),
)
async def hand_conversation_back(call: Call[HandBack, None]) -> HandedBackView:
    """Hand a conversation back to its agent.

    It goes on from where it stood, and has read what people said meanwhile. What the contact wrote last and nobody
    answered, it answers at once.
    """
    an_id, asked = call.path["conversation_id"], call.body
    done = await give_back(call.parts, call.principal, an_id, by=asked.by, say=asked.say)
    return HandedBackView(conversation_id=an_id, mode=Mode.BOT, changed=done.changed, answers=done.answers)


@post(
    "/overture/v1/conversations/{conversation_id}/end",
    may=Scope.SEND,
    takes=EndConversation,
    gives=EndedView,
    tag="People",
    example={"reason": "completed"},
    refusals=(400, 404),
)
async def end_conversation_by_hand(call: Call[EndConversation, None]) -> EndedView:
    """End a conversation.

    What people wrote last still goes out, what its agent had queued does not. A second call changes nothing. Unlike
    DELETE /v2/chat/{chat_id} it counts as completed, and can be looked at afterwards.
    """
    an_id, asked = call.path["conversation_id"], call.body
    closed = await call.parts.store.write(
        lambda tx: close_conversation(
            tx,
            workspace_id=call.workspace_id,
            conversation_id=an_id,
            by=asked.by or who(call.principal),
            reason=None if asked.reason is None else EndReason(asked.reason),
            note=asked.note,
            now=call.now,
            ids=call.parts.ids,
        )
    )
    return EndedView(conversation_id=an_id, changed=closed.changed, reason=closed.reason)


def who(principal: Principal) -> str:
    """The name of a caller who gives none."""
    return principal.kid or _OWNER


def to_message(workspace_id: str, conversation_id: str, by: str, asked: WriteMessage, key: str | None) -> Message:
    """What is to be written, in the action's words. Raises Invalid."""
    template = None if asked.template is None else read_template(asked.template)
    told = (conversation_id, asked.text, template, asked.take_over)
    return Message(
        workspace_id=workspace_id,
        conversation_id=conversation_id,
        by=asked.by or by,
        digest=sha256(_canonical(told)).hexdigest(),
        text=asked.text,
        template=template,
        takes_over=asked.take_over,
        idempotency_key=key,
    )


async def write(parts: Parts, message: Message) -> Written:
    """Write it and let it leave. Raises what the action refuses."""
    written = await parts.store.write(lambda tx: write_message(tx, message, parts.store.now(), parts.ids))
    parts.signals.wake("outbox")
    return written


async def give_back(
    parts: Parts, principal: Principal, conversation_id: str, *, by: str | None, say: str | None
) -> HandedBack:
    """Hand a conversation back, after a last word where there is one: in one commit."""
    name = by or who(principal)

    async def do(tx: Writing) -> HandedBack:
        now = parts.store.now()
        if say is not None:
            asked = WriteMessage(text=say, take_over=True)
            message = to_message(principal.workspace_id, conversation_id, name, asked, None)
            await write_message(tx, message, now, parts.ids)
        return await hand_back(
            tx,
            workspace_id=principal.workspace_id,
            conversation_id=conversation_id,
            by=name,
            now=now,
            ids=parts.ids,
        )

    done = await parts.store.write(do)
    for road in ("outbox", "turns"):
        parts.signals.wake(road)
    return done
