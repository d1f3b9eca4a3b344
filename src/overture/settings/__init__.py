"""Settings: read once, from the environment first, then `overture.toml`, then the defaults.

Every value knows where it came from. What cannot be understood is refused at start, by name, with what would do.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from msgspec import Meta, Struct, ValidationError, convert
from msgspec.structs import replace

from overture.settings import values

_ACCOUNT_SID: Final = re.compile(r"AC[0-9a-f]{32}")
_SENDER: Final = re.compile(r"(?:(sms|whatsapp):)?(\+?[0-9]{3,15})(?:=([^\s,=]{1,64}))?")
_ADDRESS: Final = re.compile(r"(?:whatsapp:)?(\+?[0-9]{3,15})")
_OF_TOOLS: Final = "OVERTURE_SECRET_"
_LONGEST_SHORT_CODE: Final = 8  # digits; what is longer is a number whose + was forgotten, and would match no message
_T = TypeVar("_T")
_D = TypeVar("_D")


class SettingsError(Exception):
    """A setting that cannot be used; the text says which, where it stands, and what would do."""


class AccountSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Twilio account. `auth_tokens` are two while one is being rotated, the one for sending first.

    An API key, where given, is used for sending; webhooks are always signed with an auth token.
    """

    sid: str
    auth_tokens: tuple[str, ...] = ()
    api_key_sid: str = ""
    api_key_secret: str = ""
    base_url: str = "https://api.twilio.com"

    def __repr__(self) -> str:
        return f"AccountSettings(sid={self.sid!r}, base_url={self.base_url!r})"


class SenderSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number of ours on one channel; `agent` answers who writes first.

    `inbound` and `foreign_outbound` are those of all senders where one has none of its own.
    """

    address: str
    channel: Literal["sms", "whatsapp"] = "sms"
    account: str = ""
    agent: str | None = None
    messaging_service_sid: str | None = None
    keyword_handling: Literal["twilio", "advanced", "network", "ours"] | None = None
    inbound: Literal["webhook", "poll"] | None = None
    foreign_outbound: Literal["note", "takeover", "ignore"] | None = None
    pace_per_second: Annotated[float, Meta(ge=0.001, le=10_000)] | None = None


class ModelSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OpenAI-compatible endpoint, by the name that agents use, and what a million tokens cost there."""

    base_url: str
    model: str
    name: str = "default"
    api_key: str = ""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    input_per_million: Annotated[float, Meta(ge=0, le=1_000_000)] | None = None
    output_per_million: Annotated[float, Meta(ge=0, le=1_000_000)] | None = None
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")] | None = None

    def __post_init__(self) -> None:
        given = {self.input_per_million is None, self.output_per_million is None, self.currency is None}
        if len(given) > 1:
            raise ValueError("a price is input_per_million, output_per_million and currency together")

    def __repr__(self) -> str:
        return f"ModelSettings(name={self.name!r}, base_url={self.base_url!r}, model={self.model!r})"


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that can be set. `origins` tells for each name where its value came from."""

    data: Path
    database_url: str
    host: str
    port: int
    role: Literal["all", "api", "worker"]
    public_urls: tuple[str, ...]
    accounts: tuple[AccountSettings, ...]
    senders: tuple[SenderSettings, ...]
    inbound: Literal["webhook", "poll"]
    foreign_outbound: Literal["note", "takeover", "ignore"]
    models: tuple[ModelSettings, ...]
    transcription_base_url: str
    transcription_model: str
    transcription_api_key: str
    embedding_base_url: str
    embedding_model: str
    embedding_api_key: str
    typing: bool
    quiet_seconds: float | None
    reply_wait_seconds: float
    answer_late_seconds: float
    also_stop: tuple[str, ...]
    opt_out_confirmation: str
    tools_may_reach: tuple[str, ...]
    secrets: Mapping[str, str]
    log_level: Literal["debug", "info", "warning", "error"]
    log_format: Literal["text", "json"]
    secrets_keys: tuple[str, ...]
    secrets_key_file: Path | None
    origins: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Settings(data={str(self.data)!r}, host={self.host!r}, port={self.port}, role={self.role!r})"

    @property
    def socket(self) -> Path:
        """Where the command line finds a running server: only the data folder's owner can open it."""
        return self.data / "overture.sock"


def read(
    environment: Mapping[str, str] = os.environ, file: Path | None = None, given: Mapping[str, str] | None = None
) -> Settings:
    """The settings in force; `given` (command-line options, by name) go before everything. Raises SettingsError."""
    named = file or (Path(environment["OVERTURE_CONFIG"]) if environment.get("OVERTURE_CONFIG") else None)
    path = named or Path("overture.toml")
    source = _Source(environment, _read_file(path, required=named is not None), str(path), given or {})
    data = Path(source.value("data", "data", values.text)).expanduser().absolute()
    accounts = _accounts(source)
    inbound: Any = source.value("inbound", "webhook", values.one_of("webhook", "poll"))
    foreign_outbound: Any = source.value("foreign_outbound", "note", values.one_of("note", "takeover", "ignore"))
    settings = Settings(
        data=data,
        database_url=source.value("database_url", f"sqlite:///{data}/overture.db", values.database_url),
        host=source.value("host", "127.0.0.1", values.text),
        port=source.value("port", 8080, values.port),
        role=source.value("role", "all", values.one_of("all", "api", "worker")),
        public_urls=source.value("public_url", (), values.urls),
        accounts=accounts,
        senders=_senders(source, accounts, inbound=inbound, foreign_outbound=foreign_outbound),
        inbound=inbound,
        foreign_outbound=foreign_outbound,
        models=_models(source),
        transcription_base_url=source.value("transcription_base_url", "", values.url),
        transcription_model=source.value("transcription_model", "", str),
        transcription_api_key=source.value("transcription_api_key", "", str),
        embedding_base_url=source.value("embedding_base_url", "", values.url),
        embedding_model=source.value("embedding_model", "", str),
        embedding_api_key=source.value("embedding_api_key", "", str),
        typing=source.value("typing", True, values.on_or_off),
        quiet_seconds=source.value("quiet_seconds", None, values.seconds),
        reply_wait_seconds=source.value("reply_wait_seconds", 15.0, values.some_seconds),
        answer_late_seconds=source.value("answer_late_seconds", 43_200.0, values.seconds_of_a_week),
        also_stop=source.value("also_stop", (), values.further_stop_words),
        opt_out_confirmation=source.value("opt_out_confirmation", "", values.one_message),
        tools_may_reach=source.value("tools_may_reach", (), values.hosts_and_networks),
        secrets=source.secrets(),
        log_level=source.value("log_level", "info", values.one_of("debug", "info", "warning", "error")),
        log_format=source.value("log_format", "text", values.one_of("text", "json")),
        secrets_keys=source.value("secrets_key", (), values.keys),
        secrets_key_file=source.value(
            "secrets_key_file", None, lambda raw: Path(values.text(raw)).expanduser().absolute()
        ),
        origins=source.origins,
    )
    source.refuse_unknown()
    _refuse_half_set(settings)
    return settings


def _refuse_half_set(settings: Settings) -> None:
    """Refuse what makes no sense without another setting. Raises SettingsError."""
    if settings.transcription_base_url and not settings.transcription_model:
        raise SettingsError(
            "OVERTURE_TRANSCRIPTION_BASE_URL is set: OVERTURE_TRANSCRIPTION_MODEL must say which model to ask there."
        )
    if settings.embedding_base_url and not settings.embedding_model:
        raise SettingsError(
            "OVERTURE_EMBEDDING_BASE_URL is set: OVERTURE_EMBEDDING_MODEL must say which model to ask there."
        )
    if settings.role != "all" and settings.database_url.startswith("sqlite"):
        raise SettingsError(
            f"role = {settings.role!r} needs PostgreSQL: SQLite serves one process in every role (role = 'all')."
        )


class _Source:
    """Looks values up in their order, and remembers where each was found."""

    def __init__(
        self, environment: Mapping[str, str], file: dict[str, Any], named: str, given: Mapping[str, str]
    ) -> None:
        self._environment: Final = environment
        self._file: Final = file
        self.named: Final = named
        self._given: Final = given
        self._asked: Final[set[str]] = set()
        self.origins: Final[dict[str, str]] = {}

    def value(self, name: str, default: _D, parse: Callable[[Any], _T]) -> _T | _D:
        """The value of a name, parsed."""
        self._asked.add(name)
        variable = f"OVERTURE_{name.upper()}"
        if self._given.get(name):
            origin, raw = f"--{name.replace('_', '-')}", self._given[name]
        elif self._environment.get(variable):
            origin, raw = variable, self._environment[variable]
        elif name in self._file:
            origin, raw = f"{self.named}: {name}", self._file[name]
        else:
            self.origins[name] = "default"
            return default
        self.origins[name] = origin
        try:
            return parse(raw)
        except (ValueError, TypeError) as wrong:
            raise SettingsError(f"{origin}: {wrong}") from wrong

    def tables(self, name: str, kind: type[_T]) -> list[_T]:
        """A list of tables of the file, each as its kind."""
        self._asked.add(name)
        found = self._file.get(name, [])
        if not isinstance(found, list):
            raise SettingsError(f"{self.named}: {name} must be written as [[{name}]] tables.")
        try:
            return [_converted(raw, kind, f"{name}[{n}]") for n, raw in enumerate(found)]
        except ValueError as wrong:
            raise SettingsError(f"{self.named}: {wrong}") from wrong

    def secrets(self) -> dict[str, str]:
        """The secrets of tools by their names: OVERTURE_SECRET_NAME goes before NAME under [secrets] in the file."""
        self._asked.add("secrets")
        table = self._file.get("secrets", {})
        of_environment = {
            variable.removeprefix(_OF_TOOLS): secret
            for variable, secret in self._environment.items()
            if variable.startswith(_OF_TOOLS) and secret
        }
        origins = [f"{_OF_TOOLS}*"] if of_environment else []
        origins += [f"{self.named}: secrets"] if table else []
        if origins:
            self.origins["secrets"] = ", ".join(origins)
        try:
            return values.secrets(table) | values.secrets(of_environment)
        except ValueError as wrong:
            raise SettingsError(f"secrets: {wrong}") from None

    def refuse_unknown(self) -> None:
        """Refuse names in the file that mean nothing: a misspelt setting must not be silently ignored."""
        if unknown := sorted(set(self._file) - self._asked):
            known = ", ".join(sorted(self._asked))
            raise SettingsError(f"{self.named}: {unknown[0]} is no setting. Known: {known}.")


def _read_file(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError as missing:
        if required:
            raise SettingsError(f"OVERTURE_CONFIG names {path}, and there is no such file.") from missing
        return {}
    except OSError as wrong:
        raise SettingsError(f"OVERTURE_CONFIG names {path}, which cannot be read: {wrong.strerror}.") from wrong
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise SettingsError(f"{path} is not valid TOML: {wrong}") from wrong


def _accounts(source: _Source) -> tuple[AccountSettings, ...]:
    accounts = source.tables("accounts", AccountSettings)
    origins = [f"{source.named}: accounts[{n}]" for n in range(len(accounts))]
    sid = source.value("twilio_account_sid", "", str)
    tokens = source.value("twilio_auth_token", (), values.listed)
    key, secret = source.value("twilio_api_key_sid", "", str), source.value("twilio_api_key_secret", "", str)
    base_url = source.value("twilio_base_url", "https://api.twilio.com", values.url)
    if sid:
        accounts.append(
            AccountSettings(sid=sid, auth_tokens=tokens, api_key_sid=key, api_key_secret=secret, base_url=base_url)
        )
        origins.append(source.origins["twilio_account_sid"])
    for account, origin in zip(accounts, origins, strict=True):
        if not _ACCOUNT_SID.fullmatch(account.sid):
            raise SettingsError(f"{origin}: {account.sid!r} is no account SID: AC and 32 digits or letters a to f.")
    return tuple(accounts)


def _senders(
    source: _Source,
    accounts: tuple[AccountSettings, ...],
    *,
    inbound: Literal["webhook", "poll"],
    foreign_outbound: Literal["note", "takeover", "ignore"],
) -> tuple[SenderSettings, ...]:
    """The senders, each with what is set for all where it says nothing of its own."""
    listed = source.value("senders", (), _sender_list)
    senders = []
    for sender in listed:
        if not accounts:
            raise SettingsError("There are senders but no account: set OVERTURE_TWILIO_ACCOUNT_SID.")
        account = sender.account or accounts[0].sid
        if account not in {known.sid for known in accounts}:
            raise SettingsError(f"The sender {sender.address} names account {account}, which is not set up.")
        full = _with_account(sender, account)
        ways = {"inbound": sender.inbound or inbound, "foreign_outbound": sender.foreign_outbound or foreign_outbound}
        senders.append(replace(full, **ways))
    return tuple(senders)


def _with_account(sender: SenderSettings, account: str) -> SenderSettings:
    return SenderSettings(
        address=sender.address.removeprefix("whatsapp:"),
        channel="whatsapp" if sender.address.startswith("whatsapp:") else sender.channel,
        account=account,
        agent=sender.agent,
        messaging_service_sid=sender.messaging_service_sid,
        keyword_handling=sender.keyword_handling,
        pace_per_second=sender.pace_per_second,
    )


def _models(source: _Source) -> tuple[ModelSettings, ...]:
    models = source.tables("models", ModelSettings)
    base_url = source.value("model_base_url", "", values.url)
    name = source.value("model_name", "", str)
    key = source.value("model_api_key", "", str)
    if base_url and not name:
        raise SettingsError("OVERTURE_MODEL_BASE_URL is set: OVERTURE_MODEL_NAME must say which model to ask there.")
    if base_url:
        models.insert(0, ModelSettings(base_url=base_url, model=name, api_key=key))
    if len(currencies := sorted({model.currency for model in models if model.currency})) > 1:
        raise SettingsError(f"models: prices are in {' and '.join(currencies)}; budgets can be kept in one only.")
    return tuple(models)


def _converted(raw: Any, kind: type[_T], where: str) -> _T:
    try:
        return convert(raw, kind)
    except ValidationError as wrong:
        raise ValueError(f"{where}: {wrong}") from wrong


def _sender_list(raw: Any) -> tuple[SenderSettings, ...]:
    """Senders as [[senders]] tables of the file, or as one text: `sms:+1555…=AGENT, whatsapp:+1555…`."""
    if isinstance(raw, list):
        tables = tuple(_converted(table, SenderSettings, f"senders[{n}]") for n, table in enumerate(raw))
        for n, sender in enumerate(tables):
            match = _ADDRESS.fullmatch(sender.address)
            if match is None:
                raise ValueError(f"senders[{n}]: {sender.address!r} is no number, and only a number can be answered.")
            _refuse_bare(match[1], f"senders[{n}]: ")
        return tables
    senders = []
    for text in values.listed(raw):
        match = _SENDER.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{text!r} is no sender: write sms:+15551234567 or whatsapp:+15551234567, =AGENT after it."
            )
        _refuse_bare(match[2])
        senders.append(convert({"channel": match[1] or "sms", "address": match[2], "agent": match[3]}, SenderSettings))
    return tuple(senders)


def _refuse_bare(number: str, where: str = "") -> None:
    """Refuse a number that is too long for a short code and has no plus."""
    if not number.startswith("+") and len(number) > _LONGEST_SHORT_CODE:
        raise ValueError(f"{where}{number!r} is no short code (3 to 8 digits): write it with + and country code.")
