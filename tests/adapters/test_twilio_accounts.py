"""One object holds the accounts in force: what is replaced is used by sending, verifying and fetching from then on."""

import base64

import pytest

from overture.adapters.twilio.accounts import TwilioAccounts
from overture.adapters.twilio.client import TwilioClient
from overture.adapters.twilio.media import TwilioMedia
from overture.domain.account import Credentials, Urls, read_url, urls_of
from overture.domain.errors import Misconfigured
from tests.adapters.wire import http, peer

SID = "AC" + "a1" * 16
OTHER = "AC" + "b2" * 16
PAGE = http(200, '{"messages": [], "next_page_uri": null}')


def credentials(sid: str, *tokens: str, api: str = "https://api.twilio.com") -> Credentials:
    return Credentials(sid=sid, auth_tokens=tokens, urls=urls_of(api))


async def list_once(client: TwilioClient, sid: str) -> None:
    async for _ in client.list_pages(sid, page_size=1):
        return


def login(headers: dict[str, str]) -> str:
    return base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()


def test_accounts_of_the_settings_stay_and_go_first() -> None:
    accounts = TwilioAccounts([credentials(SID, "of the settings")])
    accounts.replace([credentials(SID, "stored"), credentials(OTHER, "new", "old")])
    assert {sid: list(accounts.tokens[sid]) for sid in accounts} == {SID: ["of the settings"], OTHER: ["new", "old"]}
    accounts.replace([])
    assert (list(accounts), list(accounts.tokens), OTHER in accounts.tokens) == ([SID], [SID], False)
    assert "of the settings" not in repr(accounts) + repr(accounts.tokens) + repr(accounts.of_settings())


async def test_a_request_goes_where_and_as_whom_the_account_is_set_up_now() -> None:
    accounts = TwilioAccounts()
    client = TwilioClient(accounts=accounts, secret=b"s")
    async with peer(PAGE) as first, peer(PAGE, PAGE) as second:
        with pytest.raises(Misconfigured, match="not set up"):
            await list_once(client, SID)
        for there, tokens in ((first, ("one",)), (second, ("two", "one")), (second, ("two",))):
            accounts.replace([credentials(SID, *tokens, api=there.url)])
            await list_once(client, SID)
        await client.aclose()
    assert [login(headers) for _, headers, _ in (*first.requests, *second.requests)] == [
        f"{SID}:one",
        f"{SID}:two",
        f"{SID}:two",
    ]


async def test_media_are_fetched_from_the_address_that_the_account_has_for_them() -> None:
    accounts = TwilioAccounts()
    fetching = TwilioMedia(accounts)
    async with peer(http(200, b"bytes", Content_Type="image/png")) as store:
        urls = Urls(api="https://api.example", media=store.url)
        accounts.replace([Credentials(sid=SID, auth_tokens=("one",), urls=urls)])
        fetched = await fetching.fetch_medium(SID, f"{store.url}/2010-04-01/Accounts/{SID}/Messages/MM1/Media/ME1")
        await fetching.aclose()
    assert (fetched.body, login(store.requests[0][1])) == (b"bytes", f"{SID}:one")


@pytest.mark.parametrize(
    ("api", "content"),
    [
        ("https://api.twilio.com", "https://content.twilio.com"),
        ("https://api.dublin.ie1.twilio.com", "https://content.dublin.ie1.twilio.com"),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
        ("https://api.twilio.com.evil.example", "https://api.twilio.com.evil.example"),
    ],
)
def test_the_other_apis_stand_beside_the_first(api: str, content: str) -> None:
    assert urls_of(api).content == content


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("https://api.example/", "https://api.example"),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
        ("https://api.example/twilio/v1", "https://api.example/twilio/v1"),
        ("http://[::1]:8081", "http://[::1]:8081"),
        ("https://api.example:0x1", None),
        ("https://", None),
        ("api.example", None),
        ("https://api.example/\u0000", None),
        ("https://api example", None),
        ("https://" + "a" * 600, None),
    ],
)
def test_an_address_is_read_or_refused(text: str, read: str | None) -> None:
    assert read_url(text) == read
