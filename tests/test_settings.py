"""Settings: environment, then file, then default; every refusal names the setting, and no secret shows."""

from pathlib import Path
from typing import Any

import pytest

from overture import settings
from overture.settings import AccountSettings, ModelSettings, SenderSettings, Settings, SettingsError

SID = "AC" + "0123456789abcdef" * 2
OTHER = "AC" + "f" * 32
ACCOUNT = {"OVERTURE_TWILIO_ACCOUNT_SID": SID, "OVERTURE_TWILIO_AUTH_TOKEN": "hunter22"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a file of settings."""
    monkeypatch.chdir(tmp_path)


def read(environment: dict[str, str] | None = None, toml: str | None = None, **given: str) -> Settings:
    file = None
    if toml is not None:
        file = Path("some.toml")
        file.write_text(toml)
    return settings.read(environment or {}, file, given)


def test_nothing_needs_to_be_set(tmp_path: Path) -> None:
    found = read()
    assert found.data == tmp_path / "data"
    assert found.database_url == f"sqlite:///{tmp_path}/data/overture.db"
    assert (found.host, found.port, found.role) == ("127.0.0.1", 8080, "all")
    assert (found.public_urls, found.accounts, found.senders, found.models) == ((), (), (), ())
    assert (found.quiet_seconds, found.reply_wait_seconds) == (None, 15.0)
    assert set(found.origins.values()) == {"default"}
    assert found.socket == tmp_path / "data" / "overture.sock"


@pytest.mark.parametrize(
    ("environment", "toml", "given", "port", "origin"),
    [
        ({}, None, {}, 8080, "default"),
        ({}, "port = 1", {}, 1, "some.toml: port"),
        ({"OVERTURE_PORT": "2"}, "port = 1", {}, 2, "OVERTURE_PORT"),
        ({"OVERTURE_PORT": "2"}, "port = 1", {"port": "3"}, 3, "--port"),
        ({"OVERTURE_PORT": ""}, "port = 1", {"port": ""}, 1, "some.toml: port"),
    ],
)
def test_the_nearest_word_counts_and_is_remembered(
    environment: dict[str, str], toml: str | None, given: dict[str, str], port: int, origin: str
) -> None:
    found = read(environment, toml, **given)
    assert (found.port, found.origins["port"]) == (port, origin)


def test_the_file_is_found_by_its_name_or_by_the_environment() -> None:
    Path("overture.toml").write_text("port = 1")
    Path("named.toml").write_text("port = 2")
    assert settings.read({}).port == 1
    assert settings.read({"OVERTURE_CONFIG": "named.toml"}).port == 2


def test_an_account_its_senders_and_a_model_by_the_environment() -> None:
    found = read(
        {
            **ACCOUNT,
            "OVERTURE_TWILIO_AUTH_TOKEN": "new, old",
            "OVERTURE_SENDERS": "sms:+15551230001=booker, whatsapp:+15551230002, +15551230003,12345,12345678",
            "OVERTURE_PUBLIC_URL": "https://one.example/, https://two.example/base",
            "OVERTURE_MODEL_BASE_URL": "http://127.0.0.1:9/v1/",
            "OVERTURE_MODEL_NAME": "a-model",
            "OVERTURE_QUIET_SECONDS": "0",
        }
    )
    [account] = found.accounts
    assert (account.sid, account.auth_tokens, account.base_url) == (SID, ("new", "old"), "https://api.twilio.com")
    assert [(s.channel, s.address, s.agent, s.account) for s in found.senders] == [
        ("sms", "+15551230001", "booker", SID),
        ("whatsapp", "+15551230002", None, SID),
        ("sms", "+15551230003", None, SID),
        ("sms", "12345", None, SID),
        ("sms", "12345678", None, SID),
    ]
    assert found.public_urls == ("https://one.example", "https://two.example/base")
    [model] = found.models
    assert (model.name, model.base_url, model.model) == ("default", "http://127.0.0.1:9/v1", "a-model")
    assert found.quiet_seconds == 0


def test_several_accounts_and_senders_by_the_file() -> None:
    found = read(
        {},
        f"""
        [[accounts]]
        sid = "{SID}"
        auth_tokens = ["one"]
        [[accounts]]
        sid = "{OTHER}"
        api_key_sid = "SK1"
        api_key_secret = "hunter22"
        [[senders]]
        address = "whatsapp:+15551230001"
        account = "{OTHER}"
        keyword_handling = "ours"
        [[senders]]
        address = "+15551230002"
        messaging_service_sid = "MG1"
        pace_per_second = 0.5
        [[models]]
        name = "large"
        base_url = "https://models.example/v1"
        model = "m"
        """,
    )
    assert [account.sid for account in found.accounts] == [SID, OTHER]
    ways: Any = {"inbound": "webhook", "foreign_outbound": "note"}
    assert found.senders == (
        SenderSettings(address="+15551230001", channel="whatsapp", account=OTHER, keyword_handling="ours", **ways),
        SenderSettings(address="+15551230002", account=SID, messaging_service_sid="MG1", pace_per_second=0.5, **ways),
    )
    assert [model.name for model in found.models] == ["large"]


@pytest.mark.parametrize("pace", ["0", "-1", "nan", "inf", "10001", "0.0001", '"2"', "true"])
def test_what_is_no_pace_is_refused(pace: str) -> None:
    with pytest.raises(SettingsError, match="pace_per_second"):
        read(ACCOUNT, f'[[senders]]\naddress = "+15551230001"\npace_per_second = {pace}\n')


def test_a_sender_goes_by_what_is_set_for_all_unless_it_says_otherwise() -> None:
    found = read(
        {**ACCOUNT, "OVERTURE_INBOUND": "poll", "OVERTURE_FOREIGN_OUTBOUND": "takeover"},
        """
        [[senders]]
        address = "+15551230001"
        [[senders]]
        address = "+15551230002"
        inbound = "webhook"
        foreign_outbound = "ignore"
        """,
    )
    assert [(sender.inbound, sender.foreign_outbound) for sender in found.senders] == [
        ("poll", "takeover"),
        ("webhook", "ignore"),
    ]


@pytest.mark.parametrize(
    ("environment", "toml", "named"),
    [
        ({"OVERTURE_PORT": "eighty"}, None, "OVERTURE_PORT"),
        ({"OVERTURE_PORT": "65536"}, None, "OVERTURE_PORT"),
        ({"OVERTURE_PORT": "-1"}, None, "OVERTURE_PORT"),
        ({}, "port = 80.5", "port"),
        ({}, "port = true", "port"),
        ({}, "host = 5", "host"),
        ({}, "port = [1]", "some.toml: port"),
        ({"OVERTURE_ROLE": "boss"}, None, "OVERTURE_ROLE"),
        ({}, "role = ['all']", "role"),
        ({"OVERTURE_ROLE": "api"}, None, "role"),
        ({"OVERTURE_DATABASE_URL": "mysql://x"}, None, "OVERTURE_DATABASE_URL"),
        ({"OVERTURE_DATABASE_URL": "sqlite:///"}, None, "OVERTURE_DATABASE_URL"),
        ({"OVERTURE_PUBLIC_URL": "example.com"}, None, "OVERTURE_PUBLIC_URL"),
        ({"OVERTURE_PUBLIC_URL": "https://user:hunter22@example.com"}, None, "OVERTURE_PUBLIC_URL"),
        ({"OVERTURE_QUIET_SECONDS": "nan"}, None, "OVERTURE_QUIET_SECONDS"),
        ({"OVERTURE_QUIET_SECONDS": "-1"}, None, "OVERTURE_QUIET_SECONDS"),
        ({"OVERTURE_REPLY_WAIT_SECONDS": "1e9"}, None, "OVERTURE_REPLY_WAIT_SECONDS"),
        ({"OVERTURE_REPLY_WAIT_SECONDS": "0"}, None, "OVERTURE_REPLY_WAIT_SECONDS"),
        ({"OVERTURE_LOG_LEVEL": "loud"}, None, "OVERTURE_LOG_LEVEL"),
        ({"OVERTURE_INBOUND": "often"}, None, "OVERTURE_INBOUND"),
        ({"OVERTURE_FOREIGN_OUTBOUND": "shout"}, None, "OVERTURE_FOREIGN_OUTBOUND"),
        (ACCOUNT, "[[senders]]\naddress = '+15551230001'\ninbound = 3", "senders[0]"),
        ({"OVERTURE_SECRETS_KEY": "hunter22"}, None, "OVERTURE_SECRETS_KEY"),
        ({"OVERTURE_SECRETS_KEY": f"{'ab' * 32},hunter22"}, None, "OVERTURE_SECRETS_KEY"),
        ({"OVERTURE_SECRETS_KEY": f"hunter22{'a' * 35}=="}, None, "OVERTURE_SECRETS_KEY"),
        ({}, "secrets_key = ['hunter22']", "some.toml: secrets_key"),
        ({}, "secrets_key_file = 5", "some.toml: secrets_key_file"),
        ({"OVERTURE_TWILIO_ACCOUNT_SID": "AC123"}, None, "OVERTURE_TWILIO_ACCOUNT_SID: 'AC123'"),
        ({}, "twilio_account_sid = 'AC123'", "some.toml: twilio_account_sid: 'AC123'"),
        ({}, "[[accounts]]\nsid = 'AC123'", "some.toml: accounts[0]: 'AC123'"),
        ({"OVERTURE_TWILIO_ACCOUNT_SID": SID.upper()}, None, SID.upper()),
        ({"OVERTURE_SENDERS": "sms:+15551230001"}, None, "OVERTURE_TWILIO_ACCOUNT_SID"),
        ({**ACCOUNT, "OVERTURE_SENDERS": "Company"}, None, "OVERTURE_SENDERS"),
        ({**ACCOUNT, "OVERTURE_SENDERS": "15551234567"}, None, "write it with + and country code"),
        ({**ACCOUNT, "OVERTURE_SENDERS": "whatsapp:123456789=salon"}, None, "write it with + and country code"),
        ({**ACCOUNT, "OVERTURE_SENDERS": "12"}, None, "OVERTURE_SENDERS"),
        ({**ACCOUNT, "OVERTURE_SENDERS": "fax:+15551230001"}, None, "OVERTURE_SENDERS"),
        (ACCOUNT, f"[[senders]]\naddress = '+15551230001'\naccount = '{OTHER}'", "+15551230001"),
        (ACCOUNT, "[[senders]]\naddres = '+15551230001'", "senders[0]"),
        (ACCOUNT, "[[senders]]\naddress = 'Company'", "senders[0]"),
        (ACCOUNT, "[[senders]]\naddress = '15551230001'", "senders[0]: '15551230001' is no short code"),
        (ACCOUNT, "[[senders]]\naddress = '+15551230001'\nchannel = 'fax'", "senders[0]"),
        ({}, "[accounts]\nsid = 'x'", "some.toml: accounts"),
        ({}, "[[models]]\nname = 'x'", "some.toml: models[0]"),
        ({"OVERTURE_MODEL_BASE_URL": "http://x"}, None, "OVERTURE_MODEL_NAME"),
        ({}, "prot = 80", "some.toml: prot"),
        ({}, "port = ", "some.toml"),
        ({"OVERTURE_CONFIG": "none.toml"}, None, "none.toml"),
        ({"OVERTURE_CONFIG": "."}, None, "OVERTURE_CONFIG"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_name(
    environment: dict[str, str], toml: str | None, named: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        read(environment, toml)
    assert named in str(refused.value)
    assert "hunter22" not in str(refused.value)


def test_a_file_that_is_no_text_is_refused() -> None:
    Path("binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"binary\.toml"):
        settings.read({}, Path("binary.toml"))


@pytest.mark.promise("P29")
@pytest.mark.parametrize(
    "holder",
    [
        AccountSettings(sid=SID, auth_tokens=("hunter22",), api_key_secret="hunter22"),
        ModelSettings(base_url="http://x", model="m", api_key="hunter22"),
        None,
    ],
    ids=["account", "model", "all"],
)
def test_no_secret_shows_in_a_representation(holder: Any) -> None:
    shown = holder or read(
        {
            **ACCOUNT,
            "OVERTURE_DATABASE_URL": "postgresql://overture:hunter22@db/overture",
            "OVERTURE_MODEL_BASE_URL": "http://x",
            "OVERTURE_MODEL_NAME": "m",
            "OVERTURE_MODEL_API_KEY": "hunter22",
            "OVERTURE_SECRETS_KEY": f"hunter22{'a' * 35}=",
        }
    )
    assert "hunter22" not in repr(shown)
    assert "hunter22" not in str(shown)


def test_other_variables_of_the_environment_are_nobodys_business() -> None:
    assert read({"OVERTURE_TEST_DATABASE_URL": "x", "PORT": "1"}).port == 8080


def test_further_words_that_opt_out_are_a_list() -> None:
    assert read({"OVERTURE_ALSO_STOP": "Cancel, end,QUIT"}).also_stop == ("cancel", "end", "quit")
    with pytest.raises(SettingsError, match="OVERTURE_ALSO_STOP"):
        read({"OVERTURE_ALSO_STOP": "cancel,!!"})


def test_typing_is_on_or_off() -> None:
    assert read().typing
    assert not read({"OVERTURE_TYPING": "off"}).typing
    assert not read(toml="typing = false").typing
    with pytest.raises(SettingsError, match="neither on nor off"):
        read({"OVERTURE_TYPING": "maybe"})


def test_a_transcription_endpoint_needs_a_model() -> None:
    with pytest.raises(SettingsError, match="OVERTURE_TRANSCRIPTION_MODEL"):
        read({"OVERTURE_TRANSCRIPTION_BASE_URL": "http://127.0.0.1:1/v1"})
    found = read({"OVERTURE_TRANSCRIPTION_BASE_URL": "http://127.0.0.1:1/v1/", "OVERTURE_TRANSCRIPTION_MODEL": "w"})
    assert (found.transcription_base_url, found.transcription_model) == ("http://127.0.0.1:1/v1", "w")


def test_secrets_of_tools_come_from_the_environment_before_the_file_and_never_show() -> None:
    found = read({"OVERTURE_SECRET_CRM": "from-outside"}, '[secrets]\nCRM = "inside"\nERP = "other"')
    assert found.secrets == {"CRM": "from-outside", "ERP": "other"}
    assert "other" not in repr(found)
    assert found.origins["secrets"] == "OVERTURE_SECRET_*, some.toml: secrets"


@pytest.mark.parametrize(
    ("environment", "toml"),
    [
        ({"OVERTURE_SECRET_CRM": "hunter22\r\nX: y"}, None),
        ({"OVERTURE_SECRET_crm": "hunter22"}, None),
        ({}, '[secrets]\ncrm = "hunter22"'),
        ({}, "[secrets]\nCRM = 22"),
        ({}, '[secrets]\nCRM = ""'),
        ({}, 'secrets = "hunter22"'),
    ],
)
def test_a_secret_that_no_header_carries_is_refused_and_not_repeated(
    environment: dict[str, str], toml: str | None
) -> None:
    with pytest.raises(SettingsError) as refused:
        read(environment, toml)
    assert "hunter22" not in str(refused.value)


def test_what_tools_may_reach_are_hosts_and_networks() -> None:
    assert read({"OVERTURE_TOOLS_MAY_REACH": "crm.internal, 10.0.0.0/8,::1"}).tools_may_reach == (
        "crm.internal",
        "10.0.0.0/8",
        "::1",
    )
    for wrong in ("http://crm", "10.0.0.1/8", "a b", "*.internal", "crm:80"):
        with pytest.raises(SettingsError):
            read({"OVERTURE_TOOLS_MAY_REACH": wrong})
