"""The API on a real database: real parts, real batches, the application called as a server calls it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from overture.actions.keep_webhook import keep_webhooks
from overture.actions.manage_keys import create_key
from overture.actions.openings import Answer
from overture.actions.start_conversation import start_conversations
from overture.adapters.clock import SystemClock
from overture.adapters.ids import RandomIds
from overture.adapters.twilio.accounts import TwilioAccounts
from overture.adapters.twilio.webhooks import TwilioWebhooks
from overture.adapters.vault import KeyedVault
from overture.domain.access import Scope
from overture.domain.account import Credentials
from overture.domain.agent import Ask, FlowSpec, Node, PromptSpec, Variable
from overture.domain.channel import Channel
from overture.domain.ports import RawEvent
from overture.domain.sender import KeywordHandling, SenderKind
from overture.domain.sending import Start
from overture.store import agents, senders
from overture.store.batch import Batch
from overture.store.engine import Store, Writing
from overture.store.postgresql import PostgresqlStore
from overture.store.senders import Sender
from overture.store.signals import Signals
from overture.store.sqlite import SqliteStore
from overture.store.statement import Query
from overture.web.app import make_app
from overture.web.parts import Parts
from overture.workers.accounts import AccountsRoad
from tests.prepared import prepare
from tests.web.asgi import Client

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "a twilio auth token"
PUBLIC_URL = "https://overture.example"
WORKSPACE = "default"
FOREIGN = "another"
SMS_SENDER = "+15551230001"
WHATSAPP_SENDER = "+15551230002"
AGENT = "2a886b7d-d52d-4f8b-8ea0-19d3edc79214"
NEEDY_AGENT = "needs-a-name"
PROMPT_AGENT = "1711241656808x745681686585854500"
TABLES = ("conversation", "message", "outbox", "contact", "thread", "idempotency", "event", "inbox", "timer", "agent")

FLOW = FlowSpec(
    name="Booker",
    nodes={
        "start": Node(say="Hello, it is the salon.", ask=Ask(slot="day"), goto="done"),
        "done": Node(say="Noted.", end="completed"),
    },
)
NEEDY = FlowSpec(
    name="Needy",
    variables={"first_name": Variable(required=True)},
    nodes={"start": Node(say="Hi {first_name}", end="completed")},
)
PROMPT = PromptSpec(name="Helper", instructions="Help.", greeting="Hi there!", purpose="Answers for the salon.")


@dataclass
class World:
    """Everything that a test of the web may touch."""

    store: Store
    parts: Parts
    client: Client
    foreign: Client
    operator: Client
    woken: list[str] = field(default_factory=list)
    draining: bool = False
    wrong: list[str] = field(default_factory=list)

    async def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        return {table: await self.count(table) for table in TABLES}

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        row = await self.store.read(lambda tx: tx.one(Query(f"SELECT count(*) FROM {table}")))
        assert row is not None
        return int(row[0])

    async def key(self, *scopes: Scope, workspace_id: str = WORKSPACE) -> str:
        """A new key with scopes."""
        return (
            await self.store.write(
                lambda tx: create_key(tx, workspace_id=workspace_id, name="a test", scopes=scopes, now=self.store.now())
            )
        ).text


def open_store(url: str) -> Store:
    """The store behind a test's database URL."""
    if url.startswith("sqlite:"):
        return SqliteStore(Path(urlsplit(url).path), SystemClock())
    return PostgresqlStore(url, SystemClock(), pool_size=4)


@pytest.fixture
def postgresql_url(migrated_postgresql_url: str) -> str:
    """The URL of a PostgreSQL database with the schema and without rows."""
    return migrated_postgresql_url


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """An open database with three agents and two senders."""
    prepare(database_url)
    store = open_store(database_url)
    await store.open()
    await store.write(lambda tx: _furnish(tx, store))
    yield store
    await store.close()


@pytest.fixture
async def world(store: Store) -> World:
    """The application over a furnished database."""
    return await make_world(store)


@asynccontextmanager
async def furnished(url: str) -> AsyncIterator[World]:
    """The application over a new database, furnished as `store` is."""
    prepare(url)
    store = open_store(url)
    await store.open()
    try:
        await store.write(lambda tx: _furnish(tx, store))
        yield await make_world(store)
    finally:
        await store.close()


async def make_world(store: Store, reply_wait_seconds: float = 5.0) -> World:
    """The application over an open database, with keys for two workspaces."""
    ids, signals = RandomIds(), Signals()
    starts: Batch[Start, Answer] = Batch(store, start_conversations, ids)
    webhooks: Batch[RawEvent, bool] = Batch(store, keep_webhooks, ids)
    accounts, vault = TwilioAccounts([Credentials(sid=ACCOUNT, auth_tokens=(TOKEN,))]), KeyedVault(keys=[b"k" * 32])
    road = AccountsRoad(store=store, vault=vault, accounts=accounts)
    switches: dict[str, Callable[[], object]] = {}
    wrong: list[str] = []

    async def health() -> list[str]:
        return list(wrong)

    parts = Parts(
        store=store,
        ids=ids,
        signals=signals,
        starts=starts,
        webhooks=webhooks,
        verifier=TwilioWebhooks(accounts=accounts.tokens, public_base_urls=[PUBLIC_URL], secret=b"s"),
        accounts=accounts,
        refresh_accounts=road.refresh,
        vault=vault,
        is_draining=lambda: bool(switches["draining"]()),
        health=health,
        reply_wait_seconds=reply_wait_seconds,
    )
    client = Client(make_app(parts))
    operator = Client(make_app(parts, trusted=True))
    world = World(store=store, parts=parts, client=client, foreign=client, operator=operator, wrong=wrong)
    switches["draining"] = lambda: world.draining
    signals.pass_on = world.woken.append
    world.client = client.with_key(await world.key(Scope.ADMIN))
    world.foreign = client.with_key(await world.key(Scope.ADMIN, workspace_id=FOREIGN))
    return world


async def _furnish(tx: Writing, store: Store) -> None:
    now = store.now()
    for an_id, spec in ((AGENT, FLOW), (NEEDY_AGENT, NEEDY), (PROMPT_AGENT, PROMPT)):
        await agents.save(tx, WORKSPACE, an_id, spec, {}, now)
    for sender in _senders():
        await senders.upsert(tx, sender, now)


def _senders() -> Sequence[Sender]:
    return [
        Sender(
            id=f"sender-{channel}",
            workspace_id=WORKSPACE,
            account_sid=ACCOUNT,
            channel=channel,
            address=address,
            kind=SenderKind.WHATSAPP if channel is Channel.WHATSAPP else SenderKind.LONG_CODE,
            messaging_service_sid=None,
            keyword_handling=KeywordHandling.OURS if channel is Channel.WHATSAPP else KeywordHandling.TWILIO,
            inbound_agent_id=None,
            activated_at=None,
            stopped_at=None,
            stopped_because=None,
        )
        for channel, address in ((Channel.SMS, SMS_SENDER), (Channel.WHATSAPP, WHATSAPP_SENDER))
    ]
