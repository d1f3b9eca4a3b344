"""The doors to the world, as the settings name them: databases, the provider, models, secrets."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from overture.actions.adopt_settings import SenderSetting
from overture.adapters.clock import SystemClock
from overture.adapters.http_tool import HttpTools
from overture.adapters.llm.embeddings import OpenAIEmbeddings
from overture.adapters.llm.openai_compatible import ModelEndpoint, OpenAICompatible
from overture.adapters.llm.probe import probe
from overture.adapters.llm.transcription import OpenAITranscriber
from overture.adapters.notifier import SignedNotifier
from overture.adapters.twilio.accounts import TwilioAccounts
from overture.adapters.twilio.client import TwilioClient
from overture.adapters.vault import FILE_NAME as KEY_FILE
from overture.adapters.vault import KeyedVault, read_keys
from overture.domain.account import Credentials, urls_of
from overture.domain.channel import Channel
from overture.domain.model_check import Checked
from overture.domain.model_use import ModelPrice, Prices
from overture.domain.ports import ModelClient, Provider, ToolCaller, Typist
from overture.domain.prices import MICROS
from overture.domain.sender import ForeignOutbound, InboundWay, KeywordHandling
from overture.domain.tool_address import Reach
from overture.settings import ModelSettings, SenderSettings, Settings
from overture.store.engine import Store
from overture.store.postgresql import PostgresqlStore
from overture.store.signals import Signals
from overture.store.sqlite import SqliteStore
from overture.workers.models import Endpoint, ModelRoad


def open_accounts(settings: Settings) -> TwilioAccounts:
    """The provider accounts of the settings, in force; stored ones join them."""
    return TwilioAccounts(
        Credentials(
            sid=account.sid,
            auth_tokens=account.auth_tokens,
            api_key_sid=account.api_key_sid,
            api_key_secret=account.api_key_secret,
            urls=urls_of(account.base_url),
        )
        for account in settings.accounts
    )


def open_vault(settings: Settings) -> KeyedVault:
    """The vault of the settings' keys. A key is made only where one process has the database for itself."""
    return KeyedVault(
        keys=read_keys(",".join(settings.secrets_keys)) if settings.secrets_keys else (),
        file=settings.secrets_key_file or settings.data / KEY_FILE,
        may_make=settings.secrets_key_file is None and sqlite_file(settings) is not None,
    )


class ClosingProvider(Provider, Typist, Protocol):
    """A provider whose connections are closed at the end."""

    async def aclose(self) -> None: ...


class ClosingModel(ModelClient, Protocol):
    """A client of models that learns of its endpoints, and whose connections are closed at the end."""

    def adopt(self, checks: Sequence[Checked]) -> None: ...

    async def aclose(self) -> None: ...


def sqlite_file(settings: Settings) -> Path | None:
    """The database's file; None where it is PostgreSQL."""
    url = settings.database_url
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


def open_store(settings: Settings, signals: Signals) -> Store:
    """The store that the database URL names, not yet connected."""
    clock = SystemClock()
    if (file := sqlite_file(settings)) is not None:
        return SqliteStore(file, clock)
    store = PostgresqlStore(settings.database_url, clock, on_hint=signals.heard)
    signals.pass_on = store.hint
    return store


def open_provider(settings: Settings, secret: bytes, accounts: TwilioAccounts) -> TwilioClient:
    """The provider of the accounts in force; `secret` marks its callback URLs."""
    return TwilioClient(
        accounts=accounts,
        secret=secret,
        public_base_url=settings.public_urls[0] if settings.public_urls else None,
    )


def read_sender(setting: SenderSettings) -> SenderSetting:
    """A sender of the settings in our words."""
    return SenderSetting(
        account_sid=setting.account,
        channel=Channel(setting.channel),
        address=setting.address,
        keyword_handling=KeywordHandling(setting.keyword_handling) if setting.keyword_handling else None,
        messaging_service_sid=setting.messaging_service_sid,
        inbound_agent_id=setting.agent,
        inbound=InboundWay(setting.inbound or InboundWay.WEBHOOK),
        foreign_outbound=ForeignOutbound(setting.foreign_outbound or ForeignOutbound.NOTE),
        pace_per_second=setting.pace_per_second,
    )


def open_models(settings: Settings) -> OpenAICompatible:
    """The settings' model endpoints."""
    return OpenAICompatible([read_endpoint(model) for model in settings.models])


def read_endpoint(model: ModelSettings) -> ModelEndpoint:
    """A model endpoint of the settings in the adapter's words."""
    return ModelEndpoint(
        name=model.name,
        base_url=model.base_url,
        model=model.model,
        api_key=model.api_key,
        max_tokens_field=model.max_tokens_field,
    )


def read_prices(settings: Settings) -> Prices:
    """What the settings' model endpoints cost; of the first one also under no name."""
    prices: dict[str | None, ModelPrice] = {}
    for model in reversed(settings.models):
        if model.input_per_million is not None and model.output_per_million is not None and model.currency is not None:
            price = ModelPrice(
                input=round(model.input_per_million * MICROS),
                output=round(model.output_per_million * MICROS),
                currency=model.currency,
            )
            prices[model.name] = price
            if model is settings.models[0]:
                prices[None] = price
    return prices


def open_checks(settings: Settings, store: Store, signals: Signals, models: ClosingModel) -> ModelRoad:
    """What checks the settings' model endpoints, and tells `models` what was found."""
    endpoints = [
        Endpoint(
            name=model.name,
            base_url=model.base_url,
            model=model.model,
            check=partial(probe, read_endpoint(model)),
        )
        for model in settings.models
    ]
    return ModelRoad(store=store, signals=signals, endpoints=endpoints, adopt=models.adopt)


def open_transcriber(settings: Settings) -> OpenAITranscriber | None:
    """Who writes voice notes down; None where nobody is set up for it."""
    if not settings.transcription_base_url:
        return None
    return OpenAITranscriber(
        base_url=settings.transcription_base_url,
        model=settings.transcription_model,
        api_key=settings.transcription_api_key,
    )


def open_embeddings(settings: Settings) -> OpenAIEmbeddings | None:
    """Who makes vectors of knowledge and of questions; None where it is searched by words alone."""
    if not settings.embedding_base_url:
        return None
    return OpenAIEmbeddings(
        base_url=settings.embedding_base_url, model=settings.embedding_model, api_key=settings.embedding_api_key
    )


def open_notifier(settings: Settings, caller: ToolCaller) -> SignedNotifier:
    """Who tells operators' servers of hand-overs."""
    return SignedNotifier(caller, secrets=settings.secrets)


def open_tools(settings: Settings) -> HttpTools:
    """Who calls the servers behind agents' tools, with the settings' secrets."""
    return HttpTools(secrets=settings.secrets, reach=Reach.read(settings.tools_may_reach))
