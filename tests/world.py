"""Builders: a database with agents and senders, a clock that stands still, and the roads, to be walked step by step.

Nothing runs by itself here. A test says what happens (`starts`, `hears`, `sends`, `takes_turns`, `settles`) and looks
at what is on disk; time passes when the test lets it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import aiohttp
import asyncpg

from overture.actions.claim_deliveries import Claims, claim_deliveries
from overture.actions.keep_webhook import keep_webhooks
from overture.actions.openings import Answer, Started
from overture.actions.record_outcome import Outcome, record_outcomes
from overture.actions.settle_delivery import Finding, settle_deliveries
from overture.actions.start_conversation import start_conversations
from overture.adapters.ids import RandomIds
from overture.adapters.twilio.client import TwilioAccount, TwilioClient
from overture.adapters.twilio.webhooks import TwilioWebhooks
from overture.domain.agent import AgentSpec, Ask, FlowSpec, Node
from overture.domain.channel import Channel
from overture.domain.listening import Listening
from overture.domain.ports import Clock, ModelClient, Outgoing, RawEvent
from overture.domain.reply_time import QuietTimes
from overture.domain.rules import Rules
from overture.domain.sender import KeywordHandling, SenderKind
from overture.domain.sending import Start
from overture.domain.turn import ModelAnswered, ModelRequest
from overture.store import agents, conversations, instances, messages, rules, senders
from overture.store.batch import Batch
from overture.store.conversations import Conversation
from overture.store.engine import Store, Writing, stored
from overture.store.messages import Message
from overture.store.postgresql import PostgresqlStore
from overture.store.senders import Sender
from overture.store.signals import Signals
from overture.store.sqlite import SqliteStore
from overture.store.statement import Command, Query, Row
from overture.workers.inbox import InboxRoad
from overture.workers.outbox import OutboxRoad
from overture.workers.sweeps import SettleRoad, TimerRoad
from overture.workers.turns import TurnRoad
from tests.prepared import prepare
from tests.scripted_twilio import ScriptedTwilio
from tests.timed_store import TimedStore

NOON: Final = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
WORKSPACE: Final = "default"
ACCOUNT: Final = "AC" + "0123456789abcdef" * 2
SECRET: Final = b"callback secret"
OURS: Final = "+15551230001"
ADA: Final = "+15550100001"
BOB: Final = "+15550100002"
SMS: Final = Channel.SMS
WHATSAPP: Final = Channel.WHATSAPP
AGENT: Final = "booker"
TABLES: Final = (
    *("contact", "thread", "conversation", "message", "outbox", "attempt", "inbox"),
    *("idempotency", "turn", "step", "timer", "consent", "event"),
)

BOOKER: Final = FlowSpec(
    name="Booker",
    nodes={
        "start": Node(say="Hello! Which day suits you?", ask=Ask(slot="day"), goto="time"),
        "time": Node(say="{day} it is. At what time?", ask=Ask(slot="time"), goto="done"),
        "done": Node(say="See you on {day} at {time}.", end="completed"),
    },
)


class StillClock:
    """Stands still until a test lets time pass."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        """The instant it stands at."""
        return self.at

    def passes(self, **length: float) -> None:
        """Let time pass: `seconds=5`, `hours=2`."""
        self.at += timedelta(**length)


class ScriptedModel:
    """A ModelClient that answers from a list; an exception in it is raised, a function is awaited first."""

    def __init__(self, *answers: "str | Exception | Callable[[ModelRequest], Awaitable[str]]") -> None:
        self.answers = list(answers)
        self.asked: list[ModelRequest] = []

    async def complete(self, request: ModelRequest, *, timeout_seconds: float) -> ModelAnswered:
        """The next answer of the list."""
        assert timeout_seconds > 0
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return ModelAnswered(text=answer if isinstance(answer, str) else await answer(request))

    def endpoints(self) -> Sequence[str]:
        """One endpoint, by the name that agents use when they name none."""
        return ("default",)


class World:
    """Everything that a test of the core may touch."""

    def __init__(self, store: Store, clock: StillClock, twilio: ScriptedTwilio, model: ModelClient) -> None:
        self.store = store
        self.clock = clock
        self.twilio = twilio
        self.model = model
        self.ids = RandomIds()
        self.signals = Signals()
        self.client = TwilioClient(
            accounts={ACCOUNT: TwilioAccount(sid=ACCOUNT, auth_token="a token", base_url=twilio.base_url)},
            secret=SECRET,
            public_base_url="https://overture.example",
            timeout=aiohttp.ClientTimeout(total=5),
        )
        self.webhooks = TwilioWebhooks(accounts={ACCOUNT: ["a token"]}, public_base_urls=[], secret=SECRET)
        self.inbox = self.new_inbox()
        self.out = self.new_outbox()
        self.turns = TurnRoad(store=store, model=model, ids=self.ids, signals=self.signals)
        findings: Batch[Finding, str] = Batch(store, settle_deliveries, self.ids)
        self.settling = SettleRoad(store=store, provider=self.client, ids=self.ids, findings=findings)
        self.timers = TimerRoad(store=store, ids=self.ids)
        self._sids = 0

    def new_inbox(
        self, quiet: QuietTimes | None = None, *, also_stop: tuple[str, ...] = (), transcribes: bool = False
    ) -> InboxRoad:
        """An in road; without a quiet time unless one is given."""
        quiet = QuietTimes(every=0) if quiet is None else quiet
        return InboxRoad(
            store=self.store,
            parser=self.webhooks,
            ids=self.ids,
            listening=Listening(quiet=quiet, also_stop=also_stop, transcribes=transcribes),
            signals=self.signals,
        )

    def new_outbox(self) -> OutboxRoad:
        """An out road, as a process of its own would have it."""
        claims: Batch[Claims, list[Outgoing]] = Batch(self.store, claim_deliveries, self.ids)
        outcomes: Batch[Outcome, bool] = Batch(self.store, record_outcomes, self.ids)
        return OutboxRoad(store=self.store, provider=self.client, ids=self.ids, claims=claims, outcomes=outcomes)

    # what is on disk

    async def rows(self, sql: str, *scalars: Any) -> Sequence[Row]:
        """The rows of a query."""
        return await self.store.read(lambda tx: tx.all(Query(sql), *scalars))

    async def value(self, sql: str, *scalars: Any) -> Any:
        """The one value of a query that finds one row."""
        [row] = await self.rows(sql, *scalars)
        return row[0]

    async def column(self, sql: str, *scalars: Any) -> list[Any]:
        """The first column of a query."""
        return [row[0] for row in await self.rows(sql, *scalars)]

    async def change(self, sql: str, *scalars: Any) -> None:
        """Change rows by hand."""
        await self.store.write(lambda tx: tx.run(Command(sql), *scalars))

    async def counts(self) -> dict[str, int]:
        """How many rows the tables have that conversations fill."""
        return {table: await self.value(f"SELECT count(*) FROM {table}") for table in TABLES}

    async def conversation(self, conversation_id: str) -> Conversation:
        """A conversation as it is on disk."""
        found = await self.store.read(lambda tx: conversations.find(tx, WORKSPACE, conversation_id))
        assert found is not None
        return found

    async def live(self) -> list[Conversation]:
        """Every conversation that has not ended."""
        ids = await self.column("SELECT id FROM conversation WHERE mode <> 'ended' ORDER BY created_at, id")
        return [await self.conversation(an_id) for an_id in ids]

    async def lines(self, conversation_id: str) -> list[Message]:
        """A conversation's messages."""
        return await self.store.read(lambda tx: messages.list_after(tx, WORKSPACE, conversation_id, 0, 1000))

    async def texts(self, conversation_id: str) -> list[str]:
        """A conversation's texts, the contact's with a > before them."""
        return [("> " if line.direction == "in" else "") + line.text for line in await self.lines(conversation_id)]

    async def events(self, kind: str) -> list[Row]:
        """The data and the conversation of every event of a kind."""
        return list(await self.rows("SELECT data, conversation_id FROM event WHERE kind = $1 ORDER BY id", kind))

    # what happens

    def asks(self, **changes: Any) -> Start:
        """A call for a conversation with Ada over SMS, changed as told."""
        asked: dict[str, Any] = {
            "workspace_id": WORKSPACE,
            "agent_id": AGENT,
            "channel": SMS,
            "to_number": ADA,
            "from_number": OURS,
            "text": "Hello Ada",
        }
        asked.update(changes)
        asked.setdefault("digest", repr(sorted((name, repr(value)) for name, value in asked.items())))
        return Start(**asked)

    async def starts_all(self, *asked: Start) -> list[Answer]:
        """The answers to calls that arrive together."""
        return await self.store.write(lambda tx: start_conversations(tx, asked, self.clock.now(), self.ids))

    async def answers(self, **changes: Any) -> Answer:
        """The answer to one call."""
        [answer] = await self.starts_all(self.asks(**changes))
        return answer

    async def starts(self, **changes: Any) -> str:
        """The id of a conversation that is started."""
        answer = await self.answers(**changes)
        assert isinstance(answer, Started), answer
        return answer.conversation_id

    async def rules(self, given: Rules) -> None:
        """These are the workspace's rules."""

        async def set_rules(tx: Writing) -> None:
            await instances.add_workspace(tx, WORKSPACE, WORKSPACE, self.clock.now())
            await rules.set_of_workspace(tx, WORKSPACE, given)

        await self.store.write(set_rules)

    async def saves(self, spec: AgentSpec, agent_id: str = AGENT) -> None:
        """A version of an agent is kept."""
        await self.store.write(lambda tx: agents.save(tx, WORKSPACE, agent_id, spec, {}, self.clock.now()))

    def written(self, text: str, **given: str) -> RawEvent:
        """The event of a message that a contact (Ada, over SMS) wrote; further fields of the form by their names."""
        self._sids += 1
        sid = given.pop("sid", f"SM{self._sids:032x}".replace("SM0", "SMf", 1))
        channel = given.pop("channel", SMS)
        prefix = "whatsapp:" if channel == WHATSAPP else ""
        to, sender = prefix + given.pop("to", OURS), prefix + given.pop("by", ADA)
        form = {"MessageSid": sid, "AccountSid": ACCOUNT, "From": sender, "To": to, "Body": text, **given}
        return RawEvent(
            kind="inbound",
            account_sid=ACCOUNT,
            unique_key=sid,
            ordering_key=f"{ACCOUNT}|{to}|{sender}",
            query="",
            body=urlencode(form).encode(),
        )

    def reported(
        self, message: dict[str, Any], status: str, *, code: int | None = None, anonymous: bool = False
    ) -> RawEvent:
        """The event of a status that the provider reports of a message it took."""
        form = {"MessageSid": message["sid"], "AccountSid": ACCOUNT, "MessageStatus": status}
        form |= {} if code is None else {"ErrorCode": str(code)}
        return RawEvent(
            kind="status",
            account_sid=ACCOUNT,
            unique_key=f"{message['sid']}/{status}",
            ordering_key=message["sid"],
            query="" if anonymous else urlsplit(message["callback"]).query,
            body=urlencode(form).encode(),
        )

    async def keeps(self, *events: RawEvent) -> list[bool]:
        """Webhooks arrive; whether each was new."""
        return await self.store.write(lambda tx: keep_webhooks(tx, events, self.clock.now(), self.ids))

    async def handles(self) -> None:
        """The in road handles everything that is due."""
        while await self.inbox.look() == 0:
            pass

    async def hears(self, text: str, **given: str) -> None:
        """A contact (Ada, over SMS) writes, and it is received."""
        await self.keeps(self.written(text, **given))
        await self.handles()

    async def is_told(self, message: dict[str, Any], *statuses: str, code: int | None = None) -> None:
        """The provider reports statuses of a message, and they are recorded."""
        for status in statuses:
            await self.keeps(self.reported(message, status, code=code))
            await self.handles()

    async def takes_turns(self) -> None:
        """The turn road runs what is due, to its end."""
        await self.turns.look()
        await self.turns.drain(10)

    async def sends(self, rounds: int = 1) -> None:
        """The out road hands over what may leave: in one round, at most one message of a thread."""
        for _ in range(rounds):
            await self.out.look()
            await self.out.drain()

    async def settles(self) -> None:
        """What became of uncertain messages is looked for."""
        await self.settling.look()
        await self.settling.drain()

    async def is_heard_before(self, channel: Channel = SMS, to: str = ADA) -> None:
        """Ada wrote to us in the last minute, so a WhatsApp window is open; nothing else is left of it."""
        sender = await self.value("SELECT id FROM sender WHERE channel = $1 AND address = $2", channel.value, OURS)
        await self.hears("hello", channel=channel, by=to)
        await self.change(
            "UPDATE thread SET last_inbound_at = $1 WHERE sender_id = $2", stored(self.clock.now()), sender
        )


def open_store(url: str, clock: Clock, *, pool_size: int = 4) -> Store:
    """The store behind a test's database URL, not yet connected."""
    if url.startswith("sqlite:"):
        return SqliteStore(Path(urlsplit(url).path), clock)
    return PostgresqlStore(url, clock, pool_size=pool_size)


@asynccontextmanager
async def a_world(url: str, *, model: ModelClient | None = None, furnish: bool = True) -> AsyncIterator[World]:
    """A world over a database; a second one over the same PostgreSQL is another process (without `furnish`)."""
    clock = StillClock()
    if furnish:
        prepare(url)
    store = TimedStore(open_store(url, clock), clock)
    await store.open()
    if furnish and not url.startswith("sqlite:"):
        await _empty(url)
    try:
        async with ScriptedTwilio(clock, ACCOUNT).listening() as twilio:
            world = World(store, clock, twilio, ScriptedModel() if model is None else model)
            if furnish:
                await world.saves(BOOKER)
                await add_sender(world, SMS)
                await add_sender(world, WHATSAPP)
            try:
                yield world
            finally:
                await world.client.aclose()
    finally:
        await store.close()


async def _empty(url: str) -> None:
    """Leave nothing in a PostgreSQL database that other tests have used."""
    connection = await asyncpg.connect(url)
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.execute("; ".join(f'DELETE FROM "{row[0]}"' for row in tables if row[0] != "migration"))
    await connection.close()


async def add_sender(world: World, channel: Channel, address: str = OURS, **changes: Any) -> str:
    """Set a sender up; its id."""
    whatsapp = channel is WHATSAPP
    given: dict[str, Any] = {
        "id": world.ids.new(world.clock.now()),
        "workspace_id": WORKSPACE,
        "account_sid": ACCOUNT,
        "channel": channel,
        "address": address,
        "kind": SenderKind.WHATSAPP if whatsapp else SenderKind.LONG_CODE,
        "messaging_service_sid": None,
        "keyword_handling": KeywordHandling.OURS if whatsapp else KeywordHandling.TWILIO,
        "inbound_agent_id": None,
        "activated_at": None,
        "stopped_at": None,
        "stopped_because": None,
    }
    sender = Sender(**(given | changes))
    await world.store.write(lambda tx: senders.upsert(tx, sender, world.clock.now()))
    return sender.id
