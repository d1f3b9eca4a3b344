"""Notify people: what the operator's server is told of a hand-over, written in the commit of the fact itself."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from overture.domain.agent import Json, Notify
from overture.domain.notice import NoticeKind
from overture.domain.ports import Ids
from overture.store import notices
from overture.store.conversations import Conversation
from overture.store.engine import Writing


class Fact(Struct, frozen=True, kw_only=True):
    """Something that people are told of, where the conversation's agent says that they are."""

    conversation: Conversation
    notify: Notify | None
    kind: NoticeKind
    details: dict[str, Json] = {}


async def notify_people(tx: Writing, facts: Sequence[Fact], now: datetime, ids: Ids) -> None:
    """Write the notices of facts. The caller commits; they are delivered by their road."""
    new = [_notice(fact, fact.notify, now, ids) for fact in facts if fact.notify is not None]
    if new:
        await notices.insert_all(tx, new, now)


def _notice(fact: Fact, notify: Notify, now: datetime, ids: Ids) -> notices.NewNotice:
    of = fact.conversation
    an_id = ids.new(now, of.shard)
    body: dict[str, Json] = {
        "id": an_id,
        "type": fact.kind.value,
        "timestamp": now.isoformat(),
        "data": {
            "workspace_id": of.workspace_id,
            "conversation_id": of.id,
            "agent_id": of.agent_id,
            "channel": of.channel.value,
            "note": of.mode_note,
            **fact.details,
        },
    }
    return notices.NewNotice(
        id=an_id,
        shard=of.shard,
        workspace_id=of.workspace_id,
        conversation_id=of.id,
        kind=fact.kind,
        body=msgspec.json.encode(body).decode(),
        url=notify.url,
        secret=notify.secret,
    )
