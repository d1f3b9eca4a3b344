"""`overture twilio connect` and `disconnect`, against Handset: what they show, set, remember and give back."""

import asyncio
import contextlib
import io
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
import pytest
from rich.console import Console

from handset.testing import RunningHandset
from handset.testing import running as handset_running
from overture import bootstrap, settings
from overture.adapters.twilio.wiring import TwilioWiring
from overture.cli import credentials
from overture.cli.connect import Asked, lead_here
from overture.cli.disconnect import give_back
from overture.cli.telling import Stop
from overture.client import Client
from overture.domain.account import Credentials, urls_of
from overture.domain.errors import Misconfigured, Permanent
from overture.domain.remembered_wiring import Remembered
from overture.domain.wiring import Place, Setting
from tests.cli.commands import SECONDS, environment
from tests.sizes import size

PUBLIC = "https://overture.example.org"
OURS = f"{PUBLIC}/webhooks/twilio/inbound#rc=3&rp=ct,rt,5xx"
THEIRS = "https://elsewhere.example.org/sms"
SMS, OTHER, MUTE, WHATSAPP, SANDBOX = (
    "+15551234567",
    "+447700900123",
    "+15551234569",
    "whatsapp:+15551234567",
    "whatsapp:+14155238886",
)
MAIN, SUB, FOREIGN = "AC" + "a" * 32, "AC" + "b" * 32, "AC" + "c" * 32
SERVICE = "MG" + "1" * 32


def an_account(**changes: Any) -> dict[str, Any]:
    """An account with two numbers, one that cannot do SMS, and a WhatsApp sender."""
    return {
        "accounts": [{"sid": MAIN, "auth_token": "right", "name": "Bakery"}],
        "numbers": [
            {"address": SMS, "inbound_url": THEIRS, "inbound_method": "GET"},
            {"address": OTHER},
            {"address": MUTE, "sms": False},
            {"address": WHATSAPP, "inbound_url": THEIRS},
        ],
        **changes,
    }


@contextlib.asynccontextmanager
async def provider(**changes: Any) -> AsyncIterator[RunningHandset]:
    """That account's provider."""
    async with handset_running(an_account(**changes)) as running:
        yield running


class Home:
    """Our own house, and what its verbs told."""

    def __init__(self, folder: Path, at: RunningHandset, given: Mapping[str, str] | None = None) -> None:
        self.at: Final = at
        known = {"OVERTURE_DATA": str(folder / "data"), "OVERTURE_PUBLIC_URL": PUBLIC, **(given or {})}
        self.settings: Final = settings.read(known)
        self.account: Final = Credentials(sid=MAIN, auth_tokens=("right",), urls=urls_of(at.base_url))

    async def connect(self, asked: Asked | None = None, **changes: Any) -> str:
        """Connect, without being asked unless told otherwise; all it says."""
        given = changes.pop("given", self.account)
        screen = Console(file=io.StringIO(), width=200, markup=False, highlight=False, soft_wrap=True)
        asked = asked or Asked(yes=True)
        await lead_here(screen, self.client(), msgspec.structs.replace(self.settings, **changes), given, asked)
        return self._said(screen)

    async def disconnect(self, **asked: Any) -> str:
        """Disconnect; all it says."""
        screen = Console(file=io.StringIO(), width=200, markup=False, highlight=False, soft_wrap=True)
        await give_back(screen, self.client(), self.account, **{"yes": True, **asked})
        return self._said(screen)

    def client(self) -> Client:
        """A client of the house."""
        return Client(socket=self.settings.socket)

    async def senders(self) -> set[str]:
        """The senders in use."""
        async with self.client() as client:
            return {f"{one.channel}:{one.address}" for one in await client.list_senders()}

    def _said(self, screen: Console) -> str:
        assert isinstance(screen.file, io.StringIO)
        return screen.file.getvalue()


@contextlib.asynccontextmanager
async def home(folder: Path, given: Mapping[str, str] | None = None, **changes: Any) -> AsyncIterator[Home]:
    """A house that serves under these settings, and that account's provider."""
    async with provider(**changes) as at:
        one = Home(folder, at, given)
        async with bootstrap.serving_locally(one.settings):
            yield one


async def wired(at: RunningHandset) -> dict[str, tuple[str, str]]:
    """Where each sender's messages go, by its provider."""
    headers = {"Authorization": aiohttp.encode_basic_auth(MAIN, "right")}
    async with aiohttp.ClientSession(at.base_url, headers=headers) as session:
        async with session.get(f"/2010-04-01/Accounts/{MAIN}/IncomingPhoneNumbers.json?PageSize=1000") as answer:
            numbers = (await answer.json())["incoming_phone_numbers"]
        async with session.get("/v2/Channels/Senders?Channel=whatsapp") as answer:
            senders = (await answer.json())["senders"]
    return {
        **{one["phone_number"]: (one["sms_url"], one["sms_method"]) for one in numbers},
        **{one["sender_id"]: (one["webhook"]["callback_url"], one["webhook"]["callback_method"]) for one in senders},
    }


def overture(folder: Path, verb: str, *arguments: str, said: str) -> tuple[int, str]:
    """A verb as a person runs it: its exit status and all it says; the token, and what follows, is piped in."""
    ended = subprocess.run(
        [sys.executable, "-m", "overture.cli", "twilio", verb, *arguments],
        cwd=folder,
        env=environment(OVERTURE_PUBLIC_URL=PUBLIC),
        input=said,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    told = ended.stdout + ended.stderr
    assert "Traceback" not in told, told
    assert "Unexpected" not in told, told
    return ended.returncode, told


async def test_it_asks_for_the_token_and_for_a_yes(tmp_path: Path) -> None:
    async with provider() as at:
        before = await wired(at)
        for verb, arguments, said, expected, line in (
            ("connect", (), "", 2, "Nobody answered."),
            ("connect", (), "right\nno\n", 1, "Nothing was changed."),
            ("connect", (), "right\nyes\n", 0, "Set 3 webhooks; 3 senders connected."),
            ("disconnect", ("--yes",), "right\n", 0, "Given back: 3 of 3."),
        ):
            given = ("--account-sid", MAIN, "--api-url", at.base_url, *arguments)
            status, told = await asyncio.to_thread(overture, tmp_path, verb, *given, said=said)
            assert (status, line in told) == (expected, True), told
            assert "right" not in told
        assert await wired(at) == before


async def test_it_shows_sets_remembers_and_gives_back(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        before = await wired(ours.at)
        told = await ours.connect(Asked(dry_run=True))
        assert await wired(ours.at) == before
        for line in (
            f"Account {MAIN} (Bakery) is active.",
            f"To be set to {OURS}:",
            f"now: {THEIRS} (GET)",
            f"its messages go to {THEIRS} today",
            "its webhook is called with GET; it becomes POST",
            "is in no Messaging Service registered for 10DLC",
            f"{MUTE}: it cannot send or receive SMS.",
            "Nothing was changed (--dry-run).",
        ):
            assert line in told, told
        assert "Set 3 webhooks; 3 senders connected." in await ours.connect()
        assert await wired(ours.at) == {**before, **dict.fromkeys((SMS, OTHER, WHATSAPP), (OURS, "POST"))}
        assert await ours.senders() == {f"sms:{SMS}", f"sms:{OTHER}", WHATSAPP}
        assert "There was nothing to set: 3 senders connected." in await ours.connect()
        assert "Nothing was changed (--dry-run)." in await ours.disconnect(dry_run=True)
        assert "Given back: 3 of 3." in await ours.disconnect()
        assert (await wired(ours.at), await ours.senders()) == (before, set())
        with pytest.raises(Stop, match=f"Nothing of account {MAIN} was connected from here"):
            await ours.disconnect()


async def test_one_sender_alone(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        before = await wired(ours.at)
        await ours.connect(Asked(only=SMS, yes=True))
        assert await wired(ours.at) == {**before, SMS: (OURS, "POST")}
        for address, told in (
            ("+15550000000", "it is none of the account's numbers"),
            (SANDBOX, "it is WhatsApp's sandbox, whose address is set in Twilio's console alone"),
            ("12345", "short codes are not listed"),
            (MUTE, "it cannot send or receive SMS"),
        ):
            with pytest.raises(Stop, match=f"cannot be connected: {told}"):
                await ours.connect(Asked(only=address, yes=True))
        with pytest.raises(Stop, match="was not connected from here"):
            await ours.disconnect(only=OTHER)
        await ours.disconnect(only=SMS)
        assert await wired(ours.at) == before


async def test_what_somebody_set_meanwhile_is_theirs(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        await ours.connect()
        async with TwilioWiring(ours.account) as elsewhere:
            (number, *_) = [one async for page in elsewhere.list_numbers() for one in page]
            await elsewhere.change(Place.NUMBER, number.sid, Setting(url="https://third.example.org"))
        told = await ours.disconnect()
        assert f"somebody set that since; it stays. Before us it was {THEIRS} (GET)" in told
        assert (await wired(ours.at))[SMS] == ("https://third.example.org", "POST")
        assert (await wired(ours.at))[WHATSAPP] == (THEIRS, "POST")


async def test_a_move_of_the_public_address_keeps_what_was_there_first(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        before = await wired(ours.at)
        await ours.connect()
        await ours.connect(public_urls=("https://moved.example.org",))
        assert (await wired(ours.at))[SMS][0].startswith("https://moved.example.org/")
        await ours.disconnect()
        assert await wired(ours.at) == before


async def test_a_service_that_decides_is_set_once_and_given_back(tmp_path: Path) -> None:
    service = {"sid": SERVICE, "name": "Shop", "numbers": [SMS, OTHER, WHATSAPP], "inbound_url": THEIRS}
    async with home(tmp_path, services=[{**service, "alpha_senders": ["BAKERY"]}]) as ours:
        before = await wired(ours.at)
        told = await ours.connect()
        for line in (
            "Set 1 webhook; 3 senders connected.",
            "Messaging Service Shop decides for its senders, whatever they say",
            "it also sends as BAKERY: nobody can answer a name",
        ):
            assert line in told, told
        assert await wired(ours.at) == before
        await ours.at.types("+15550100001", SMS, "hello")
        assert (await ours.at.webhooks())[-1]["url"] == OURS
        await ours.disconnect()
        await ours.at.types("+15550100001", SMS, "hello")
        assert (await ours.at.webhooks())[-1]["url"] == THEIRS


async def test_a_run_that_was_broken_off_is_finished_by_the_next(tmp_path: Path) -> None:
    numbers = [{"address": f"+4477009{n:05d}", "inbound_url": THEIRS} for n in range(60)]
    async with home(tmp_path, numbers=numbers) as ours:
        before = await wired(ours.at)

        async def set_so_far() -> int:
            return [url for url, _ in (await wired(ours.at)).values()].count(OURS)

        connecting = asyncio.create_task(ours.connect())
        await ours.at.wait_for(set_so_far, timeout=20)
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        assert 0 < await set_so_far() < 60
        await ours.connect()
        assert await set_so_far() == 60
        await ours.disconnect()
        assert await wired(ours.at) == before


async def test_a_busy_provider_is_asked_again(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        await ours.at.faults({"kind": "429", "on": ["other"], "next": 2, "retry_after": 0})
        assert "Set 3 webhooks" in await ours.connect()


@pytest.mark.parametrize(
    ("public_urls", "told"),
    [
        ((), "No public address is set, so there is nothing to connect to."),
        (("https://my_host.example.org",), "has an underscore in its host"),
        (("https://10.0.0.1",), "is an address that the provider cannot reach"),
        (("http://plain.example.org",), "is not https"),
    ],
)
async def test_an_address_that_cannot_be_called_is_not_set(
    tmp_path: Path, public_urls: tuple[str, ...], told: str
) -> None:
    async with provider() as at:
        with pytest.raises(Stop, match=told):
            await Home(tmp_path, at).connect(public_urls=public_urls)


async def test_credentials_that_do_not_open_enough_are_told(tmp_path: Path) -> None:
    key = {"sid": "SK" + "1" * 32, "secret": "word", "kind": "restricted"}
    accounts = [
        {"sid": MAIN, "auth_token": "right", "api_keys": [key]},
        {"sid": FOREIGN, "auth_token": "theirs"},
        {"sid": SUB, "auth_token": "sub", "owner": MAIN, "status": "suspended", "type": "Trial"},
    ]
    async with home(tmp_path, accounts=accounts) as ours:
        before = await wired(ours.at)
        urls = urls_of(ours.at.base_url)
        for given in (
            Credentials(sid=MAIN, auth_tokens=("wrong",), urls=urls),
            Credentials(sid=FOREIGN, auth_tokens=("right",), urls=urls),
            Credentials(sid=MAIN, api_key_sid=key["sid"], api_key_secret="other", urls=urls),
        ):
            with pytest.raises(Misconfigured, match="The provider refused our credentials"):
                await ours.connect(given=given)
        assert await wired(ours.at) == before
        assert "It has 1 sub-account, which are connected one by one" in await ours.connect(Asked(dry_run=True))
        with pytest.raises(Stop, match="nothing that could be connected"):
            await ours.connect(given=Credentials(sid=SUB, auth_tokens=("sub",), urls=urls))
    kept = {
        "OVERTURE_TWILIO_ACCOUNT_SID": MAIN,
        "OVERTURE_TWILIO_API_KEY_SID": key["sid"],
        "OVERTURE_TWILIO_API_KEY_SECRET": key["secret"],
    }
    async with home(tmp_path / "other", kept, accounts=accounts) as ours:
        urls = urls_of(ours.at.base_url)
        by_key = Credentials(sid=MAIN, api_key_sid=key["sid"], api_key_secret=key["secret"], urls=urls)
        with pytest.raises(Permanent, match="may read, but not change where messages go"):
            await ours.connect(given=by_key)
        assert await wired(ours.at) == before


async def test_a_number_that_is_gone_meanwhile_is_left_out(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        async with ours.client() as client:
            gone = Remembered(
                account_sid=MAIN,
                place=Place.NUMBER,
                sid="PN" + "0" * 32,
                addresses=("+15550000000",),
                before=Setting(url=THEIRS),
                became=Setting(url=OURS),
            )
            await client.remember_wirings([gone])
        assert "it is no longer there" in await ours.disconnect()
        async with ours.client() as client:
            assert await client.list_wirings() == []


async def test_hundreds_of_numbers(tmp_path: Path) -> None:
    count = size(small=150, full=1000)
    numbers = [{"address": f"+4477009{n:05d}", "inbound_url": THEIRS} for n in range(count)]
    async with home(tmp_path, numbers=numbers) as ours:
        before = await wired(ours.at)
        told = await ours.connect()
        assert f"Set {count} webhooks; {count} senders connected." in told
        assert told.count("\n") < 200
        assert {url for url, _ in (await wired(ours.at)).values()} == {OURS}
        await ours.disconnect()
        assert await wired(ours.at) == before


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"a" * 5000])
def test_a_file_that_holds_no_token_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(Stop, match="holds no auth token"):
        credentials.read(settings.read({}), account_sid=MAIN, token_file=tmp_path / "token", api_url=None)


@pytest.mark.parametrize(
    ("said", "sid", "api_url", "told"),
    [
        ("", MAIN, None, "Nobody answered"),
        ("two\x07words\n", MAIN, None, "That is no auth token"),
        ("right\n", "nonsense", None, "'nonsense' is no account SID"),
        ("right\n", MAIN, "ftp://x", "is no http or https address"),
    ],
)
def test_what_is_no_account_is_told(said: str, sid: str, api_url: str | None, told: str) -> None:
    typed = io.StringIO(said)
    with pytest.raises(Stop, match=told):
        credentials.read(settings.read({}), account_sid=sid, token_file=None, api_url=api_url, typed=typed)


def test_of_several_accounts_one_must_be_named(tmp_path: Path) -> None:
    (tmp_path / "overture.toml").write_text(f'accounts = [{{sid = "{MAIN}"}}, {{sid = "{SUB}"}}]')
    with pytest.raises(Stop, match="The settings name 2 accounts"):
        credentials.read(settings.read({}, tmp_path / "overture.toml"), account_sid=None, token_file=None, api_url=None)
