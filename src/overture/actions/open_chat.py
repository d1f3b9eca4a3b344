"""Open a chat over the API: no provider stands between, so its messages need no outbox."""

from datetime import datetime

from msgspec import Struct

from overture.agents import kinds, variables
from overture.domain import ids as id_forms
from overture.domain.agent import Agent, Json
from overture.domain.channel import Channel
from overture.domain.errors import Conflict, Refusal, Unknown
from overture.domain.event import EventKind
from overture.domain.message import Author, Direction, Text
from overture.domain.ports import Ids
from overture.store import agents, conversations, events, messages, timers
from overture.store.conversations import Conversation
from overture.store.engine import Writing


class Opened(Struct, frozen=True, kw_only=True):
    """A chat that is there now; `created` where this call made it."""

    conversation: Conversation
    created: bool


async def open_chat(
    tx: Writing,
    *,
    workspace_id: str,
    chat_id: str,
    agent_id: str,
    metadata: dict[str, Json],
    now: datetime,
    ids: Ids,
) -> Opened | Refusal:
    """Open the chat of an id that the caller chose; the very same call again finds it. The caller commits."""
    present = await conversations.find(tx, workspace_id, chat_id)
    if present is not None:
        return _same(present, agent_id, metadata)
    agent = (await agents.find_current(tx, [(workspace_id, agent_id)])).get((workspace_id, agent_id))
    if agent is None:
        return Unknown(
            "agent_unknown",
            f"There is no agent {agent_id!r} in this workspace.",
            field="model_id",
            hint="GET /v2/assistants lists the agents there are.",
        )
    greeting = _greeting(agent, chat_id, now)
    new = conversations.NewConversation(
        id=chat_id,
        shard=id_forms.shard_of(chat_id),
        workspace_id=workspace_id,
        channel=Channel.API,
        agent_id=agent_id,
        agent_version=agent.version,
        last_seq=0 if greeting is None else 1,
        turn_due_at=now if _takes_a_turn(agent, greeting) else None,
        metadata=metadata,
    )
    made = await conversations.insert_where_free(tx, [new], now)
    opened = await conversations.find(tx, workspace_id, chat_id)
    if opened is None:
        raise RuntimeError("a chat vanished in the transaction that opened it")
    if not made:
        return _same(opened, agent_id, metadata)
    await _write_beside(tx, new, agent, greeting, now, ids)
    return Opened(conversation=opened, created=True)


def _same(present: Conversation, agent_id: str, metadata: dict[str, Json]) -> Opened | Refusal:
    same = present.agent_id == agent_id and present.metadata == metadata and present.channel is Channel.API
    if same and present.deleted_at is None:
        return Opened(conversation=present, created=False)
    return Conflict(
        "chat_exists",
        f"Chat {present.id} already exists with different configuration.",
        field="chat_id",
        hint="Use a new chat id, or the agent and metadata that the chat was opened with.",
    )


def _takes_a_turn(agent: Agent, greeting: str | None) -> bool:
    """Whether the agent has a turn before anybody wrote: to compose its greeting, or to set its clock by it."""
    return (greeting is None and kinds.needs_model_to_open(agent.spec)) or kinds.awaits_silence(agent.spec)


def _greeting(agent: Agent, chat_id: str, now: datetime) -> str | None:
    system = variables.system_variables(
        now=now,
        timezone=agent.spec.timezone,
        language=agent.spec.language,
        channel=Channel.API,
        contact_number="",
        agent_number="",
        conversation_id=chat_id,
    )
    values = variables.resolve(agent.spec, {}, system)
    return kinds.greeting(agent.spec, system if isinstance(values, variables.Missing) else values)


async def _write_beside(
    tx: Writing, new: conversations.NewConversation, agent: Agent, greeting: str | None, now: datetime, ids: Ids
) -> None:
    if greeting is not None:
        said = messages.NewMessage(
            id=ids.new(now, new.shard),
            workspace_id=new.workspace_id,
            conversation_id=new.id,
            seq=1,
            shard=new.shard,
            direction=Direction.OUT,
            author=Author.AGENT,
            body=Text(text=greeting),
        )
        await messages.insert_all(tx, [said], now=now)
    inactivity = timers.Timer(
        due_at=now + agent.inactivity,
        conversation_id=new.id,
        kind=timers.TimerKind.INACTIVITY,
        shard=new.shard,
        workspace_id=new.workspace_id,
        epoch=0,
        after_seq=0,
    )
    await timers.insert_all(tx, [inactivity])
    started = events.make(
        ids,
        EventKind.CONVERSATION_STARTED,
        new.workspace_id,
        new.id,
        now,
        agent_id=new.agent_id,
        channel=Channel.API.value,
    )
    await events.insert_all(tx, [started], now)
