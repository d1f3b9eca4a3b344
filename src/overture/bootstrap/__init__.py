"""The composition root: settings become running parts, started in order and stopped in reverse."""

import asyncio
import contextlib
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from starlette.types import ASGIApp

from overture import log
from overture.actions.adopt_instance import recognise_instance
from overture.actions.adopt_settings import adopt_settings
from overture.actions.claim_deliveries import Claims, claim_deliveries
from overture.actions.keep_webhook import keep_webhooks
from overture.actions.openings import Answer
from overture.actions.record_outcome import Outcome, record_outcomes
from overture.actions.settle_delivery import Finding, settle_deliveries
from overture.actions.start_conversation import start_conversations
from overture.adapters.ids import RandomIds
from overture.adapters.twilio.accounts import TwilioAccounts
from overture.adapters.twilio.content import TwilioContent
from overture.adapters.twilio.media import TwilioMedia
from overture.adapters.twilio.webhooks import TwilioWebhooks
from overture.bootstrap import doors
from overture.domain.errors import Failure
from overture.domain.listening import Listening
from overture.domain.ports import Outgoing, RawEvent
from overture.domain.reply_time import QuietTimes
from overture.domain.sending import Start
from overture.domain.tool_address import Reach, Surroundings
from overture.settings import Settings
from overture.store import instances
from overture.store.backups import Backups
from overture.store.batch import Batch
from overture.store.engine import Store
from overture.store.instances import Instance
from overture.store.signals import ROADS, Signals
from overture.turns.meaning import Meaning
from overture.web import serving
from overture.web.app import make_app
from overture.web.parts import Parts
from overture.workers import ending, loop
from overture.workers.accounts import LONGEST_WAIT_SECONDS as ACCOUNTS_WAIT_SECONDS
from overture.workers.accounts import ROAD as ACCOUNTS
from overture.workers.accounts import AccountsRoad
from overture.workers.embedding import EVERY_SECONDS as EMBEDDINGS_WAIT_SECONDS
from overture.workers.embedding import ROAD as EMBEDDINGS
from overture.workers.embedding import EmbeddingRoad
from overture.workers.inbox import InboxRoad
from overture.workers.media import MediaRoad
from overture.workers.models import LONGEST_WAIT_SECONDS as MODELS_WAIT_SECONDS
from overture.workers.models import ROAD as MODELS
from overture.workers.notices import ROAD as NOTICES
from overture.workers.notices import NoticeRoad
from overture.workers.outbox import OutboxRoad
from overture.workers.pricing import EVERY_SECONDS as PRICES_WAIT_SECONDS
from overture.workers.pricing import ROAD as PRICES
from overture.workers.pricing import PriceRoad
from overture.workers.queues import LONGEST_WAIT_SECONDS as QUEUES_WAIT_SECONDS
from overture.workers.queues import ROAD as QUEUES
from overture.workers.queues import QueueRoad
from overture.workers.restoring import RestoreRoad
from overture.workers.sweeping import ROAD as SWEEP
from overture.workers.sweeping import SweepRoad
from overture.workers.sweeps import SettleRoad, TimerRoad
from overture.workers.templates import ROAD as TEMPLATES
from overture.workers.templates import TemplateRoad
from overture.workers.turns import TurnRoad
from overture.workers.typing import Typing

WORKSPACE: Final = "default"

_log: Final = log.get(__name__)


class House:
    """Everything that runs in this process.

    `make_store`, `make_provider` and `make_model` open the doors to the world: who counts what passes through them, or
    stops the process there, gives others.
    """

    def __init__(
        self,
        settings: Settings,
        stopping: asyncio.Event | None = None,
        *,
        make_store: Callable[[Settings, Signals], Store] = doors.open_store,
        make_provider: Callable[[Settings, bytes, TwilioAccounts], doors.ClosingProvider] = doors.open_provider,
        make_model: Callable[[Settings], doors.ClosingModel] = doors.open_models,
    ) -> None:
        self.settings: Final = settings
        self.signals: Final = Signals()
        self.store: Final = make_store(settings, self.signals)
        self._make_provider: Final = make_provider
        self._make_model: Final = make_model
        self._vault: Final = doors.open_vault(settings)
        self._accounts: Final = doors.open_accounts(settings)
        self._accounts_road: Final = AccountsRoad(store=self.store, vault=self._vault, accounts=self._accounts)
        self.ids: Final = RandomIds()
        self.stopping: Final = stopping or asyncio.Event()
        self._shut_because: str | None = None
        self._roads: Final[list[asyncio.Task[None]]] = []
        self._drains: Final[list[Callable[[], Any]]] = []
        self._closes: Final[list[Callable[[], Any]]] = []

    async def open(self, *, adopt: bool = True) -> Parts:
        """Connect, adopt the settings' senders (unless told not to), and put the parts together; nothing runs yet."""
        self.settings.data.mkdir(parents=True, exist_ok=True)
        await self.store.open()
        self._closes.append(self.store.close)
        self._backups = Backups(doors.sqlite_file(self.settings))
        self._closes.append(self._backups.close)
        instance = await self._identify(adopt=adopt)
        await self._accounts_road.refresh()
        secret = bytes.fromhex(instance.callback_secret)
        self._verifier = TwilioWebhooks(
            accounts=self._accounts.tokens, public_base_urls=self.settings.public_urls, secret=secret
        )
        self._provider = self._make_provider(self.settings, secret, self._accounts)
        self._closes.append(self._provider.aclose)
        self._media = TwilioMedia(self._accounts)
        self._closes.append(self._media.aclose)
        content = TwilioContent(self._accounts)
        self._closes.append(content.aclose)
        self._templates = TemplateRoad(store=self.store, source=content)
        self._model = self._make_model(self.settings)
        self._closes.append(self._model.aclose)
        self._checks = doors.open_checks(self.settings, self.store, self.signals, self._model)
        await self._checks.look()
        self._tools = doors.open_tools(self.settings)
        self._closes.append(self._tools.aclose)
        self._transcriber = doors.open_transcriber(self.settings)
        if self._transcriber is not None:
            self._closes.append(self._transcriber.aclose)
        self._embeddings = doors.open_embeddings(self.settings)
        self._meaning = None if self._embeddings is None else Meaning(self._embeddings)
        if self._embeddings is not None:
            self._closes.append(self._embeddings.aclose)
        return self._parts()

    def follow_accounts(self) -> None:
        """Start to follow what other processes change of the accounts."""
        self._start(ACCOUNTS, self._accounts_road.look, longest_wait_seconds=ACCOUNTS_WAIT_SECONDS)

    def _turn_road(self) -> TurnRoad:
        return TurnRoad(
            store=self.store,
            model=self._model,
            ids=self.ids,
            signals=self.signals,
            typing=Typing(self._provider) if self.settings.typing else None,
            tools=self._tools,
            meaning=self._meaning,
            prices=doors.read_prices(self.settings),
        )

    def start_roads(self) -> None:
        """Start the workers."""
        wake = self.signals.wake
        claims: Batch[Claims, list[Outgoing]] = Batch(self.store, claim_deliveries, self.ids)
        outcomes: Batch[Outcome, bool] = Batch(self.store, record_outcomes, self.ids, after=lambda _: wake("outbox"))
        findings: Batch[Finding, str] = Batch(self.store, settle_deliveries, self.ids, after=lambda _: wake("outbox"))
        out = OutboxRoad(store=self.store, provider=self._provider, ids=self.ids, claims=claims, outcomes=outcomes)
        turns = self._turn_road()
        inbox = self._inbox_road()
        settle = SettleRoad(store=self.store, provider=self._provider, ids=self.ids, findings=findings)
        timers = TimerRoad(store=self.store, ids=self.ids)
        media = MediaRoad(store=self.store, fetcher=self._media, signals=self.signals, transcriber=self._transcriber)
        notices = NoticeRoad(store=self.store, notifier=doors.open_notifier(self.settings, self._tools), ids=self.ids)
        sweep = SweepRoad(
            store=self.store,
            provider=self._provider,
            parser=self._verifier,
            ids=self.ids,
            signals=self.signals,
            is_stopping=self.stopping.is_set,
        )
        self._accounts_road.when_changed = sweep.try_anew
        restore = RestoreRoad(store=self.store, provider=self._provider, ids=self.ids, signals=self.signals)
        for road, look in (
            (SWEEP, sweep.look),
            ("inbox", sweep.after_first(inbox.look)),
            ("turns", turns.look),
            ("outbox", sweep.once_shut(out.look)),
            ("settle", sweep.unless_shut(settle.look)),
            ("restore", sweep.unless_shut(restore.look)),
            ("timers", timers.look),
            ("media", media.look),
            (NOTICES, sweep.unless_shut(notices.look)),
            (TEMPLATES, self._templates.look),
        ):
            self._start(road, look)
        self._start_slow_roads(sweep)
        self._drains.extend(
            (
                lambda: turns.drain(ending.TURNS_SECONDS),
                lambda: out.drain(ending.SENDS_SECONDS),
                lambda: notices.drain(ending.NOTICES_SECONDS),
                settle.give_up,
                outcomes.settle,
            )
        )

    def _start_slow_roads(self, sweep: SweepRoad) -> None:
        """Start what nobody waits for."""
        pricing = PriceRoad(store=self.store, provider=self._provider)
        self._start(PRICES, sweep.unless_shut(pricing.look), longest_wait_seconds=PRICES_WAIT_SECONDS)
        queues = QueueRoad(store=self.store)
        self._start(QUEUES, queues.look, longest_wait_seconds=QUEUES_WAIT_SECONDS)
        self._start(MODELS, self._checks.look, longest_wait_seconds=MODELS_WAIT_SECONDS)
        if self._embeddings is not None:
            embedding = EmbeddingRoad(store=self.store, embeddings=self._embeddings)
            self._start(EMBEDDINGS, embedding.look, longest_wait_seconds=EMBEDDINGS_WAIT_SECONDS)

    def _start(
        self,
        road: str,
        look: Callable[[], Awaitable[float | None]],
        longest_wait_seconds: float = loop.LONGEST_WAIT_SECONDS,
    ) -> None:
        going = loop.run(
            road,
            look,
            signals=self.signals,
            stopping=self.stopping,
            longest_wait_seconds=longest_wait_seconds,
        )
        self._roads.append(asyncio.get_running_loop().create_task(going, name=road))

    def _inbox_road(self) -> InboxRoad:
        quiet = QuietTimes(
            every=self.settings.quiet_seconds, answer_late=timedelta(seconds=self.settings.answer_late_seconds)
        )
        listening = Listening(
            quiet=quiet,
            also_stop=self.settings.also_stop,
            transcribes=bool(self.settings.transcription_base_url),
            confirmation=self.settings.opt_out_confirmation,
        )
        return InboxRoad(
            store=self.store, parser=self._verifier, ids=self.ids, listening=listening, signals=self.signals
        )

    def make_app(self, parts: Parts, *, trusted: bool = False) -> ASGIApp:
        """The application behind a door; at a trusted one no key is asked for."""
        return make_app(parts, trusted=trusted)

    async def close(self) -> None:
        """Stop taking work, bring what runs to its end, close what was opened, within a time (`workers/ending`)."""
        self.stopping.set()
        for road in ROADS:
            self.signals.heard(road)
        await ending.end(self._roads, self._drains, reversed(self._closes))

    async def _identify(self, *, adopt: bool) -> Instance:
        now = self.store.now()
        offered = Instance(id=self.ids.new(now), callback_secret=secrets.token_hex(32))
        wanted = [doors.read_sender(setting) for setting in self.settings.senders]

        async def identify(tx: Any) -> Instance:
            await instances.add_workspace(tx, WORKSPACE, WORKSPACE, now)
            if adopt:
                await adopt_settings(tx, WORKSPACE, wanted, now, self.ids)
            instance = await instances.get_or_make(tx, offered, now)
            if adopt:
                self._shut_because = (
                    await recognise_instance(
                        tx,
                        WORKSPACE,
                        self.settings.public_urls,
                        now,
                        self.ids,
                        may_shut=self.settings.role != "api",
                    )
                ).shut_because
            return instance

        instance = await self.store.write(identify)
        if self._shut_because is not None:
            _log.error("instance_shut", why=self._shut_because, hint="`overture adopt` makes it the instance.")
        return instance

    def _parts(self) -> Parts:
        wake = self.signals.wake

        def started(_: Sequence[Answer]) -> None:
            wake("outbox")
            wake("turns")

        starts: Batch[Start, Answer] = Batch(self.store, start_conversations, self.ids, after=started)
        webhooks: Batch[RawEvent, bool] = Batch(self.store, keep_webhooks, self.ids, after=lambda _: wake("inbox"))
        return Parts(
            store=self.store,
            ids=self.ids,
            signals=self.signals,
            starts=starts,
            webhooks=webhooks,
            verifier=self._verifier,
            accounts=self._accounts,
            refresh_accounts=self._accounts_road.refresh,
            vault=self._vault,
            is_draining=self.stopping.is_set,
            health=self._health,
            reply_wait_seconds=self.settings.reply_wait_seconds,
            tool_surroundings=Surroundings(
                secrets=frozenset(self.settings.secrets),
                reach=Reach.read(self.settings.tools_may_reach),
                models=frozenset(model.name for model in self.settings.models),
                priced=frozenset(doors.read_prices(self.settings)),
            ),
            model_endpoints=tuple(model.name for model in self.settings.models),
            backups=self._backups,
            meaning=self._meaning,
            templates=self._templates,
            models=self._checks,
            public_urls=self.settings.public_urls,
        )

    async def _health(self) -> list[str]:
        wrong = [f"the {task.get_name()} road has stopped" for task in self._roads if task.done()]
        try:
            await self.store.read(instances.count_workspaces)
        except Failure as away:
            wrong.append(away.description)
        return wrong


async def serve(
    settings: Settings,
    *,
    ready: Callable[[str, int], None] | None = None,
    door: socket.socket | None = None,
    stopping: asyncio.Event | None = None,
    make_house: Callable[[Settings, asyncio.Event | None], "House"] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return. Raises Failure where it cannot start.

    `ready` is told the host and port as soon as connections are taken. `door` listens already, in place of the
    settings' host and port; `stopping` ends it as the signals do. `make_house` gives a house of its caller's own.
    """
    house = (make_house or House)(settings, stopping)
    local: socket.socket | None = None
    event_loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        event_loop.add_signal_handler(number, house.stopping.set)
    try:
        parts = await house.open()
        house.follow_accounts()
        if settings.role == "worker":
            house.start_roads()
            await house.stopping.wait()
            return
        door = door or serving.listen(settings.host, settings.port)
        local = serving.listen_locally(settings.socket)
        if settings.role == "all":
            house.start_roads()
        if ready is not None:
            ready(settings.host, door.getsockname()[1])
        await serving.serve(
            [(house.make_app(parts), door), (house.make_app(parts, trusted=True), local)], house.stopping
        )
    finally:
        await house.close()
        if local is not None:  # another server's socket is not ours to take away
            settings.socket.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def serving_locally(settings: Settings) -> AsyncIterator[None]:
    """Serve the data folder's socket alone, without workers: for a command where no server runs.

    The settings' senders are not adopted: a command may be given less than the server was.
    """
    house = House(settings)
    local: socket.socket | None = None
    try:
        parts = await house.open(adopt=False)
        local = serving.listen_locally(settings.socket)
        task = asyncio.get_running_loop().create_task(
            serving.serve([(house.make_app(parts, trusted=True), local)], house.stopping)
        )
        yield
        house.stopping.set()
        await task
    finally:
        await house.close()
        if local is not None:
            settings.socket.unlink(missing_ok=True)
