"""What came with a message is fetched with credentials that go to the API alone, and never from inside our network."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from yarl import URL

from overture.adapters import guard
from overture.adapters.twilio import media
from overture.adapters.twilio.client import TwilioAccount
from overture.adapters.twilio.media import TwilioMedia
from overture.domain.errors import Failure, Misconfigured, Permanent, Transient
from overture.domain.open_internet import is_public
from overture.domain.ports import FetchedMedium
from tests.adapters.wire import Answer, Peer, http, peer, reset, truncated

ACCOUNT = "AC" + "a1" * 16
OTHER = "AC" + "b2" * 16
PATH = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/MM1/Media/ME1"


@asynccontextmanager
async def fetcher(api: Peer, *others: Peer) -> AsyncIterator[TwilioMedia]:
    accounts = {ACCOUNT: TwilioAccount(sid=ACCOUNT, auth_token="token", base_url=api.url)}
    for n, other in enumerate(others):
        sid = f"AC{n:032x}"
        accounts[sid] = TwilioAccount(sid=sid, auth_token="another", base_url=other.url)
    fetching = TwilioMedia(accounts)
    try:
        yield fetching
    finally:
        await fetching.aclose()


async def outcome(*answers: Answer, url: str | None = None) -> FetchedMedium | Failure:
    async with peer(*answers) as api, fetcher(api) as fetching:
        try:
            return await fetching.fetch_medium(ACCOUNT, api.url + PATH if url is None else url)
        except Failure as failure:
            return failure


async def test_a_medium_is_fetched_with_the_account_s_credentials() -> None:
    async with peer(http(200, b"\x89PNG", Content_Type="image/png; charset=x")) as api, fetcher(api) as fetching:
        fetched = await fetching.fetch_medium(ACCOUNT, api.url + PATH)
    assert fetched == FetchedMedium(content_type="image/png", body=b"\x89PNG")
    [(line, headers, _)] = api.requests
    assert (line, headers["authorization"][:6]) == (f"GET {PATH} HTTP/1.1", "Basic ")


async def test_the_credentials_do_not_follow_a_redirect() -> None:
    async with (
        peer(http(200, b"bytes", Content_Type="audio/ogg")) as store,
        peer(http(307, Location=f"{store.url}/media/one?signed=1")) as api,
        fetcher(api, store) as fetching,
    ):
        fetched = await fetching.fetch_medium(ACCOUNT, api.url + PATH)
    assert fetched.body == b"bytes"
    assert "authorization" in api.requests[0][1]
    [(line, headers, _)] = store.requests
    assert line == "GET /media/one?signed=1 HTTP/1.1"
    assert "authorization" not in headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "0.0.0.0"])
async def test_no_address_leads_into_our_own_network(host: str) -> None:
    async with peer(http(200, b"secret")) as inside:
        where = f"http://{host}:{inside.port}/"
        redirected = await outcome(http(302, Location=where))
        named = await outcome(url=where)
    assert inside.requests == []
    for refused in (redirected, named):
        assert isinstance(refused, Permanent), refused
        assert refused.code == "media_address_refused"


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.com/x", "http://user:pw@example.com/", "http:///x", "gopher://x", ""]
)
async def test_only_plain_http_addresses_are_asked(url: str) -> None:
    assert isinstance(await outcome(url=url), Permanent)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (http(404), Permanent, "media_gone"),
        (http(410), Permanent, "media_gone"),
        (http(401), Misconfigured, "media_forbidden"),
        (http(403), Misconfigured, "media_forbidden"),
        (http(400), Permanent, "media_refused"),
        (http(429), Transient, "media_unreachable"),
        (http(503, "<html>"), Transient, "media_unreachable"),
        (reset, Transient, "media_unreachable"),
        (truncated(200, b"half"), Transient, "media_unreachable"),
    ],
)
async def test_what_an_answer_means(answer: Answer, kind: type[Failure], code: str) -> None:
    told = await outcome(answer)
    assert isinstance(told, kind), told
    assert told.code == code


async def test_a_medium_that_is_too_large_is_not_read_to_its_end() -> None:
    async def promising(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {media.LARGEST + 1}\r\n\r\n".encode())
        await writer.drain()

    async def chunked(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(media.LARGEST // 65_536 + 2):
            writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            await writer.drain()

    for answer in (promising, chunked):
        told = await outcome(answer)
        assert isinstance(told, Permanent), told
        assert told.code == "media_too_large"


async def test_redirects_come_to_an_end() -> None:
    async with peer() as api, fetcher(api) as fetching:
        api.answers.extend([http(302, Location=api.url + PATH)] * 10)
        with pytest.raises(Permanent, match="leads from one to the next"):
            await fetching.fetch_medium(ACCOUNT, api.url + PATH)
    assert len(api.requests) == 4


async def test_an_account_that_is_not_set_up_is_told() -> None:
    async with peer() as api, fetcher(api) as fetching:
        with pytest.raises(Misconfigured):
            await fetching.fetch_medium(OTHER, api.url + PATH)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("255.255.255.255", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("not an address", False),
        ("", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_an_origin_of_the_operator_s_own_passes() -> None:
    own = URL("http://127.0.0.1:8081/x").origin()
    guard.refuse_private(URL("http://127.0.0.1:8081/media"), trusted=[own])
    with pytest.raises(guard.Refused):
        guard.refuse_private(URL("http://127.0.0.1:8082/media"), trusted=[own])
